"""The environments outside of the cache that link into it: for `buildlock cache prune` to leave what they link to.

It imports nothing that takes time.
"""

from __future__ import annotations

import os

from buildlock.environment.plain_file import read_plain

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
    status = os.stat(environment)  # noqa: PTH116 - pathlib takes longer to import
    note = f"{roots}/{status.st_dev:x}-{status.st_ino:x}"
    unfinished = f"{note}-{os.getpid()}"
    if not os.path.isdir(roots):  # noqa: PTH112
        os.makedirs(roots, 0o700, exist_ok=True)  # noqa: PTH103
    with open(unfinished, "wb") as file:  # noqa: PTH123
        file.write(os.fsencode(environment))
    os.replace(unfinished, note)  # noqa: PTH105


def read_root(note: str) -> str | None:
    """The environment that was noted; `None` where the note cannot be read."""
    try:
        path = os.fsdecode(read_plain(note))
    except (OSError, ValueError):
        return None
    return path if os.path.isabs(path) else None  # noqa: PTH117
