"""What of a wheel cannot be reached through a link to one of its folders.

A link is followed before the `..` behind it: where a library says `$ORIGIN/../../nvidia/cublas/lib`, a loader that came
through a link to its folder looks for that in the store, where there is this wheel alone.
"""

import posixpath
from collections.abc import Iterable, Mapping
from pathlib import Path

from buildlock.environment.elf import read_elf
from buildlock.environment.wheel import UnpackedFile
from buildlock.values import dataclass

_ORIGINS = ("$ORIGIN", "${ORIGIN}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Linkage:
    """What is asked of the folders of a wheel, by paths in its library folder."""

    reaches: Mapping[str, tuple[str, ...]]
    """The folders that hold shared libraries which look in other folders: in which, as the wheel has them."""
    programs: tuple[str, ...]
    """Programs, which find what is theirs from where they are in truth."""


def find_linkage(tree: Path, files: Iterable[UnpackedFile]) -> Linkage:
    """Read the search paths of the libraries and programs of an unpacked wheel.

    Args:
        tree: Its folder.
        files: All of it.

    Raises:
        OSError: A file cannot be read.
    """
    reaches: dict[str, set[str]] = {}
    programs = []
    for file in files:
        path = file.line.path
        if not (file.executable or ".so" in path):
            continue
        folder, name = posixpath.split(path)
        if not (file.executable or ".so" in name) or (facts := read_elf(tree / path)) is None:
            continue
        if facts.is_program:
            programs.append(path)
        for target in filter(None, (_follow(folder, entry) for entry in facts.paths)):
            if target != folder and not target.startswith(f"{folder}/"):
                reaches.setdefault(folder, set()).add(target)
    return Linkage(
        reaches={folder: tuple(sorted(found)) for folder, found in reaches.items()}, programs=tuple(programs)
    )


def _follow(folder: str, entry: str) -> str:
    """Where an entry of a search path leads; empty where that has nothing to do with the file's place."""
    for origin in _ORIGINS:
        if entry == origin or entry.startswith(f"{origin}/"):
            return posixpath.normpath(posixpath.join(folder, entry[len(origin) :].lstrip("/")))
    return ""
