"""The mirror records what an index says, and says the same without it. Its index here is another mirror."""

import asyncio
import gzip
import http.client
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from benchmarks.mirror import CONNECTING, Mirror
from benchmarks.recording import BLOCK, RealIndex
from benchmarks.universe import Made, write_universe

CONTENT = {"big/data.txt": "".join(f"{number}\n" for number in range(40_000))}


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Client:
    port: int

    def ask(self, path: str, method: str = "GET", **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def steer(self, what: str) -> dict[str, Any]:
        counters: dict[str, Any] = json.loads(self.ask(f"/-/{what}").body)
        return counters

    def find_urls(self, name: str) -> list[str]:
        return [file["url"] for file in json.loads(self.ask(f"/real/simple/{name}/").body)["files"]]

    def find_url(self, name: str) -> str:
        """Of the newest file of a package."""
        return self.find_urls(name)[-1]


@contextmanager
def serve(folder: Path, index: str | None = None) -> Iterator[Client]:
    started: queue.Queue[tuple[int, Callable[[], object]]] = queue.Queue()

    async def run() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        stop = partial(loop.call_soon_threadsafe, task.cancel)
        mirror = Mirror(folder, RealIndex(index) if index else None)
        with suppress(asyncio.CancelledError):
            await mirror.serve(lambda port: started.put((port, stop)))

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    port, stop = started.get(timeout=10)
    try:
        yield Client(port)
    finally:
        stop()
        thread.join()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real index, as far as the mirror knows."""
    folder = tmp_path_factory.mktemp("index")
    made = [Made(version="1.0"), Made(version="2.0", files=CONTENT)]
    write_universe(folder / "universe" / "made", {"big": made})
    next(folder.glob("universe/made/simple/big/big-1.0-*.metadata")).unlink()
    with serve(folder) as client:
        yield f"http://127.0.0.1:{client.port}/universe/made/simple"


@pytest.fixture
def mirror(tmp_path: Path, index: str) -> Iterator[Client]:
    with serve(tmp_path, index) as client:
        client.steer("record/on")
        yield client


def test_a_recorded_page_is_replayed_with_its_files_on_the_mirror(mirror: Client) -> None:
    recorded = mirror.ask("/real/simple/big/")
    mirror.steer("record/off")
    replayed = mirror.ask("/real/simple/big/")
    assert recorded.status == 200
    assert replayed.body == recorded.body
    page = json.loads(replayed.body)
    assert [file["filename"] for file in page["files"]] == ["big-1.0-py3-none-any.whl", "big-2.0-py3-none-any.whl"]
    assert all(file["url"].startswith("/files/") for file in page["files"])


def test_a_recording_outlives_its_mirror_and_its_index(tmp_path: Path, index: str) -> None:
    with serve(tmp_path, index) as mirror:
        mirror.steer("record/on")
        url = mirror.find_url("big")
        body, missing = mirror.ask(url).body, mirror.ask("/real/simple/absent/").status
    with serve(tmp_path) as mirror:
        assert mirror.find_url("big") == url
        assert mirror.ask(url).body == body
        assert mirror.ask("/real/simple/absent/").status == missing == 404
        assert mirror.steer("count")["missed"] == 0


@pytest.mark.parametrize("path", ["/real/simple/big/", "/files/" + "0" * 32 + "/big-1.0-py3-none-any.whl"])
def test_what_is_not_recorded_is_missed(mirror: Client, path: str) -> None:
    mirror.steer("record/off")
    assert mirror.ask(path).status == 404
    assert mirror.steer("count")["missed"] == 1


def test_what_was_missed_is_recorded_later(mirror: Client) -> None:
    mirror.steer("record/off")
    assert mirror.ask("/real/simple/big/").status == 404
    mirror.steer("record/on")
    assert mirror.ask("/real/simple/big/").status == 200


def test_blocks_that_nobody_asked_for_are_missed(mirror: Client) -> None:
    url = mirror.find_url("big")
    assert mirror.ask(url, range="bytes=0-9").status == 206
    mirror.steer("record/off")
    assert mirror.ask(url, range=f"bytes=10-{BLOCK - 1}").status == 206
    assert mirror.ask(url, range="bytes=-10").status == 404
    assert mirror.ask(url).status == 404
    assert mirror.steer("count")["missed"] == 2


@pytest.mark.parametrize("asked", ["bytes=0-9", "bytes=100-", "bytes=-50", "bytes=5-99999999", "bytes=-99999999"])
def test_ranges_are_those_of_the_whole(mirror: Client, asked: str) -> None:
    url = mirror.find_url("big")
    part = mirror.ask(url, range=asked)
    whole = mirror.ask(url).body
    first, _, last = asked.removeprefix("bytes=").partition("-")
    expected = whole[int(first) : int(last or len(whole)) + 1] if first else whole[-min(int(last), len(whole)) :]
    assert (part.status, part.body) == (206, expected)
    start = int(first) if first else len(whole) - len(expected)
    assert part.headers["content-range"] == f"bytes {start}-{start + len(expected) - 1}/{len(whole)}"


def test_a_range_beyond_the_end_is_not_satisfiable(mirror: Client) -> None:
    url = mirror.find_url("big")
    size = int(mirror.ask(url, "HEAD").headers["content-length"])
    answer = mirror.ask(url, range=f"bytes={size}-")
    assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{size}")


def test_head_says_the_size_and_downloads_nothing(mirror: Client) -> None:
    url = mirror.find_url("big")
    head = mirror.ask(url, "HEAD")
    assert (head.status, head.body, head.headers["accept-ranges"]) == (200, b"", "bytes")
    mirror.steer("record/off")
    assert mirror.ask(url).status == 404


def test_core_metadata_is_there_where_the_index_has_it(mirror: Client) -> None:
    without, url = mirror.find_urls("big")
    answers = [mirror.ask(f"{each}.metadata") for each in (without, url)]
    mirror.steer("record/off")
    assert [mirror.ask(f"{each}.metadata").body for each in (without, url)] == [each.body for each in answers]
    assert [answer.status for answer in answers] == [404, 200]
    assert answers[1].body.endswith(b"Name: big\nVersion: 2.0\n")
    assert mirror.steer("count")["missed"] == 0


def test_an_unchanged_page_is_not_sent_again(mirror: Client) -> None:
    first = mirror.ask("/real/simple/big/")
    again = mirror.ask("/real/simple/big/", if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert first.headers["cache-control"] == "max-age=600, public"


def test_pages_are_compressed_for_who_takes_it(mirror: Client) -> None:
    plain, packed = (mirror.ask("/real/simple/big/", accept_encoding=coding) for coding in ("identity", "br, gzip"))
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body


def test_a_page_of_our_own_stands_before_the_recorded_one(mirror: Client, tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "big.json").write_text('{"files": []}')
    assert mirror.ask("/cpu/simple/big/").body == b'{"files": []}'
    assert mirror.ask("/real/simple/big/").body != b'{"files": []}'


def test_nothing_outside_its_folder_is_served(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "mirror").mkdir()
    with serve(tmp_path / "mirror") as mirror:
        assert mirror.ask("/../secret").status == 404
        assert mirror.ask("/%2e%2e/secret").status == 404


def test_it_counts_what_is_asked_and_sent(mirror: Client) -> None:
    mirror.ask("/real/simple/big/")
    mirror.steer("reset")
    size = len(mirror.ask("/real/simple/big/").body)
    mirror.ask("/real/simple/big/", "HEAD")
    counted = mirror.steer("count")
    assert (counted["requests"], counted["connections"], counted["sent"]) == (2, 2, size)


def test_round_trips_are_waited_for(mirror: Client) -> None:
    mirror.ask("/real/simple/big/")
    mirror.steer("delay/0.05")
    connection = http.client.HTTPConnection("127.0.0.1", mirror.port, timeout=10)
    took = []
    for _ in range(2):
        started = time.monotonic()
        connection.request("GET", "/real/simple/big/")
        connection.getresponse().read()
        took.append(time.monotonic() - started)
    connection.close()
    assert took[0] >= (CONNECTING + 1) * 0.05
    assert took[1] >= 0.05
