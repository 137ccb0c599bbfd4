"""What the file system says of everything below a folder, kept to tell later whether any of it was changed.

A change is found without reading a file: to write one, to replace it, to make it a link or to change its mode moves its
time of change, which nobody can put back, and so does every new name in a folder. This runs before each use of an
environment, for ten thousand files and more, so it imports nothing that takes time, and asks for no more than it needs.
"""

from __future__ import annotations

import os
import sys

from buildlock.environment.sharing import Shared, can_share
from buildlock.plain_files import read_plain

TYPE_CHECKING = False  # typing takes longer to import than all else here
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final

SEAL: Final = "seal"
"""The name of the file, beside the folder."""
TREE: Final = "tree"
"""The folder."""
_MASK: Final = (1 << 63) - 1
_SIZE: Final = 8
"""Bytes of a fact."""
_SHARED_FROM: Final = 1 << 18
"""Bytes of seals, of some thousand files; fewer are looked at sooner than another process is started."""
_NAMES: Final = 500
"""That are together in a part of a seal: a process looks for so many before it asks what else there is to do."""


class Seal:
    """What was seen of a folder.

    Args:
        parts: Relative paths with `/`, a NUL between any two, so many in each but the last; the folder itself is `.`.
        facts: Of each, one after the other: its time of change; where that tells nothing, size, time of modification,
            mode and inode. Numbers of eight bytes, as this machine has them.
        linked: Whether the time of change tells nothing: it moves with every hard link that is made or removed.
        boot: The run of the machine in which files were written that may not be on its disk yet; empty if they are.
    """

    __slots__ = ("boot", "facts", "linked", "parts")

    def __init__(self, parts: Sequence[bytes], facts: bytes | memoryview, *, linked: bool, boot: str) -> None:
        self.boot = boot
        self.parts = parts
        self.facts = facts
        self.linked = linked

    @property
    def names(self) -> list[str]:
        return [name for part in self.parts for name in os.fsdecode(part).split("\0")]

    @property
    def size(self) -> int:
        """Bytes, more or less."""
        return len(self.facts) + sum(map(len, self.parts))

    def take(self, part: int) -> tuple[list[bytes], list[int]]:
        """The names of a part, and their facts."""
        width = _NAMES * _width(linked=self.linked)
        facts = memoryview(self.facts).cast("q")[part * width : (part + 1) * width]
        return self.parts[part].split(b"\0"), facts.tolist()

    def write(self) -> bytes:
        """As the file has it: a line with the bytes of each part and more, the parts, the facts."""
        head = " ".join([f"{self.linked:d}", self.boot, *(str(len(part)) for part in self.parts)])
        return b"".join([head.encode(), b"\n", *self.parts, self.facts])

    def find_changed(self, now: Seal) -> list[str]:
        """The names of which anything else is said now, or that are not in both."""
        before, after = self.get_facts(), now.get_facts()
        return [os.fsdecode(name) for name in {**before, **after} if before.get(name) != after.get(name)]

    def get_facts(self) -> dict[bytes, bytes]:
        """What was seen, by name."""
        width = _width(linked=self.linked) * _SIZE
        names, facts = [name for part in self.parts for name in part.split(b"\0")], bytes(self.facts)
        return {name: facts[at * width : (at + 1) * width] for at, name in enumerate(names)}


def read_seal(entry: str) -> Seal:
    """The seal of the folder `tree` in an entry.

    Raises:
        OSError: There is none.
        ValueError: It is not as it was written.
    """
    seal = parse_seal(read_plain(f"{entry}/{SEAL}"))
    if not seal.parts or seal.parts[0].partition(b"\0")[0] != b".":
        raise ValueError("its seal was changed")
    return seal


def parse_seal(content: bytes) -> Seal:
    """A seal as `Seal.write` gives it.

    Raises:
        ValueError: It is not.
    """
    at = content.find(b"\n") + 1
    linked, boot, *lengths = content[:at].decode().removesuffix("\n").split(" ")
    parts = []
    for length in map(int, lengths):
        parts.append(content[at : at + length])
        at += length
    facts = memoryview(content)[at:]
    wanted = len(parts) and (len(parts) - 1) * _NAMES + parts[-1].count(b"\0") + 1
    if linked not in ("0", "1") or len(facts) != wanted * _width(linked=linked == "1") * _SIZE:
        raise ValueError("its seal was changed")
    return Seal(parts, facts, linked=linked == "1", boot=boot)


def make_seal(tree: str, *, linked: bool, leave_out: Sequence[str] = ()) -> Seal:
    """Look at a folder; links in it are not followed.

    Args:
        tree: The folder.
        linked: Whether the time of change tells nothing, see `Seal`.
        leave_out: Names in the folder itself that come and go; of the folder itself nothing is said then.

    Raises:
        OSError: Something in it cannot be looked at.
    """
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
    return seal_made(tree, names, {}, linked=linked)


def seal_made(folder: str, names: Sequence[str], known: Mapping[bytes, bytes], *, linked: bool) -> Seal:
    """The same where what is in the folder is known.

    Args:
        folder: The folder.
        names: What is looked at.
        known: The rest, with what was seen of it elsewhere.
        linked: As of `make_seal`.

    Raises:
        OSError: As of `make_seal`.
    """
    linked = linked or sys.platform == "win32"  # where the time of change is that of making
    found = os.fsencode("\0".join(names)).split(b"\0") if names else []
    facts = b"".join([_pack(_look(folder, found, linked=linked)), *known.values()])
    found += known
    parts = [b"\0".join(found[start : start + _NAMES]) for start in range(0, len(found), _NAMES)]
    return Seal(parts, facts, linked=linked, boot=find_boot())


def find_broken(entries: Sequence[str]) -> list[str]:
    """The entries whose folder is not as their seal says, or that have none."""
    return Looking(entries).find_broken()


class Looking:
    """A look at the folders of entries that has begun; where there is much to look at, processors share it.

    Args:
        entries: They are looked at from now on.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self._boot = find_boot()
        self._seals = [(entry, self._read(entry)) for entry in entries]
        self._shared = self._share() if self._is_much() and can_share() else None

    @property
    def expects_hard_links(self) -> bool:
        """Whether hard links to the files of all entries are no changes."""
        return all(seal is not None and seal.linked for _, seal in self._seals)

    def find_broken(self) -> list[str]:
        """Do what is not done yet, and return the entries that are not as their seal says."""
        shared, self._shared = self._shared, None
        if shared is not None and shared.finish():
            return []
        return [entry for entry, seal in self._seals if seal is None or not is_as_sealed(f"{entry}/{TREE}", seal)]

    def _read(self, entry: str) -> Seal | None:
        try:
            seal = read_seal(entry)
        except (OSError, ValueError):
            return None
        # A power cut may have emptied what was never brought to the disk.
        return None if seal.boot not in ("", self._boot) else seal

    def _is_much(self) -> bool:
        """Whether another process is worth starting: not where it is known that all is in vain."""
        sizes = [seal.size if seal else 0 for _, seal in self._seals]
        return all(sizes) and sum(sizes) > _SHARED_FROM

    def _share(self) -> Shared:
        parts = [
            (f"{entry}/{TREE}", seal, part) for entry, seal in self._seals if seal for part in range(len(seal.parts))
        ]
        return Shared(_is_as_sealed, parts)


def is_as_sealed(folder: str, seal: Seal) -> bool:
    """Whether all that a seal names is as it was."""
    return all(_is_as_sealed(folder, seal, part) for part in range(len(seal.parts)))


def _is_as_sealed(folder: str, seal: Seal, part: int) -> bool:
    names, facts = seal.take(part)
    try:
        return _look(folder, names, linked=seal.linked) == facts
    except (OSError, ValueError):
        return False


def _look(tree: str, names: list[bytes], *, linked: bool) -> list[int]:
    look = os.lstat
    if os.stat not in os.supports_dir_fd:
        prefix = os.fsencode(f"{tree}/")
        return [fact for name in names for fact in _facts(look(prefix + name), linked=linked)]
    folder = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not linked:
            return [look(name, dir_fd=folder).st_ctime_ns for name in names]
        return [fact for name in names for fact in _facts(look(name, dir_fd=folder), linked=True)]
    finally:
        os.close(folder)


def _facts(status: os.stat_result, *, linked: bool) -> tuple[int, ...]:
    if not linked:
        return (status.st_ctime_ns,)
    # Of a folder, what it holds is told by its time of modification.
    return status.st_size, status.st_mtime_ns, status.st_mode, status.st_ino & _MASK


def _pack(facts: list[int]) -> bytes:
    """As `Seal` has them. The modules `array` and `struct` take longer to import."""
    numbers = memoryview(bytearray(len(facts) * _SIZE)).cast("q")
    for at, fact in enumerate(facts):
        numbers[at] = fact
    return numbers.tobytes()


def _width(*, linked: bool) -> int:
    return 4 if linked else 1


def find_boot() -> str:
    """What tells this run of the machine from any other; empty where nothing does."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:  # noqa: PTH123
            return file.read().strip()
    except (OSError, ValueError):
        return ""
