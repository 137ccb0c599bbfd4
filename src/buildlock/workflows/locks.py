"""The lock as `install`, `build` and `export` need it: read, and still answering the project."""

from packaging.utils import NormalizedName

from buildlock.errors import StaleLockError
from buildlock.lockfile.model import LockedEnvironment
from buildlock.lockfile.reader import read_lockfile
from buildlock.project.model import Project
from buildlock.runtime.discovery import RuntimeLocks
from buildlock.workflows.staleness import stale_inputs
from buildlock.workflows.workspace import Workspace


def read_environment(
    workspace: Workspace, project: Project, variant: str, *, frozen: bool, package: NormalizedName | None = None
) -> LockedEnvironment:
    """The locked environment of a variant, or the one that a package from elsewhere is built in for it.

    Args:
        workspace: Where the lock is.
        project: What it has to answer.
        variant: One of the project's.
        frozen: Use the lock even if the project has moved on.
        package: A package from elsewhere.

    Raises:
        MissingLockError: There is no lock, or it does not hold this.
        InvalidLockError: The lock cannot be read.
        StaleLockError: An input moved since it was locked, or the runtime lock installs something else.
        InvalidProjectError, RuntimeLockError: The runtime lock cannot be compared with it.
    """
    lockfile = read_lockfile(workspace.lock_path)
    environment = lockfile.environment(variant) if package is None else lockfile.outside(package, variant)
    if not frozen and (moved := stale_inputs(project, variant, environment, RuntimeLocks(project.root))):
        lines = "\n".join(f"  - {line}" for line in moved)
        subject = f"`{variant}`" if package is None else f"`{package}` for `{variant}`"
        option = "" if package is None else f"--package {package} "
        raise StaleLockError(
            f"the lock of {subject} no longer answers the project:\n{lines}",
            hint=f"run `buildlock lock {option}--variant {variant}`, or pass `--frozen` to use the lock as it is",
        )
    return environment


def read_locked_variants(
    workspace: Workspace, project: Project, *, package: NormalizedName | None = None
) -> tuple[str, ...]:
    """The variants of the project that are locked, in its order; or those that a package from elsewhere is locked for.

    Raises:
        MissingLockError: There is no lock.
        InvalidLockError: The lock cannot be read.
    """
    lockfile = read_lockfile(workspace.lock_path)
    locked = lockfile.variants if package is None else lockfile.packages.get(package, {})
    return tuple(name for name in project.variants if name in locked)
