"""Asking servers: connections kept open, transient failures tried again, sizes bounded, credentials kept in."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from threading import BoundedSemaphore, Event, Lock, Thread
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar, final

from buildlock import __version__
from buildlock.errors import InvalidPageError, UnavailableError
from buildlock.index.credentials import Credentials
from buildlock.index.failures import TransientError, read_retry_after
from buildlock.index.http_cache import Entry, Head, HttpCache
from buildlock.index.urls import Address, InvalidUrlError, follow, parse_address
from buildlock.project.model import Authentication
from buildlock.project.network import Network
from buildlock.reporting import Asked, Noted, Received, Reporter
from buildlock.text import printable, without_credentials
from buildlock.values import dataclass

if TYPE_CHECKING:
    from buildlock.index.connections import Connections
    from buildlock.index.wire import Answer

T = TypeVar("T")

_AGENT = f"buildlock/{__version__}"
MAX_PAGE_BYTES = 64 << 20

_TIMEOUT = 30.0
_CONNECT_TIMEOUT = 10.0
_RETRIES = 3
_MOST_REQUESTS = 64
"""Under way at a time; more threads than that there are not."""
_CHUNK = 1 << 18
_SMALL = 1 << 14
_FEW = 3
"""Pieces of an answer that nobody wants: in chunks, its end is one too."""
_SLOWEST = 1 << 16
"""Bytes that have to come in the time that a page may take."""
_MAX_REDIRECTS = 10
_FOR_EVER = "max-age=999999999"
_MAX_PAUSE = 30.0
# What is kept of one URL says nothing of another, and what proves a right to one proves none to another.
_OF_ONE_URL = frozenset({"If-None-Match", "If-Modified-Since", "Authorization", "Cookie"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRANSIENT = frozenset({408, 425, 429})
_NOT_MODIFIED = 304
_FIRST_CLIENT_ERROR = 400
_FIRST_SERVER_ERROR = 500
_HINT = "check the network and the proxy settings (`HTTPS_PROXY`, `NO_PROXY`), or try again later"


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """A whole answer."""

    url: str
    """Where it came from in the end, after redirects; without credentials."""
    status: int
    headers: Mapping[str, str]
    """With lower-case names."""
    content: bytes
    """Decoded."""
    kept: str | None = None
    """The sha256 of the content, where it was kept before and holds still."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """An answer whose body is still to come, as it is on the wire."""

    url: str
    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]
    direct: bool
    """Whether the URL that was asked answered itself, without a redirect."""
    private: bool = False
    """Whether it was asked with credentials."""


@final
class HttpClient:
    """Fetches from `http:`, `https:` and `file:` URLs; safe to share among threads.

    Credentials in a URL (`https://user:password@…`) are sent to its origin only, then and whenever that origin is
    asked again, and appear in nothing that is returned, raised, reported or kept on disk.

    Args:
        cache_dir: Where pages are kept; `None` keeps none.
        report: Told of every request and every retry.
        network: How servers are reached.
        backoff: Seconds before the first retry; doubled for each further one.
        offline: Ask no server: pages that were kept are used however old, files of this machine are read.
        kept_since: Of pages that were kept before that it is asked whether they still hold, however long the server
            said that they would; in seconds since the epoch.
    """

    def __init__(
        self,
        *,
        cache_dir: Path | None,
        report: Reporter,
        network: Network = Network(),  # noqa: B008 - frozen
        backoff: float = 0.5,
        offline: bool = False,
        kept_since: float = 0.0,
    ) -> None:
        self._offline = offline
        self._kept_since = kept_since
        self._cache_dir = cache_dir
        self._report = report
        self._timeout = _TIMEOUT if network.timeout is None else network.timeout
        # As in uv: whoever does not want to wait long for an answer does not want to wait longer for a connection.
        self._connect_timeout = min(network.connect_timeout or _CONNECT_TIMEOUT, self._timeout)
        self._retries = _RETRIES if network.retries is None else network.retries
        self._backoff = backoff
        self._turns = BoundedSemaphore(network.concurrent_downloads or _MOST_REQUESTS)
        self._closed = Event()
        self._lock = Lock()
        self._network = network
        self._opened: Connections | None = None
        self._credentials = Credentials(network, report)

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, from any thread: what waits to be asked, or is being read, is given up at once."""
        self._closed.set()
        with self._lock:
            if self._opened is not None:
                self._opened.clear()

    def remember_credentials(self, url: str, authenticate: Authentication = "auto") -> None:
        """Use the credentials in `url`, or those that the user keeps for it elsewhere, when its origin is asked.

        Args:
            url: A place that the user has named.
            authenticate: Whether it is asked with credentials; with `never` those in `url` are passed over.
        """
        try:
            address = parse_address(url)
        except InvalidUrlError:
            return  # whoever asks it is told
        self._credentials.name(address, authenticate)
        self._credentials.remember(address)

    def connect(self, url: str, requests: int) -> None:
        """Begin to connect to a server that will be asked so many things at once; what is wrong with it is told then.

        Raises:
            UnavailableError: It is no URL of a server.
        """
        address = self._parse(url)
        if address.scheme != "file" and not self._offline:
            at_once = min(requests, self._network.concurrent_downloads or _MOST_REQUESTS)
            beside = Thread(target=self._connections().prepare, args=(address, at_once), daemon=True)
            with suppress(RuntimeError):  # the system has no more threads for us
                beside.start()

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = MAX_PAGE_BYTES,
        cache: bool = True,
        cache_control: str | None = None,
        answers: Collection[int] = (),
    ) -> Response:
        """Fetch a page, a metadata file, or with a `Range` header a part of a file.

        Args:
            url: Where, with credentials if need be.
            headers: Sent in addition.
            max_bytes: The largest body accepted, on the wire and decoded.
            cache: Whether a kept answer may be used and this one kept, as far as the server allows.
            cache_control: What stands in for the server's own word on that.
            answers: Further statuses that are an answer.

        Returns:
            What the server answered, with a status of the 200s or the 400s: the caller decides what they mean.

        Raises:
            UnavailableError: No answer, or a status that is none.
            InvalidPageError: The body is larger than `max_bytes`.
        """
        sent = {name.title(): value for name, value in (headers or {}).items()}
        # A part of a compressed body is of no use.
        sent.setdefault("Accept-Encoding", "identity" if "Range" in sent else "gzip")
        kept = HttpCache(self._cache_dir, cache_control) if self._cache_dir and cache and "Range" not in sent else None
        return self.attempt(url, lambda: self._get_once(url, sent, max_bytes, kept, answers))

    def peek(self, url: str, accept: str, cache_control: str | None = None) -> Head | None:
        """What is known of the kept answer that `get` would use without asking; `None` where it would ask."""
        address = self._parse(url)
        if self._cache_dir is None or address.scheme == "file" or address.authorization:
            return None
        head = HttpCache(self._cache_dir, cache_control).peek(address.url, accept)
        return head if head is not None and self._may_use(head) else None

    def find_kept(self, url: str, what: str) -> bytes | None:
        """What was made of a file that does not change, and kept; `None` where there is nothing."""
        cache = self._cache_of(url)
        entry = cache.find(without_credentials(url), what) if cache else None
        return entry.content if entry else None

    def keep(self, url: str, what: str, content: bytes) -> None:
        """Keep what was made of a file for as long as the cache is, unless it is one that only some may see.

        Args:
            url: Where the file is.
            what: What was made of which content of the file.
            content: What `find_kept` is to answer.
        """
        if cache := self._cache_of(url):
            cache.store(without_credentials(url), what, {}, content)

    def _cache_of(self, url: str) -> HttpCache | None:
        address = self._parse(url)
        if self._cache_dir is None or address.scheme == "file" or address.authorization:
            return None
        return HttpCache(self._cache_dir, _FOR_EVER)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None = None,
        max_bytes: int = MAX_PAGE_BYTES,
    ) -> Response:
        """Ask an API once: nothing is kept, and no redirect is followed.

        Returns:
            What the server answered, with a status of the 200s or the 400s: the caller decides what they mean.

        Raises:
            TransientError: It may succeed when tried again, see `attempt`.
            UnavailableError: No answer, or a status that is none.
            InvalidPageError: The body is larger than `max_bytes`.
        """
        address = self._parse(url)
        if address.scheme == "file":
            raise UnavailableError(f"`{address.url}` is no server")
        sent = {"User-Agent": _AGENT, "Accept-Encoding": "gzip", **headers}
        response = self._send(address, sent, method=method, content=content)
        try:
            stream = self._judge(address, response, direct=True)
            answer = self._read(stream, max_bytes)
            return Response(url=stream.url, status=stream.status, headers=stream.headers, content=answer)
        finally:
            _let_go(response)

    def _get_once(
        self, url: str, headers: Mapping[str, str], max_bytes: int, cache: HttpCache | None, answers: Collection[int]
    ) -> Response:
        address = self._parse(url)
        if address.scheme == "file" or address.authorization:
            cache = None
        accept = headers.get("Accept", "")
        entry = cache.find(address.url, accept) if cache else None
        if entry and self._may_use(entry):
            self._report(Noted(f"used the kept answer of `{address.url}`"))
            return _answer(entry)
        validators = entry.validators if entry else {}
        with self.stream(url, headers={**headers, **validators}, answers=answers) as stream:
            if stream.status == _NOT_MODIFIED:
                if cache is None or entry is None or not stream.direct:
                    raise TransientError("it answered 304 without being asked for changes")
                return _answer(cache.confirm(address.url, accept, entry, stream.headers))
            content = self._read(stream, max_bytes)
            # What only some may see is not left lying about.
            if cache and stream.direct and not stream.private and stream.status == 200:  # noqa: PLR2004
                cache.store(address.url, accept, stream.headers, content)
            return Response(url=stream.url, status=stream.status, headers=stream.headers, content=content)

    def _may_use(self, kept: Head) -> bool:
        """Whether without asking."""
        return self._offline or (kept.fresh and kept.stored >= self._kept_since)

    @cached_property
    def _patience(self) -> float:
        """How long a whole answer may take, in seconds."""
        from buildlock.index.wire import FACTOR  # noqa: PLC0415 - where all is kept nothing is asked

        return FACTOR * self._timeout

    def _read(self, stream: Stream, max_bytes: int) -> bytes:
        """The decoded body.

        Raises:
            TransientError: It is cut short, damaged or too slow.
            InvalidPageError: It is larger than `max_bytes`.
        """
        from buildlock.index.encoding import EncodingError, decode  # noqa: PLC0415 - what is kept is decoded

        length = stream.headers.get("content-length", "")
        if length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > max_bytes):  # noqa: PLR2004
            raise InvalidPageError(f"the answer of `{stream.url}` is larger than {max_bytes} bytes")
        # A server that sends a byte now and then must not hold us for ever.
        limit = self._patience
        deadline = time.monotonic() + limit

        def count(chunks: Iterator[bytes]) -> Iterator[bytes]:
            done = 0
            for chunk in chunks:
                done += len(chunk)
                if done > max_bytes:
                    raise InvalidPageError(f"the answer of `{stream.url}` is larger than {max_bytes} bytes")
                if time.monotonic() > deadline:
                    raise TransientError(f"it has not sent its whole answer in {limit:.0f} s")
                yield chunk

        encoding = stream.headers.get("content-encoding", "").strip().lower()
        try:
            return b"".join(count(decode(count(stream.chunks), encoding)))
        except EncodingError as error:
            raise TransientError(str(error)) from error

    @contextmanager
    def stream(self, url: str, *, headers: Mapping[str, str], answers: Collection[int] = ()) -> Iterator[Stream]:
        """One attempt at a request whose body is read while it comes; `headers` and `answers` as `get` takes them.

        Raises:
            TransientError: It may succeed when tried again; reading the body may raise it too.
            UnavailableError: It will not.
        """
        address = self._parse(url)
        if address.scheme == "file":
            from buildlock.index import local  # noqa: PLC0415 - most indexes are on servers

            status, answer, chunks = local.serve(address.url, headers)
            yield Stream(url=address.url, status=status, headers=answer, chunks=chunks, direct=True)
            return
        sent = {"User-Agent": _AGENT, "Accept-Encoding": "identity", **headers}
        for hop in range(_MAX_REDIRECTS + 1):
            self._check_open(address.url)
            address = self._credentials.complete(address)
            response = self._send(address, sent)
            if found := self._credentials.answer(address, response.status):
                _let_go(response)
                address = found
                response = self._send(address, sent)
            try:
                location = response.headers.get("location") if response.status in _REDIRECTS else None
                if location is None:
                    yield self._judge(address, response, direct=hop == 0, answers=answers)
                    return
            finally:
                _let_go(response)
            try:
                address = follow(address, _decode(location))
            except InvalidUrlError as error:
                raise UnavailableError(
                    f"`{without_credentials(url)}` redirects to where we do not go: {error}"
                ) from error
            sent = {name: value for name, value in sent.items() if name not in _OF_ONE_URL}
        raise UnavailableError(f"`{without_credentials(url)}` redirects more than {_MAX_REDIRECTS} times")

    def attempt(self, url: str, action: Callable[[], T]) -> T:
        """Do what asks `url`, and again after a pause where it fails for a reason that may pass.

        Raises:
            UnavailableError: The last attempt failed too.
        """
        shown = without_credentials(url)
        pause = self._backoff
        for left in range(self._retries, -1, -1):
            try:
                with self._turns:
                    return action()
            except TransientError as error:
                if left == 0 or self._closed.is_set():
                    raise UnavailableError(f"`{shown}` could not be fetched: {error}", hint=_HINT) from error
                wait = min(max(error.retry_after, pause), _MAX_PAUSE)
                self._report(Noted(f"trying `{shown}` again in {wait:.1f} s: {error}"))
            self._closed.wait(wait)
            pause *= 2
        raise AssertionError  # the last attempt returns or raises

    def _parse(self, url: str) -> Address:
        try:
            address = parse_address(url)
        except InvalidUrlError as error:
            raise UnavailableError(f"`{printable(without_credentials(url))}` cannot be asked: {error}") from error
        self._credentials.remember(address)
        return self._credentials.authorize(address)

    def _send(
        self, address: Address, headers: Mapping[str, str], *, method: str = "GET", content: bytes | None = None
    ) -> Answer:
        self._check_open(address.url)
        sent = {**headers, "Authorization": address.authorization} if address.authorization else headers
        self._report(Asked(f"asked `{address.url}`"))
        return self._connections().ask(address, method, sent, content)

    def _connections(self) -> Connections:
        from buildlock.index.connections import Connections  # noqa: PLC0415 - what is kept needs no network

        with self._lock:
            if self._opened is None:
                self._opened = Connections(
                    self._network, self._report, connect_timeout=self._connect_timeout, timeout=self._timeout
                )
            return self._opened

    def _judge(self, address: Address, response: Answer, *, direct: bool, answers: Collection[int] = ()) -> Stream:
        status = response.status
        answer = f"it answered {status} {printable(response.reason)}".rstrip()
        if status not in answers and (status >= _FIRST_SERVER_ERROR or status in _TRANSIENT):
            raise TransientError(answer, retry_after=read_retry_after(response.headers.get("retry-after", "")))
        if not 200 <= status < 300 and not status >= _FIRST_CLIENT_ERROR and status != _NOT_MODIFIED:  # noqa: PLR2004
            raise UnavailableError(f"`{address.url}` could not be fetched: {answer}")
        return Stream(
            url=address.url,
            status=status,
            headers=response.headers,
            chunks=self._chunks(address, response),
            direct=direct,
            private=address.authorization is not None,
        )

    def _chunks(self, address: Address, response: Answer) -> Iterator[bytes]:
        empty, received, since = True, 0, time.monotonic()
        while chunk := response.read(_CHUNK):
            self._check_open(address.url)
            empty = False
            received += len(chunk)
            self._report(Received(len(chunk)))
            if time.monotonic() - since > self._patience:
                if received < _SLOWEST:
                    raise TransientError(f"it has sent {received} bytes in {self._patience:.0f} s")
                received, since = 0, time.monotonic()
            yield chunk
        self._check_open(address.url)  # where no length is told, this end may be of our own making
        # A head that was cut short looks like one that says nothing of its body.
        told = response.headers.keys() & {"content-length", "transfer-encoding"}
        if empty and response.status == 200 and not told:  # noqa: PLR2004
            raise TransientError("its answer was cut short")

    def _check_open(self, url: str) -> None:
        if self._closed.is_set():
            raise UnavailableError(f"`{url}` was given up: the client is closed")
        if self._offline:
            raise UnavailableError(
                f"`{url}` was not asked: this is offline", hint="it is kept by no cache of this machine"
            )


def _answer(entry: Entry) -> Response:
    return Response(url=entry.url, status=200, headers=entry.headers, content=entry.content, kept=entry.sha256)


def _decode(location: str) -> str:
    """A URL that is sent with letters beyond ASCII, which are mostly UTF-8."""
    try:
        return location.encode("latin-1").decode()
    except UnicodeError:
        return location


def _let_go(response: Answer) -> None:
    """Give the connection back; closed, if the server has more to say than we want to hear."""
    with suppress(TransientError):
        # What has come of it, and no more: the rest may drip in for ever.
        for _ in range(_FEW):
            if response.left is None or response.left >= _SMALL or not response.read(_SMALL):
                break
    response.close()
