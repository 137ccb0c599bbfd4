"""Which wheels of the store environments link to, wherever these are."""

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

from buildlock.environment.marker import read_marker
from buildlock.environment.origin import read_origin
from buildlock.environment.own_files import make_own, replace_content
from buildlock.errors import EnvironmentPreparationError

ROOTS = "roots"
"""The folder of the store with a note for each environment outside of the cache."""


def keep_root(roots: Path, environment: Path) -> None:
    """Note an environment outside of the cache, for `buildlock cache prune` to leave what it links to.

    Args:
        roots: The folder of the notes; made where it is missing.
        environment: Its folder.

    Raises:
        EnvironmentPreparationError: It cannot be noted.
    """
    path = os.fsencode(environment)
    try:
        make_own(roots)
        replace_content(roots / hashlib.sha256(path).hexdigest(), path)
    except OSError as error:
        raise EnvironmentPreparationError(f"`{roots}` cannot be written: {error.strerror or error}") from error


def read_root(note: Path) -> Path | None:
    """The environment that was noted; `None` where the note cannot be read."""
    try:
        path = Path(os.fsdecode(note.read_bytes()))
    except OSError:
        return None
    return path if path.is_absolute() else None


def list_linked(environment: Path) -> Collection[Path]:
    """The wheels that an environment links to; none where it is not one of ours, or gone."""
    try:
        return {Path(entry) for entry in read_origin(read_marker(str(environment)).origin).entries}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ()
