"""Connections to servers, kept open: those that are trusted apart from those that are not, each proxy's apart."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from threading import Condition, Lock, Thread
from typing import TYPE_CHECKING, final
from urllib.parse import quote, urlsplit

from buildlock.errors import UnavailableError
from buildlock.index.failures import TransientError
from buildlock.index.insecurity import find_insecure, warn_insecure
from buildlock.index.proxies import Proxies
from buildlock.index.reaching import Names, Proxy, Way, split_origin
from buildlock.index.urls import Address, parse_address
from buildlock.index.wire import Answer, StaleError, Wire
from buildlock.project.network import Network
from buildlock.reporting import Reporter

if TYPE_CHECKING:
    import ssl

_MOST = 32
"""Connections to one server."""
_MANY = 4
"""As many that wait at once are not the last."""
_SAFE = "/?%:@!$&'()*+,;=~"
"""What a path and a query may have, beyond letters and digits."""


@final
class Connections:
    """Safe to share among threads.

    Args:
        network: Whom to trust, and which way to go.
        report: Told, once for each, of the servers whose certificate is not checked.
        connect_timeout: Seconds for a connection to be made.
        timeout: Seconds for each next byte.
    """

    def __init__(self, network: Network, report: Reporter, *, connect_timeout: float, timeout: float) -> None:
        self._network = network
        self._report = report
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._proxies = Proxies(network)
        self._names = Names()
        self._lock = Lock()
        self._servers: dict[tuple[str, str | None, bool], _Server] = {}
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._warned: set[str] = set()
        self._closed = False

    def clear(self) -> None:
        """Close them all; no more are opened."""
        with self._lock:
            self._closed = True
            for server in self._servers.values():
                server.close()

    def ask(self, address: Address, method: str, headers: Mapping[str, str], content: bytes | None = None) -> Answer:
        """Send a request; the connection is kept when all of the answer is read.

        Raises:
            TransientError: There was no answer.
            UnavailableError: The server is not who it should be, or the proxy, or certificates, cannot be used.
        """
        server = self._find(address)
        parts = urlsplit(address.url)
        target = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
        fields = {"Host": server.way.authority, **headers}
        if server.way.proxy is not None and server.way.context is None:
            target = f"http://{server.way.authority}{target}"
            fields |= server.way.proxy.headers
        while True:
            wire = server.take()
            kept = wire.used
            give_back = partial(server.give_back, wire)
            try:
                head = wire.ask(method, target, fields, content)
                if server.way.proxy is not None and server.way.context is None:
                    server.way.proxy.check(head)
                return Answer(wire, head, give_back)
            except StaleError:
                give_back(False)
                if not kept or content is not None:
                    raise
            except BaseException:
                give_back(False)
                raise

    def prepare(self, address: Address, requests: int) -> None:
        """Begin to open connections for so many requests at once; what goes wrong is told to who asks."""
        with suppress(TransientError, UnavailableError):
            self._find(address).prepare(requests)

    def _find(self, address: Address) -> _Server:
        proxy = self._proxies.find(address.url)
        insecure = find_insecure(self._network.insecure_hosts, address.url)
        key = address.origin, proxy, insecure is None
        with self._lock:
            if insecure is not None and address.origin not in self._warned:
                self._warned.add(address.origin)
                self._report(warn_insecure(address.origin, insecure))
            if key not in self._servers:
                self._servers[key] = _Server(self._describe_way(address, proxy, checked=insecure is None))
                if self._closed:
                    self._servers[key].close()
            return self._servers[key]

    def _describe_way(self, address: Address, proxy: str | None, *, checked: bool) -> Way:
        host, port = split_origin(address)
        return Way(
            host=host,
            port=port,
            context=self._context(checked=checked) if address.scheme == "https" else None,
            proxy=self._describe_proxy(address.scheme, proxy) if proxy is not None else None,
            names=self._names,
            connect_timeout=self._connect_timeout,
            timeout=self._timeout,
        )

    def _describe_proxy(self, scheme: str, proxy: str) -> Proxy:
        try:
            way = parse_address(proxy if "://" in proxy else f"http://{proxy}")
            if way.scheme not in {"http", "https"}:
                raise ValueError(f"its scheme is `{way.scheme}`")  # noqa: TRY301 - told as all else
        except ValueError as error:
            # Of a malformed URL nobody can tell what in it is secret.
            raise UnavailableError(
                f"the proxy for `{scheme}` cannot be used: {error}",
                hint="correct `HTTP_PROXY`, `HTTPS_PROXY` or `ALL_PROXY`, or the setting that names it",
            ) from error
        return Proxy(address=way, context=self._context(checked=True) if way.scheme == "https" else None)

    def _context(self, *, checked: bool) -> ssl.SSLContext:
        """Made once, and only where there is a use for it: it takes a while."""
        from buildlock.index.certificates import make_context  # noqa: PLC0415 - not every server is asked with TLS

        if checked not in self._contexts:
            self._contexts[checked] = make_context(self._network, checked=checked)
        return self._contexts[checked]


@final
class _Server:
    """The connections to one server, opened beside those who wait: whichever is free first is taken.

    A new connection takes two or three round trips, and one that is being used is mostly free again in one. Where many
    ask at once more will ask when they have their answers: connections for these are opened with theirs.
    """

    def __init__(self, way: Way) -> None:
        self.way = way
        self._changed = Condition()
        self._idle: list[Wire] = []
        self._taken: set[Wire] = set()
        self._waiting = self._opening = self._count = 0
        self._most = _MOST
        self._failures = 0
        self._failure: BaseException | None = None
        self._closed = False

    def take(self) -> Wire:
        """A connection.

        Raises:
            TransientError, UnavailableError: As of `Way.open`.
        """
        with self._changed:
            before = self._failures
            self._waiting += 1
            try:
                while True:
                    if self._closed:
                        raise TransientError("the client is closed")
                    while self._idle:
                        wire = self._idle.pop()
                        if wire.is_quiet():
                            self._taken.add(wire)
                            return wire
                        self._drop(wire)
                    if self._failures > before and self._failure is not None:
                        raise self._failure
                    self._begin_for(self._waiting)
                    self._changed.wait()
            finally:
                self._waiting -= 1

    def prepare(self, requests: int) -> None:
        """Begin to open connections for so many requests.

        Raises:
            TransientError: There can be none.
        """
        with self._changed:
            if not self._closed:
                self._begin_for(requests)

    def give_back(self, wire: Wire, usable: bool) -> None:  # noqa: FBT001 - as an answer calls it
        with self._changed:
            self._taken.discard(wire)
            if usable and not wire.has_more and not self._closed:
                self._idle.append(wire)
            else:
                self._drop(wire)
            self._changed.notify()

    def close(self) -> None:
        """Whoever waits for a connection, or for an answer over one, waits no longer."""
        with self._changed:
            self._closed = True
            for wire in self._taken:
                wire.break_off()
            while self._idle:
                self._drop(self._idle.pop())
            self._changed.notify_all()

    def _begin_for(self, requests: int) -> None:
        wanted = requests if requests < _MANY else 2 * requests
        while self._opening < wanted and self._count < self._most:
            self._begin()

    def _begin(self) -> None:
        """Open one beside who waits, who holds the lock."""
        try:
            Thread(target=self._open, name="buildlock-connection", daemon=True).start()
        except RuntimeError as error:  # the system has no more threads for us
            if not self._count:
                raise TransientError(f"no connection: {error}") from error
        else:
            self._count += 1
            self._opening += 1

    def _drop(self, wire: Wire) -> None:
        wire.close()
        self._count -= 1

    def _open(self) -> None:
        wire, failure = None, None
        try:
            wire = self.way.open()
        except BaseException as error:  # noqa: BLE001 - it is raised where a connection is waited for
            failure = error
        with self._changed:
            self._opening -= 1
            if wire is None:
                self._count -= 1
                # Of a server that takes no more connections, those that there are will be free.
                self._most = self._count or _MOST
                if self._count == 0 or not isinstance(failure, TransientError):
                    self._failure = failure
                    self._failures += 1
                self._changed.notify_all()
            elif self._closed:
                self._drop(wire)
            else:
                self._idle.append(wire)
                self._changed.notify()  # to wake who gets none costs more than to open it
