import base64
import gzip
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from buildlock.errors import InvalidPageError, UnavailableError
from buildlock.index.failures import TransientError
from buildlock.index.http import HttpClient
from buildlock.project.network import Network
from buildlock.reporting import Event, silence
from support.http import Answer, Raw, Request, WebServer

HTML = {"Content-Type": "text/html"}


@pytest.fixture
def other() -> Iterator[WebServer]:
    with WebServer() as other:
        yield other


def test_returns_what_the_server_answers(server: WebServer, client: HttpClient) -> None:
    server.answers["/page"] = Answer(b"hello", HTML)
    response = client.get(f"{server.url}/page")
    assert (response.status, response.content, response.headers["content-type"]) == (200, b"hello", "text/html")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 416])
def test_leaves_client_errors_to_the_caller(server: WebServer, client: HttpClient, status: int) -> None:
    server.answers["/page"] = Answer(b"no", status=status)
    assert client.get(f"{server.url}/page").status == status
    assert len(server.requests) == 1


def test_keeps_connections_open(server: WebServer, client: HttpClient) -> None:
    server.answers["/page"] = Answer(b"hello")
    server.answers["/moved"] = Answer(b"over there", {"Location": "/page"}, 302)
    for _ in range(3):
        client.get(f"{server.url}/page", cache=False)
        client.get(f"{server.url}/missing")
        client.get(f"{server.url}/moved", cache=False)
    assert server.connections == 1


def test_can_be_shared_among_threads(server: WebServer, client: HttpClient) -> None:
    for number in range(40):
        server.answers[f"/{number}"] = Answer(str(number).encode())
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda number: client.get(f"{server.url}/{number}").content, range(40))
        assert list(answers) == [str(number).encode() for number in range(40)]


@pytest.mark.parametrize(
    "failure",
    [
        Answer(status=500),
        Answer(status=503, headers={"Retry-After": "0"}),
        Answer(status=429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        Answer(status=429, headers={"Retry-After": "garbage"}),
        Raw(b""),
        Raw(b"garbage\r\n\r\n"),
        Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ntoo short"),
        Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\ntoo short"),
        Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n"),
        Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello"),
        Answer(gzip.compress(b"hello" * 1000)[:-20], {"Content-Encoding": "gzip"}),
        Answer(b"hello", {"Content-Encoding": "gzip"}),
        Answer(b"hello", {"Content-Encoding": "br"}),
        Answer(status=304),
    ],
)
def test_tries_again_what_may_pass(server: WebServer, client: HttpClient, failure: Answer | Raw) -> None:
    server.scripts["/page"] = [failure, failure, Answer(b"at last")]
    assert client.get(f"{server.url}/page").content == b"at last"


@pytest.mark.parametrize(
    "failure",
    [
        b"HTTP/1.1 200 OK\r\nContent-Ty",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"Content-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 099 OK\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
def test_an_answer_that_breaks_the_protocol_is_none(server: WebServer, client: HttpClient, failure: bytes) -> None:
    server.scripts["/page"] = [Raw(failure), Answer(b"at last")]
    assert client.get(f"{server.url}/page").content == b"at last"


@pytest.mark.parametrize(
    ("begin", "rest", "reason"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 500, "it stopped sending", id="head"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50, "it stopped sending", id="interim-answers"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", b"x" * 500, "it has sent|it stopped sending", id="body"
        ),
    ],
)
def test_an_answer_that_drips_in_is_given_up(
    server: WebServer, monkeypatch: pytest.MonkeyPatch, begin: bytes, rest: bytes, reason: str
) -> None:
    # Half a second for all, and as long as it takes for the next byte: on a busy machine that takes a while.
    monkeypatch.setattr("buildlock.index.wire.FACTOR", 0.05)
    server.answers["/page"] = Raw(begin, dripping=rest)
    with (
        HttpClient(cache_dir=None, report=silence, network=Network(timeout=10, retries=0)) as client,
        pytest.raises(UnavailableError, match=reason),
    ):
        client.get(f"{server.url}/page")


def test_a_server_is_not_asked_again_for_longer_than_we_wait(
    server: WebServer, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("buildlock.index.http._MAX_PAUSE", 0.01)
    server.answers["/page"] = Answer(status=429, headers={"Retry-After": "9" * 40})
    network = Network(retries=2)
    with (
        HttpClient(cache_dir=None, report=events.append, network=network) as client,
        pytest.raises(UnavailableError, match="answered 429"),
    ):
        client.get(f"{server.url}/page")
    assert len(server.requests) == 3


def test_gives_up_after_the_last_retry(server: WebServer, client: HttpClient) -> None:
    server.answers["/page"] = Answer(status=503)
    with pytest.raises(UnavailableError, match=r"503 Service Unavailable") as caught:
        client.get(f"{server.url}/page")
    assert len(server.requests) == 3
    assert f"{server.url}/page" in caught.value.message
    assert caught.value.hint


def test_a_server_that_is_not_there(client: HttpClient) -> None:
    with WebServer() as gone:
        url = gone.url
    with pytest.raises(UnavailableError, match="no connection"):
        client.get(f"{url}/page")


def test_a_server_that_does_not_speak_tls(server: WebServer, client: HttpClient) -> None:
    with pytest.raises(UnavailableError, match="could not be fetched"):
        client.get(f"https://{server.authority}/page")


def test_a_server_that_stops_sending(server: WebServer) -> None:
    release = threading.Event()
    server.answers["/page"] = Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhel", wait_for=release)
    with (
        HttpClient(cache_dir=None, report=silence, network=Network(timeout=0.25, retries=0)) as client,
        pytest.raises(UnavailableError, match="stopped sending"),
    ):
        client.get(f"{server.url}/page")
    release.set()


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http:///page",
        "ftp://files.example/x",
        "http://[::1/page",
        "http://host:99999/",
        "http://ho st/",
        "http://host\\@evil.example/",
        "http://host/\r\nX: y",
        "javascript:alert(1)",
        "",
        "/relative",
        "http://" + "a" * 300 + ".example/",
        "http://" + "ü" * 70 + ".example/",
        "https://a..ü/",
        "https://straße.example/",
        "http://\udcff.example/",
    ],
)
def test_refuses_what_is_no_url(client: HttpClient, url: str) -> None:
    with pytest.raises(UnavailableError):
        client.get(url)


def test_follows_redirects(server: WebServer, client: HttpClient) -> None:
    for status in (301, 302, 303, 307, 308):
        server.answers["/old"] = Answer(status=status, headers={"Location": "new?x=1#part"})
        server.answers["/new?x=1"] = Answer(b"here")
        response = client.get(f"{server.url}/old")
        assert (response.url, response.content) == (f"{server.url}/new?x=1", b"here")


def test_follows_redirects_for_a_while_only(server: WebServer, client: HttpClient) -> None:
    server.answers["/loop"] = Answer(status=302, headers={"Location": "/loop"})
    with pytest.raises(UnavailableError, match="redirects more than"):
        client.get(f"{server.url}/loop")


@pytest.mark.parametrize(
    "location", ["file:///etc/hostname", "ftp://files.example/", "http://[", "gopher:x", "data:,x"]
)
def test_does_not_follow_redirects_out_of_http(server: WebServer, client: HttpClient, location: str) -> None:
    server.answers["/page"] = Answer(status=302, headers={"Location": location})
    with pytest.raises(UnavailableError, match="redirects to where we do not go"):
        client.get(f"{server.url}/page")


def test_a_redirect_may_have_letters_beyond_ascii(server: WebServer, client: HttpClient) -> None:
    server.answers["/page"] = Answer(status=302, headers={"Location": "/ü".encode().decode("latin-1")})
    server.answers["/old"] = Answer(status=302, headers={"Location": "/ü"})
    server.answers["/%C3%BC"] = Answer(b"here")
    assert client.get(f"{server.url}/page").content == b"here"
    assert client.get(f"{server.url}/old").content == b"here"


def test_a_redirect_that_leads_nowhere(server: WebServer, client: HttpClient) -> None:
    server.answers["/page"] = Answer(status=302)
    with pytest.raises(UnavailableError, match="answered 302"):
        client.get(f"{server.url}/page")


class TestCredentials:
    BASIC = "Basic " + base64.b64encode(b"me:s@cret").decode()

    def test_go_to_their_origin_and_stay_unseen(
        self, server: WebServer, client: HttpClient, events: list[Event], tmp_path: Path
    ) -> None:
        server.answers["/page"] = Answer(b"hello", {"ETag": '"1"', "Cache-Control": "max-age=60"})
        response = client.get(f"http://me:s%40cret@{server.authority}/page")
        assert server.requests[0].headers["authorization"] == self.BASIC
        assert response.url == f"{server.url}/page"
        assert "cret" not in repr(events)
        # What only some may see is not kept.
        assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]

    def test_are_remembered_for_files_of_the_same_origin(self, server: WebServer, client: HttpClient) -> None:
        client.remember_credentials(f"http://me:s%40cret@{server.authority}/simple")
        client.get(f"{server.url}/files/foo-1.0.tar.gz")
        assert server.requests[0].headers["authorization"] == self.BASIC

    def test_of_two_indexes_on_one_host_are_told_apart(self, server: WebServer, client: HttpClient) -> None:
        client.remember_credentials(f"http://a:1@{server.authority}/a/simple")
        client.remember_credentials(f"http://b:2@{server.authority}/b/simple")
        client.get(f"{server.url}/a/files/x")
        client.get(f"{server.url}/b/files/x")
        sent = [base64.b64decode(request.headers["authorization"].split()[1]) for request in server.requests]
        assert sent == [b"a:1", b"b:2"]

    def test_do_not_follow_a_redirect_elsewhere(self, server: WebServer, other: WebServer, client: HttpClient) -> None:
        server.answers["/page"] = Answer(status=302, headers={"Location": f"{other.url}/page"})
        other.answers["/page"] = Answer(b"hello")
        client.get(f"http://me:s%40cret@{server.authority}/page")
        client.get(f"{server.url}/page", headers={"authorization": "Bearer x", "cookie": "x=1"})
        for request in other.requests:
            assert not {"authorization", "cookie"} & request.headers.keys()

    def test_of_a_redirect_are_not_used(self, server: WebServer, other: WebServer, client: HttpClient) -> None:
        server.answers["/page"] = Answer(status=302, headers={"Location": f"http://you:x@{other.authority}/page"})
        other.answers["/page"] = Answer(b"hello")
        assert client.get(f"{server.url}/page").url == f"{other.url}/page"
        assert "authorization" not in other.requests[0].headers

    def test_are_in_no_error(self, server: WebServer, client: HttpClient) -> None:
        server.answers["/down"] = Answer(status=500)
        server.answers["/loop"] = Answer(status=302, headers={"Location": "/loop"})
        server.answers["/away"] = Answer(status=302, headers={"Location": "ftp://x"})
        for path in ("/down", "/loop", "/away", "/ bad"):
            with pytest.raises(UnavailableError) as caught:
                client.get(f"http://me:s3cret@{server.authority}{path}")
            assert "s3cret" not in f"{caught.value.message} {caught.value.hint}"


class TestEncoding:
    def test_pages_are_asked_for_compressed_and_parts_are_not(self, server: WebServer, client: HttpClient) -> None:
        client.get(f"{server.url}/page")
        client.get(f"{server.url}/page", headers={"range": "bytes=-10"})
        assert [request.headers["accept-encoding"] for request in server.requests] == ["gzip", "identity"]

    @pytest.mark.parametrize(
        ("encoding", "body"),
        [
            ("gzip", gzip.compress(b"hello" * 100_000)),
            ("GZIP", gzip.compress(b"hello" * 60_000) + gzip.compress(b"hello" * 40_000)),
            ("deflate", zlib.compress(b"hello" * 100_000)),
            ("identity", b"hello" * 100_000),
        ],
    )
    def test_is_undone(self, server: WebServer, client: HttpClient, encoding: str, body: bytes) -> None:
        server.answers["/page"] = Answer(body, {"Content-Encoding": encoding})
        assert client.get(f"{server.url}/page").content == b"hello" * 100_000

    def test_of_an_empty_answer_says_nothing(self, server: WebServer, client: HttpClient) -> None:
        server.answers["/page"] = Answer(b"", {"Content-Encoding": "gzip"}, 404)
        assert client.get(f"{server.url}/page").status == 404

    def test_a_bomb_is_refused(self, server: WebServer, client: HttpClient) -> None:
        server.answers["/page"] = Answer(gzip.compress(bytes(10_000_000)), {"Content-Encoding": "gzip"})
        with pytest.raises(InvalidPageError, match="larger than 1000000 bytes"):
            client.get(f"{server.url}/page", max_bytes=1_000_000)
        assert len(server.requests) == 1


@pytest.mark.parametrize("headers", [{}, {"Transfer-Encoding": "chunked"}])
def test_a_body_without_end_is_refused(server: WebServer, client: HttpClient, headers: dict[str, str]) -> None:
    body = b"1000\r\n" + b"x" * 4096 + b"\r\n" if headers else b"x" * 4102
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    server.answers["/page"] = Raw(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body * 100)
    with pytest.raises(InvalidPageError, match="larger than 10000 bytes"):
        client.get(f"{server.url}/page", max_bytes=10_000)


def test_a_body_that_is_announced_as_too_large_is_not_read(server: WebServer, client: HttpClient) -> None:
    server.answers["/page"] = Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10001\r\n\r\n")
    with pytest.raises(InvalidPageError, match="larger than 10000 bytes"):
        client.get(f"{server.url}/page", max_bytes=10_000)


class TestLocalFiles:
    def test_are_served_like_others(self, tmp_path: Path, client: HttpClient) -> None:
        file = tmp_path / "some page+x.html"
        file.write_bytes(b"hello")
        response = client.get(file.as_uri())
        assert (response.status, response.content, response.headers["content-type"]) == (200, b"hello", "text/html")

    def test_a_directory_has_an_index_or_is_not_found(self, tmp_path: Path, client: HttpClient) -> None:
        assert client.get(tmp_path.as_uri()).status == 404
        (tmp_path / "index.html").write_bytes(b"hello")
        assert client.get(f"{tmp_path.as_uri()}/").content == b"hello"

    @pytest.mark.parametrize(
        ("asked", "status", "content"),
        [
            ("bytes=2-5", 206, b"2345"),
            ("bytes=7-", 206, b"789"),
            ("bytes=7-99", 206, b"789"),
            ("bytes=-3", 206, b"789"),
            ("bytes=-99", 206, b"0123456789"),
            ("bytes=10-", 416, b""),
            ("bytes=-0", 416, b""),
            ("bytes=-", 416, b""),
            ("lines=1-2", 200, b"0123456789"),
        ],
    )
    def test_ranges(self, tmp_path: Path, client: HttpClient, asked: str, status: int, content: bytes) -> None:
        file = tmp_path / "file"
        file.write_bytes(b"0123456789")
        response = client.get(file.as_uri(), headers={"Range": asked})
        assert (response.status, response.content) == (status, content)

    @pytest.mark.parametrize(
        "url", ["file:///nowhere/at/all", "file://host/x", "file:///%00", "file:x", "file:///dev/zero"]
    )
    def test_what_is_no_file_is_not_found(self, client: HttpClient, url: str) -> None:
        assert client.get(url).status == 404

    def test_are_bounded(self, tmp_path: Path, client: HttpClient) -> None:
        file = tmp_path / "file"
        file.write_bytes(bytes(1000))
        with pytest.raises(InvalidPageError):
            client.get(file.as_uri(), max_bytes=999)


class TestCache:
    def ask(self, server: WebServer, client: HttpClient, accept: str = "a") -> bytes:
        return client.get(f"{server.url}/page", headers={"Accept": accept}).content

    def test_a_fresh_answer_is_used_without_asking(self, server: WebServer, client: HttpClient) -> None:
        server.answers["/page"] = Answer(b"hello", {"Cache-Control": "public, max-age=600"})
        assert [self.ask(server, client) for _ in range(3)] == [b"hello"] * 3
        assert len(server.requests) == 1

    def test_another_accept_is_another_answer(self, server: WebServer, client: HttpClient) -> None:
        server.answers["/page"] = lambda request: Answer(
            request.headers["accept"].encode(), {"Cache-Control": "max-age=600", "Vary": "Accept"}
        )
        assert [self.ask(server, client, accept) for accept in "abab"] == [b"a", b"b", b"a", b"b"]
        assert len(server.requests) == 2

    @pytest.mark.parametrize("fresh", [{}, {"Cache-Control": "no-cache"}, {"Cache-Control": "max-age=0"}])
    @pytest.mark.parametrize(
        ("validator", "question"),
        [
            ({"ETag": '"v1"'}, ("if-none-match", '"v1"')),
            ({"ETag": 'W/"v1"'}, ("if-none-match", 'W/"v1"')),
            (
                {"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"},
                ("if-modified-since", "Wed, 21 Oct 2015 07:28:00 GMT"),
            ),
        ],
    )
    def test_a_stale_answer_is_confirmed(
        self,
        server: WebServer,
        client: HttpClient,
        fresh: dict[str, str],
        validator: dict[str, str],
        question: tuple[str, str],
    ) -> None:
        server.scripts["/page"] = [Answer(b"hello", {**HTML, **fresh, **validator}), Answer(status=304)]
        assert [self.ask(server, client) for _ in range(3)] == [b"hello"] * 3
        name, value = question
        assert [request.headers.get(name) for request in server.requests] == [None, value, value]

    def test_a_changed_answer_replaces_the_kept_one(self, server: WebServer, client: HttpClient) -> None:
        server.scripts["/page"] = [
            Answer(b"old", {"ETag": '"1"'}),
            Answer(b"new", {"ETag": '"2"', "Cache-Control": "max-age=60"}),
        ]
        assert [self.ask(server, client) for _ in range(3)] == [b"old", b"new", b"new"]

    def test_a_confirmation_renews_freshness(self, server: WebServer, client: HttpClient) -> None:
        server.scripts["/page"] = [
            Answer(b"hello", {"ETag": '"1"', "Cache-Control": "max-age=0"}),
            Answer(status=304, headers={"Cache-Control": "max-age=60"}),
        ]
        assert [self.ask(server, client) for _ in range(4)] == [b"hello"] * 4
        assert len(server.requests) == 2

    def test_a_fresh_one_is_confirmed_once_where_news_are_wanted(
        self, server: WebServer, client: HttpClient, tmp_path: Path
    ) -> None:
        kept = Answer(b"hello", {"ETag": '"1"', "Cache-Control": "max-age=600"})
        server.scripts["/page"] = [kept, Answer(status=304)]
        self.ask(server, client)
        accept = "a"
        assert client.peek(f"{server.url}/page", accept) is not None
        with HttpClient(cache_dir=tmp_path / "cache", report=silence, kept_since=time.time()) as anew:
            assert anew.peek(f"{server.url}/page", accept) is None
            assert [self.ask(server, anew) for _ in range(3)] == [b"hello"] * 3
            assert anew.peek(f"{server.url}/page", accept) is not None
        assert len(server.requests) == 2

    @pytest.mark.parametrize(
        "answer",
        [
            Answer(b"x"),
            Answer(b"x", {"Cache-Control": "no-store, max-age=600", "ETag": '"1"'}),
            Answer(b"x", {"Cache-Control": "max-age=600", "Vary": "*"}),
            Answer(b"x", {"Cache-Control": "max-age=soon"}),
            Answer(b"x", {"Cache-Control": "max-age=5", "Age": "9"}),
            Answer(b"x", {"ETag": "no quotes"}),
            Answer(b"x", {"Cache-Control": "max-age=600"}, status=404),
        ],
    )
    def test_other_answers_are_asked_for_afresh(self, server: WebServer, client: HttpClient, answer: Answer) -> None:
        server.answers["/page"] = answer
        assert [self.ask(server, client) for _ in range(2)] == [b"x", b"x"]
        assert len(server.requests) == 2
        assert not {"if-none-match", "if-modified-since"} & server.requests[1].headers.keys()

    @pytest.mark.parametrize("damage", [b"", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"headers": 3}\nhello'])
    def test_a_damaged_entry_is_no_entry(
        self, server: WebServer, client: HttpClient, tmp_path: Path, damage: bytes
    ) -> None:
        server.answers["/page"] = Answer(b"hello", {"Cache-Control": "max-age=600"})
        self.ask(server, client)
        for path in (tmp_path / "cache").rglob("*"):
            if path.is_file():
                path.write_bytes(damage or path.read_bytes() + b"!")
        assert self.ask(server, client) == b"hello"
        assert len(server.requests) == 2

    def test_a_cache_that_cannot_be_written_is_no_error(self, server: WebServer, tmp_path: Path) -> None:
        server.answers["/page"] = Answer(b"hello", {"Cache-Control": "max-age=600"})
        (tmp_path / "file").touch()
        with HttpClient(cache_dir=tmp_path / "file", report=silence) as client:
            assert self.ask(server, client) == b"hello"

    def test_a_redirect_is_asked_again(self, server: WebServer, client: HttpClient) -> None:
        server.answers["/page"] = Answer(status=302, headers={"Location": "/other"})
        server.answers["/other"] = Answer(b"hello", {"Cache-Control": "max-age=600", "ETag": '"1"'})
        assert [self.ask(server, client) for _ in range(2)] == [b"hello"] * 2
        assert len(server.asked("/page")) == 2


def test_a_proxy_is_used_and_its_password_unseen(
    server: WebServer, other: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Event] = []
    monkeypatch.setenv("http_proxy", f"http://me:s3cret@{server.authority}")
    monkeypatch.setenv("no_proxy", "")
    server.answers["http://pkgs.example/page"] = lambda request: Answer(request.headers["proxy-authorization"].encode())
    with HttpClient(cache_dir=None, report=seen.append, network=Network(retries=0)) as client:
        assert client.get("http://pkgs.example/page").content == b"Basic " + base64.b64encode(b"me:s3cret")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with HttpClient(cache_dir=None, report=seen.append, network=Network(retries=0)) as client:
        client.get(f"{other.url}/page")
    assert other.requests == [Request("/page", other.requests[0].headers)]
    assert "s3cret" not in repr(seen)


@pytest.mark.parametrize("proxy", ["socks5://me:s3cret@127.0.0.1:1", "http://me:s3cret/@127.0.0.1:1"])
def test_a_proxy_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with HttpClient(cache_dir=None, report=silence) as client, pytest.raises(UnavailableError, match="proxy") as caught:
        client.get("http://pkgs.example/")
    assert "s3cret" not in caught.value.message


class TestSend:
    def test_what_is_sent(self, server: WebServer, client: HttpClient) -> None:
        server.answers["/ask"] = lambda request: Answer(gzip.compress(request.body), {"Content-Encoding": "gzip"})
        url = f"http://me:secret@{server.authority}/ask"
        response = client.send("POST", url, headers={"Content-Type": "text/plain"}, content=b"why?")
        assert (response.status, response.content) == (200, b"why?")
        headers = server.requests[0].headers
        assert (headers["content-type"], headers["authorization"][:6]) == ("text/plain", "Basic ")

    def test_it_is_sent_once(self, server: WebServer, client: HttpClient) -> None:
        server.answers["/ask"] = Answer(status=503)
        with pytest.raises(TransientError):
            client.send("POST", f"{server.url}/ask", headers={}, content=b"why?")
        assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_not_followed(self, server: WebServer, client: HttpClient, status: int) -> None:
        server.answers["/ask"] = Answer(status=status, headers={"Location": "/there"})
        with pytest.raises(UnavailableError, match=f"answered {status}"):
            client.send("POST", f"{server.url}/ask", headers={}, content=b"why?")
        assert len(server.requests) == 1

    def test_an_answer_that_is_too_large(self, server: WebServer, client: HttpClient) -> None:
        server.answers["/ask"] = Answer(b"x" * 101)
        with pytest.raises(InvalidPageError):
            client.send("GET", f"{server.url}/ask", headers={}, max_bytes=100)
