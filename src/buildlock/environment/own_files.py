"""Folders that no other user can change, and what the files in them hold."""

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from buildlock.errors import EnvironmentPreparationError

_CHUNK = 1 << 20


def make_own(folder: Path) -> None:
    """Make a folder with mode 0700 where it is missing.

    Raises:
        EnvironmentPreparationError: As of `check_own`.
        OSError: It cannot be made.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    check_own(folder)


def check_own(folder: Path) -> None:
    """Refuse a link, and a folder that another user could change.

    Raises:
        EnvironmentPreparationError: It is one.
        OSError: It is not there, or its mode cannot be changed.
    """
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise EnvironmentPreparationError(f"`{folder}` is not a folder but a link or a file")
    if os.name == "posix":
        if status.st_uid != os.geteuid():
            raise EnvironmentPreparationError(
                f"`{folder}` belongs to another user", hint="set `BUILDLOCK_CACHE_DIR` to a folder of your own"
            )
        if status.st_mode & 0o077:
            folder.chmod(0o700)


def hash_file(path: Path) -> str:
    """The sha256 of a file, lower-case hexadecimal."""
    with path.open("rb") as file:
        return hash_open(file)


def hash_open(file: BinaryIO) -> str:
    """The same of a file that is open, from its beginning."""
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def mark_used(path: Path) -> None:
    """Say that it is used now: `buildlock cache prune` goes by the time of change."""
    with suppress(OSError):
        os.utime(path)
