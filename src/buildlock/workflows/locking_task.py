"""What locking for one variant has at hand: its inputs, targets and interpreter, and the ways to the indexes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from buildlock.environment.interpreter import Interpreter, find_interpreter
from buildlock.errors import UsageError
from buildlock.lockfile.model import LockedEnvironment
from buildlock.project.model import BuildInputs, Project
from buildlock.targets import Target, TargetName, choose_names
from buildlock.values import dataclass, replace
from buildlock.workflows.conditions import Conditions
from buildlock.workflows.interpreters import find_targets, list_interpreters
from buildlock.workflows.lock_options import LockOptions
from buildlock.workflows.locker import Access, Locker, Seen, open_access
from buildlock.workflows.runtime import RuntimeMatches, find_matches, list_matched
from buildlock.workflows.workspace import Workspace

Targets: TypeAlias = tuple[tuple[TargetName, ...], tuple[Target, ...]]
"""Names of targets, and what they mean here."""


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


@contextmanager
def open_task(
    workspace: Workspace,
    project: Project,
    options: LockOptions,
    matches: RuntimeMatches,
    chosen: Targets,
    *,
    seen: Seen,
) -> Iterator[LockingTask]:
    """Begin to lock for a variant; the ways to its indexes are open until the caller is done."""
    (names, targets), inputs = chosen, matches.bind()
    served = _find_served(names, targets, workspace.environ)
    with open_access(workspace, inputs, seen) as access:
        yield LockingTask(
            workspace=workspace,
            project=project,
            options=options,
            inputs=inputs,
            matches=matches,
            names=names,
            targets=targets,
            served=served,
            interpreter=served or find_interpreter(None, workspace.environ),
            access=access,
        )


def _find_served(
    names: Sequence[TargetName], targets: Sequence[Target], environ: Mapping[str, str]
) -> Interpreter | None:
    """An interpreter of this machine that the lock serves."""
    served = {(str(target.marker), target.abi) for target in targets}
    for interpreter in list_interpreters(names, environ):
        if (str(interpreter.target.marker), interpreter.target.abi) in served:
            return interpreter
    return None


def choose_targets(declared: Sequence[TargetName], options: LockOptions, environ: Mapping[str, str]) -> Targets:
    """What a variant is locked for: the targets that it declares, but for what is asked for; else this interpreter.

    Raises:
        UsageError: A name means nothing, or two mean targets that nothing tells apart.
    """
    names = choose_names(declared, pythons=options.pythons, platforms=options.platforms) or (TargetName(),)
    return names, find_targets(names, environ)


def match_runtime(
    project: Project, options: LockOptions, targets: Mapping[str, Targets]
) -> Mapping[str, RuntimeMatches]:
    """What each variant's runtime says of the packages that are to be matched.

    Raises:
        UsageError: An environment is to be matched, and no package of it.
        InvalidProjectError, RuntimeLockError: As of `find_matches`.
    """
    inputs = {name: project.inputs[name] for name in targets}
    folder = options.runtime_environment
    if not any(map(list_matched, inputs.values())):
        if folder is None:
            return {name: find_matches(each, None, ()) for name, each in inputs.items()}
        raise UsageError(
            "`--runtime-environment` has nothing to match",
            hint='write what to match in pyproject.toml: `[tool.buildlock] match-runtime = ["torch"]`',
        )
    from buildlock.runtime.discovery import RuntimeLocks  # noqa: PLC0415 - most projects match nothing
    from buildlock.runtime.installed import InstalledEnvironment  # noqa: PLC0415

    installed = InstalledEnvironment(folder) if folder is not None else None
    locks = RuntimeLocks(project.root)

    def match(variant: BuildInputs) -> RuntimeMatches:
        lock = installed or (locks.find(variant.variant) if list_matched(variant) else None)
        markers = [target.marker for target in targets[variant.variant.name][1]]
        return find_matches(variant, lock, markers)

    return {name: match(each) for name, each in inputs.items()}
