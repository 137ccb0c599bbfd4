"""What the file system says of everything below a folder, kept to tell later whether any of it was changed.

A change is found without reading a file: to write one, to replace it, to make it a link or to change its mode moves its
time of change, which nobody can put back, and so does every new name in a folder. This runs before each use of an
environment, for ten thousand files and more, so it imports nothing that takes time, and asks for no more than it needs.
"""

from __future__ import annotations

import os
import sys
from array import array

from buildlock.environment.plain_file import read_plain

TYPE_CHECKING = False  # typing takes longer to import than all else here
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

SEAL: Final = "seal"
"""The name of the file, beside the folder."""
TREE: Final = "tree"
"""The folder."""
_MASK: Final = (1 << 63) - 1
_SHARED_FROM: Final = 1 << 18
"""Bytes of seals, of some thousand files; fewer are looked at sooner than another process is started."""
_MAX_PROCESSES: Final = 8


class Seal:
    """What was seen of a folder.

    Args:
        names: Relative paths with `/`; the folder itself is `.`.
        facts: Of each, one after the other: its time of change; where that tells nothing, size, time of modification,
            mode and inode.
        linked: Whether the time of change tells nothing: it moves with every hard link that is made or removed.
        boot: The run of the machine in which files were written that may not be on its disk yet; empty if they are.
    """

    __slots__ = ("boot", "facts", "linked", "names")

    def __init__(self, names: list[str], facts: array[int], *, linked: bool, boot: str) -> None:
        self.boot = boot
        self.names = names
        self.facts = facts
        self.linked = linked

    def write(self) -> bytes:
        """As the file has it: a line with the number of names and of their bytes and more, the names, the facts."""
        names = os.fsencode("\0".join(self.names))
        head = f"{len(self.names)} {len(names)} {self.linked:d} {self.boot}\n"
        return head.encode() + names + self.facts.tobytes()

    def find_changed(self, now: Seal) -> list[str]:
        """The names of which anything else is said now, or that are not in both."""
        before, after = self._facts_by_name(), now._facts_by_name()
        return [name for name in {**before, **after} if before.get(name) != after.get(name)]

    def _facts_by_name(self) -> dict[str, array[int]]:
        width = _width(linked=self.linked)
        return {name: self.facts[at * width : (at + 1) * width] for at, name in enumerate(self.names)}


def read_seal(entry: str) -> Seal:
    """The seal of the folder `tree` in an entry.

    Raises:
        OSError: There is none.
        ValueError: It is not as it was written.
    """
    seal = parse_seal(read_plain(f"{entry}/{SEAL}"))
    if seal.names[0] != ".":
        raise ValueError("its seal was changed")
    return seal


def parse_seal(content: bytes) -> Seal:
    """A seal as `Seal.write` gives it.

    Raises:
        ValueError: It is not.
    """
    head, _, rest = content.partition(b"\n")
    *numbers, boot = head.split(b" ")
    count, length, linked = map(int, numbers)
    facts = array("q")
    facts.frombytes(rest[length:])
    names = os.fsdecode(rest[:length]).split("\0")
    if len(names) != count or len(facts) != count * _width(linked=linked == 1):
        raise ValueError("its seal was changed")
    return Seal(names, facts, linked=linked == 1, boot=boot.decode())


def make_seal(tree: str, *, linked: bool, leave_out: Sequence[str] = ()) -> Seal:
    """Look at a folder; links in it are not followed.

    Args:
        tree: The folder.
        linked: Whether the time of change tells nothing, see `Seal`.
        leave_out: Names in the folder itself that come and go; of the folder itself nothing is said then.

    Raises:
        OSError: Something in it cannot be looked at.
    """
    linked = linked or sys.platform == "win32"  # where the time of change is that of making
    names = [] if leave_out else ["."]
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(f"{tree}/{folder}") as children:
            for child in children:
                name = f"{folder}{child.name}"
                if name in leave_out:
                    continue
                names.append(name)
                if child.is_dir(follow_symlinks=False):
                    waiting.append(f"{name}/")
    return Seal(names, _look(tree, names, linked=linked), linked=linked, boot=find_boot())


def find_broken(entries: Sequence[str]) -> list[str]:
    """The entries whose folder is not as their seal says, or that have none."""
    return Looking(entries).find_broken()


class Looking:
    """A look at the folders of entries that has begun; where there is much to look at, processors share it.

    Args:
        entries: They are looked at from now on.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self._entries = entries
        self._children: list[int] = []
        if _is_much(entries) and _may_fork():
            parts = min(_count_processors(), _MAX_PROCESSES)
            self._children = [_start(entries, part, parts) for part in range(parts)]

    def find_broken(self) -> list[str]:
        """Wait for its end, and return the entries that are not as their seal says."""
        # Every child is waited for.
        statuses = [os.waitpid(child, 0)[1] for child in self._children]
        if statuses and not any(statuses):
            return []
        return [entry for entry in self._entries if not _is_intact(entry, 0, 1)]


def _start(entries: Sequence[str], part: int, parts: int) -> int:
    """A process of its own, which ends with 0 if its part of every entry is intact."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        status = 0 if all(_is_intact(entry, part, parts) for entry in entries) else 1
    finally:
        os._exit(status)


def _is_much(entries: Sequence[str]) -> bool:
    """Whether another process is worth starting, going by the sizes of the seals."""
    try:
        return sum(os.stat(f"{entry}/{SEAL}").st_size for entry in entries) > _SHARED_FROM  # noqa: PTH116
    except OSError:
        return False


def _is_intact(entry: str, part: int, parts: int) -> bool:
    try:
        seal = read_seal(entry)
    except (OSError, ValueError):
        return False
    if seal.boot and seal.boot != find_boot():
        return False  # a power cut may have emptied what was never brought to the disk
    count = len(seal.names)
    return is_as_sealed(f"{entry}/{TREE}", seal, count * part // parts, count * (part + 1) // parts)


def is_as_sealed(folder: str, seal: Seal, start: int = 0, end: int | None = None) -> bool:
    """Whether all that a seal names is as it was, or that between two places of its names."""
    width = _width(linked=seal.linked)
    names, facts = seal.names[start:end], seal.facts[start * width : None if end is None else end * width]
    try:
        return _look(folder, names, linked=seal.linked) == facts
    except OSError:
        return False


def _look(tree: str, names: list[str], *, linked: bool) -> array[int]:
    if os.stat not in os.supports_dir_fd:
        seen = [os.lstat(f"{tree}/{name}") for name in names]
        return array("q", [fact for status in seen for fact in _facts(status, linked=linked)])
    folder = os.open(tree, os.O_RDONLY)
    try:
        look = os.stat
        if not linked:
            return array("q", [look(name, dir_fd=folder, follow_symlinks=False).st_ctime_ns for name in names])
        seen = [look(name, dir_fd=folder, follow_symlinks=False) for name in names]
        return array("q", [fact for status in seen for fact in _facts(status, linked=True)])
    finally:
        os.close(folder)


def _facts(status: os.stat_result, *, linked: bool) -> tuple[int, ...]:
    if not linked:
        return (status.st_ctime_ns,)
    # Of a folder, what it holds is told by its time of modification.
    return status.st_size, status.st_mtime_ns, status.st_mode, status.st_ino & _MASK


def _width(*, linked: bool) -> int:
    return 4 if linked else 1


def find_boot() -> str:
    """What tells this run of the machine from any other; empty where nothing does."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123
            return file.read().strip()
    except (OSError, ValueError):
        return ""


def _count_processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _may_fork() -> bool:
    """A copy of a process has one thread alone: what others held stays held in it."""
    threads = sys.modules.get("threading")
    return hasattr(os, "fork") and (threads is None or threads.active_count() == 1)
