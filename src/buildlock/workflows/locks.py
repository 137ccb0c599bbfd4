"""The lock as `install`, `build` and `export` need it: read, and still answering the project."""

from packaging.utils import NormalizedName

from buildlock.errors import StaleLockError
from buildlock.lockfile.model import LockedEnvironment, Lockfile
from buildlock.lockfile.reader import read_lockfile
from buildlock.project.model import Project
from buildlock.runtime.discovery import RuntimeLocks
from buildlock.values import dataclass
from buildlock.workflows.staleness import stale_inputs
from buildlock.workflows.workspace import Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectLock:
    """The lock of a project, read once."""

    project: Project
    """What it has to answer."""
    lockfile: Lockfile
    runtime: RuntimeLocks

    def environment(self, variant: str, *, frozen: bool, package: NormalizedName | None = None) -> LockedEnvironment:
        """The locked environment of a variant, or the one that a package from elsewhere is built in for it.

        Args:
            variant: One of the project's.
            frozen: Use the lock even if the project has moved on.
            package: A package from elsewhere.

        Raises:
            MissingLockError: The lock does not hold this.
            StaleLockError: An input moved since it was locked, or the runtime lock installs something else.
            InvalidProjectError, RuntimeLockError: The runtime lock cannot be compared with it.
        """
        lockfile = self.lockfile
        environment = lockfile.environment(variant) if package is None else lockfile.outside(package, variant)
        if not frozen and (moved := stale_inputs(self.project, variant, environment, self.runtime)):
            lines = "\n".join(f"  - {line}" for line in moved)
            subject = f"`{variant}`" if package is None else f"`{package}` for `{variant}`"
            option = "" if package is None else f"--package {package} "
            raise StaleLockError(
                f"the lock of {subject} no longer answers the project:\n{lines}",
                hint=f"run `buildlock lock {option}--variant {variant}`, or pass `--frozen` to use the lock as it is",
            )
        return environment

    def list_variants(self, *, package: NormalizedName | None = None) -> tuple[str, ...]:
        """The variants of the project that are locked, in its order; or those that a package is locked for."""
        locked = self.lockfile.variants if package is None else self.lockfile.packages.get(package, {})
        return tuple(name for name in self.project.variants if name in locked)


def read_lock(workspace: Workspace, project: Project) -> ProjectLock:
    """The lock of a project.

    Raises:
        MissingLockError: There is none.
        InvalidLockError: It cannot be read.
    """
    lockfile = read_lockfile(workspace.lock_path)
    return ProjectLock(project=project, lockfile=lockfile, runtime=RuntimeLocks(project.root))


def read_environment(
    workspace: Workspace, project: Project, variant: str, *, frozen: bool, package: NormalizedName | None = None
) -> LockedEnvironment:
    """The only environment that is needed of a lock.

    Raises:
        LockfileError: As of `read_lock` and `ProjectLock.environment`.
    """
    return read_lock(workspace, project).environment(variant, frozen=frozen, package=package)
