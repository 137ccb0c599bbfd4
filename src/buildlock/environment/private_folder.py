"""Folders of one process, which the next process clears away if this one is killed."""

import glob
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from buildlock.environment.removal import remove_tree
from buildlock.errors import EnvironmentPreparationError

_ATTEMPTS = 100
_OWN: set[Path] = set()
"""The locks of the folders of this process, which none of its sweeps has to try."""


@contextmanager
def private_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder in `parent`, mode 0700, removed at the end with all that is in it.

    A lock on `<folder>.lock` tells that its process lives; folders of this prefix whose lock is free are removed.

    Args:
        parent: An existing folder.
        prefix: What tells these folders from everything else in `parent`.

    Raises:
        EnvironmentPreparationError: It cannot be made.
    """
    try:
        clear_abandoned(parent, prefix)
        folder, lock = _make(parent, prefix)
    except OSError as error:
        raise EnvironmentPreparationError(f"`{parent}` cannot be written: {error.strerror or error}") from error
    try:
        yield folder
    finally:
        _remove(folder, lock)


def _make(parent: Path, prefix: str) -> tuple[Path, FileLock]:
    for _ in range(_ATTEMPTS):
        folder = parent / f"{prefix}{secrets.token_hex(8)}"
        lock = FileLock(_lock_path(folder), mode=0o600)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            continue  # a sweep came between the making of the lock's file and the taking of the lock
        # A sweep may have taken the lock's file away before the lock was ours.
        if _lock_path(folder).exists():
            _OWN.add(_lock_path(folder))
            folder.mkdir(mode=0o700)
            return folder, lock
        lock.release()
    raise EnvironmentPreparationError(f"`{parent}` cannot be written: no file in it can be locked")


def clear_abandoned(parent: Path, prefix: str) -> None:
    """Remove the folders of this prefix whose processes have ended; what cannot be removed stays."""
    for path in sorted(parent.glob(f"{glob.escape(prefix)}*.lock")):
        if path in _OWN:
            continue
        lock = FileLock(path, mode=0o600)
        with suppress(Timeout, OSError):
            lock.acquire(blocking=False)
            _remove(path.with_suffix(""), lock)


def _remove(folder: Path, lock: FileLock) -> None:
    _OWN.discard(_lock_path(folder))
    # What cannot be removed stays, and is tried again by the next sweep.
    with suppress(OSError):
        remove_tree(folder)
    if not os.path.lexists(folder):
        # Before the release, so that who waits for the lock finds it gone; after it on Windows, which keeps open files.
        with suppress(OSError):
            _lock_path(folder).unlink()
    lock.release()
    if not os.path.lexists(folder):
        with suppress(OSError):
            _lock_path(folder).unlink()


def _lock_path(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")
