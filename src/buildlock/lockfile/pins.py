"""The pins of two sides of a merge, as one environment to prefer versions from."""

from collections.abc import Mapping, Sequence
from itertools import chain

from packaging.pylock import Package
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.lockfile.model import LockedEnvironment
from buildlock.lockfile.three_way import Versions


def unite_pins(versions: Versions) -> LockedEnvironment | None:
    """What to prefer where a section is locked anew: a pin that one side has moved, and of two the newer.

    It is no environment to install: what is in it may not fit together.
    """
    base, ours, theirs = versions.base, versions.ours, versions.theirs
    if ours is None or theirs is None:
        return ours or theirs
    builds = {}
    for key in {**ours.builds, **theirs.builds}:
        first, second = _find_build(ours, key), _find_build(theirs, key)
        build = unite_pins(Versions(base=_find_build(base, key), ours=first, theirs=second))
        if build is not None:
            builds[key] = build
    sources = [[each.source] if each is not None and each.source else [] for each in (base, ours, theirs)]
    return LockedEnvironment(
        environments=ours.environments,
        inputs=ours.inputs,
        packages=tuple(_unite(base.packages if base is not None else (), ours.packages, theirs.packages)),
        builds=builds,
        source=next(iter(_unite(*sources)), None),
    )


def _find_build(environment: LockedEnvironment | None, key: str) -> LockedEnvironment | None:
    return environment.builds.get(key) if environment is not None else None


def _unite(base: Sequence[Package], ours: Sequence[Package], theirs: Sequence[Package]) -> Sequence[Package]:
    """Of each package the entries of one side: a target selects one of them, and two sides' markers may overlap."""
    before, first, second = map(_group, (base, ours, theirs))
    chosen = [_choose(before.get(name, []), first.get(name, []), second.get(name, [])) for name in {**first, **second}]
    return list(chain.from_iterable(chosen))


def _choose(base: list[Package], ours: list[Package], theirs: list[Package]) -> list[Package]:
    if not ours or not theirs:  # a preference for what nothing needs does no harm
        return ours or theirs
    if _list_versions(theirs) == _list_versions(base):
        return ours
    if _list_versions(ours) == _list_versions(base):
        return theirs
    return max(ours, theirs, key=_list_versions)


def _group(packages: Sequence[Package]) -> Mapping[NormalizedName, list[Package]]:
    groups: dict[NormalizedName, list[Package]] = {}
    for package in packages:
        groups.setdefault(package.name, []).append(package)
    return groups


def _list_versions(packages: Sequence[Package]) -> list[Version]:
    return sorted((package.version for package in packages if package.version is not None), reverse=True)
