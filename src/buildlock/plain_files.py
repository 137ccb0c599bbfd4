"""Files that are read though something else may have taken their place, and written whole or not at all.

It imports nothing that takes time.
"""

from __future__ import annotations

import os
from stat import S_IMODE, S_ISREG

TYPE_CHECKING = False  # typing takes longer to import than all else here
if TYPE_CHECKING:
    from typing import Final

_BINARY: Final = getattr(os, "O_BINARY", 0)
PLAINLY: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | _BINARY
"""For `os.open`: a link is not followed and a pipe not waited for. What is open then may still be no file."""
_ANEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY
_MAX_SIZE: Final = 256 << 20
"""Bytes; a seal of half a million files has fewer."""


def read_plain(path: str) -> bytes:
    """The content of a file: a pipe is not waited for, a link not followed, and a file without end not read.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no file, or larger than any of ours.
    """
    descriptor = os.open(path, PLAINLY)
    try:
        status = os.fstat(descriptor)
        if not S_ISREG(status.st_mode) or status.st_size > _MAX_SIZE:
            raise ValueError(f"`{path}` is no file of ours")
        return os.read(descriptor, status.st_size)
    finally:
        os.close(descriptor)


def write_whole(path: str, *pieces: bytes, private: bool = True, flush: bool = False) -> None:
    """Write a file beside its place and put it there by a rename: at every moment the old one is there, or the new one.

    A process that is killed leaves what it wrote so far as `.<name>.<16 digits>.tmp`.

    Args:
        path: Where; a link there is replaced.
        pieces: What it holds.
        private: Only the user may read it. Else the file that is there says who may, or the umask where there is none.
        flush: Have it on the disk before it is in its place, whatever happens to the machine.

    Raises:
        OSError: It cannot be written; what was there is untouched.
    """
    folder, name = os.path.split(path)
    unfinished = os.path.join(folder, f".{name}.{os.urandom(8).hex()}.tmp")  # noqa: PTH118 - pathlib takes long to import
    descriptor = os.open(unfinished, _ANEW, 0o600 if private else 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(pieces)
            if flush:
                file.flush()
                os.fsync(descriptor)
        if not private and os.path.exists(path):  # noqa: PTH110
            os.chmod(unfinished, S_IMODE(os.stat(path).st_mode))  # noqa: PTH101, PTH116
        os.replace(unfinished, path)  # noqa: PTH105
    except BaseException:
        os.unlink(unfinished)  # noqa: PTH108
        raise
