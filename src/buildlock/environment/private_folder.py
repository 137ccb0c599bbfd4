"""Folders of one process, which the next process clears away if this one is killed."""

import glob
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from buildlock.environment.removal import remove_tree
from buildlock.errors import EnvironmentPreparationError
from buildlock.file_locks import try_lock

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
        folder, release = _make(parent, prefix)
    except OSError as error:
        raise EnvironmentPreparationError(f"`{parent}` cannot be written: {error.strerror or error}") from error
    try:
        yield folder
    finally:
        _remove(folder, release)


def _make(parent: Path, prefix: str) -> tuple[Path, Callable[[], object]]:
    for _ in range(_ATTEMPTS):
        folder = parent / f"{prefix}{os.urandom(8).hex()}"
        release = try_lock(_lock_path(folder))
        if release is None:
            continue  # a sweep came between the making of the lock's file and the taking of the lock
        # A sweep may have taken the lock's file away before the lock was ours.
        if _lock_path(folder).exists():
            _OWN.add(_lock_path(folder))
            folder.mkdir(mode=0o700)
            return folder, release
        release()
    raise EnvironmentPreparationError(f"`{parent}` cannot be written: no file in it can be locked")


def clear_abandoned(parent: Path, prefix: str) -> None:
    """Remove the folders of this prefix whose processes have ended; what cannot be removed stays."""
    for path in sorted(parent.glob(f"{glob.escape(prefix)}*.lock")):
        if path in _OWN:
            continue
        with suppress(OSError):
            if release := try_lock(path):
                _remove(path.with_suffix(""), release)


def _remove(folder: Path, release: Callable[[], object]) -> None:
    _OWN.discard(_lock_path(folder))
    # What cannot be removed stays, and is tried again by the next sweep.
    with suppress(OSError):
        remove_tree(folder)
    if not os.path.lexists(folder):
        # Before the release, so that who waits for the lock finds it gone; after it on Windows, which keeps open files.
        with suppress(OSError):
            _lock_path(folder).unlink()
    release()
    if not os.path.lexists(folder):
        with suppress(OSError):
            _lock_path(folder).unlink()


def _lock_path(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")
