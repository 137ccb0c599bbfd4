"""Removing folders that strangers filled: however deep, whatever their modes, and never through a link."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path


def remove_tree(path: Path) -> int:
    """Remove a file, a link itself, or a folder with all that is in it.

    Folders in folders are moved up first, so that no path gets too long and no depth is too much.

    Returns:
        The bytes of the files that were removed.

    Raises:
        OSError: Something in it cannot be removed; all else is gone.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return 0
    if not stat.S_ISDIR(status.st_mode):
        _unlink(path)
        return status.st_size
    removal = _Removal(path)
    removal.run()
    if removal.failed:
        raise removal.failed[0]
    return removal.freed


def move_away(path: Path, destination: Path) -> None:
    """Rename something, whatever its mode; what is missing stays so.

    Raises:
        OSError: It cannot be renamed.
    """
    with suppress(FileNotFoundError):
        if stat.S_ISDIR(path.lstat().st_mode):
            path.chmod(0o700)  # a folder whose `..` changes has to be writable itself
        path.rename(destination)


def measure_tree(path: Path) -> int:
    """The bytes of the files in a folder, or of a file; what cannot be read has none."""
    size = 0
    waiting = [str(path)]
    while waiting:
        current = waiting.pop()
        with suppress(OSError):
            status = os.lstat(current)
            if not stat.S_ISDIR(status.st_mode):
                size += status.st_size
                continue
            with os.scandir(current) as entries:
                waiting += [entry.path for entry in entries]
    return size


class _Removal:
    def __init__(self, top: Path) -> None:
        self.freed = 0
        self.failed: list[OSError] = []
        self._top = top
        self._folders = [top]
        self._names = (f"{secrets.token_hex(8)}-{number}" for number in count())

    def run(self) -> None:
        # The list grows while it is read.
        for folder in self._folders:
            with self._noting():
                folder.chmod(0o700)
                with os.scandir(folder) as entries:
                    children = list(entries)
                for child in children:
                    with self._noting():
                        self._take(child, nested=folder != self._top)
        for folder in reversed(self._folders):
            with self._noting():
                folder.rmdir()

    def _take(self, child: "os.DirEntry[str]", *, nested: bool) -> None:
        path = Path(child.path)
        if not child.is_dir(follow_symlinks=False):
            size = child.stat(follow_symlinks=False).st_size
            _unlink(path)
            self.freed += size
            return
        if nested:
            moved = self._top / next(self._names)
            move_away(path, moved)
            path = moved
        self._folders.append(path)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.failed.append(error)


def _unlink(path: Path) -> None:
    try:
        path.unlink()
    except PermissionError:
        if os.name == "posix":
            raise
        # Windows keeps what may only be read.
        path.chmod(stat.S_IWRITE)
        path.unlink()
