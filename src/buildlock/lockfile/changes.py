"""What a lock changed, package by package: the short form that `lock` says when it is done."""

from collections.abc import Sequence
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
    """The version is the same, and its files, their hashes or their index are not."""


def compare_packages(before: Sequence[Package], after: Sequence[Package]) -> tuple[Change, ...]:
    """The packages that differ, sorted by name."""
    old = {package.name: package for package in before}
    new = {package.name: package for package in after}
    changes = []
    for name in sorted(old.keys() | new.keys()):
        left, right = old.get(name), new.get(name)
        if left is not None and right is not None and _files(left) == _files(right):
            continue
        kept = right or left
        assert kept is not None
        changes.append(
            Change(
                name=name,
                before=left.version if left else None,
                after=right.version if right else None,
                index=kept.index,
                files_only=left is not None and right is not None and left.version == right.version,
            )
        )
    return tuple(changes)


def _files(package: Package) -> object:
    wheels = [(wheel.url, wheel.path, dict(wheel.hashes)) for wheel in package.wheels or ()]
    return package.version, package.index, wheels
