"""Answering for `file:` URLs as a plain web server would: whole files, byte ranges, `index.html`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from buildlock.errors import UnavailableError
from buildlock.index.urls import to_path
from buildlock.patterns import compile_pattern

_CHUNK = 1 << 18
_CONTENT_TYPES = {".html": "text/html", ".htm": "text/html", ".json": "application/json"}
_RANGE = compile_pattern(r"bytes=(\d{0,18})-(\d{0,18})")


def serve(url: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str], Iterator[bytes]]:
    """The status, the headers and the body for a `file:` URL.

    Raises:
        UnavailableError: The file is there but cannot be read; the body may raise it too.
    """
    try:
        path = to_path(url)
        status = path.stat()
        if S_ISDIR(status.st_mode):
            path /= "index.html"
            status = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return 404, {}, iter(())
    except OSError as error:
        raise _unreadable(url, error) from error
    # A device or a pipe has no end, or none soon.
    if not S_ISREG(status.st_mode):
        return 404, {}, iter(())
    answer = {"content-type": _CONTENT_TYPES.get(path.suffix.lower(), "application/octet-stream")}
    first, last = 0, status.st_size
    code = 200
    if wanted := _RANGE.fullmatch(headers.get("Range", "")):
        first, last = _resolve_range(wanted[1], wanted[2], status.st_size)
        if first >= last:
            return 416, {"content-range": f"bytes */{status.st_size}"}, iter(())
        code = 206
        answer["content-range"] = f"bytes {first}-{last - 1}/{status.st_size}"
    answer["content-length"] = str(last - first)
    return code, answer, _read(url, path, first, last)


def is_directory(path: Path) -> bool:
    """Whether there is a directory at `path`, as far as we can see."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _resolve_range(first: str, last: str, size: int) -> tuple[int, int]:
    """The half-open range that a `Range` header means in a file of `size` bytes (RFC 9110, 14.1.2)."""
    if first:
        return int(first), min(int(last) + 1, size) if last else size
    return (max(size - int(last), 0), size) if last else (0, 0)


def _read(url: str, path: Path, first: int, last: int) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(first)
            left = last - first
            while left > 0 and (chunk := file.read(min(_CHUNK, left))):
                left -= len(chunk)
                yield chunk
    except OSError as error:
        raise _unreadable(url, error) from error


def _unreadable(url: str, error: OSError) -> UnavailableError:
    return UnavailableError(f"`{url}` cannot be read: {error.strerror or error}")
