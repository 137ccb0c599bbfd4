"""Whether a locked section still answers the project: what moved, a sentence each."""

from collections.abc import Iterator, Mapping, Sequence

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from buildlock.lockfile.freshness import compare_inputs, format_requirement, inputs_of
from buildlock.lockfile.markers import list_targets
from buildlock.lockfile.model import LockedEnvironment
from buildlock.project.model import BuildInputs, BuildRequirement, Project
from buildlock.runtime.discovery import RuntimeLocks
from buildlock.runtime.installed import InstalledEnvironment
from buildlock.values import replace
from buildlock.workflows.build_inputs import (
    add_extra,
    inputs_of_build,
    list_added,
    list_own,
    record_outside,
)
from buildlock.workflows.local_content import find_changed
from buildlock.workflows.runtime import RuntimeMatches, find_matches, list_matched


def stale_inputs(
    project: Project, variant: str, environment: LockedEnvironment, runtime: RuntimeLocks
) -> tuple[str, ...]:
    """What moved since a section was locked: inputs, local sources, and what the runtime installs. A sentence each.

    Args:
        project: What the section has to answer.
        variant: One of the project's.
        environment: The variant's, or where a package from elsewhere is built for it.
        runtime: The project's runtime locks.

    Raises:
        InvalidProjectError, RuntimeLockError: The runtime lock cannot be used.
    """
    source = environment.source
    inputs = project.inputs[variant] if source is None else add_extra(project.inputs[variant], project, source.name)
    lock = runtime.find(inputs.variant) if list_matched(inputs) else None
    matches = find_matches(inputs, lock, list_targets(environment.environments))
    built = source.name if source is not None else None
    matched = _list_matched(matches, environment, built)
    if source is None:
        current = inputs_of(
            inputs,
            backend=project.build_system.backend,
            # What the backend answers only running it would tell.
            dynamic=environment.inputs.dynamic if project.dynamic is None else _list_texts(project.dynamic),
            packages=environment.names,
            root=project.root,
            matched=matched,
        )
    else:
        current = record_outside(inputs, environment, root=project.root, matched=matched)
    return (
        *_compare_version(project, environment),
        *compare_inputs(environment.inputs, current),
        *_compare_builds(inputs, matches, environment),
        *matches.describe_drift(environment),
        *find_changed(environment, project.root),
    )


def _compare_version(project: Project, environment: LockedEnvironment) -> Iterator[str]:
    """Whether a configured package is of the version that is asked for now."""
    source = environment.source
    configured = project.packages.get(source.name) if source is not None else None
    if source is None or configured is None or source.version is None:
        return
    specifier = configured.requirement.requirement.specifier
    if not specifier.contains(source.version, prereleases=True):
        yield f"`{source.name}` is to be `{specifier}` now, and {source.version} is locked"


def _compare_builds(inputs: BuildInputs, matches: RuntimeMatches, environment: LockedEnvironment) -> Iterator[str]:
    """What the user adds for the builds of packages, which is all that may move of their inputs."""
    for key, build in environment.builds.items():
        name = NormalizedName(key.partition("==")[0])
        own = list_own(build.inputs)
        requires = inputs_of_build(inputs, name, own).requires
        current = replace(
            build.inputs,
            requires=tuple(format_requirement(each.requirement) for each in requires),
            extra_requires=list_added(inputs, name, own),
            match_runtime=_list_matched(matches, build, name),
        )
        yield from (f"{name}'s build: {sentence}" for sentence in compare_inputs(build.inputs, current))


def _list_matched(
    matches: RuntimeMatches, environment: LockedEnvironment, built: NormalizedName | None
) -> Mapping[str, tuple[str, ...]]:
    """The locked packages that are matched, by what says so; what an environment said cannot be asked again."""
    names = matches.name_matched(built)
    if matches.lock is not None:
        return {matches.lock.label: tuple(package.name for package in environment.packages if package.name in names)}
    label = InstalledEnvironment.label
    recorded = environment.inputs.match_runtime.get(label, ())
    return {label: tuple(text for text in recorded if canonicalize_name(Requirement(text).name) in names)}


def _list_texts(dynamic: Mapping[str, Sequence[BuildRequirement]]) -> Mapping[str, Sequence[str]]:
    return {product: [str(each.requirement) for each in requirements] for product, requirements in dynamic.items()}
