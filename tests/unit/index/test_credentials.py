"""Where credentials come from, and whom they are sent to."""

import base64
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from buildlock.errors import UnavailableError
from buildlock.index import keyring
from buildlock.index.http import HttpClient
from buildlock.project.model import Authentication
from buildlock.project.network import Network
from buildlock.reporting import Event, Warned
from support.http import Answer, Request, WebServer

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="a script of the shell stands in for `keyring`")

Open: TypeAlias = Callable[..., HttpClient]
Keyring: TypeAlias = Callable[[str], Callable[[], list[str]]]


@pytest.fixture
def open_client(events: list[Event]) -> Iterator[Open]:
    """A client that knows these places, each a URL or a URL and its `authenticate`."""
    clients = []

    def open_client(
        *places: str | tuple[str, Authentication], netrc: Path | None = None, **settings: bool
    ) -> HttpClient:
        network = Network(timeout=5, retries=0, netrc=netrc, keyring=settings.get("keyring"))
        client = HttpClient(cache_dir=None, report=events.append, network=network, backoff=0)
        clients.append(client)
        for place in places:
            client.remember_credentials(*((place,) if isinstance(place, str) else place))
        return client

    yield open_client
    for client in clients:
        client.close()


@pytest.fixture
def write_netrc(tmp_path: Path) -> Callable[[str], Path]:
    def write_netrc(text: str) -> Path:
        path = tmp_path / "netrc"
        path.write_text(text)
        path.chmod(0o600)
        return path

    return write_netrc


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keyring:
    """Puts a `keyring` on PATH that does what a script says; what comes back tells what it was asked."""

    def write(script: str) -> Callable[[], list[str]]:
        log, program = tmp_path / "asked", tmp_path / "bin" / "keyring"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\necho "$@" >> "{log}"\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        return lambda: log.read_text().splitlines() if log.exists() else []

    return write


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def guard(server: WebServer, path: str, *, status: int = 401, user: str = "me", password: str = "s3cret") -> None:
    """Let `path` answer `hello` to one user alone."""
    right = basic(user, password)

    def answer(request: Request) -> Answer:
        return Answer(b"hello") if request.headers.get("authorization") == right else Answer(status=status)

    server.answers[path] = answer


def sent(server: WebServer) -> list[str | None]:
    return [request.headers.get("authorization") for request in server.requests]


def with_user(url: str, user: str) -> str:
    return url.replace("//", f"//{user}@")


class TestNetrc:
    @pytest.mark.parametrize("status", [401, 403, 404])
    def test_is_looked_at_when_a_server_refuses(
        self, server: WebServer, open_client: Open, write_netrc: Callable[[str], Path], status: int
    ) -> None:
        guard(server, "/simple/foo/", status=status)
        client = open_client(f"{server.url}/simple", netrc=write_netrc("machine 127.0.0.1 login me password s3cret"))
        for _ in range(2):
            assert client.get(f"{server.url}/simple/foo/").content == b"hello"
        # Once it is known, nobody is asked without.
        assert sent(server) == [None, basic("me", "s3cret"), basic("me", "s3cret")]

    def test_what_needs_no_password_is_not_given_one(
        self, server: WebServer, open_client: Open, write_netrc: Callable[[str], Path]
    ) -> None:
        server.answers["/simple/foo/"] = Answer(b"hello")
        client = open_client(f"{server.url}/simple", netrc=write_netrc("default login me password s3cret"))
        client.get(f"{server.url}/simple/foo/")
        assert sent(server) == [None]

    def test_an_entry_for_all_hosts_is_for_the_places_that_the_user_named(
        self, server: WebServer, open_client: Open, write_netrc: Callable[[str], Path]
    ) -> None:
        netrc = write_netrc("default login me password s3cret")
        guard(server, "/simple/foo/")
        assert open_client(f"{server.url}/simple", netrc=netrc).get(f"{server.url}/simple/foo/").status == 200
        assert open_client(netrc=netrc).get(f"{server.url}/simple/foo/").status == 401

    def test_nothing_is_sent_in_the_clear_to_a_place_that_nobody_named(
        self, server: WebServer, open_client: Open, write_netrc: Callable[[str], Path]
    ) -> None:
        client = open_client(netrc=write_netrc("machine 127.0.0.1 login me password s3cret"))
        guard(server, "/page")
        assert client.get(f"{server.url}/page").status == 401
        assert sent(server) == [None]

    def test_a_name_in_the_url_has_to_be_that_of_netrc(
        self, server: WebServer, open_client: Open, write_netrc: Callable[[str], Path]
    ) -> None:
        guard(server, "/simple/foo/")
        netrc = write_netrc("machine 127.0.0.1 login me password s3cret")
        mine, other = (with_user(f"{server.url}/simple", user) for user in ("me", "other"))
        assert open_client(mine, netrc=netrc).get(f"{mine}/foo/").status == 200
        assert open_client(other, netrc=netrc).get(f"{other}/foo/").status == 401
        assert sent(server) == [basic("me", "s3cret"), basic("other", "")]

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"machine a login me password s3cret s3cret s3cret", "line 1 is malformed"),
            (b"#" * (1 << 21), "it is too large"),
        ],
    )
    def test_one_that_cannot_be_read_is_as_good_as_none(
        self, server: WebServer, open_client: Open, events: list[Event], tmp_path: Path, *, content: bytes, reason: str
    ) -> None:
        path = tmp_path / "netrc"
        path.write_bytes(content)
        client = open_client(f"{server.url}/simple", netrc=path)
        for _ in range(2):
            assert client.get(f"{server.url}/simple/foo/").status == 404
        warnings = [event.message for event in events if isinstance(event, Warned)]
        assert warnings == [f"`{path}` is not used: {reason}"]
        assert "s3cret" not in repr(events)

    @pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"machine", b"machine a\x00b login \xff", b"macdef x\n" * 9])
    def test_hostile_ones_are_as_good_as_none(
        self, server: WebServer, open_client: Open, tmp_path: Path, content: bytes
    ) -> None:
        path = tmp_path / "netrc"
        path.write_bytes(content)
        assert open_client(f"{server.url}/simple", netrc=path).get(f"{server.url}/simple/foo/").status == 404

    def test_one_that_is_not_there(
        self, server: WebServer, open_client: Open, events: list[Event], tmp_path: Path
    ) -> None:
        open_client(f"{server.url}/simple", netrc=tmp_path / "missing").get(f"{server.url}/simple/foo/")
        (warning,) = [event.message for event in events if isinstance(event, Warned)]
        assert "No such file" in warning

    @posix_only
    def test_one_that_others_can_read_is_used_with_a_warning(
        self, server: WebServer, open_client: Open, events: list[Event], write_netrc: Callable[[str], Path]
    ) -> None:
        guard(server, "/simple/foo/")
        path = write_netrc("machine 127.0.0.1 login me password s3cret")
        path.chmod(0o644)
        assert open_client(f"{server.url}/simple", netrc=path).get(f"{server.url}/simple/foo/").status == 200
        (warning,) = [event.message for event in events if isinstance(event, Warned)]
        assert warning == f"the passwords in `{path}` can be read by other users"


@posix_only
class TestKeyring:
    def test_is_asked_for_the_password_of_a_name(
        self, server: WebServer, open_client: Open, asked: Keyring, events: list[Event]
    ) -> None:
        questions = asked("echo s3cret")
        guard(server, "/simple/foo/")
        index = with_user(f"{server.url}/simple", "me")
        client = open_client(index, keyring=True)
        for _ in range(2):
            assert client.get(f"{index}/foo/").content == b"hello"
        assert questions() == [f"get {server.url}/simple me"]
        assert sent(server) == [basic("me", "s3cret")] * 2
        assert "s3cret" not in repr(events)

    def test_is_asked_for_the_host_where_it_has_nothing_for_the_url(
        self, server: WebServer, open_client: Open, asked: Keyring
    ) -> None:
        questions = asked('case "$2" in http*) exit 1;; esac; echo s3cret')
        guard(server, "/simple/foo/")
        index = with_user(f"{server.url}/simple", "me")
        assert open_client(index, keyring=True).get(f"{index}/foo/").status == 200
        assert questions() == [f"get {server.url}/simple me", f"get {server.authority} me"]

    def test_is_asked_for_the_name_too_where_a_server_wants_one(
        self, server: WebServer, open_client: Open, asked: Keyring
    ) -> None:
        questions = asked("echo me; echo s3cret")
        guard(server, "/simple/foo/")
        assert open_client(f"{server.url}/simple", keyring=True).get(f"{server.url}/simple/foo/").status == 200
        assert questions() == [f"get {server.url}/simple --mode creds"]
        assert sent(server) == [None, basic("me", "s3cret")]

    def test_is_not_asked_for_what_is_not_there(self, server: WebServer, open_client: Open, asked: Keyring) -> None:
        questions = asked("echo me; echo s3cret")
        open_client(f"{server.url}/simple", keyring=True).get(f"{server.url}/simple/foo/")
        assert questions() == []

    def test_is_not_asked_unless_the_settings_say_so(
        self, server: WebServer, open_client: Open, asked: Keyring
    ) -> None:
        questions = asked("echo s3cret")
        guard(server, "/simple/foo/")
        index = with_user(f"{server.url}/simple", "me")
        assert open_client(index).get(f"{index}/foo/").status == 401
        assert questions() == []

    @pytest.mark.parametrize("place", ["http://--keyring-backend=evil@127.0.0.1:1/simple", "http://-p@-p:1/simple"])
    def test_what_would_be_an_option_is_no_question(self, open_client: Open, asked: Keyring, place: str) -> None:
        questions = asked("echo s3cret")
        with pytest.raises(UnavailableError):
            open_client(place, keyring=True).get(f"{place}/foo/")
        assert questions() == []

    def test_is_not_asked_by_a_place_that_nobody_named(
        self, server: WebServer, open_client: Open, asked: Keyring
    ) -> None:
        questions = asked("echo me; echo s3cret")
        guard(server, "/page")
        assert open_client(keyring=True).get(f"{server.url}/page").status == 401
        assert questions() == []

    @pytest.mark.parametrize(
        "script",
        [
            "true",
            "printf 's3cret\\nmore\\n'",
            "printf 's3\\033cret\\n'",
            "printf '\\377\\376'",
            "yes s3cret | head -c 1000000",
            "exit 1",
        ],
    )
    def test_an_answer_that_is_no_password_is_not_used(
        self,
        server: WebServer,
        open_client: Open,
        asked: Keyring,
        script: str,
        events: list[Event],
    ) -> None:
        asked(script)
        index = with_user(f"{server.url}/simple", "me")
        open_client(index, keyring=True).get(f"{index}/foo/")
        assert sent(server) == [basic("me", "")]
        assert "s3" not in repr(events)

    def test_one_that_hangs_is_given_up(
        self,
        server: WebServer,
        open_client: Open,
        asked: Keyring,
        events: list[Event],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(keyring, "_PATIENCE", 0.1)
        asked("sleep 60 & sleep 60")
        index = with_user(f"{server.url}/simple", "me")
        open_client(index, keyring=True).get(f"{index}/foo/")
        warnings = [event.message for event in events if isinstance(event, Warned)]
        (warning,) = warnings
        assert warning.endswith("`keyring`: it has not answered in 0 seconds")

    def test_one_that_is_not_there(
        self, server: WebServer, open_client: Open, events: list[Event], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        index = with_user(f"{server.url}/simple", "me")
        open_client(index, keyring=True).get(f"{index}/foo/")
        (warning,) = [event.message for event in events if isinstance(event, Warned)]
        assert warning.endswith("`keyring`: there is no such command on PATH")


class TestAuthenticate:
    def test_always_is_never_without(self, server: WebServer, open_client: Open) -> None:
        with pytest.raises(UnavailableError, match="there are no credentials") as caught:
            open_client((f"{server.url}/simple", "always")).get(f"{server.url}/simple/foo/")
        assert "UV_INDEX_<NAME>_USERNAME" in str(caught.value.hint)
        assert server.requests == []

    def test_always_looks_before_it_asks(
        self, server: WebServer, open_client: Open, write_netrc: Callable[[str], Path]
    ) -> None:
        guard(server, "/simple/foo/")
        netrc = write_netrc("machine 127.0.0.1 login me password s3cret")
        client = open_client((f"{server.url}/simple", "always"), netrc=netrc)
        assert client.get(f"{server.url}/simple/foo/").status == 200
        assert sent(server) == [basic("me", "s3cret")]

    def test_never_is_without_even_where_there_are_some(
        self, server: WebServer, open_client: Open, write_netrc: Callable[[str], Path]
    ) -> None:
        guard(server, "/simple/foo/")
        index = with_user(f"{server.url}/simple", "me:s3cret")
        client = open_client((index, "never"), netrc=write_netrc("machine 127.0.0.1 login me password s3cret"))
        assert client.get(f"{index}/foo/").status == 401
        assert client.get(f"{server.url}/files/foo.whl").status == 404
        assert sent(server) == [None, None]

    def test_each_index_of_a_server_for_itself(self, server: WebServer, open_client: Open) -> None:
        server.answers["/a/foo/"] = server.answers["/b/foo/"] = Answer(b"hello")
        client = open_client((f"{server.url}/a", "never"), with_user(f"{server.url}/b", "me:s3cret"))
        for name in "ab":
            client.get(f"{server.url}/{name}/foo/")
        assert sent(server) == [None, basic("me", "s3cret")]


def test_what_was_found_is_for_its_origin_alone(
    server: WebServer, open_client: Open, write_netrc: Callable[[str], Path]
) -> None:
    netrc = write_netrc("machine 127.0.0.1 login me password s3cret")
    with WebServer() as other:
        guard(other, "/page")
        guard(server, "/simple/foo/")
        client = open_client(f"{server.url}/simple", netrc=netrc)
        assert client.get(f"{server.url}/simple/foo/").status == 200
        server.answers["/simple/bar/"] = Answer(status=302, headers={"Location": f"{other.url}/page"})
        assert client.get(f"{server.url}/simple/bar/").status == 401
        assert sent(other) == [None]


def test_what_was_asked_with_a_password_is_not_kept(
    server: WebServer, write_netrc: Callable[[str], Path], tmp_path: Path, events: list[Event]
) -> None:
    right = basic("me", "s3cret")
    server.answers["/simple/foo/"] = lambda request: (
        Answer(b"private", {"Cache-Control": "max-age=600"})
        if request.headers.get("authorization") == right
        else Answer(status=401)
    )
    network = Network(netrc=write_netrc("machine 127.0.0.1 login me password s3cret"))
    with HttpClient(cache_dir=tmp_path / "cache", report=events.append, network=network) as client:
        client.remember_credentials(f"{server.url}/simple")
        assert client.get(f"{server.url}/simple/foo/").content == b"private"
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept == []
    assert "s3cret" not in repr(events)


def test_offline_nobody_is_asked_for_a_password(
    server: WebServer, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("buildlock.index.keyring.ask_keyring", fail)
    network = Network(keyring=True)
    with HttpClient(cache_dir=None, report=events.append, network=network, offline=True) as client:
        index = with_user(f"{server.url}/simple", "me")
        client.remember_credentials(index, "always")
        with pytest.raises(UnavailableError, match="this is offline"):
            client.get(f"{index}/foo/")
