"""What a lock changed, package by package: the short form that `lock` says when it is done."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from packaging.pylock import Package
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.lockfile.model import LockedEnvironment
from buildlock.values import dataclass, replace


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One package that differs. `before` or `after` is `None` where it was added or removed."""

    name: NormalizedName
    before: Version | None
    after: Version | None
    index: str | None
    """Where it comes from now; where it came from, if it was removed."""
    build: str | None = None
    """What it is for, where that is the build of a locked package: `NAME==VERSION`."""
    files_only: bool = False
    """The version is the same, and its files, their hashes, their index or their targets are not."""


def compare_environments(before: LockedEnvironment | None, after: LockedEnvironment) -> tuple[Change, ...]:
    """What differs: the package from elsewhere that it is for, packages by name, then those of the builds of what
    was built before too.
    """
    source = [before.source] if before is not None and before.source is not None else []
    changes = _compare_packages(source, [after.source] if after.source is not None else [])
    changes += _compare_packages(before.packages if before else (), after.packages)
    if before is not None:
        for old, new in pair_builds(before.builds, after.builds):
            changes += [
                replace(change, build=new)
                for change in _compare_packages(before.builds[old].packages, after.builds[new].packages)
            ]
    return tuple(changes)


def pair_builds(before: Collection[str], after: Collection[str]) -> Iterator[tuple[str, str]]:
    """The builds of one package before and after, of another version where just that moved."""
    gone: dict[str, list[str]] = {}
    for key in before:
        if key not in after:
            gone.setdefault(key.partition("==")[0], []).append(key)
    come = Counter(key.partition("==")[0] for key in after if key not in before)
    for key in after:
        name = key.partition("==")[0]
        if key in before:
            yield key, key
        elif come[name] == len(gone.get(name, ())) == 1:
            yield gone[name][0], key


def _compare_packages(before: Sequence[Package], after: Sequence[Package]) -> list[Change]:
    old, new = _group_by_name(before), _group_by_name(after)
    changes: list[Change] = []
    for name in sorted(old.keys() | new.keys()):
        changes += _compare(name, old.get(name, []), new.get(name, []))
    return changes


def _group_by_name(packages: Sequence[Package]) -> Mapping[NormalizedName, list[Package]]:
    groups: dict[NormalizedName, list[Package]] = {}
    for package in packages:
        groups.setdefault(package.name, []).append(package)
    return groups


def _compare(name: NormalizedName, before: Sequence[Package], after: Sequence[Package]) -> Iterator[Change]:
    """Compare the entries of one name: several where its version depends on the target."""
    locked = list(map(_files, before))
    gone = [package for package in before if _files(package) not in map(_files, after)]
    come = [package for package in after if _files(package) not in locked]
    for package in list(come):
        same = next((each for each in gone if each.version == package.version), None)
        if same is not None:
            gone.remove(same)
            come.remove(package)
            yield Change(name=name, before=same.version, after=package.version, index=package.index, files_only=True)
    if len(gone) == len(come) == 1:
        yield Change(name=name, before=gone[0].version, after=come[0].version, index=come[0].index)
        return
    for package in gone:
        yield Change(name=name, before=package.version, after=None, index=package.index)
    for package in come:
        yield Change(name=name, before=None, after=package.version, index=package.index)


def _files(package: Package) -> object:
    files = [package.sdist, package.archive, *(package.wheels or ())]
    places = [(file.url, file.path, dict(file.hashes)) for file in files if file is not None]
    subdirectory = package.archive.subdirectory if package.archive is not None else None
    direct = subdirectory, package.vcs, package.directory, package.tool
    return package.version, str(package.marker), package.index, places, direct
