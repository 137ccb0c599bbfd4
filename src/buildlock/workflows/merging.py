"""The resolutions of several targets as the packages of one lock."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeAlias

from packaging.pylock import (
    Package,
    PackageArchive,
    PackageDirectory,
    PackageSdist,
    PackageVcs,
    PackageWheel,
)
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.artifacts import Artifact
from buildlock.lockfile.markers import MarkerWriter
from buildlock.resolver.request import Resolution, ResolvedPackage
from buildlock.targets import Target

PinnedFile: TypeAlias = PackageWheel | PackageSdist | PackageArchive
Pinned: TypeAlias = PinnedFile | PackageVcs | PackageDirectory
_Key: TypeAlias = tuple[NormalizedName, Version, str]
"""An entry of a lock: package, version, index."""
_Entries: TypeAlias = Mapping[_Key, Mapping[int, ResolvedPackage]]
"""By target, what was resolved."""


def merge_resolutions(
    resolutions: Sequence[Resolution],
    targets: Sequence[Target],
    files: Mapping[str, Pinned],
    indexes: Collection[str],
) -> tuple[Package, ...]:
    """One entry for each version of a package from one index, with a marker where not every target selects it.

    Args:
        resolutions: What was resolved for each of the targets.
        targets: As many.
        files: The pinned file of each artifact, by its URL.
        indexes: Those that may be recorded.
    """
    entries: dict[_Key, dict[int, ResolvedPackage]] = {}
    for target, resolution in enumerate(resolutions):
        for package in resolution.packages:
            entries.setdefault((package.name, package.version, package.index), {})[target] = package
    writer = MarkerWriter(targets)
    keys = sorted(entries)
    by_name = {name: list(group) for name, group in itertools.groupby(keys, key=itemgetter(0))}
    packages = []
    for key in keys:
        name, version, index = key
        artifacts = {package.artifact.url: package.artifact for package in entries[key].values()}
        packages.append(
            Package(
                name=name,
                version=version,
                marker=writer.distinguish(entries[key]),
                dependencies=_find_dependencies(entries[key], entries, by_name) or None,
                **_place([files[url] for url in artifacts], next(iter(artifacts.values())), index, indexes),
            )
        )
    return tuple(packages)


def _place(used: Sequence[Pinned], artifact: Artifact, index: str, indexes: Collection[str]) -> Mapping[str, Any]:
    """The keys of an entry that say where it comes from."""
    first = used[0]
    if isinstance(first, PackageArchive):
        return {"archive": first}
    if isinstance(first, PackageVcs):
        return {"vcs": first}
    if isinstance(first, PackageDirectory):
        # PEP 751 has no hash for a folder, and a place for what a tool wants to say.
        return {"directory": first, "tool": {"buildlock": {"sha256": artifact.hashes["sha256"]}}}
    sdists = [file for file in used if isinstance(file, PackageSdist)]
    wheels = [file for file in used if isinstance(file, PackageWheel)]
    local = any(sdist.path for sdist in sdists) or any(wheel.path for wheel in wheels)
    return {
        # Of a local file the path says all that another machine can use.
        "index": index if index in indexes and not local else None,
        # An entry has one. Where a page lets some targets have the `.tar.gz` and others only the `.zip`, these are one
        # source in two formats.
        "sdist": min(sdists, key=lambda sdist: sdist.filename, default=None),
        "wheels": wheels or None,
    }


def _find_dependencies(
    package: Mapping[int, ResolvedPackage], entries: _Entries, by_name: Mapping[NormalizedName, Sequence[_Key]]
) -> list[Mapping[str, Any]]:
    """The entries that a package needs in some target, each with what it takes to tell it from others (PEP 751)."""
    needed = {(target, name) for target, resolved in package.items() for name in resolved.requires}
    dependencies: list[Mapping[str, Any]] = []
    for name in sorted({name for _, name in needed}):
        keys = by_name[name]
        for key in keys:
            if not any((target, name) in needed for target in entries[key]):
                continue
            dependency = {"name": str(name)}
            if len(keys) > 1:
                dependency["version"] = str(key[1])
            if len([other for other in keys if other[1] == key[1]]) > 1:
                dependency["index"] = key[2]
            dependencies.append(dependency)
    return dependencies
