"""`check` and `variants`: whether the lock still answers the project, without a network or an interpreter."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from buildlock.errors import MissingLockError
from buildlock.lockfile.model import Lockfile
from buildlock.lockfile.reader import read_lockfile
from buildlock.project.model import SourceRule
from buildlock.runtime.discovery import RuntimeLocks
from buildlock.workflows.backend_file import FileState, judge_backend
from buildlock.workflows.locks import stale_inputs
from buildlock.workflows.workspace import Workspace, choose_variant

State: TypeAlias = Literal["fresh", "stale", "unlocked"]


@dataclass(frozen=True, kw_only=True, slots=True)
class VariantStatus:
    """One variant of the project, and what the lock says of it."""

    name: str
    default: bool
    state: State
    moved: tuple[str, ...]
    """Why it is stale: the inputs that moved, a sentence each."""
    sources: tuple[tuple[str, SourceRule], ...]
    """Package name and the rule that says where it comes from."""
    packages: int | None
    """How many the lock holds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LockStatus:
    """Every variant of the project."""

    path: Path
    variants: tuple[VariantStatus, ...]
    orphans: tuple[str, ...]
    """Variants that the lock holds and the project no longer has."""
    backend: FileState | None = None
    """How the file of buildlock's backend is, in a project whose `[build-system]` names it."""

    @property
    def fresh(self) -> bool:
        """Whether the lock is, and buildlock's backend, if the project has it."""
        return self.lock_fresh and self.backend in {None, "current"}

    @property
    def lock_fresh(self) -> bool:
        """Whether every variant that is locked still answers the project, and at least one is locked."""
        locked = [variant for variant in self.variants if variant.state != "unlocked"]
        return bool(locked) and not self.orphans and all(variant.state == "fresh" for variant in locked)


def check(workspace: Workspace, variants: tuple[str, ...] = ()) -> LockStatus:
    """Compare the project with its lock.

    Args:
        workspace: The project.
        variants: Look at these alone; all by default.

    Raises:
        ProjectError: The project's configuration is invalid.
        InvalidLockError: The lock cannot be read.
        RuntimeLockError: The runtime lock of a variant cannot be compared with it.
        UnknownVariantError: One of `variants` is not the project's.
    """
    project = workspace.read_project()
    try:
        lockfile = read_lockfile(workspace.lock_path)
    except MissingLockError:
        lockfile = Lockfile(variants={})
    chosen = {choose_variant(project, name, workspace.environ) for name in variants} or set(project.variants)
    runtime = RuntimeLocks(project.root)
    statuses = []
    for name in project.variants:
        if name not in chosen:
            continue
        environment = lockfile.variants.get(name)
        moved = stale_inputs(project, name, environment, runtime) if environment else ()
        statuses.append(
            VariantStatus(
                name=name,
                default=name == project.default_variant,
                state="unlocked" if environment is None else "stale" if moved else "fresh",
                moved=moved,
                sources=tuple(
                    (package, rule) for package, rules in project.inputs[name].sources.items() for rule in rules
                ),
                packages=len(environment.packages) if environment else None,
            )
        )
    orphans = () if variants else tuple(name for name in lockfile.variants if name not in project.variants)
    backend = judge_backend(project.root) if project.build_system.locked else None
    return LockStatus(path=workspace.lock_path, variants=tuple(statuses), orphans=orphans, backend=backend)
