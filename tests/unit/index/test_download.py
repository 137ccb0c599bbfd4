import hashlib
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from buildlock.errors import EnvironmentPreparationError, IntegrityError, UnavailableError
from buildlock.index.download import Downloaded, download
from buildlock.index.http import HttpClient
from buildlock.project.network import Network
from buildlock.reporting import Event, Transferred
from buildlock.stamps import stamp_of
from support.http import Answer, Raw, Request, WebServer

BODY = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(BODY).hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()
NAME = "foo-1.0-py3-none-any.whl"

Fetch = Callable[..., Downloaded]


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    return tmp_path / "part"


@pytest.fixture
def fetch(server: WebServer, client: HttpClient, destination: Path, events: list[Event]) -> Fetch:
    def fetch(**options: object) -> Downloaded:
        arguments = {"url": f"{server.url}/{NAME}", "sha256": SHA256, "size": len(BODY), **options}
        return download(client, destination=destination, filename=NAME, report=events.append, **arguments)  # type: ignore[arg-type]

    return fetch


def serve_ranges(etag: str) -> Callable[[Request], Answer]:
    """A server that honours ranges."""

    def answer(request: Request) -> Answer:
        part = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        if part is None or request.headers.get("if-range") != etag:
            return Answer(BODY, {"ETag": etag})
        start = int(part[1])
        return Answer(BODY[start:], {"ETag": etag, "Content-Range": f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"}, 206)

    return answer


def break_off(after: int, headers: str = "") -> Raw:
    return Raw(f"HTTP/1.1 200 OK\r\nContent-Length: {len(BODY)}\r\n{headers}\r\n".encode() + BODY[:after])


def test_writes_the_file_and_says_what_it_is(
    server: WebServer, fetch: Fetch, destination: Path, events: list[Event]
) -> None:
    server.answers[f"/{NAME}"] = Answer(BODY)
    found = fetch()
    assert destination.read_bytes() == BODY
    with destination.open("rb") as file:
        assert found == Downloaded(sha256=SHA256, size=len(BODY), stamp=stamp_of(file))
    assert server.requests[0].headers["accept-encoding"] == "identity"
    moves = [event for event in events if isinstance(event, Transferred)]
    assert moves[-1] == Transferred(NAME, len(BODY), len(BODY))
    assert [move.done for move in moves] == sorted({move.done for move in moves})


def test_hashes_a_file_of_which_nothing_is_promised(server: WebServer, fetch: Fetch) -> None:
    server.answers[f"/{NAME}"] = Answer(BODY)
    found = fetch(sha256=None, size=None)
    assert (found.sha256, found.size) == (SHA256, len(BODY))


def test_a_local_file(tmp_path: Path, fetch: Fetch, destination: Path) -> None:
    (tmp_path / NAME).write_bytes(BODY)
    fetch(url=(tmp_path / NAME).as_uri())
    assert destination.read_bytes() == BODY


def test_an_empty_file(server: WebServer, fetch: Fetch, events: list[Event]) -> None:
    server.answers[f"/{NAME}"] = Answer(b"")
    assert fetch(sha256=None, size=0).size == 0
    assert [event for event in events if isinstance(event, Transferred)] == [Transferred(NAME, 0, 0)]


@pytest.mark.parametrize(
    ("promise", "message"),
    [
        ({"sha256": OTHER}, f"expected sha256: {OTHER}\n  received sha256: {SHA256}"),
        ({"sha256": None, "hashes": {"md5": "0" * 32}}, "expected md5"),
        ({"hashes": {"sha512": "0" * 128}}, "expected sha512"),
        ({"hashes": {"sha256": OTHER}}, "two hashes"),
        ({"hashes": {"shake_128": "00"}}, "cannot be checked"),
        ({"hashes": {"crc32": "00"}}, "cannot be checked"),
        ({"size": len(BODY) - 1}, f"has {len(BODY)} bytes, not {len(BODY) - 1}"),
        ({"size": len(BODY) + 1}, f"has {len(BODY)} bytes, not {len(BODY) + 1}"),
        ({"size": None, "max_bytes": 1000}, "more than 1000 bytes"),
    ],
)
def test_another_file_is_refused_and_removed(
    server: WebServer, fetch: Fetch, destination: Path, promise: dict[str, object], message: str
) -> None:
    server.answers[f"/{NAME}"] = Answer(BODY)
    with pytest.raises(IntegrityError, match=re.escape(message)) as caught:
        fetch(**promise)
    assert f"{server.url}/{NAME}" in caught.value.message
    assert caught.value.hint
    assert not destination.exists()


def test_the_hashes_that_hold_are_accepted(server: WebServer, fetch: Fetch) -> None:
    server.answers[f"/{NAME}"] = Answer(BODY)
    fetch(hashes={"md5": hashlib.md5(BODY).hexdigest().upper(), "sha256": SHA256, "blake2b": _blake2b()})


def _blake2b() -> str:
    return hashlib.blake2b(BODY).hexdigest()


@pytest.mark.parametrize("body", [BODY + b"!", BODY * 2])
def test_stops_as_soon_as_more_comes_than_was_promised(server: WebServer, fetch: Fetch, body: bytes) -> None:
    server.answers[f"/{NAME}"] = Raw(b"HTTP/1.1 200 OK\r\n\r\n" + body)
    with pytest.raises(IntegrityError, match="has more than"):
        fetch()
    assert len(server.requests) == 1


def test_resumes_where_it_broke_off(server: WebServer, fetch: Fetch, destination: Path) -> None:
    server.scripts[f"/{NAME}"] = [break_off(100_000, 'ETag: "1"\r\n'), serve_ranges('"1"')]
    fetch()
    assert destination.read_bytes() == BODY
    assert server.requests[1].headers["range"] == "bytes=100000-"


@pytest.mark.parametrize(
    ("headers", "second"),
    [
        ("", Answer(BODY)),  # nothing tells whether it would be the same file
        ('ETag: W/"1"\r\n', Answer(BODY)),
        ('ETag: "1"\r\n', serve_ranges('"2"')),  # it changed
        ('ETag: "1"\r\n', Answer(BODY)),  # no ranges here
    ],
)
def test_begins_anew_where_it_cannot_resume(
    server: WebServer, fetch: Fetch, destination: Path, headers: str, second: Answer
) -> None:
    server.scripts[f"/{NAME}"] = [break_off(100_000, headers), second]
    fetch()
    assert destination.read_bytes() == BODY


@pytest.mark.parametrize(
    "second",
    [
        Answer(status=416),
        Answer(BODY[5:], {"Content-Range": f"bytes 5-{len(BODY) - 1}/{len(BODY)}"}, 206),
        Answer(BODY[5:], {"Content-Range": "nonsense"}, 206),
        Answer(BODY[5:], status=206),
    ],
)
def test_begins_anew_where_another_part_comes(
    server: WebServer, fetch: Fetch, destination: Path, second: Answer
) -> None:
    server.scripts[f"/{NAME}"] = [break_off(100_000, 'ETag: "1"\r\n'), second, Answer(BODY)]
    fetch()
    assert destination.read_bytes() == BODY


def test_a_file_that_drips_in_is_resumed_and_given_up(
    server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Half a second for all, and as long as it takes for the next byte: on a busy machine that takes a while.
    monkeypatch.setattr("buildlock.index.wire.FACTOR", 0.05)
    head = b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\nETag: "1"\r\n\r\n'
    server.answers["/file"] = Raw(head, dripping=b"x" * 500)
    network = Network(timeout=10, retries=1)
    with (
        HttpClient(cache_dir=None, report=lambda _event: None, network=network, backoff=0) as client,
        pytest.raises(UnavailableError, match="it has sent"),
    ):
        download(
            client,
            f"{server.url}/file",
            tmp_path / "file",
            filename="file",
            sha256=None,
            size=None,
            report=lambda _event: None,
        )
    assert "range" in server.requests[1].headers


def test_gives_up_where_it_breaks_off_again_and_again(server: WebServer, fetch: Fetch, destination: Path) -> None:
    server.answers[f"/{NAME}"] = break_off(100)
    with pytest.raises(UnavailableError, match="cut short"):
        fetch()
    assert len(server.requests) == 3
    assert not destination.exists()


def test_an_end_without_a_length_is_tried_again(server: WebServer, fetch: Fetch) -> None:
    server.scripts[f"/{NAME}"] = [Raw(b"HTTP/1.1 200 OK\r\n\r\n" + BODY[:99]), Answer(BODY)]
    assert fetch().sha256 == SHA256


@pytest.mark.parametrize("status", [204, 206, 401, 403, 404, 416])
def test_a_file_that_is_not_there(server: WebServer, fetch: Fetch, destination: Path, status: int) -> None:
    server.answers[f"/{NAME}"] = Answer(BODY if status == 206 else b"", status=status)
    with pytest.raises(UnavailableError, match=f"it answered {status}"):
        fetch()
    assert not destination.exists()


def test_credentials_stay_unseen(server: WebServer, fetch: Fetch) -> None:
    server.answers[f"/{NAME}"] = Answer(BODY)
    with pytest.raises(IntegrityError) as caught:
        fetch(url=f"http://me:s3cret@{server.authority}/{NAME}", sha256=OTHER)
    assert "s3cret" not in caught.value.message


def test_a_place_that_cannot_be_written(server: WebServer, client: HttpClient, tmp_path: Path) -> None:
    server.answers[f"/{NAME}"] = Answer(BODY)
    with pytest.raises(EnvironmentPreparationError, match="cannot be written"):
        download(
            client,
            f"{server.url}/{NAME}",
            tmp_path / "missing" / "part",
            filename=NAME,
            sha256=None,
            size=None,
            report=lambda _: None,
        )


def test_a_large_file_is_held_in_pieces(server: WebServer, fetch: Fetch, destination: Path) -> None:
    body = bytes(24 << 20)
    server.answers["/large"] = Answer(body)
    tracemalloc.start()
    try:
        fetch(url=f"{server.url}/large", sha256=None, size=None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert destination.stat().st_size == len(body)
    assert peak < len(body) // 8
