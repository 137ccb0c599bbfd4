"""What files there are, and whether they have the content that was recorded of them."""

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from buildlock.environment.record import RecordLine, encode_digest

_CHUNK = 1 << 20


def list_files(root: Path) -> Iterator[str]:
    """The paths of all files and links below a folder; none is followed.

    Raises:
        RecursionError: It is nested too deep.
    """
    for folder, names, files in os.walk(root):
        # A link to a folder is listed among the folders.
        for name in [*files, *(name for name in names if os.path.islink(os.path.join(folder, name)))]:  # noqa: PTH114, PTH118 - called ten thousand times
            yield os.path.join(folder, name)  # noqa: PTH118


def find_unknown(root: Path, known: Collection[str]) -> Iterator[str]:
    """The files that nothing is recorded of."""
    paths = (Path(path).relative_to(root).as_posix() for path in list_files(root))
    return (path for path in paths if path not in known)


def find_changed(root: Path, lines: Iterable[RecordLine]) -> Iterator[str]:
    """The files that do not have their hashes.

    Raises:
        OSError: One is not there, is a link, or cannot be read.
    """
    for line in lines:
        digest = hashlib.new(line.algorithm)
        # A link that took the place of a file is not followed.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(root / line.path, flags), "rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        if encode_digest(digest.digest()) != line.digest:
            yield line.path
