"""Ways to a server: directly, or through a proxy; with TLS where it is asked for."""

from __future__ import annotations

import socket
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from threading import Lock, Thread
from typing import TYPE_CHECKING, TypeAlias, final
from urllib.parse import urlsplit

from buildlock.errors import UnavailableError
from buildlock.index.failures import TransientError
from buildlock.index.urls import Address, bracket, encode_host
from buildlock.index.wire import Head, Socket, Wire
from buildlock.text import printable
from buildlock.values import dataclass, field

if TYPE_CHECKING:
    import ssl

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LEAST_WAIT = 2.0
"""Seconds for one address of a host, however many it has, as long as there are so many left."""
_Where: TypeAlias = tuple[socket.AddressFamily, tuple[object, ...]]
_UNKNOWN = "its host name cannot be resolved"


class _Tcp(socket.socket):
    __slots__ = ()

    def pending(self) -> int:
        """As of TLS: bytes that have come and were not read."""
        return 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Proxy:
    """What stands between."""

    address: Address
    context: ssl.SSLContext | None
    """Where it is reached by TLS."""

    @property
    def headers(self) -> dict[str, str]:
        """What proves to it that we may use it."""
        return {"Proxy-Authorization": self.address.authorization} if self.address.authorization else {}

    def check(self, head: Head) -> None:
        """See whether it lets us through.

        Raises:
            UnavailableError: It wants a proof, or another one.
        """
        if head.status == 407:  # noqa: PLR2004
            refused = "refuses the credentials that its URL has" if self.headers else "wants credentials"
            raise UnavailableError(
                f"the proxy `{self.address.origin}` {refused}: it answered {_describe(head)}",
                hint="name it with its user and password in `HTTP_PROXY` or `HTTPS_PROXY`: `http://user:password@…`",
            )


@final
class Names:
    """Addresses of hosts, each looked up once; safe to share among threads.

    Each beside those who wait: nobody can interrupt the system's resolver, and one name must not hold up the others.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._found: dict[tuple[str, int], Future[list[_Where]]] = {}

    def find(self, host: str, port: int, timeout: float) -> list[_Where]:
        """Where a host is, best first.

        Raises:
            TransientError: Nobody knows, or has said so in time.
        """
        with self._lock:
            found = self._found.get((host, port))
            wanted = found is None
            if found is None:
                found = self._found[host, port] = Future()
        if wanted:
            looking = Thread(target=self._look_up, args=(host, port, found), name="buildlock-name", daemon=True)
            try:
                looking.start()
            except RuntimeError:  # the system has no more threads for us
                looking.run()
        try:
            return found.result(timeout)
        except FutureTimeoutError as error:
            raise TransientError("its host name was not resolved in time") from error
        except (OSError, UnicodeError) as error:
            raise TransientError(_UNKNOWN) from error

    def prefer(self, host: str, port: int, where: _Where) -> None:
        """Have this address tried first: it answers."""
        with self._lock:
            found = self._found.get((host, port))
            if found is not None and found.done():
                better: Future[list[_Where]] = Future()
                better.set_result([where, *(other for other in found.result() if other != where)])
                self._found[host, port] = better

    def forget(self, host: str, port: int) -> None:
        """Look it up again when it is wanted again: no address answers."""
        with self._lock:
            self._found.pop((host, port), None)

    def _look_up(self, host: str, port: int, found: Future[list[_Where]]) -> None:
        try:
            # As bytes: for a text Python reads the tables of all the world's scripts.
            addresses = socket.getaddrinfo(encode_host(host), port, 0, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            self.forget(host, port)
            found.set_exception(error)
        else:
            found.set_result([(family, where) for family, _, _, _, where in addresses])


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """How one server is reached."""

    host: str
    port: int
    context: ssl.SSLContext | None
    """Where it is reached by TLS."""
    proxy: Proxy | None
    names: Names = field(repr=False)
    connect_timeout: float
    timeout: float

    @property
    def authority(self) -> str:
        """As in a `Host` field."""
        usual = _DEFAULT_PORTS["https" if self.context else "http"]
        return bracket(self.host) if self.port == usual else f"{bracket(self.host)}:{self.port}"

    def open(self) -> Wire:
        """A new connection.

        Raises:
            TransientError: There is none, for now.
            UnavailableError: It proves not to be who it should be.
        """
        if self.proxy is None:
            connection: Socket = self._connect(self.host, self.port)
        else:
            try:
                connection = self._open_proxy(self.proxy)
            except TransientError as error:
                raise TransientError(f"the proxy `{self.proxy.address.origin}` cannot be used: {error}") from error
        if self.context is not None:
            connection = _secure(connection, self.context, self.host, self.port)
        return Wire(connection, self.timeout)

    def _open_proxy(self, proxy: Proxy) -> Socket:
        host, port = split_origin(proxy.address)
        connection: Socket = self._connect(host, port)
        if proxy.context is not None:
            connection = _secure(connection, proxy.context, host, port)
        if self.context is not None:
            try:
                self._tunnel(connection, proxy)
            except BaseException:
                connection.close()
                raise
        return connection

    def _connect(self, host: str, port: int) -> _Tcp:
        failure = TransientError(_UNKNOWN)
        addresses = self.names.find(host, port, self.connect_timeout)
        deadline = time.monotonic() + self.connect_timeout
        least = min(_LEAST_WAIT, self.connect_timeout / 2)
        for position, (family, where) in enumerate(addresses):
            # Addresses that swallow what they are sent must not take the time of one that answers.
            left = deadline - time.monotonic()
            if left <= 0:
                break
            connection = None
            try:
                connection = _Tcp(family, socket.SOCK_STREAM)
                connection.settimeout(min(left, max(left / (len(addresses) - position), least)))
                connection.connect(where)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                timed_out = isinstance(error, TimeoutError)
                failure = TransientError("no connection in time" if timed_out else f"no connection: {error}")
                failure.__cause__ = error
            else:
                if position:
                    self.names.prefer(host, port, (family, where))
                return connection
            if connection is not None:
                connection.close()
        self.names.forget(host, port)
        raise failure

    def _tunnel(self, connection: Socket, proxy: Proxy) -> None:
        target = f"{bracket(self.host)}:{self.port}"
        wire = Wire(connection, self.connect_timeout)
        head = wire.ask("CONNECT", target, {"Host": target, **proxy.headers})
        proxy.check(head)
        if not 200 <= head.status < 300:  # noqa: PLR2004
            raise TransientError(f"Tunnel connection failed: {_describe(head)}")
        if wire.has_more:
            raise TransientError("it says more than that the way is open")


def _describe(head: Head) -> str:
    """What was answered, for messages."""
    return printable(f"{head.status} {head.reason}".rstrip())


def _secure(connection: Socket, context: ssl.SSLContext, host: str, port: int) -> Socket:
    from buildlock.index.tls import secure  # noqa: PLC0415 - not every server is asked with TLS

    return secure(connection, context, host, port)


def split_origin(address: Address) -> tuple[str, int]:
    """The host and the port of an address."""
    parts = urlsplit(address.url)
    return parts.hostname or "", parts.port or _DEFAULT_PORTS[address.scheme]
