"""A file of which only the parts that are read are fetched: a remote wheel by HTTP ranges, or a local one."""

import io
import re
from collections.abc import Callable
from typing import BinaryIO

from buildlock.artifacts import Artifact
from buildlock.errors import IntegrityError, InvalidPageError, UnavailableError
from buildlock.index.hashes import check_hashes
from buildlock.index.http import HttpClient, Response

_TAIL = 16 * 1024
"""Bytes of the first request: in most wheels they hold the whole central directory."""
_MAX_FETCHED = 16 * 1024 * 1024
_MAX_FETCHES = 16

_OK, _PARTIAL = 200, 206
_MISSING = frozenset({401, 404, 410})
_MAX_WHOLE = 8 * 1024 * 1024
"""Bytes of a wheel that is taken whole, in memory, from a server that ignores ranges."""
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)


class RangesRefusedError(Exception):
    """The server does not serve ranges, or not as HTTP says: the file has to be got in another way."""


class RangedFile:
    """A seekable file over `fetch(start, end)`, which returns exactly those bytes; as much of one as `zipfile` needs.

    It keeps what was fetched, and never fetches more than 16 MiB, whatever its reader asks for: `zipfile` reads as
    much as a forged central directory says.

    >>> RangedFile(lambda start, end: b"0123456789"[start:end], 10).read(3)
    b'012'
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self._fetch = fetch
        self._size = size
        self._position = 0
        self._parts: list[tuple[int, bytes]] = []
        self._fetched = 0

    def keep(self, start: int, content: bytes) -> None:
        """Take over bytes that are here already."""
        self._parts.append((start, content))
        self._fetched += len(content)

    def holds(self, start: int, end: int) -> bool:
        """Whether these bytes are here already, in one piece."""
        return self._find(start, end) is not None

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if position < 0:
            # As a file of the operating system does, and as `zipfile` expects.
            raise OSError("seek before the beginning")
        self._position = position
        return position

    def tell(self) -> int:
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        start = min(self._position, self._size)
        end = self._size if size is None or size < 0 else min(start + size, self._size)
        self._position = max(self._position, end)
        return self._get(start, end)

    def _get(self, start: int, end: int) -> bytes:
        if start == end:
            return b""
        found = self._find(start, end)
        if found is not None:
            return found
        if self._fetched + end - start > _MAX_FETCHED or len(self._parts) >= _MAX_FETCHES:
            raise OSError(f"more than {_MAX_FETCHED} bytes or {_MAX_FETCHES} pieces of it would have to be read")
        content = self._fetch(start, end)
        self.keep(start, content)
        return content

    def _find(self, start: int, end: int) -> bytes | None:
        for first, content in self._parts:
            if first <= start and end <= first + len(content):
                return content[start - first : end - first]
        return None


def open_by_ranges(client: HttpClient, artifact: Artifact) -> RangedFile:
    """Open the file of an artifact by range requests (RFC 9110, section 14).

    Where a server answers with the whole file, and it is a small one, that is what is opened.

    Raises:
        RangesRefusedError: The server does not serve ranges; reading the file raises it too.
        IntegrityError: The file has not the size that the index gave or, where it came whole, not the hashes.
        UnavailableError: The file is not there.
    """
    response = _request_tail(client, artifact)
    if response.status == _OK:
        _check_size(artifact, len(response.content))
        check_hashes(response.content, artifact.hashes, url=artifact.url)
        return RangedFile(lambda start, end: response.content[start:end], len(response.content))
    start, size = _parse_part(response)
    _check_size(artifact, size)

    def fetch(start: int, end: int) -> bytes:
        response = _request_range(client, artifact, f"{start}-{end - 1}", max_bytes=end - start)
        if _parse_part(response) != (start, size) or len(response.content) != end - start:
            raise RangesRefusedError("it answers with another range than the one asked for")
        return response.content

    file = RangedFile(fetch, size)
    file.keep(start, response.content)
    return file


def open_local(file: BinaryIO) -> RangedFile:
    """Open a file that is here; for the bounds of a `RangedFile`."""

    def fetch(start: int, end: int) -> bytes:
        file.seek(start)
        return file.read(end - start)

    return RangedFile(fetch, file.seek(0, io.SEEK_END))


def _request_tail(client: HttpClient, artifact: Artifact) -> Response:
    size = artifact.size
    if not size:
        response = _request_range(client, artifact, f"-{_TAIL}")
        if response.status in {_OK, _PARTIAL}:
            return response
        # Not every server that serves ranges can count them from the end; the first byte comes with the size.
        response = _request_range(client, artifact, "0-0")
        if response.status != _PARTIAL:
            return response
        _, size = _parse_part(response)
    return _request_range(client, artifact, f"{max(0, size - _TAIL)}-{size - 1}")


def _request_range(client: HttpClient, artifact: Artifact, span: str, *, max_bytes: int = _MAX_WHOLE) -> Response:
    try:
        response = client.get(artifact.url, headers={"Range": f"bytes={span}"}, max_bytes=max_bytes, cache=False)
    except InvalidPageError as error:
        raise RangesRefusedError("it answers with more than the range asked for") from error
    if response.status in _MISSING:
        raise UnavailableError(f"`{artifact.filename}` is not there: HTTP status {response.status} ({artifact.url})")
    return response


def _parse_part(response: Response) -> tuple[int, int]:
    """Where the bytes of a partial answer begin, and the size of the whole file."""
    if response.status != _PARTIAL:
        raise RangesRefusedError(f"it answers with HTTP status {response.status}")
    matched = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
    if matched is None:
        raise RangesRefusedError("it does not say which range it answers with")
    start, last, size = (int(number) for number in matched.groups())
    if len(response.content) != last + 1 - start or last >= size:
        raise RangesRefusedError("it answers with another range than it says")
    return start, size


def _check_size(artifact: Artifact, size: int) -> None:
    if artifact.size is not None and artifact.size != size:
        raise IntegrityError(
            f"`{artifact.filename}` has {size} bytes, not the {artifact.size} that the index promised ({artifact.url})",
            hint="the file was replaced; report it to who runs the index",
        )
