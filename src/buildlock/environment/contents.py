"""Whether files have the content that was recorded of them."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from buildlock.environment.record import RecordLine, encode_digest
from buildlock.plain_files import PLAINLY

_CHUNK = 1 << 20


def find_changed(root: Path, lines: Iterable[RecordLine]) -> Iterator[str]:
    """The files that do not have their hashes.

    Raises:
        OSError: One is not there, is a link, or cannot be read.
    """
    for line in lines:
        digest = hashlib.new(line.algorithm)
        with os.fdopen(os.open(root / line.path, PLAINLY), "rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        if encode_digest(digest.digest()) != line.digest:
            yield line.path
