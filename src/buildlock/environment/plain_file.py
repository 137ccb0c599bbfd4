"""Reading files of ours where a command may have put something else. It imports nothing that takes time."""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False  # typing takes longer to import than all else here
if TYPE_CHECKING:
    from typing import Final

_MAX_SIZE: Final = 256 << 20
"""Bytes; a seal of half a million files has fewer."""
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_plain(path: str) -> bytes:
    """The content of a file: a pipe is not waited for, a link not followed, and a file without end not read.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no file, or larger than any of ours.
    """
    descriptor = os.open(path, _FLAGS)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_SIZE:
            raise ValueError(f"`{path}` is no file of ours")
        return os.read(descriptor, status.st_size)
    finally:
        os.close(descriptor)
