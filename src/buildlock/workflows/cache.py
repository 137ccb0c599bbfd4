"""`cache`: how large it is, whether it is as it was left, and what of it can go."""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Literal

from packaging.utils import NormalizedName

from buildlock.environment.cache_use import IN_USE, use_cache
from buildlock.environment.removal import measure_tree
from buildlock.errors import EnvironmentPreparationError
from buildlock.reporting import Began, Reporter
from buildlock.values import dataclass
from buildlock.workflows.cache_contents import KINDS, Contents, Entry, EntryKind
from buildlock.workflows.cache_damage import find_damage
from buildlock.workflows.cache_names import list_names
from buildlock.workflows.cache_removal import PREFIX, Choose, Removal, preview, remove

_DAY = 24 * 60 * 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """What the entries of a kind take up."""

    kind: EntryKind | Literal["other"]
    """`other` is what none of the kinds is: locks, unfinished things, older formats."""
    entries: int
    size: int
    """Bytes of the files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Damage:
    """An entry that is not as it was left."""

    entry: Entry
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """What reading the cache has shown."""

    entries: int
    damaged: tuple[Damage, ...]
    kept: tuple[Path, ...]
    """Damaged environments in which a command runs; nobody else gets these."""


def measure(cache: Path) -> tuple[Size, ...]:
    """What the cache takes up, kind by kind.

    Raises:
        EnvironmentPreparationError: It cannot be read.
    """
    contents = Contents(cache)
    counts, sizes = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0)
    for entry in contents.list_entries():
        counts[entry.kind] += 1
        sizes[entry.kind] += measure_tree(entry.path)
    everything = (*contents.folders.values(), *cache.glob(f"{PREFIX}*"))
    other = sum(map(measure_tree, everything)) - sum(sizes.values())
    return (
        *(Size(kind=kind, entries=counts[kind], size=sizes[kind]) for kind in KINDS),
        # What others write meanwhile is no reason to owe bytes.
        Size(kind="other", entries=0, size=max(other, 0)),
    )


def verify(cache: Path, environ: Mapping[str, str], report: Reporter) -> Verified:
    """Read every file in the cache, and take out what is damaged: it is fetched or built again when it is needed.

    Args:
        cache: Its folder.
        environ: Where `git` is found.
        report: Told what is done, and what is waited for.

    Raises:
        EnvironmentPreparationError: It cannot be read, or what is damaged cannot be removed.
    """
    if not Contents(cache).folders:
        return Verified(entries=0, damaged=(), kept=())
    use_cache(cache, report)
    number, damaged = 0, []
    inodes: dict[Path, int | None] = {}
    for kind, entries in groupby(Contents(cache).list_entries(), key=lambda entry: entry.kind):
        report(Began(f"Verifying {kind}"))
        for entry in entries:
            number += 1
            inode = _find_inode(entry.path)
            if reason := find_damage(entry, cache, environ, report):
                damaged.append(Damage(entry=entry, reason=reason))
                inodes[entry.path] = inode

    def choose(_: Contents) -> Iterator[Path]:
        # Another process may have healed it since.
        return (path for path, inode in inodes.items() if _find_inode(path) == inode)

    kept = remove(cache, choose, report).kept if damaged else ()
    return Verified(entries=number, damaged=tuple(damaged), kept=kept)


def prune(cache: Path, *, days: int, dry_run: bool, report: Reporter) -> Removal:
    """Take out what is unfinished, of older formats, or was not used for some days.

    Args:
        cache: Its folder.
        days: How long what was not used is kept.
        dry_run: Only say what would go.
        report: Told what is waited for.

    Raises:
        EnvironmentPreparationError: It cannot be read, or something not be removed.
    """
    before = time.time() - days * _DAY

    def choose(contents: Contents) -> Iterator[Path]:
        linked = contents.list_linked(since=before)
        yield from (path for path in contents.list_remains() if path not in linked)
        old = (entry.path for entry in contents.list_entries() if entry.used < before)
        yield from (path for path in old if path not in linked)

    return _remove(cache, choose, dry_run=dry_run, report=report)


def clean(cache: Path, names: frozenset[NormalizedName], *, dry_run: bool, report: Reporter) -> Removal:
    """Take out everything, or what is of these packages.

    Args:
        cache: Its folder.
        names: The packages; empty for everything.
        dry_run: Only say what would go.
        report: Told what is waited for.

    Raises:
        EnvironmentPreparationError: It is no cache of ours, it cannot be read, or something not be removed.
    """

    def choose(contents: Contents) -> Iterator[Path]:
        if names:
            return (entry.path for entry in contents.list_entries() if not names.isdisjoint(list_names(entry)))
        return contents.list_all()

    return _remove(cache, choose, dry_run=dry_run, report=report)


def _remove(cache: Path, choose: Choose, *, dry_run: bool, report: Reporter) -> Removal:
    if not Contents(cache).folders:
        _check_empty(cache)
        if not any(cache.glob(f"{PREFIX}*")):
            return Removal(paths=(), size=0, kept=())
    return preview(cache, choose) if dry_run else remove(cache, choose, report)


def _check_empty(cache: Path) -> None:
    """Refuse a folder that holds something, and nothing of ours: it was named by mistake.

    Raises:
        EnvironmentPreparationError: It does.
    """
    with suppress(FileNotFoundError):
        if any(path.name != IN_USE and not path.name.startswith(PREFIX) for path in cache.iterdir()):
            raise EnvironmentPreparationError(
                f"`{cache}` is no cache of buildlock: nothing in it is ours",
                hint="see what `BUILDLOCK_CACHE_DIR` says",
            )


def _find_inode(path: Path) -> int | None:
    try:
        return path.lstat().st_ino
    except OSError:
        return None
