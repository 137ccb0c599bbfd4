"""Whom TLS trusts, what proves who we are, and the way to a server."""

import base64
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import pytest

from buildlock.errors import UnavailableError
from buildlock.index.certificates import make_context
from buildlock.index.http import HttpClient
from buildlock.index.proxies import Proxies
from buildlock.project.network import CertificatePath, Network, parse_insecure_host
from buildlock.reporting import Event, Warned
from support.http import Answer, Raw, Request, WebServer
from support.proxy import TunnellingProxy
from support.tls import ANOTHER_AUTHORITY, AUTHORITY, CLIENT, serve_tls

Ask: TypeAlias = Callable[..., bytes]


@pytest.fixture
def secure() -> Iterator[WebServer]:
    with WebServer(serve_tls()) as server:
        server.answers["/page"] = Answer(b"hello")
        yield server


@pytest.fixture
def ask(events: list[Event]) -> Ask:
    """What a server says of `/page` to a client with these settings."""

    def ask(server: WebServer, **settings: object) -> bytes:
        network = Network(**{"timeout": 2, "retries": 0, **settings})  # type: ignore[arg-type]
        with HttpClient(cache_dir=None, report=events.append, network=network, backoff=0) as client:
            return client.get(f"{server.url}/page").content

    return ask


def trust(path: Path, origin: str = "SSL_CERT_FILE") -> tuple[CertificatePath, ...]:
    return (CertificatePath(path=path, origin=origin),)


@contextmanager
def serve_raw(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that treats each connection so, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    with listener.accept()[0] as connection:
                        answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


class TestCertificates:
    def test_an_authority_that_nobody_knows_is_not_trusted(self, secure: WebServer, ask: Ask) -> None:
        with pytest.raises(UnavailableError, match="not trusted") as caught:
            ask(secure)
        assert caught.value.hint == "name the file of your certificate authority in `SSL_CERT_FILE`"
        with pytest.raises(UnavailableError, match="not trusted"):
            ask(secure, authorities=trust(ANOTHER_AUTHORITY))
        assert secure.requests == []

    def test_an_authority_that_is_named_is_trusted(self, secure: WebServer, ask: Ask) -> None:
        assert ask(secure, authorities=trust(AUTHORITY)) == b"hello"
        assert ask(secure, authorities=(*trust(ANOTHER_AUTHORITY), *trust(AUTHORITY))) == b"hello"

    def test_a_folder_of_authorities_whatever_their_names(self, secure: WebServer, ask: Ask, tmp_path: Path) -> None:
        (tmp_path / "README").write_text("no certificate")
        (tmp_path / "ours.crt").write_bytes(AUTHORITY.read_bytes())
        assert ask(secure, authorities=trust(tmp_path)) == b"hello"

    def test_a_certificate_that_is_named_more_than_once_is_read_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        load, loaded = ssl.SSLContext.load_verify_locations, list[Path]()

        def watch(context: ssl.SSLContext, cafile: Path) -> None:
            loaded.append(cafile)
            load(context, cafile)

        monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", watch)
        bundle, folder = tmp_path / "bundle.pem", tmp_path / "folder"
        bundle.write_bytes(b"# Ours:\n" + AUTHORITY.read_bytes() + ANOTHER_AUTHORITY.read_bytes())
        folder.mkdir()
        for name, content in {"a": AUTHORITY, "b": ANOTHER_AUTHORITY, "c": ANOTHER_AUTHORITY}.items():
            (folder / f"{name}.pem").write_bytes(content.read_bytes() + b"\n")
        context = make_context(Network(authorities=(*trust(bundle), *trust(folder))), checked=True)
        assert loaded == [bundle, folder / "a.pem"]  # what stands after a remark is not seen to be the same
        assert len(context.get_ca_certs()) == 2

    def test_a_certificate_of_another_host_is_not_trusted(self, secure: WebServer) -> None:
        network = Network(authorities=trust(AUTHORITY), retries=0)
        with (
            HttpClient(cache_dir=None, report=lambda _event: None, network=network) as client,
            pytest.raises(UnavailableError, match="not trusted") as caught,
        ):
            client.get(f"{secure.url.replace('127.0.0.1', 'localhost')}/page")
        assert caught.value.hint == "ask it by a name that is in its certificate"

    def test_the_name_in_a_certificate_has_no_dot_at_its_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        names: list[str | None] = []
        context, find = serve_tls(), socket.getaddrinfo
        context.sni_callback = lambda _connection, name, _context: names.append(name)
        monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *rest: find("127.0.0.1", *rest))
        with WebServer(context) as server:
            url = server.url.replace("127.0.0.1", "server.example.")
            network = Network(authorities=trust(AUTHORITY), retries=0)
            with (
                HttpClient(cache_dir=None, report=lambda _event: None, network=network) as client,
                pytest.raises(UnavailableError, match=r"not valid for 'server\.example'"),
            ):
                client.get(f"{url}/page")
        assert names == ["server.example"]

    def test_no_name_is_looked_for_in_the_subject_of_a_certificate(self) -> None:
        context = make_context(Network(), checked=True)
        assert context.check_hostname
        assert not context.hostname_checks_common_name

    @pytest.mark.parametrize("content", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\ngarbage\n", None])
    def test_certificates_that_cannot_be_used(
        self, secure: WebServer, ask: Ask, tmp_path: Path, content: bytes | None
    ) -> None:
        path = tmp_path / "ca.pem"
        if content is not None:
            path.write_bytes(content)
        reason = "No such file" if content is None else "there is no certificate in it"
        with pytest.raises(UnavailableError, match=f"cannot be used: {reason}") as caught:
            ask(secure, authorities=trust(path, "PIP_CERT"))
        assert str(path) in caught.value.message
        assert "`PIP_CERT`" in str(caught.value.hint)

    def test_a_folder_without_certificates(self, secure: WebServer, ask: Ask, tmp_path: Path) -> None:
        with pytest.raises(UnavailableError, match="there is no certificate in it"):
            ask(secure, authorities=trust(tmp_path, "SSL_CERT_DIR"))

    def test_a_client_shows_its_certificate(self, ask: Ask) -> None:
        with WebServer(serve_tls(for_clients=True)) as server:
            server.answers["/page"] = Answer(b"hello")
            (client,) = trust(CLIENT, "SSL_CLIENT_CERT")
            assert ask(server, authorities=trust(AUTHORITY), client_certificate=client) == b"hello"
            with pytest.raises(UnavailableError):
                ask(server, authorities=trust(AUTHORITY))
            assert len(server.requests) == 1

    def test_a_client_certificate_without_its_key(self, secure: WebServer, ask: Ask) -> None:
        (client,) = trust(AUTHORITY, "SSL_CLIENT_CERT")
        with pytest.raises(UnavailableError, match="with its key"):
            ask(secure, authorities=trust(AUTHORITY), client_certificate=client)


class TestInsecureHosts:
    def test_a_host_that_may_be_insecure_is_asked_with_a_warning(
        self, secure: WebServer, ask: Ask, events: list[Event]
    ) -> None:
        host = parse_insecure_host(secure.authority)
        assert ask(secure, insecure_hosts=(host,)) == b"hello"
        (warning,) = [event for event in events if isinstance(event, Warned)]
        assert f"the certificate of `{secure.url}` is not checked" in warning.message

    def test_no_other_host_is_trusted_for_it(self, secure: WebServer, ask: Ask, events: list[Event]) -> None:
        for other in ("localhost", "127.0.0.1:1", f"http://{secure.authority}"):
            with pytest.raises(UnavailableError, match="not trusted"):
                ask(secure, insecure_hosts=(parse_insecure_host(other),))
        assert not [event for event in events if isinstance(event, Warned)]

    def test_it_is_told_once_for_each_server(self, secure: WebServer, events: list[Event]) -> None:
        network = Network(insecure_hosts=(parse_insecure_host("127.0.0.1"),))
        with (
            WebServer(serve_tls()) as other,
            HttpClient(cache_dir=None, report=events.append, network=network) as client,
        ):
            for _ in range(2):
                client.get(f"{secure.url}/page")
                client.get(f"{other.url}/page")
        assert len([event for event in events if isinstance(event, Warned)]) == 2

    def test_trust_is_not_carried_over_by_a_redirect(self, secure: WebServer, ask: Ask) -> None:
        with WebServer(serve_tls()) as other:
            secure.answers["/page"] = Answer(status=302, headers={"Location": f"{other.url}/page"})
            with pytest.raises(UnavailableError, match="not trusted"):
                ask(secure, insecure_hosts=(parse_insecure_host(secure.authority),))
            assert other.requests == []

    def test_a_redirect_out_of_tls_is_not_followed_even_so(
        self, secure: WebServer, ask: Ask, server: WebServer
    ) -> None:
        secure.answers["/page"] = Answer(status=302, headers={"Location": f"{server.url}/page"})
        with pytest.raises(UnavailableError, match="from https to http is not followed"):
            ask(secure, insecure_hosts=(parse_insecure_host("127.0.0.1"),))
        assert server.requests == []


class TestProxies:
    @pytest.fixture(autouse=True)
    def _no_exemptions(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)

    def test_a_proxy_of_the_settings_goes_before_that_of_the_environment(
        self, server: WebServer, monkeypatch: pytest.MonkeyPatch, events: list[Event]
    ) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        server.answers["http://pkgs.example/page"] = Answer(b"through the proxy")
        network = Network(proxies={"http": server.url.replace("//", "//me:s3cret@")}, retries=0)
        with HttpClient(cache_dir=None, report=events.append, network=network) as client:
            assert client.get("http://pkgs.example/page").content == b"through the proxy"
        assert server.requests[0].headers["proxy-authorization"]
        assert "s3cret" not in repr(events)

    @pytest.mark.parametrize(
        ("exempt", "url", "direct"),
        [
            ("pkgs.example", "https://pkgs.example/", True),
            ("pkgs.example", "https://a.pkgs.example/", True),
            (".pkgs.example", "https://a.pkgs.example/", True),
            ("*.pkgs.example", "https://a.pkgs.example/", True),
            ("pkgs.example", "https://otherpkgs.example/", False),
            ("a.example, PKGS.example", "https://pkgs.example/", True),
            ("pkgs.example:8443", "https://pkgs.example:8443/", True),
            ("pkgs.example:8443", "https://pkgs.example/", False),
            ("pkgs.example:443", "https://pkgs.example/", True),
            ("pkgs.example:443", "http://pkgs.example/", False),
            ("pkgs.example", "https://pkgs.example./", True),
            ("pkgs.example.", "https://pkgs.example/", True),
            ("10.0.0.0/8", "https://10.1.2.3/", True),
            ("10.0.0.0/8", "https://11.1.2.3/", False),
            ("127.0.0.1", "http://127.0.0.1:8000/", True),
            ("::1", "http://[::1]:8000/", True),
            ("[::1]", "http://[::1]:8000/", True),
            ("[::1]:8000", "http://[::1]:8000/", True),
            ("[::1]:8001", "http://[::1]:8000/", False),
            ("[]", "http://[::1]:8000/", False),
            ("*", "https://pkgs.example/", True),
            ("", "https://pkgs.example/", False),
        ],
    )
    def test_what_is_asked_without_a_proxy(
        self, monkeypatch: pytest.MonkeyPatch, *, exempt: str, url: str, direct: bool
    ) -> None:
        monkeypatch.setenv("all_proxy", "http://proxy.example")
        proxy = None if direct else "http://proxy.example"
        assert Proxies(Network(no_proxy=tuple(exempt.split(",")))).find(url) == proxy
        monkeypatch.setenv("no_proxy", exempt)
        assert Proxies(Network()).find(url) == proxy

    def test_exemptions_of_the_settings_go_before_those_of_the_environment(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("https_proxy", "http://proxy.example")
        monkeypatch.setenv("no_proxy", "a.example")
        proxies = Proxies(Network(no_proxy=("b.example",)))
        assert [proxies.find(f"https://{name}.example") for name in "ab"] == ["http://proxy.example", None]

    def test_a_server_is_reached_by_tls_through_a_proxy(self, ask: Ask, secure: WebServer, server: WebServer) -> None:
        # This one is no proxy for TLS, and says so: nothing was asked without it.
        with pytest.raises(UnavailableError, match="cannot be used: Tunnel connection failed: 501"):
            ask(secure, authorities=trust(AUTHORITY), proxies={"https": server.url})
        assert secure.requests == []

    def test_a_proxy_hears_its_own_password_and_nothing_of_the_server(self, ask: Ask, secure: WebServer) -> None:
        right = "Basic " + base64.b64encode(b"me:s3cret").decode()
        with TunnellingProxy() as proxy:
            url = proxy.url.replace("//", "//me:s3cret@")
            assert ask(secure, authorities=trust(AUTHORITY), proxies={"https": url}) == b"hello"
            with pytest.raises(UnavailableError, match="not trusted"):
                ask(secure, authorities=trust(ANOTHER_AUTHORITY), proxies={"https": url})
        head = proxy.heads[0]
        assert head.startswith(f"CONNECT {secure.authority} HTTP/1.")
        assert f"Proxy-Authorization: {right}" in head
        assert "/page" not in head
        assert "proxy-authorization" not in secure.requests[0].headers

    @pytest.mark.parametrize("credentials", ["", "me:s3cret@"])
    def test_a_proxy_that_does_not_let_us_through(
        self, ask: Ask, server: WebServer, secure: WebServer, credentials: str
    ) -> None:
        refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
        asked: list[bytes] = []

        def refuse(connection: socket.socket) -> None:
            asked.append(connection.recv(1 << 16))
            connection.sendall(refusal)

        with serve_raw(refuse) as port:
            url = f"http://{credentials}127.0.0.1:{port}"
            for target in (server, secure):
                with pytest.raises(UnavailableError, match=r"the proxy `http://127\.0\.0\.1:\d+` \w+ ") as caught:
                    ask(target, proxies=dict.fromkeys(("http", "https"), url), no_proxy=(), retries=3)
                assert ("refuses" if credentials else "wants") in caught.value.message
                assert "s3cret" not in caught.value.message
                assert "user:password" in str(caught.value.hint)
        assert len(asked) == 2  # it is not tried again: who asks too often is locked out
        assert server.requests == secure.requests == []

    def test_a_proxy_that_says_more_than_that_the_way_is_open(self, ask: Ask, secure: WebServer) -> None:
        def say_more(connection: socket.socket) -> None:
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

        with serve_raw(say_more) as port, pytest.raises(UnavailableError, match="it says more than that"):
            ask(secure, proxies={"https": f"http://127.0.0.1:{port}"}, no_proxy=())

    def test_a_proxy_that_is_not_there(self, ask: Ask, server: WebServer, secure: WebServer) -> None:
        for asked in (server, secure):
            with pytest.raises(UnavailableError, match=r"`http://127\.0\.0\.1:1` cannot be used: no") as caught:
                ask(asked, proxies=dict.fromkeys(("http", "https"), "http://me:s3cret@127.0.0.1:1"))
            assert "s3cret" not in caught.value.message
            assert "Patience" not in caught.value.message


def test_no_more_requests_are_under_way_than_allowed(server: WebServer, events: list[Event]) -> None:
    lock, under_way, most = threading.Lock(), 0, 0

    def answer(_: Request) -> Answer:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        threading.Event().wait(0.01)
        with lock:
            under_way -= 1
        return Answer(b"hello")

    server.answers["/page"] = answer
    with HttpClient(cache_dir=None, report=events.append, network=Network(concurrent_downloads=2)) as client:
        threads = [threading.Thread(target=client.get, args=(f"{server.url}/page",)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(server.requests) == 8
    assert most <= 2


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (5, 6)])
def test_it_is_tried_as_often_as_the_settings_say(server: WebServer, ask: Ask, retries: int, attempts: int) -> None:
    server.answers["/page"] = Answer(status=503)
    with pytest.raises(UnavailableError):
        ask(server, retries=retries)
    assert len(server.requests) == attempts


def test_it_waits_as_long_as_the_settings_say(server: WebServer, ask: Ask) -> None:
    release = threading.Event()
    server.answers["/page"] = Raw(b"", wait_for=release)
    with pytest.raises(UnavailableError, match="stopped sending"):
        ask(server, timeout=0.25)
    release.set()


def test_the_systems_authorities_are_not_read_where_others_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", fail)
    with WebServer(serve_tls()) as server:
        server.answers["/page"] = Answer(b"hello")
        network = Network(authorities=trust(AUTHORITY), retries=0)
        with HttpClient(cache_dir=None, report=lambda _event: None, network=network) as client:
            assert client.get(f"{server.url}/page").content == b"hello"
