"""The resolutions of several targets as the packages of one lock."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from packaging.pylock import Package, PackageSdist, PackageWheel
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.lockfile.markers import MarkerWriter
from buildlock.resolver.request import Resolution, ResolvedPackage
from buildlock.targets import Target

_Key: TypeAlias = tuple[NormalizedName, Version, str]
"""An entry of a lock: package, version, index."""
_Entries: TypeAlias = Mapping[_Key, Mapping[int, ResolvedPackage]]
"""By target, what was resolved."""


def merge_resolutions(
    resolutions: Sequence[Resolution],
    targets: Sequence[Target],
    files: Mapping[str, PackageWheel | PackageSdist],
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
    packages = []
    for key in sorted(entries):
        name, version, index = key
        used = list({package.artifact.url: files[package.artifact.url] for package in entries[key].values()}.values())
        sdists = [file for file in used if isinstance(file, PackageSdist)]
        packages.append(
            Package(
                name=name,
                version=version,
                marker=writer.distinguish(entries[key]),
                # Of a local file the path says all that another machine can use.
                index=index if index in indexes and all(file.path is None for file in used) else None,
                dependencies=_find_dependencies(entries[key], entries) or None,
                # An entry has one. Where a page lets some targets have the `.tar.gz` and others only the `.zip`, these
                # are one source in two formats.
                sdist=min(sdists, key=lambda sdist: sdist.filename, default=None),
                wheels=[file for file in used if isinstance(file, PackageWheel)] or None,
            )
        )
    return tuple(packages)


def _find_dependencies(package: Mapping[int, ResolvedPackage], entries: _Entries) -> list[Mapping[str, Any]]:
    """The entries that a package needs in some target, each with what it takes to tell it from others (PEP 751)."""
    needed = {(target, name) for target, resolved in package.items() for name in resolved.requires}
    dependencies: list[Mapping[str, Any]] = []
    for name in sorted({name for _, name in needed}):
        keys = sorted(key for key in entries if key[0] == name)
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
