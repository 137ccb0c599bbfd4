"""Pages kept on disk, and whether they may be used again without asking, or after asking (RFC 9111)."""

import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FORMAT = "http-v1"
"""The name of the folder."""
_MAX_AGE = re.compile(r"\d{1,9}")
# Only what can be sent back in a header as it is.
_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')
_DATE = re.compile(r"[A-Za-z0-9,: +-]{1,64}")
_NOT_KEPT = frozenset({"set-cookie", "www-authenticate", "authorization"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A stored answer with status 200."""

    headers: Mapping[str, str]
    """With lower-case names."""
    stored: float
    """When it was received or last confirmed, seconds since the epoch."""
    content: bytes

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


class HttpCache:
    """A directory of answers, by URL and `Accept`.

    A damaged entry is a miss, and a cache that cannot be written is no cache: neither is an error.

    Args:
        directory: Where it is.
        cache_control: What stands in for the header of every answer that is to be kept.
    """

    def __init__(self, directory: Path, cache_control: str | None = None) -> None:
        self._directory = directory / FORMAT
        self._cache_control = cache_control

    def find(self, url: str, accept: str) -> Entry | None:
        found = read_page(self._path(url, accept))
        return found[1] if found and found[0] == url else None

    def store(self, url: str, accept: str, headers: Mapping[str, str], content: bytes) -> None:
        """Keep an answer with status 200, if it says that it may be kept and used again."""
        if self._cache_control is not None:
            headers = {**headers, "cache-control": self._cache_control}
        kept = {name: value for name, value in headers.items() if name not in _NOT_KEPT}
        entry = Entry(headers=kept, stored=time.time(), content=content)
        if "no-store" in cache_directives(headers) or "*" in headers.get("vary", ""):
            return
        if entry.fresh or entry.validators:
            self._write(url, accept, entry)

    def confirm(self, url: str, accept: str, entry: Entry, headers: Mapping[str, str]) -> Entry:
        """`entry` after the server said that it still holds (RFC 9111, 4.3.4)."""
        # What describes the empty body of the 304 does not describe the stored one.
        news = {name: value for name, value in headers.items() if not name.startswith("content-")}
        self.store(url, accept, {**entry.headers, "age": "0", **news}, entry.content)
        return entry

    def _path(self, url: str, accept: str) -> Path:
        key = hashlib.sha256(f"{url}\n{accept}".encode("utf-8", "surrogatepass")).hexdigest()
        return self._directory / key[:2] / key

    def _write(self, url: str, accept: str, entry: Entry) -> None:
        record = {
            "url": url,
            "stored": entry.stored,
            "sha256": hashlib.sha256(entry.content).hexdigest(),
            "headers": dict(entry.headers),
        }
        path = self._path(url, accept)
        with suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(json.dumps(record).encode() + b"\n" + entry.content)
                os.replace(temporary, path)  # noqa: PTH105 - `temporary` is a str
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary)  # noqa: PTH108 - `temporary` is a str
                raise


def read_page(path: Path) -> tuple[str, Entry] | None:
    """The answer in a file and the URL that it is of; `None` where it is not as it was written."""
    try:
        head, _, content = path.read_bytes().partition(b"\n")
        record = json.loads(head)
        entry = Entry(headers=record["headers"], stored=float(record["stored"]), content=content)
        sound = (
            isinstance(record["url"], str)
            and record["sha256"] == hashlib.sha256(content).hexdigest()
            and all(isinstance(text, str) for pair in entry.headers.items() for text in pair)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return None
    return (record["url"], entry) if sound else None


def cache_directives(headers: Mapping[str, str]) -> dict[str, str]:
    """The directives of `Cache-Control`, lower case, with their values.

    >>> cache_directives({"cache-control": "max-age=600, public"})
    {'max-age': '600', 'public': ''}
    """
    directives = (part.strip().partition("=") for part in headers.get("cache-control", "").lower().split(","))
    return {name.strip(): value.strip().strip('"') for name, _, value in directives if name}
