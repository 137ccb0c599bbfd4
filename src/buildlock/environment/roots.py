"""The environments outside of the cache that link into it: for `buildlock cache prune` to leave what they link to.

It imports nothing that takes time.
"""

from __future__ import annotations

import os

from buildlock.plain_files import read_plain, write_whole

TYPE_CHECKING = False  # typing takes longer to import than all else here
if TYPE_CHECKING:
    from typing import Final

ROOTS: Final = "roots"
"""The folder of the store with a note for each."""


def keep_root(roots: str, environment: str) -> None:
    """Note an environment.

    Args:
        roots: The folder of the notes; made where it is missing.
        environment: Its folder.

    Raises:
        OSError: It cannot be noted.
    """
    note = f"{roots}/{_name(environment)}"
    if not os.path.isdir(roots):  # noqa: PTH112
        os.makedirs(roots, 0o700, exist_ok=True)  # noqa: PTH103
    write_whole(note, os.fsencode(environment))


def read_root(note: str) -> str | None:
    """The environment that was noted; `None` where the note cannot be read."""
    try:
        path = os.fsdecode(read_plain(note))
    except (OSError, ValueError):
        return None
    return path if os.path.isabs(path) else None  # noqa: PTH117


def is_lost(note: str) -> bool:
    """Whether the environment that was noted is not there any more, or the note was never finished."""
    path = read_root(note)
    try:
        return path is None or os.path.basename(note) != _name(path)  # noqa: PTH119
    except (OSError, ValueError):
        return True


def _name(environment: str) -> str:
    status = os.stat(environment)  # noqa: PTH116 - pathlib takes longer to import
    return f"{status.st_dev:x}-{status.st_ino:x}"
