"""What the lock gives an interpreter of this machine for a variant."""

from buildlock.environment.interpreter import find_interpreter
from buildlock.lockfile.model import LockedEnvironment
from buildlock.lockfile.select import Locked, select
from buildlock.project.model import Project
from buildlock.reporting import phase
from buildlock.values import dataclass
from buildlock.workflows.conditions import Conditions
from buildlock.workflows.locks import read_environment
from buildlock.workflows.workspace import Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The packages of a variant's build environment, and what they are prepared for."""

    locked: LockedEnvironment
    packages: tuple[Locked, ...]
    conditions: Conditions


def select_locked(
    workspace: Workspace, project: Project, variant: str, *, python: str | None, frozen: bool
) -> Selection:
    """Read the lock of a variant, and select from it for an interpreter.

    Args:
        workspace: Where the lock is.
        project: What it has to answer.
        variant: One of the project's.
        python: The interpreter; the one that runs buildlock where there is none.
        frozen: Use the lock even if the project has moved on.

    Raises:
        LockfileError: There is no lock, it is invalid or stale, or it does not cover the interpreter.
        InterpreterNotFoundError, EnvironmentPreparationError: The interpreter is not there, or cannot be used.
    """
    with phase(workspace.report, "reading the project"):
        locked = read_environment(workspace, project, variant, frozen=frozen)
        interpreter = find_interpreter(python, workspace.environ)
    return Selection(
        locked=locked,
        packages=select(locked, interpreter.target),
        conditions=Conditions(inputs=project.inputs[variant], interpreter=interpreter, environ=workspace.environ),
    )
