"""Pages kept on disk, and whether they may be used again without asking, or after asking (RFC 9111)."""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from buildlock.patterns import compile_pattern
from buildlock.plain_files import write_whole
from buildlock.values import dataclass

FORMAT = "http-v1"
"""The name of the folder."""
_MAX_AGE = compile_pattern(r"\d{1,9}")
# Only what can be sent back in a header as it is.
_ETAG = compile_pattern(r'(?:W/)?"[\x21\x23-\x7e]*"')
_DATE = compile_pattern(r"[A-Za-z0-9,: +-]{1,64}")
_MOST_OF_HEAD = 1 << 20
_ERRORS = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError)
"""Of a file that is not there, or is not as it was written."""
_NOT_KEPT = frozenset({"set-cookie", "www-authenticate", "authorization"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """What is known of a stored answer with status 200 before its body is read."""

    url: str
    headers: Mapping[str, str]
    """With lower-case names."""
    stored: float
    """When it was received or last confirmed, seconds since the epoch."""
    sha256: str
    """Of the body."""

    @property
    def fresh(self) -> bool:
        """Whether it may be used without asking: only where the server said for how long, and that is not over."""
        directives = cache_directives(self.headers)
        max_age = directives.get("max-age", "")
        if "no-cache" in directives or not _MAX_AGE.fullmatch(max_age):
            return False
        age = self.headers.get("age", "0")
        spent = time.time() - self.stored
        # A clock that went backwards tells nothing.
        return 0 <= spent < int(max_age) - (int(age) if _MAX_AGE.fullmatch(age) else 0)

    @property
    def validators(self) -> dict[str, str]:
        """The request headers that ask whether it still holds; empty where the server gave nothing to ask with."""
        validators = {}
        if _ETAG.fullmatch(etag := self.headers.get("etag", "")):
            validators["If-None-Match"] = etag
        if _DATE.fullmatch(modified := self.headers.get("last-modified", "")):
            validators["If-Modified-Since"] = modified
        return validators


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry(Head):
    """A stored answer with status 200."""

    content: bytes


class HttpCache:
    """A directory of answers, by URL and `Accept`.

    A damaged entry is a miss, and a cache that cannot be written is no cache: neither is an error.

    Args:
        directory: Where it is.
        cache_control: What stands in for the header of every answer that is to be kept.
    """

    def __init__(self, directory: Path, cache_control: str | None = None) -> None:
        self._directory = f"{directory}{os.sep}{FORMAT}"
        self._cache_control = cache_control

    def find(self, url: str, accept: str) -> Entry | None:
        entry = read_page(self._path(url, accept))
        return entry if entry is not None and entry.url == url else None

    def peek(self, url: str, accept: str) -> Head | None:
        """What `find` would find, before it is known whether that is damaged."""
        try:
            with open(self._path(url, accept), "rb") as file:  # noqa: PTH123 - that takes half the time
                head = _read_head(file.readline(_MOST_OF_HEAD))
        except _ERRORS:
            return None
        return head if head.url == url else None

    def store(self, url: str, accept: str, headers: Mapping[str, str], content: bytes) -> None:
        """Keep an answer with status 200, if it says that it may be kept and used again."""
        if self._cache_control is not None:
            headers = {**headers, "cache-control": self._cache_control}
        kept = {name: value for name, value in headers.items() if name not in _NOT_KEPT}
        digest = hashlib.sha256(content).hexdigest()
        entry = Entry(url=url, headers=kept, stored=time.time(), sha256=digest, content=content)
        if "no-store" in cache_directives(headers) or "*" in headers.get("vary", ""):
            return
        if entry.fresh or entry.validators:
            self._write(accept, entry)

    def confirm(self, url: str, accept: str, entry: Entry, headers: Mapping[str, str]) -> Entry:
        """`entry` after the server said that it still holds (RFC 9111, 4.3.4)."""
        # What describes the empty body of the 304 does not describe the stored one.
        news = {name: value for name, value in headers.items() if not name.startswith("content-")}
        self.store(url, accept, {**entry.headers, "age": "0", **news}, entry.content)
        return entry

    def _path(self, url: str, accept: str) -> str:
        key = hashlib.sha256(f"{url}\n{accept}".encode("utf-8", "surrogatepass")).hexdigest()
        return f"{self._directory}{os.sep}{key[:2]}{os.sep}{key}"

    def _write(self, accept: str, entry: Entry) -> None:
        record = {
            "url": entry.url,
            "stored": entry.stored,
            "sha256": entry.sha256,
            "headers": dict(entry.headers),
        }
        head = json.dumps(record).encode() + b"\n"
        path = self._path(entry.url, accept)
        with suppress(OSError):
            try:
                write_whole(path, head, entry.content)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120
                write_whole(path, head, entry.content)


def read_page(path: str | Path) -> Entry | None:
    """The answer in a file; `None` where it is not as it was written."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            line, _, content = file.readall().partition(b"\n")
        head = _read_head(line)
    except _ERRORS:
        return None
    if head.sha256 != hashlib.sha256(content).hexdigest():
        return None
    return Entry(url=head.url, headers=head.headers, stored=head.stored, sha256=head.sha256, content=content)


def _read_head(line: bytes) -> Head:
    record = json.loads(line)
    head = Head(url=record["url"], headers=record["headers"], stored=float(record["stored"]), sha256=record["sha256"])
    texts = (head.url, head.sha256, *(text for pair in head.headers.items() for text in pair))
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("it was not written so")
    return head


def cache_directives(headers: Mapping[str, str]) -> dict[str, str]:
    """The directives of `Cache-Control`, lower case, with their values.

    >>> cache_directives({"cache-control": "max-age=600, public"})
    {'max-age': '600', 'public': ''}
    """
    directives = (part.strip().partition("=") for part in headers.get("cache-control", "").lower().split(","))
    return {name.strip(): value.strip().strip('"') for name, _, value in directives if name}
