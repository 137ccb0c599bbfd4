"""Whether a locked environment is whole: everything named in it is in it, and what was asked for is there."""

from collections import defaultdict
from collections.abc import Iterator

from packaging.pylock import Package
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from buildlock.lockfile.fields import show
from buildlock.lockfile.model import LockedEnvironment


def check_consistency(environment: LockedEnvironment) -> Iterator[str]:
    """The faults of an environment whose values are each valid, a sentence each."""
    by_name: dict[str, list[Package]] = defaultdict(list)
    for package in environment.packages:
        by_name[package.name].append(package)
    for name, packages in by_name.items():
        markers = {str(package.marker) for package in packages if package.marker is not None}
        if len(packages) > 1 and len(markers) < len(packages):
            versions = ", ".join(f"`{package.version}`" for package in packages[:3])
            yield f"`{name}` is there {len(packages)} times ({versions}) with no marker to tell for which target"
        dependencies = [dependency for package in packages for dependency in package.dependencies or ()]
        named = {dependency["name"] for dependency in dependencies}
        # Not `named - by_name.keys()`: that goes through all the keys, for every package.
        for missing in sorted(other for other in named if other not in by_name):
            yield f"`{name}` depends on `{missing}`, which is not locked"
        for other, version in sorted({(d["name"], d["version"]) for d in dependencies if "version" in d}):
            if other in by_name and version not in {str(package.version) for package in by_name[other]}:
                yield f"`{name}` depends on `{other}` {version}, which is not locked"
    yield from _check_inputs(environment, by_name)


def _check_inputs(environment: LockedEnvironment, by_name: dict[str, list[Package]]) -> Iterator[str]:
    inputs = environment.inputs
    overridden = {canonicalize_name(Requirement(override).name) for override in inputs.overrides}
    asked = [
        *inputs.requires,
        *(text for texts in (*inputs.dynamic.values(), *inputs.match_runtime.values()) for text in texts),
    ]
    for text in dict.fromkeys(asked):
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        # With a marker it may not apply to the locked targets; an override replaces it.
        if requirement.marker is not None or name in overridden:
            continue
        if name not in by_name:
            yield f"{show(text)} is required, and `{name}` is not locked"
        for package in by_name[name]:
            if package.version is not None and not requirement.specifier.contains(package.version, prereleases=True):
                yield f"{show(text)} is required, and `{name}` is locked at `{package.version}`"
