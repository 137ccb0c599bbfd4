"""Who uses the cache: what others may need is taken out only by who is alone with it."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from buildlock.environment.own_files import make_own
from buildlock.errors import EnvironmentPreparationError
from buildlock.file_locks import take_lock
from buildlock.reporting import Began, Reporter, Warned

if sys.platform != "win32":
    import fcntl

    from buildlock.file_locks import lock_open

IN_USE = "in-use"
"""The file in the cache that a lock on stands for its use; it is never removed."""

_held: dict[Path, int] = {}
"""The descriptors of the caches that this process uses; they are not inherited, and close with it."""
_mutex = threading.Lock()


def use_cache(cache: Path, report: Reporter) -> None:
    """Share the cache with the others that use it, until this process ends.

    Windows does not remove what is open, and has no lock to share: nothing is held there.

    Args:
        cache: Its folder; made where it is missing.
        report: Told that somebody is alone with it, which is waited for.

    Raises:
        EnvironmentPreparationError: It cannot be written.
    """
    with _mutex:
        if cache in _held:
            return
        descriptor = _open(cache)
        if sys.platform != "win32" and not lock_open(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB):
            report(Began(f"Waiting for another buildlock that clears `{cache}`"))
            lock_open(descriptor, fcntl.LOCK_SH)
        _held[cache] = descriptor


@contextmanager
def be_alone(cache: Path, report: Reporter) -> Iterator[None]:
    """Be the only one that uses the cache, while the block runs.

    Args:
        cache: Its folder.
        report: Told that others use it, which is waited for.

    Raises:
        EnvironmentPreparationError: It cannot be written.
    """
    use_cache(cache, report)
    if sys.platform == "win32":
        yield
        return
    descriptor = _held[cache]
    if not lock_open(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB):
        report(Warned(f"other runs of buildlock use `{cache}`: waiting for their end"))
        lock_open(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        lock_open(descriptor, fcntl.LOCK_SH)


@contextmanager
def hold_file(cache: Path, name: str, wait: Callable[[], object]) -> Iterator[None]:
    """Hold a lock on a file of the cache while the block runs; it is made where it is missing.

    Args:
        cache: Its folder.
        name: Where the file is in it.
        wait: Called if another process holds it, before that is waited for.

    Raises:
        EnvironmentPreparationError: It cannot be opened.
    """
    try:
        release = take_lock(cache / name, wait)
    except OSError as error:
        raise _refuse(cache, error) from error
    try:
        yield
    finally:
        release()


def own_folder(cache: Path, name: str, report: Reporter) -> Path:
    """A folder of the cache that no other user can change, and that stays while this process uses it.

    Raises:
        EnvironmentPreparationError: It cannot be written, is a link, or is not the user's own.
    """
    use_cache(cache, report)
    try:
        make_own(cache / name)
    except OSError as error:
        raise _refuse(cache, error) from error
    return cache / name


def _open(cache: Path) -> int:
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(cache / IN_USE, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise _refuse(cache, error) from error


def _refuse(cache: Path, error: OSError) -> EnvironmentPreparationError:
    return EnvironmentPreparationError(
        f"the cache `{cache}` cannot be written: {error.strerror or error}",
        hint="set `BUILDLOCK_CACHE_DIR` to a folder that can be written",
    )
