"""Serve a recording on loopback, as far away as wanted: `python -m benchmarks.mirror FOLDER [INDEX]`.

It is a process of its own and counts what it is asked, and the processor time that it takes to answer. Below `/real/`
is the recorded index; `/cpu/` is the same one with the pages that lie in the folder's `cpu`, and `/universe/` a folder
of made pages and files. Clients steer it by paths that begin with `/-/`.
"""

import asyncio
import gzip
import hashlib
import json
import mimetypes
import re
import sys
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import ParamSpec, TypeVar, final

from benchmarks.recording import JSON, File, RealIndex, Recording

CONNECTING = 2
"""Round trips of a new connection, for TCP and TLS 1.3, before its first request is on the way."""
NOT_RECORDED = 599
"""Told to a client as 404."""
P = ParamSpec("P")
T = TypeVar("T")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_PAGE = re.compile(r"/(real|cpu)/simple/([a-z0-9-]+)/")
_FILE = re.compile(r"/files/([0-9a-f]{32})/[^/]+?(\.metadata)?")
_PAGE_AGE = "max-age=600, public"
_FILE_AGE = "max-age=365000000, immutable, public"


@dataclass
class Counters:
    requests: int = 0
    connections: int = 0
    sent: int = 0
    """Bytes of bodies, as they go over the wire."""
    missed: int = 0
    """Requests for what is not recorded."""
    processor: float = 0.0
    """Seconds of processor time of this process."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    file: Path | None = None
    start: int = 0
    length: int = 0
    """Of what is sent of the file."""


@dataclass(frozen=True)
class Page:
    plain: bytes
    packed: bytes
    etag: str
    kind: str


@final
class Mirror:
    def __init__(self, folder: Path, index: RealIndex | None) -> None:
        self._folder = folder
        self._index = index
        self._recording = Recording(folder / "recording")
        self._pages: dict[str, Page] = {}
        self._delay = 0.0
        self._since = 0.0
        self._counters = Counters()

    async def serve(self, started: Callable[[int], object]) -> None:
        """Answer until cancelled; who started it is told the port."""
        server = await asyncio.start_server(self._converse, "127.0.0.1", backlog=256)
        started(server.sockets[0].getsockname()[1])
        async with server:
            await server.serve_forever()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        ready: float | None = loop.time() + CONNECTING * self._delay
        steered = False
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                arrived = loop.time()
                method, path, headers = _parse(request)
                if path.startswith("/-/"):
                    answer, steered = self._steer(path), True
                else:
                    self._counters.connections += ready is not None and not steered
                    answer = await self._answer(method, path, headers)
                    until = max(arrived, ready or 0.0) + self._delay
                    ready = None
                    if (wait := until - loop.time()) > 0:
                        await asyncio.sleep(wait)
                    self._counters.requests += 1
                    self._counters.missed += answer.status == NOT_RECORDED
                await self._send(writer, method, answer, counted=not steered)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has seen enough
        finally:
            writer.close()

    async def _send(self, writer: asyncio.StreamWriter, method: str, answer: Answer, *, counted: bool) -> None:
        status = 404 if answer.status == NOT_RECORDED else answer.status
        length = answer.length if answer.file else len(answer.body)
        # Without a date pip keeps nothing.
        head = [f"HTTP/1.1 {status} X", f"Content-Length: {length}", f"Date: {formatdate(usegmt=True)}"]
        head += [f"{name}: {value}" for name, value in answer.headers.items()]
        whole = "\r\n".join([*head, "", ""]).encode() + (b"" if method == "HEAD" else answer.body)
        writer.write(whole)
        await writer.drain()
        if method == "HEAD":
            return
        self._counters.sent += length if counted else 0
        if answer.file and length:
            with answer.file.open("rb") as content:
                await asyncio.get_running_loop().sendfile(writer.transport, content, answer.start, length)

    def _steer(self, path: str) -> Answer:
        what, _, value = path.removeprefix("/-/").partition("/")
        if what == "delay":
            self._delay = float(value)
        elif what == "record":
            self._recording.index = self._index if value == "on" else None
        elif what == "reset":
            self._counters, self._since = Counters(), time.process_time()
        self._counters.processor = time.process_time() - self._since
        return Answer(200, {}, json.dumps(asdict(self._counters)).encode())

    async def _answer(self, method: str, path: str, headers: Mapping[str, str]) -> Answer:
        path = urllib.parse.unquote(path)
        if found := _PAGE.fullmatch(path):
            return await self._answer_page(path, found[1], found[2], headers)
        if found := _FILE.fullmatch(path):
            file = await self._ask(self._recording.find_file, found[1], found[2] or "")
            return await self._answer_file(method, file, headers) if file else Answer(NOT_RECORDED, {})
        return self._answer_made(path, headers)

    async def _answer_page(self, path: str, index: str, name: str, headers: Mapping[str, str]) -> Answer:
        if path not in self._pages:
            own = self._folder / index / f"{name}.json"
            body = own.read_bytes() if own.exists() else await self._ask(self._recording.find_page, name)
            if body is None:
                return Answer(404 if self._recording.knows_page(name) else NOT_RECORDED, {})
            self._pages[path] = _make_page(body, JSON)
        return _show_page(self._pages[path], headers)

    async def _ask(self, find: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Ask the recording, in a thread where it may have to ask the index."""
        if self._recording.index is None:
            return find(*arguments, **options)
        return await asyncio.to_thread(find, *arguments, **options)

    async def _answer_file(self, method: str, file: File, headers: Mapping[str, str]) -> Answer:
        if file.status != HTTPStatus.OK:
            return Answer(file.status, {})
        span = _resolve(headers.get("range"), file.size) if file.ranges else None
        start, end = span or (0, file.size)
        if method != "HEAD" and not await self._ask(self._recording.fill, file, start, end):
            return Answer(NOT_RECORDED, {})
        return _show_file(file.path, file.size, span, ranges=file.ranges)

    def _answer_made(self, path: str, headers: Mapping[str, str]) -> Answer:
        """Answer from the folders of made pages and files."""
        own = self._folder / path.lstrip("/")
        if not own.resolve().is_relative_to(self._folder.resolve()):
            return Answer(404, {})
        if path.endswith("/"):
            if path not in self._pages:
                page = own / "index.json"
                if not page.exists():
                    return Answer(404, {})
                self._pages[path] = _make_page(page.read_bytes(), JSON)
            return _show_page(self._pages[path], headers)
        if not own.is_file():
            return Answer(404, {})
        size = own.stat().st_size
        return _show_file(own, size, _resolve(headers.get("range"), size), ranges=True)


def _parse(request: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = request.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines if line)
    return method, path.partition("?")[0], {name.lower(): value.strip() for name, _, value in pairs}


def _resolve(asked: str | None, size: int) -> tuple[int, int] | None:
    """The bytes that a Range header asks for, the end not included; empty where there are none."""
    found = _RANGE.fullmatch(asked or "")
    if found is None or found[0] == "bytes=-":
        return None
    if not found[1]:
        return max(0, size - int(found[2])), size
    return int(found[1]), min(size, int(found[2]) + 1 if found[2] else size)


def _make_page(body: bytes, kind: str) -> Page:
    return Page(body, gzip.compress(body, 6, mtime=0), f'"{hashlib.sha256(body).hexdigest()[:32]}"', kind)


def _show_page(page: Page, headers: Mapping[str, str]) -> Answer:
    known = {"ETag": page.etag, "Cache-Control": _PAGE_AGE, "Vary": "Accept, Accept-Encoding"}
    if headers.get("if-none-match") == page.etag:
        return Answer(304, known)
    if "gzip" in headers.get("accept-encoding", ""):
        return Answer(200, {**known, "Content-Type": page.kind, "Content-Encoding": "gzip"}, page.packed)
    return Answer(200, {**known, "Content-Type": page.kind}, page.plain)


def _show_file(path: Path, size: int, span: tuple[int, int] | None, *, ranges: bool) -> Answer:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    headers = {"Cache-Control": _FILE_AGE, "Content-Type": kind}
    if ranges:
        headers["Accept-Ranges"] = "bytes"
    if span is None:
        return Answer(200, headers, file=path, length=size)
    start, end = span
    if start >= end:
        return Answer(416, {"Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return Answer(206, headers, file=path, start=start, length=end - start)


if __name__ == "__main__":
    upstream = RealIndex(sys.argv[2]) if sys.argv[2:] else None
    asyncio.run(Mirror(Path(sys.argv[1]), upstream).serve(partial(print, flush=True)))
