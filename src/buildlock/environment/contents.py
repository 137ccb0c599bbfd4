"""Whether files have the content that was recorded of them."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from buildlock.environment.record import RecordLine, encode_digest

_CHUNK = 1 << 20


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
