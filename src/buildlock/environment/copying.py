"""Copies of files of the store. Called before anything that takes time is imported."""

from __future__ import annotations

import errno
import os
import sys
from stat import S_ISREG, S_IXUSR

from buildlock.plain_files import PLAINLY

TYPE_CHECKING = False  # typing takes longer to import than all else here
if TYPE_CHECKING:
    from typing import Final

_CHUNK: Final = 1 << 20
_FICLONE: Final = 0x40049409
# O_EXCL: never through a link, never over what is there.
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_NEVER: Final = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY, errno.EINVAL, errno.EXDEV})
"""What is said of every file of a file system, or of two, if it is said of one."""


class Copier:
    """Copies files of some file systems to one; what they cannot do is asked of each once."""

    __slots__ = ("_unable",)

    def __init__(self) -> None:
        self._unable: set[int] = set()
        """The devices whose files cannot be cloned."""

    def copy(self, source: str, path: str, *, executable: bool, more: bytes = b"") -> None:
        """Copy a file, and write `more` behind what it has.

        Args:
            source: The file.
            path: Where there is nothing.
            executable: Whether it can be executed even if the file cannot.
            more: Bytes.

        Raises:
            OSError: It cannot be read, or the copy not be written.
            ValueError: It is no file, or was written meanwhile.
        """
        original = os.open(source, PLAINLY)
        try:
            status = os.fstat(original)
            if not S_ISREG(status.st_mode):
                raise ValueError(f"`{source}` is no file any more")
            copy = create(path, executable=executable or bool(status.st_mode & S_IXUSR))
            try:
                if self._clone(original, copy, status.st_dev):
                    size = os.lseek(copy, 0, os.SEEK_END)
                else:
                    size = _transfer(original, copy, status.st_size)
                if size != status.st_size:
                    raise ValueError(f"`{source}` changed while it was copied")
                write(copy, more)
            finally:
                os.close(copy)
        finally:
            os.close(original)
        # Compilers and build tools compare times: a header must not be newer in every environment.
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _clone(self, original: int, copy: int, device: int) -> bool:
        if device in self._unable:
            return False
        try:
            clone(original, copy)
        except OSError as error:
            if error.errno in _NEVER:
                self._unable.add(device)
            return False
        return True


def clone(original: int, copy: int) -> None:
    """Let both files have the same blocks until one is written.

    Raises:
        OSError: The file system cannot.
    """
    if sys.platform != "linux":
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    from fcntl import ioctl  # noqa: PLC0415 - links need none

    ioctl(copy, _FICLONE, original)


def create(path: str, *, executable: bool) -> int:
    """Open a new file for writing.

    Raises:
        OSError: There is something, or it cannot be written.
    """
    return os.open(path, _CREATE, 0o777 if executable else 0o666)


def write(file: int, content: bytes) -> None:
    """Write all of it: a full disk, or a signal, may let a part be written.

    Raises:
        OSError: It cannot be written.
    """
    if content and (written := os.write(file, content)) < len(content):
        rest = memoryview(content)[written:]
        while rest:
            rest = rest[os.write(file, rest) :]


def _transfer(original: int, copy: int, size: int) -> int:
    """Copy what a file of `size` bytes holds; how much that was, or more than `size` if it has more."""
    copied = 0
    # To be asked for one byte more than there should be, and to give none, tells that there are no more.
    if hasattr(os, "copy_file_range"):
        try:
            while copied < size and (count := os.copy_file_range(original, copy, size + 1 - copied)):
                copied += count
        except OSError:
            pass  # another file system, or a kernel that cannot: the rest is copied by hand
    while copied < size and (chunk := os.read(original, min(_CHUNK, size + 1 - copied))):
        write(copy, chunk)
        copied += len(chunk)
    return copied
