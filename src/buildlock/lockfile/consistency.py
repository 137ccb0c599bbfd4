"""Whether a locked section is whole: all that is named in it is in it, and each source has what it is built in."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from packaging.pylock import Package
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name

from buildlock.lockfile.fields import show
from buildlock.lockfile.markers import Coverage
from buildlock.lockfile.model import LockedEnvironment, find_key, format_marker, is_source
from buildlock.lockfile.seen_targets import see_targets
from buildlock.lockfile.toml_text import format_key

MAX_ENTRIES = 256
"""Of one name in one environment, and requirements of one name: each is compared with each. More than targets exist."""
MAX_EVALUATIONS = 100_000
"""Of markers of one environment, each for each of its targets: a second or two."""
MAX_DEPTH = 64
"""Of builds that are needed for builds. In the real world a handful."""
_SHOWN = 8
"""Of the packages of a cycle."""


def check_consistency(section: LockedEnvironment, path: str) -> Iterator[str]:
    """The faults of a section whose values are each valid, a sentence each with the path of what it is about.

    The effort is in proportion to the size of the section, however its builds are entangled.
    """
    # The variant's overrides apply to all that is built for it.
    overridden = {canonicalize_name(Requirement(override).name) for override in section.inputs.overrides}
    yield from (f"{show(path)}: {fault}" for fault in _check_environment(section, overridden))
    coverage = Coverage.of(section.environments)
    for key, build in section.builds.items():
        place = show(f"{path}.builds.{format_key(key)}")
        yield from (f"{place}: {fault}" for fault in _check_environment(build, overridden))
        for marker in build.environments:
            if coverage.lacks(marker):
                yield f"{place}: {show(format_marker(marker))} is for a target that {show(path)} does not serve"
    yield from (f"{show(path)}: {fault}" for fault in _check_builds(section))


def _check_environment(environment: LockedEnvironment, overridden: Collection[str]) -> Iterator[str]:
    by_name: dict[str, list[Package]] = defaultdict(list)
    for package in environment.packages:
        by_name[package.name].append(package)
    versions = {name: {str(package.version) for package in packages} for name, packages in by_name.items()}
    for name, packages in by_name.items():
        markers = {str(package.marker) for package in packages if package.marker is not None}
        if len(packages) > 1 and len(markers) < len(packages):
            listed = ", ".join(f"`{package.version}`" for package in packages[:3])
            yield f"`{name}` is there {len(packages)} times ({listed}) with no marker to tell for which target"
        dependencies = [dependency for package in packages for dependency in package.dependencies or ()]
        named = {dependency["name"] for dependency in dependencies}
        # Not `named - by_name.keys()`: that goes through all the keys, for every package.
        for missing in sorted(other for other in named if other not in by_name):
            yield f"`{name}` depends on `{missing}`, which is not locked"
        for other, version in sorted({(d["name"], d["version"]) for d in dependencies if "version" in d}):
            if other in by_name and version not in versions[other]:
                yield f"`{name}` depends on `{other}` {version}, which is not locked"
    yield from _check_overlaps(environment, by_name)
    yield from _check_inputs(environment, by_name, overridden)


def _check_overlaps(environment: LockedEnvironment, by_name: Mapping[str, list[Package]]) -> Iterator[str]:
    """Packages that a target would get two of. Of what is no target as locks name them, the values are not known."""
    several = {name: packages for name, packages in by_name.items() if len(packages) > 1}
    targets = [target for target in see_targets(environment.environments) if target.label != target.marker]
    if sum(map(len, several.values())) * len(targets) > MAX_EVALUATIONS:
        yield "it has more packages with markers than can be compared for its targets"
        return
    for name, packages in several.items():
        for target in targets:
            got = [package for package in packages if package.marker is not None and target.needs(package.marker)]
            if len(got) > 1:
                listed = ", ".join(f"`{package.version}`" for package in got[:3])
                yield f"`{name}` is there {len(got)} times ({listed}) for `{target.label}`: their markers overlap"
                break


def _check_inputs(
    environment: LockedEnvironment, by_name: Mapping[str, list[Package]], overridden: Collection[str]
) -> Iterator[str]:
    inputs = environment.inputs
    asked = [
        *inputs.requires,
        *(text for texts in (*inputs.dynamic.values(), *inputs.match_runtime.values()) for text in texts),
    ]
    by_requirement: dict[NormalizedName, dict[str, SpecifierSet]] = defaultdict(dict)
    for text in dict.fromkeys(asked):
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        # With a marker it may not apply to the locked targets; an override replaces it.
        if requirement.marker is None and name not in overridden:
            by_requirement[name][text] = requirement.specifier
    for name, specifiers in by_requirement.items():
        packages = by_name.get(name, ())
        if max(len(packages), len(specifiers)) > MAX_ENTRIES:
            yield f"`{name}` is there {len(packages)} times, and required {len(specifiers)} times: that is too often"
            continue
        for text, specifier in specifiers.items():
            if not packages:
                yield f"{show(text)} is required, and `{name}` is not locked"
            for package in packages:
                if package.version is not None and not specifier.contains(package.version, prereleases=True):
                    yield f"{show(text)} is required, and `{name}` is locked at `{package.version}`"


def _check_builds(section: LockedEnvironment) -> Iterator[str]:
    """What is wrong with the builds as a whole: one is missing, needless, needed for itself, or too deep."""
    # What is built in the section itself: the project, or a package from elsewhere.
    top = find_key(section.source) if section.source is not None else ""
    needs = {key: _list_sources(build) for key, build in section.builds.items()} | {top: _list_sources(section)}
    if not any(needs.values()) and not section.builds:
        return  # as it is with most
    from graphlib import CycleError, TopologicalSorter  # noqa: PLC0415 - see above

    for missing in dict.fromkeys(key for keys in needs.values() for key in keys if key not in needs):
        yield f"`{_describe(missing)}` has to be built, and `builds.{format_key(missing)}` is missing"
    reached, waiting = set[str](), [top]
    while waiting:
        found = [key for key in needs.get(waiting.pop(), ()) if key not in reached]
        reached.update(found)
        waiting += found
    for needless in (key for key in section.builds if key not in reached):
        yield f"`builds.{format_key(needless)}` is not needed: nothing of `{_describe(needless)}` has to be built"
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        # It lists what comes first, first.
        yield _describe_cycle(list(reversed(error.args[1])))
        return
    depths: dict[str, int] = {}
    for key in order:
        depths[key] = 1 + max((depths[need] for need in needs.get(key, ())), default=0)
    if depths[top] > MAX_DEPTH + 1:
        yield f"its builds need builds, {depths[top] - 1} deep: at most {MAX_DEPTH} are read"


def _list_sources(environment: LockedEnvironment) -> list[str]:
    """The keys of what has to be built for an environment."""
    return list(dict.fromkeys(find_key(package) for package in environment.packages if is_source(package)))


def _describe(key: str) -> str:
    return key.replace("==", " ")


def _describe_cycle(keys: list[str]) -> str:
    names = [f"`{_describe(key)}`" for key in keys[1:]]
    if len(names) > _SHOWN:
        names = [*names[: _SHOWN - 1], f"… {names[-1]}"]
    return f"`{_describe(keys[0])}` is built with {', which is built with '.join(names)}"
