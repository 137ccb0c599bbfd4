"""What a lock changed, package by package: the short form that `lock` says when it is done."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.pylock import Package
from packaging.utils import NormalizedName
from packaging.version import Version


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One package that differs. `before` or `after` is `None` where it was added or removed."""

    name: NormalizedName
    before: Version | None
    after: Version | None
    index: str | None
    """Where it comes from now; where it came from, if it was removed."""
    files_only: bool = False
    """The version is the same, and its files, their hashes, their index or their targets are not."""


def compare_packages(before: Sequence[Package], after: Sequence[Package]) -> tuple[Change, ...]:
    """The packages that differ, sorted by name."""
    old, new = _group_by_name(before), _group_by_name(after)
    changes: list[Change] = []
    for name in sorted(old.keys() | new.keys()):
        changes += _compare(name, old.get(name, []), new.get(name, []))
    return tuple(changes)


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
    wheels = [(wheel.url, wheel.path, dict(wheel.hashes)) for wheel in package.wheels or ()]
    return package.version, str(package.marker), package.index, wheels
