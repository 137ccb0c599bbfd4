"""What locking for one variant has at hand: its inputs, targets and interpreter, and the ways to the indexes."""

from dataclasses import dataclass, replace

from buildlock.environment.interpreter import Interpreter
from buildlock.lockfile.model import LockedEnvironment
from buildlock.project.model import BuildInputs, Project
from buildlock.targets import Target, TargetName
from buildlock.workflows.conditions import Conditions
from buildlock.workflows.lock_options import LockOptions
from buildlock.workflows.locker import Access, Locker
from buildlock.workflows.runtime import RuntimeMatches
from buildlock.workflows.workspace import Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class LockingTask:
    """One variant that is locked for: the project, and packages from elsewhere."""

    workspace: Workspace
    project: Project
    options: LockOptions
    inputs: BuildInputs
    """The variant's; what the runtime installs binds them."""
    matches: RuntimeMatches
    names: tuple[TargetName, ...]
    targets: tuple[Target, ...]
    served: Interpreter | None
    """One of this machine that is among the targets."""
    interpreter: Interpreter
    """The same, else the one that runs buildlock: backends are asked with it."""
    access: Access

    def conditions(self, inputs: BuildInputs) -> Conditions:
        """What backends are run under, with these inputs."""
        return Conditions(inputs=inputs, interpreter=self.interpreter, environ=self.workspace.environ)

    def open_locker(self, conditions: Conditions, before: LockedEnvironment | None) -> Locker:
        """Lock with pins that are kept from `before`, but for those that the user wants forgotten."""
        return Locker(
            self.workspace,
            conditions,
            self.matches,
            self.access,
            locked=before,
            forget=None if self.options.upgrade else self.options.upgrade_packages,
            ask=self.options.dynamic,
        )

    def name_targets(self, inputs: BuildInputs) -> BuildInputs:
        """`inputs` as they are recorded: where the project leaves the targets to the machine, they are no input."""
        return replace(inputs, targets=self.names if self.inputs.targets else ())
