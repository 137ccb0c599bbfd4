"""What an environment was made from, and what the file system says of its own files: `.buildlock` in it.

Read before each use of an environment, and before anything that takes time is imported.
"""

from __future__ import annotations

import os
from stat import S_ISDIR, S_ISLNK

from buildlock.environment.seal import Seal, is_as_sealed, make_seal, parse_seal
from buildlock.plain_files import read_plain

TYPE_CHECKING = False  # typing takes longer to import than all else here
if TYPE_CHECKING:
    from typing import Final

MARKER: Final = ".buildlock"


class Marker:
    """What an environment of ours says of itself.

    Args:
        origin: What it was made from, in a line; of `describe_origin`.
        place: Its folder: scripts in it name that, so it is of no use where it was moved.
        seal: What was seen of it; nothing of its own folder, which gets the marker and its name later.
    """

    __slots__ = ("origin", "place", "seal")

    def __init__(self, origin: bytes, place: str, seal: Seal) -> None:
        self.origin = origin
        self.place = place
        self.seal = seal


def read_marker(root: str) -> Marker:
    """The marker of an environment of ours.

    Raises:
        OSError: There is none, or it is a link.
        ValueError: It is not one that we wrote.
    """
    path = f"{root}/{MARKER}"
    if S_ISLNK(os.lstat(root).st_mode):
        raise OSError(f"`{root}` is a link")
    origin, _, rest = read_plain(path).partition(b"\n")
    place, newline, seal = rest.partition(b"\n")
    if not newline:
        raise ValueError(f"`{path}` is not ours")
    return Marker(origin, os.fsdecode(place), parse_seal(seal))


def write_marker(root: str, marker: Marker) -> None:
    """Write it, whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    unfinished = f"{root}/{MARKER}.unfinished"
    with open(unfinished, "wb") as file:  # noqa: PTH123
        file.write(b"\n".join([marker.origin, os.fsencode(marker.place), marker.seal.write()]))
    os.replace(unfinished, f"{root}/{MARKER}")  # noqa: PTH105


def seal_environment(root: str, *, linked: bool) -> Seal:
    """Look at all that an environment has of its own; links to the store are what they are.

    Args:
        root: The environment.
        linked: Whether files of it are hard links to the store.

    Raises:
        OSError: Something in it cannot be looked at.
    """
    return make_seal(root, linked=linked, leave_out=(MARKER, f"{MARKER}.unfinished"))


def is_unchanged(root: str, marker: Marker) -> bool:
    """Whether all that an environment has of its own is as it was, and where it was."""
    seal = marker.seal
    if marker.place != root:
        return False
    try:
        tops = {name for name in seal.names if "/" not in name} | {MARKER}
        return set(os.listdir(root)) == tops and is_as_sealed(root, seal)  # noqa: PTH208
    except OSError:
        return False


def describe_marker(root: str) -> str:
    """What the file system says of the marker itself, to be kept elsewhere; empty where there is none."""
    try:
        if not S_ISDIR(os.lstat(root).st_mode):
            return ""
        status = os.lstat(f"{root}/{MARKER}")
    except OSError:
        return ""
    facts = status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode, status.st_ino
    return " ".join(map(str, facts))
