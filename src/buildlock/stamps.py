"""What the file system says of an open file, to tell later whether it is still as it was."""

import os
from typing import BinaryIO, TypeAlias

Stamp: TypeAlias = tuple[int, ...]


def stamp_of(file: BinaryIO) -> Stamp:
    """What changes when a file is written, or when another one takes its place."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
