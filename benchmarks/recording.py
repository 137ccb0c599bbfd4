"""What the real index once said, on disk: pages, and files of which only the bytes that somebody asked for are there.

```
recording = Recording(folder, RealIndex(url))
recording.find_page("numpy")                  # asked of the index the first time, of the disk from then on
key = recording.find_key(file_url)            # the files of a page are served under keys
recording.find_file(key)                      # its size, and whether the index answers ranges of it
recording.fill(file, 0, 100)                  # fetches what is missing of these bytes
```

A recording without an index answers `None` to what it does not have.
"""

import hashlib
import json
import threading
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, final
from urllib.parse import urljoin

BLOCK = 1 << 16
"""Files are fetched in blocks, so that another version of a client, which asks for other ranges, finds them too."""
JSON = "application/vnd.pypi.simple.v1+json"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    """With lower-case names."""
    body: bytes


@final
class RealIndex:
    """A simple index, asked as a client would."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/") + "/"

    def get(self, url: str, *, method: str = "GET", **headers: str) -> Reply:
        request = urllib.request.Request(urljoin(self.url, url), headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return Reply(response.status, _lower(response.headers), response.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, _lower(error.headers), b"")

    def save(self, url: str, path: Path) -> None:
        """Download a file whole."""
        with urllib.request.urlopen(urljoin(self.url, url), timeout=600) as response, path.open("r+b") as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@dataclass
class File:
    """A file of an index. `path` has its bytes where `blocks` says so."""

    url: str
    path: Path
    status: int
    size: int = 0
    ranges: bool = False
    """Whether the index answers a range with a range."""
    blocks: set[int] = field(default_factory=set)

    def has(self, start: int, end: int) -> bool:
        return all(block in self.blocks for block in range(start // BLOCK, (end + BLOCK - 1) // BLOCK))


@final
class Recording:
    def __init__(self, folder: Path, index: RealIndex | None = None) -> None:
        self.index = index
        """What is not recorded is asked here; may be taken away."""
        self._folder = folder
        self._files: dict[str, File] = {}
        self._urls: dict[str, str] = {}
        self._pages: dict[str, bytes | None] = {}
        self._lock = threading.RLock()
        self._filling: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        (folder / "pages").mkdir(parents=True, exist_ok=True)
        (folder / "files").mkdir(exist_ok=True)
        for path in sorted((folder / "files").glob("*.json")):
            facts = json.loads(path.read_text(encoding="utf-8"))
            self._files[path.stem] = File(**{**facts, "path": path.with_suffix(""), "blocks": set(facts["blocks"])})

    def find_page(self, name: str) -> bytes | None:
        """The page of a package, as JSON, its files under keys of ours; `None` where there is none."""
        with self._lock:
            if name not in self._pages:
                body = self._load_page(name)
                if body is None:
                    return None
                self._pages[name] = self._rewrite(body) if body else None
            return self._pages[name]

    def knows_page(self, name: str) -> bool:
        """Whether the index was asked for it, whatever it said."""
        return (self._folder / "pages" / f"{name}.json").exists()

    def _load_page(self, name: str) -> bytes | None:
        path = self._folder / "pages" / f"{name}.json"
        if path.exists():
            return path.read_bytes()
        if self.index is None:
            return None
        reply = self.index.get(f"{name}/", accept=JSON)
        if reply.status not in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
            raise RuntimeError(f"the index answers {reply.status} to the page of {name}")
        body = reply.body if reply.status == HTTPStatus.OK else b""
        if body:
            page = json.loads(body)
            for file in page["files"]:
                file["url"] = urljoin(f"{self.index.url}{name}/", file["url"])
            body = json.dumps(page).encode()
        path.write_bytes(body)
        return body

    def _rewrite(self, body: bytes) -> bytes:
        page = json.loads(body)
        for file in page["files"]:
            file["url"] = f"/files/{self.find_key(file['url'])}/{file['filename']}"
        return json.dumps(page).encode()

    def find_key(self, url: str) -> str:
        key = hashlib.sha256(url.encode()).hexdigest()[:32]
        self._urls[key] = url
        return key

    def find_file(self, key: str, suffix: str = "") -> File | None:
        """The file of a key, or what lies beside it: `.metadata`."""
        own = key + suffix
        with self._lock:
            if own not in self._files:
                if self.index is None or key not in self._urls:
                    return None
                self._files[own] = self._inquire(own, self._urls[key] + suffix)
            return self._files[own]

    def _inquire(self, own: str, url: str) -> File:
        assert self.index is not None
        reply = self.index.get(url, method="HEAD")
        file = File(url, self._folder / "files" / own, reply.status)
        if reply.status == HTTPStatus.OK:
            file.size = int(reply.headers["content-length"])
            file.ranges = reply.headers.get("accept-ranges") == "bytes"
            with file.path.open("wb") as content:
                content.truncate(file.size)
        self._save(file)
        return file

    def fill(self, file: File, start: int, end: int) -> bool:
        """Whether these bytes are there, now."""
        if file.has(start, end):
            return True
        if self.index is None:
            return False
        # One after the other for a file, but no file waits for another: some take minutes.
        with self._filling[file.path.name]:
            if file.has(start, end):
                return True
            last = (file.size + BLOCK - 1) // BLOCK
            wanted = range(start // BLOCK, min(last, (end + BLOCK - 1) // BLOCK))
            if len(wanted) == last or not file.ranges:
                self.index.save(file.url, file.path)
                file.blocks.update(range(last))
            else:
                first, stop = wanted.start * BLOCK, min(file.size, wanted.stop * BLOCK)
                reply = self.index.get(file.url, range=f"bytes={first}-{stop - 1}")
                if reply.status != HTTPStatus.PARTIAL_CONTENT or len(reply.body) != stop - first:
                    raise RuntimeError(f"the index answers {reply.status} to a range of {file.path.name}")
                with file.path.open("r+b") as content:
                    content.seek(first)
                    content.write(reply.body)
                file.blocks.update(wanted)
            self._save(file)
            return True

    def _save(self, file: File) -> None:
        facts = {**asdict(file), "path": "", "blocks": sorted(file.blocks)}
        file.path.with_name(f"{file.path.name}.json").write_text(json.dumps(facts), encoding="utf-8")
