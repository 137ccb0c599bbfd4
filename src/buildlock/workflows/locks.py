"""The lock as `install`, `build` and `export` need it: read, and still answering the project."""

from collections.abc import Mapping, Sequence

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from buildlock.errors import StaleLockError
from buildlock.lockfile.freshness import compare_inputs, inputs_of
from buildlock.lockfile.markers import list_targets
from buildlock.lockfile.model import LockedEnvironment
from buildlock.lockfile.reader import read_lockfile
from buildlock.project.model import BuildRequirement, Project
from buildlock.runtime.discovery import RuntimeLocks
from buildlock.runtime.installed import InstalledEnvironment
from buildlock.workflows.local_content import find_changed
from buildlock.workflows.runtime import RuntimeMatches, find_matches
from buildlock.workflows.workspace import Workspace


def read_environment(workspace: Workspace, project: Project, variant: str, *, frozen: bool) -> LockedEnvironment:
    """The locked environment of a variant.

    Args:
        workspace: Where the lock is.
        project: What it has to answer.
        variant: One of the project's.
        frozen: Use the lock even if the project has moved on.

    Raises:
        MissingLockError: There is no lock, or it does not hold the variant.
        InvalidLockError: The lock cannot be read.
        StaleLockError: An input moved since the variant was locked, or the runtime lock installs something else.
        InvalidProjectError, RuntimeLockError: The runtime lock cannot be compared with it.
    """
    environment = read_lockfile(workspace.lock_path).environment(variant)
    if not frozen and (moved := stale_inputs(project, variant, environment, RuntimeLocks(project.root))):
        lines = "\n".join(f"  - {line}" for line in moved)
        raise StaleLockError(
            f"the lock of `{variant}` no longer answers the project:\n{lines}",
            hint=f"run `buildlock lock --variant {variant}`, or pass `--frozen` to use the lock as it is",
        )
    return environment


def stale_inputs(
    project: Project, variant: str, environment: LockedEnvironment, runtime: RuntimeLocks
) -> tuple[str, ...]:
    """The inputs and local sources that moved since the variant was locked, and where build and runtime drift apart.

    Returns:
        A sentence each.

    Raises:
        InvalidProjectError, RuntimeLockError: The runtime lock cannot be used.
    """
    inputs = project.inputs[variant]
    lock = runtime.find(inputs.variant) if inputs.match_runtime else None
    matches = find_matches(inputs, lock, list_targets(environment.environments))
    current = inputs_of(
        inputs,
        backend=project.build_system.backend,
        # What the backend answers only running it would tell.
        dynamic=environment.inputs.dynamic if project.dynamic is None else _list_texts(project.dynamic),
        packages=environment.names,
        root=project.root,
        matched=_list_matched(matches, environment),
    )
    return (
        *compare_inputs(environment.inputs, current),
        *matches.describe_drift(environment),
        *find_changed(environment, project.root),
    )


def _list_matched(matches: RuntimeMatches, environment: LockedEnvironment) -> Mapping[str, tuple[str, ...]]:
    """The locked packages that are matched, by what says so; what an environment said cannot be asked again."""
    names = matches.inputs.match_runtime
    if matches.lock is not None:
        return {matches.lock.label: tuple(package.name for package in environment.packages if package.name in names)}
    label = InstalledEnvironment.label
    recorded = environment.inputs.match_runtime.get(label, ())
    return {label: tuple(text for text in recorded if canonicalize_name(Requirement(text).name) in names)}


def _list_texts(dynamic: Mapping[str, Sequence[BuildRequirement]]) -> Mapping[str, Sequence[str]]:
    return {product: [str(each.requirement) for each in requirements] for product, requirements in dynamic.items()}
