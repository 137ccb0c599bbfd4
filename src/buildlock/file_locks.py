"""Locks on files against other threads and processes; each ends with its process, if not before.

They are those of `filelock`, which takes long to import: only Windows needs it.
"""

from __future__ import annotations

import os
import sys

if sys.platform != "win32":
    import fcntl

TYPE_CHECKING = False  # typing takes longer to import than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeAlias

    Release: TypeAlias = Callable[[], object]


def _go_on() -> None:
    pass


if sys.platform == "win32":

    def try_lock(path: str | Path) -> Release | None:
        from filelock import FileLock, Timeout  # noqa: PLC0415 - nothing else here needs it

        lock = FileLock(path)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return None
        return lock.release

    def take_lock(path: str | Path, wait: Callable[[], object] = _go_on) -> Release:
        from filelock import FileLock  # noqa: PLC0415 - as above

        release = try_lock(path)
        if release is None:
            wait()
            lock = FileLock(path)
            lock.acquire()
            release = lock.release
        return release

else:

    def try_lock(path: str | Path) -> Release | None:
        """Take the lock of a file, which is made where it is missing.

        Returns:
            What lets it go; `None` where another has it.

        Raises:
            OSError: The file cannot be made, or its file system has no locks.
        """
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        return lambda: os.close(descriptor)

    def take_lock(path: str | Path, wait: Callable[[], object] = _go_on) -> Release:
        """Take the lock of a file as soon as no other has it; where its file system has no locks, at once.

        Args:
            path: Made where it is missing.
            wait: Called if another has it, before that is waited for.

        Returns:
            What lets it go.

        Raises:
            OSError: The file cannot be made.
        """
        descriptor = _open(path)
        try:
            if not lock_open(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB):
                wait()
                lock_open(descriptor, fcntl.LOCK_EX)
        except BaseException:
            os.close(descriptor)
            raise
        return lambda: os.close(descriptor)

    def lock_open(descriptor: int, operation: int) -> bool:
        """Lock a file that is open, as `fcntl.flock` does; whether nobody was in the way."""
        try:
            fcntl.flock(descriptor, operation)
        except BlockingIOError:
            return False
        except OSError:
            # Some network file systems have no locks; one user seldom runs two commands there.
            return True
        return True

    def _open(path: str | Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
