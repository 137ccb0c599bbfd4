"""What is believed of the bytes that come over a connection, and which connections are used again."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from typing import cast

import pytest

from buildlock.errors import UnavailableError
from buildlock.index.certificates import make_context
from buildlock.index.http import HttpClient
from buildlock.index.tls import secure
from buildlock.index.wire import Answer as HttpAnswer
from buildlock.index.wire import Socket, Wire
from buildlock.project.network import CertificatePath, Network
from buildlock.reporting import Event, Noted, Received, silence
from support.http import Answer, Raw, Request, WebServer
from support.proxy import TunnellingProxy
from support.tls import ANOTHER_AUTHORITY, AUTHORITY, serve_tls


@pytest.fixture
def once() -> Iterator[HttpClient]:
    """A client that tries everything once."""
    with HttpClient(cache_dir=None, report=silence, network=Network(timeout=2, retries=0)) as client:
        yield client


def ask_raw(client: HttpClient, server: WebServer, answer: bytes) -> bytes:
    server.answers["/page"] = Raw(answer)
    return client.get(f"{server.url}/page").content


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
        b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length:5\r\nX: a\r\n  b\r\nX: c\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n03 \r\nllo\r\n0\r\nX: y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 99\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
def test_the_forms_of_an_answer(server: WebServer, once: HttpClient, answer: bytes) -> None:
    assert ask_raw(once, server, answer) == b"hello"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/2 200 OK\r\n\r\n", "it does not begin with a status"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "it does not begin with a status"),
        (b"SSH-2.0\r\n\r\n", "it does not begin with a status"),
        (b"HTTP/1.1 101 Switching\r\n\r\n", "it changes the protocol"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "has no name"),
        (b"HTTP/1.1 200 OK\r\n: x\r\n\r\n", "has no name"),
        (b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello", "has no name"),
        (b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", "control characters"),
        (b"HTTP/1.1 200 OK\r\nX: a\rContent-Length: 5\r\n\r\nhello", "control characters"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000, "its head is larger than"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", "more than one `Content-Length`"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", "is not a number"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "was not asked for"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: \x0bchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "was not asked for"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\xa0\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "was not asked for"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", "how long it is"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 16 + b"\r\n", "how long it is"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n", "longer than it says"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;" + b"x" * 5000, "is too long"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 200, "too much follows it"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "cut short"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "cut short"),
    ],
)
def test_what_is_no_answer(server: WebServer, once: HttpClient, answer: bytes, reason: str) -> None:
    with pytest.raises(UnavailableError, match=reason):
        ask_raw(once, server, answer)


def test_who_does_not_speak_http_is_not_waited_for(server: WebServer, once: HttpClient) -> None:
    release = threading.Event()
    server.answers["/page"] = Raw(b"SSH-2.0-server\r\n", wait_for=release)
    with pytest.raises(UnavailableError, match="does not begin with a status"):
        once.get(f"{server.url}/page")
    release.set()


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]
)
def test_a_body_that_stops_is_waited_for_once(server: WebServer, monkeypatch: pytest.MonkeyPatch, head: bytes) -> None:
    waits, receive, release = [], Wire.receive, threading.Event()

    def count(self: Wire, most: int) -> bytes:
        waits.append(most)
        return receive(self, most)

    monkeypatch.setattr(Wire, "receive", count)
    server.answers["/page"] = Raw(head, wait_for=release)
    with (
        HttpClient(cache_dir=None, report=silence, network=Network(timeout=0.25, retries=0)) as client,
        pytest.raises(UnavailableError, match="stopped sending"),
    ):
        client.get(f"{server.url}/page")
    assert len(waits) == 1
    release.set()


@pytest.mark.parametrize("value", ["x\r\nX: y", "x\ny", "x\0", "\N{SNOWMAN}"])
def test_no_field_smuggles_another_one_in(server: WebServer, once: HttpClient, value: str) -> None:
    with pytest.raises(UnavailableError, match="a request cannot be sent"):
        once.get(f"{server.url}/page", headers={"Accept": value})
    assert server.requests == []


def test_letters_of_a_url_are_sent_as_http_has_them(server: WebServer, once: HttpClient) -> None:
    once.get(f"{server.url}/a%20b/ü?x=[%2F]&y=é#part")
    once.get(f"{server.url}?x")
    assert [request.path for request in server.requests] == ["/a%20b/%C3%BC?x=%5B%2F%5D&y=%C3%A9", "/?x"]


class TestKeptOpen:
    def test_a_connection_that_the_server_has_closed_is_none(self, server: WebServer, events: list[Event]) -> None:
        # It says that the connection stays, and closes it.
        server.answers["/page"] = Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        with HttpClient(cache_dir=None, report=events.append, network=Network(timeout=2)) as client:
            for _ in range(3):
                assert client.get(f"{server.url}/page").content == b"hello"
        assert server.connections == 3
        assert not [event for event in events if isinstance(event, Noted)]

    def test_what_comes_after_an_answer_is_not_the_next_one(self, server: WebServer, once: HttpClient) -> None:
        evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
        release = threading.Event()
        server.answers["/page"] = Raw(answer + evil, wait_for=release)
        server.answers["/other"] = Answer(b"good")
        assert once.get(f"{server.url}/page").content == b"hello"
        assert once.get(f"{server.url}/other").content == b"good"
        release.set()

    @pytest.mark.parametrize(
        "head",
        [
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5",
            b"HTTP/1.0 200 OK\r\nContent-Length: 5",
            b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
        ],
    )
    def test_a_connection_that_may_not_last_is_closed(self, server: WebServer, once: HttpClient, head: bytes) -> None:
        release = threading.Event()
        body = b"5\r\nhello\r\n0\r\n\r\n" if b"chunked" in head else b"hello"
        server.answers["/page"] = Raw(head + b"\r\n\r\n" + body, wait_for=release)
        for _ in range(2):
            assert once.get(f"{server.url}/page").content == b"hello"
        assert server.connections == 2
        release.set()

    def test_a_redirect_in_pieces_leaves_it_open(self, server: WebServer, once: HttpClient) -> None:
        def redirect(_: Request) -> Answer:
            return Answer(b"4\r\ngone\r\n0\r\n\r\n", {"Transfer-Encoding": "chunked", "Location": "/page"}, 302)

        server.answers.update({"/old": redirect, "/page": Answer(b"hello")})
        for _ in range(2):
            assert once.get(f"{server.url}/old").content == b"hello"
        assert server.connections == 1

    def test_who_waits_for_a_connection_takes_one_that_is_free_first(
        self, server: WebServer, once: HttpClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.answers["/page"] = Answer(b"hello")
        once.get(f"{server.url}/page")
        blocked, connect = threading.Event(), socket.socket.connect

        def connect_late(self: socket.socket, address: object) -> None:
            blocked.wait(10)
            connect(self, address)  # type: ignore[arg-type]

        monkeypatch.setattr(socket.socket, "connect", connect_late)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: once.get(f"{server.url}/page").content, range(8)))
        assert answers == [b"hello"] * 8
        assert server.connections == 1
        blocked.set()

    def test_a_host_is_looked_up_once(
        self, server: WebServer, once: HttpClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looked_up: list[object] = []
        find = socket.getaddrinfo

        def count(*arguments: object) -> object:
            looked_up.append(arguments[0])
            return find(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "getaddrinfo", count)
        together = threading.Barrier(3, timeout=10)

        def answer(_: Request) -> Answer:
            together.wait()
            return Answer(b"hello")

        server.answers["/page"] = answer
        with ThreadPoolExecutor(3) as pool:
            assert list(pool.map(lambda _: once.get(f"{server.url}/page").status, range(3))) == [200] * 3
        assert server.connections == 3
        assert looked_up == [b"127.0.0.1"]

    def test_where_many_ask_at_once_there_are_connections_for_those_that_come_after(
        self, server: WebServer, once: HttpClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun, more, connect = count(1), threading.Event(), socket.socket.connect

        def connect_late(self: socket.socket, address: object) -> None:
            if next(begun) > 8:
                more.set()
            more.wait(10)
            connect(self, address)  # type: ignore[arg-type]

        monkeypatch.setattr(socket.socket, "connect", connect_late)
        server.answers["/page"] = Answer(b"hello")
        with ThreadPoolExecutor(16) as pool:
            for number in (8, 16):
                list(pool.map(lambda _: once.get(f"{server.url}/page"), range(number)))
        assert more.is_set()
        assert server.connections <= 32

    @pytest.mark.parametrize("taken", [1, 3])
    def test_a_server_that_takes_no_more_connections_is_asked_over_those_that_there_are(
        self, server: WebServer, events: list[Event], monkeypatch: pytest.MonkeyPatch, taken: int
    ) -> None:
        lock, connected, connect = threading.Lock(), 0, socket.socket.connect

        def connect_some(self: socket.socket, address: object) -> None:
            nonlocal connected
            with lock:
                connected += 1
                refused = connected > taken
            if refused:
                threading.Event().wait(0.05)  # later than the others
                raise ConnectionRefusedError("no more")
            connect(self, address)  # type: ignore[arg-type]

        monkeypatch.setattr(socket.socket, "connect", connect_some)
        server.answers["/page"] = Answer(b"hello")
        network = Network(timeout=2, retries=0)
        with (
            HttpClient(cache_dir=None, report=events.append, network=network) as client,
            ThreadPoolExecutor(8) as pool,
        ):
            answers = list(pool.map(lambda _: client.get(f"{server.url}/page").content, range(64)))
        assert answers == [b"hello"] * 64
        assert server.connections == taken

    def test_all_who_wait_are_told_that_there_is_no_connection(
        self, once: HttpClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tried = 0

        def refuse(_: socket.socket, __: object) -> None:
            nonlocal tried
            tried += 1
            threading.Event().wait(0.02)
            raise ConnectionRefusedError("nobody")

        def ask(_: int) -> str:
            with pytest.raises(UnavailableError) as caught:
                once.get("http://127.0.0.1:9/page")
            return caught.value.message

        monkeypatch.setattr(socket.socket, "connect", refuse)
        with ThreadPoolExecutor(16) as pool:
            assert all("no connection: nobody" in message for message in pool.map(ask, range(16)))
        assert tried <= 2 * 32

    def test_no_more_connections_than_a_server_likes(self, server: WebServer, once: HttpClient) -> None:
        server.answers["/page"] = Answer(b"hello")
        with ThreadPoolExecutor(64) as pool:
            assert set(pool.map(lambda _: once.get(f"{server.url}/page").status, range(200))) == {200}
        assert server.connections <= 32

    def test_who_waits_for_a_connection_is_told_that_the_client_is_closed(
        self, server: WebServer, once: HttpClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        blocked, connecting, connect = threading.Event(), threading.Event(), socket.socket.connect

        def connect_late(self: socket.socket, address: object) -> None:
            connecting.set()
            blocked.wait(10)
            connect(self, address)  # type: ignore[arg-type]

        monkeypatch.setattr(socket.socket, "connect", connect_late)
        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(once.get, f"{server.url}/page") for _ in range(4)]
            connecting.wait(10)
            once.close()
            for each in asking:
                with pytest.raises(UnavailableError, match="the client is closed"):
                    each.result(10)
            blocked.set()
        assert server.requests == []

    @pytest.mark.parametrize("most", [1, 2])
    def test_a_server_that_takes_few_connections_answers_over_these(
        self, server: WebServer, once: HttpClient, monkeypatch: pytest.MonkeyPatch, most: int
    ) -> None:
        connect, lock, attempts = socket.socket.connect, threading.Lock(), 0

        def connect_or_be_refused(self: socket.socket, address: object) -> None:
            nonlocal attempts
            with lock:
                attempts += 1
                refused = attempts > most
            if refused:
                raise ConnectionRefusedError
            connect(self, address)  # type: ignore[arg-type]

        monkeypatch.setattr(socket.socket, "connect", connect_or_be_refused)
        server.answers["/page"] = Answer(b"hello")
        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(lambda _: once.get(f"{server.url}/page").status, range(64))) == {200}
        assert attempts > most
        assert server.connections == most

    def test_who_waits_is_told_when_no_connection_is_left(
        self, server: WebServer, once: HttpClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connect, lock, attempts = socket.socket.connect, threading.Lock(), 0

        def connect_once(self: socket.socket, address: object) -> None:
            nonlocal attempts
            with lock:
                attempts += 1
                refused = attempts > 1
            if refused:
                raise ConnectionRefusedError
            connect(self, address)  # type: ignore[arg-type]

        def hang_up(_: Request) -> Raw:
            threading.Event().wait(0.1)
            return Raw(b"")

        monkeypatch.setattr(socket.socket, "connect", connect_once)
        server.answers["/page"] = hang_up
        with ThreadPoolExecutor(8) as pool:
            for each in [pool.submit(once.get, f"{server.url}/page") for _ in range(8)]:
                with pytest.raises(UnavailableError, match=r"no connection|cut short"):
                    each.result(10)


@pytest.mark.parametrize("scarce", ["buildlock-connection", "buildlock-name"])
def test_a_system_without_threads_is_no_reason_to_wait_for_ever(
    server: WebServer, once: HttpClient, monkeypatch: pytest.MonkeyPatch, scarce: str
) -> None:
    start = threading.Thread.start

    def start_others(self: threading.Thread) -> None:
        if self.name == scarce:
            raise RuntimeError("can't start new thread")
        start(self)

    server.answers["/page"] = Answer(b"hello")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start_others)
        for _ in range(2):
            if scarce == "buildlock-name":
                assert once.get(f"{server.url}/page").content == b"hello"
            else:
                with pytest.raises(UnavailableError, match="no connection: can't start new thread"):
                    once.get(f"{server.url}/page")
    assert once.get(f"{server.url}/page").content == b"hello"


class TestAddresses:
    """A name that has several, some of which answer nobody."""

    @pytest.fixture
    def swallowed(self, monkeypatch: pytest.MonkeyPatch) -> list[object]:
        """What was tried in vain: connections to `127.0.0.2` are never made, and `server.example` is there too."""
        tried: list[object] = []
        connect, find = socket.socket.connect, socket.getaddrinfo

        def connect_or_wait(self: socket.socket, address: tuple[str, int]) -> None:
            if address[0] == "127.0.0.2":
                tried.append(address)
                threading.Event().wait(self.gettimeout())
                raise TimeoutError
            connect(self, address)

        def find_two(host: bytes, port: int, *arguments: int) -> object:
            if host != b"server.example":
                return find(host, port, *arguments)
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("127.0.0.2", "127.0.0.1")
            ]

        monkeypatch.setattr(socket.socket, "connect", connect_or_wait)
        monkeypatch.setattr(socket, "getaddrinfo", find_two)
        return tried

    def test_one_that_answers_nobody_leaves_time_for_the_next(self, server: WebServer, swallowed: list[object]) -> None:
        server.answers["/page"] = Answer(b"hello", {"Connection": "close"})
        network = Network(timeout=2, connect_timeout=0.2, retries=0)
        with HttpClient(cache_dir=None, report=silence, network=network) as client:
            for _ in range(3):
                assert client.get(f"{server.url.replace('127.0.0.1', 'server.example')}/page").content == b"hello"
        assert len(swallowed) == 1  # what answers is tried first from then on

    def test_they_are_looked_up_again_where_none_answers(
        self, server: WebServer, once: HttpClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        find, ports = socket.getaddrinfo, iter([1, None])

        def find_elsewhere(host: bytes, port: int, *arguments: int) -> object:
            return find(host, next(ports) or port, *arguments)

        monkeypatch.setattr(socket, "getaddrinfo", find_elsewhere)
        server.answers["/page"] = Answer(b"hello")
        with pytest.raises(UnavailableError, match="no connection"):
            once.get(f"{server.url}/page")
        assert once.get(f"{server.url}/page").content == b"hello"

    def test_a_name_that_nobody_resolves_does_not_hold_up_the_others(
        self, server: WebServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        release, find = threading.Event(), socket.getaddrinfo

        def find_late(host: bytes, *arguments: int) -> object:
            if host == b"slow.example":
                release.wait(10)
            return find(host, *arguments)

        monkeypatch.setattr(socket, "getaddrinfo", find_late)
        server.answers["/page"] = Answer(b"hello")
        network = Network(timeout=2, connect_timeout=0.2, retries=0)
        with HttpClient(cache_dir=None, report=silence, network=network) as client, ThreadPoolExecutor(4) as pool:
            slow = [pool.submit(client.get, "http://slow.example/page") for _ in range(3)]
            assert client.get(f"{server.url}/page").content == b"hello"
            for each in slow:
                with pytest.raises(UnavailableError, match="was not resolved in time"):
                    each.result(10)
        release.set()


class TestTlsInTls:
    """A proxy that is itself reached by TLS."""

    def ask(self, server: WebServer, proxy: TunnellingProxy, *authorities: Path) -> bytes:
        network = Network(
            timeout=2,
            retries=0,
            proxies={"https": proxy.url},
            no_proxy=(),
            authorities=tuple(CertificatePath(path=path, origin="SSL_CERT_FILE") for path in authorities),
        )
        with HttpClient(cache_dir=None, report=silence, network=network) as client:
            return b" ".join(client.get(f"{server.url}/page").content for _ in range(2))

    def test_a_server_behind_it_is_asked(self) -> None:
        with WebServer(serve_tls()) as server, TunnellingProxy(serve_tls()) as proxy:
            server.answers["/page"] = Answer(b"hello" * 30_000)
            assert self.ask(server, proxy, AUTHORITY) == b" ".join([b"hello" * 30_000] * 2)
            assert server.connections == 1

    def test_it_has_to_prove_who_it_is(self) -> None:
        with (
            WebServer(serve_tls()) as server,
            TunnellingProxy(serve_tls()) as proxy,
            pytest.raises(UnavailableError, match="not trusted"),
        ):
            self.ask(server, proxy, ANOTHER_AUTHORITY)
        assert proxy.heads == []

    def test_what_comes_after_an_answer_is_not_the_next_one(self) -> None:
        ours, theirs = socket.socketpair()
        with ThreadPoolExecutor(1) as pool, theirs:
            served = pool.submit(answer_twice, theirs)
            trusting = make_context(Network(), checked=False)
            ours.settimeout(10)
            wire = Wire(
                secure(secure(cast("Socket", ours), trusting, "a.example", 443), trusting, "b.example", 443), 10
            )
            with closing(wire):
                answer = HttpAnswer(wire, wire.ask("GET", "/", {}), lambda _lasting: None)
                assert answer.read(100) == b"hello"
                assert not wire.is_quiet()
            served.result(10)


def answer_twice(connection: socket.socket) -> None:
    """Serve TLS in TLS: two answers, each in a record of its own, in one of the outer records."""
    context = serve_tls()
    with context.wrap_socket(connection, server_side=True) as outer:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        inner = context.wrap_bio(incoming, outgoing, server_side=True)

        def attempt(action: Callable[[], object]) -> None:
            while True:
                with suppress(ssl.SSLWantReadError):
                    action()
                    return
                outer.sendall(outgoing.read())
                incoming.write(outer.recv(1 << 16))

        attempt(inner.do_handshake)
        attempt(lambda: inner.read(1 << 16))
        for _ in range(2):
            inner.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        outer.sendall(outgoing.read())
        with suppress(OSError):
            outer.recv(1)


class TestClosed:
    """A client that another thread closes while a server keeps us waiting."""

    @pytest.mark.parametrize("way", ["tcp", "tls", "tls in tls"])
    @pytest.mark.parametrize(
        "begun",
        [
            b"",
            b"HTTP/1.1 200 OK\r\nCache-Con",
            b"HTTP/1.1 200 OK\r\nCache-Control: max-age=9\r\n\r\nhel",
            b"HTTP/1.1 200 OK\r\nCache-Control: max-age=9\r\nContent-Length: 5\r\n\r\nhel",
            b"HTTP/1.1 200 OK\r\nCache-Control: max-age=9\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        ],
    )
    def test_what_it_waits_for_is_given_up_at_once(self, tmp_path: Path, way: str, begun: bytes) -> None:
        over, waiting = threading.Event(), threading.Event()

        def report(event: Event) -> None:
            if isinstance(event, Received):
                waiting.set()

        def answer(_: Request) -> Raw:
            if not begun.endswith(b"hel"):
                waiting.set()
            return Raw(begun, wait_for=over)

        tls = None if way == "tcp" else serve_tls()
        with WebServer(tls) as server, TunnellingProxy(tls) as proxy, ThreadPoolExecutor(1) as pool:
            server.answers["/page"] = answer
            network = Network(
                timeout=60,
                proxies={"https": proxy.url} if way == "tls in tls" else {},
                no_proxy=(),
                authorities=(CertificatePath(path=AUTHORITY, origin="SSL_CERT_FILE"),),
            )
            with HttpClient(cache_dir=tmp_path, report=report, network=network) as client:
                asking = pool.submit(client.get, f"{server.url}/page")
                assert waiting.wait(10)
                client.close()
                with pytest.raises(UnavailableError):
                    asking.result(10)
            over.set()
        assert not list(tmp_path.iterdir())


class TestEndOfTls:
    """Of a server that ends a connection as anybody on the way can."""

    @pytest.fixture
    def trusting(self) -> Iterator[HttpClient]:
        network = Network(timeout=2, retries=0, authorities=(CertificatePath(path=AUTHORITY, origin="SSL_CERT_FILE"),))
        with HttpClient(cache_dir=None, report=silence, network=network) as client:
            yield client

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\n\r\nhel",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        ],
    )
    def test_an_answer_that_may_be_cut_off_is_none(self, trusting: HttpClient, answer: bytes) -> None:
        with WebServer(serve_tls()) as server, pytest.raises(UnavailableError, match="the connection broke"):
            ask_raw(trusting, server, answer)

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ],
    )
    def test_one_that_is_whole_needs_no_proof(self, trusting: HttpClient, answer: bytes) -> None:
        with WebServer(serve_tls()) as server:
            assert ask_raw(trusting, server, answer) == b"hello"
