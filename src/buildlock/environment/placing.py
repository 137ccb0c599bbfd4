"""Putting files of the store into an environment.

What a build writes into its environment must never reach the store, so every file is a copy, which shares its
blocks with the original where the file system can. Another way to place files belongs into `place_tree`.
"""

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from buildlock.errors import EnvironmentPreparationError

_WORKERS = 4
_BATCH = 64
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """A file to put in place."""

    source: Path | bytes
    """A file of the store, or content made for this environment."""
    destination: Path
    size: int
    executable: bool


def place_tree(placements: Sequence[Placement]) -> None:
    """Put files in place, which must not exist yet; their folders are made.

    Raises:
        EnvironmentPreparationError: One cannot be written, or its original is not what it was.
        OSError: A folder cannot be made.
    """
    for folder in dict.fromkeys(placement.destination.parent for placement in placements):
        folder.mkdir(parents=True, exist_ok=True)
    batches = [placements[start : start + _BATCH] for start in range(0, len(placements), _BATCH)]
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="place") as pool:
        futures = [pool.submit(_place_batch, batch) for batch in batches]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _place_batch(placements: Sequence[Placement]) -> None:
    try:
        for placement in placements:
            _place(placement)
    except OSError as error:
        raise EnvironmentPreparationError(
            f"`{placement.destination}` cannot be written: {error.strerror or error}"
        ) from error


def _place(placement: Placement) -> None:
    # O_EXCL: never through a link, never over what is there.
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(placement.destination, flags, 0o777 if placement.executable else 0o666)
    with os.fdopen(descriptor, "wb", buffering=0) as copy:
        if isinstance(placement.source, bytes):
            copy.write(placement.source)
            return
        with placement.source.open("rb", buffering=0) as original:
            status = os.fstat(original.fileno())
            _share(original.fileno(), descriptor, status.st_size)
            shutil.copyfileobj(original, copy, _CHUNK)
        if os.fstat(descriptor).st_size != placement.size:
            raise EnvironmentPreparationError(f"`{placement.source}` changed while it was copied")
    # Compilers and build tools compare times: a header must not be newer in every environment.
    os.utime(placement.destination, ns=(status.st_atime_ns, status.st_mtime_ns))


def _share(original: int, copy: int, size: int) -> None:
    """Let the kernel copy as much as it can, without blocks where it knows how; both files stand where it ended."""
    if not hasattr(os, "copy_file_range"):
        return
    try:
        while size > 0 and (copied := os.copy_file_range(original, copy, size)):
            size -= copied
    except OSError:
        return  # another file system, or a kernel that cannot: the rest is copied by hand
