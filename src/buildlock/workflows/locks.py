"""The lock as `install`, `build` and `export` need it: read, and still answering the project."""

from buildlock.errors import StaleLockError
from buildlock.lockfile.freshness import compare_inputs, inputs_of
from buildlock.lockfile.model import LockedEnvironment
from buildlock.lockfile.reader import read_lockfile
from buildlock.project.model import Project
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
        StaleLockError: An input moved since the variant was locked.
    """
    environment = read_lockfile(workspace.lock_path).environment(variant)
    if not frozen and (moved := stale_inputs(project, variant, environment)):
        lines = "\n".join(f"  - {line}" for line in moved)
        raise StaleLockError(
            f"the lock of `{variant}` no longer answers the project:\n{lines}",
            hint=f"run `buildlock lock --variant {variant}`, or pass `--frozen` to use the lock as it is",
        )
    return environment


def stale_inputs(project: Project, variant: str, environment: LockedEnvironment) -> tuple[str, ...]:
    """The inputs that moved since the variant was locked, a sentence each."""
    current = inputs_of(
        project.inputs[variant],
        backend=project.build_system.backend,
        dynamic=environment.inputs.dynamic,
        packages={package.name for package in environment.packages},
        root=project.root,
    )
    return compare_inputs(environment.inputs, current)
