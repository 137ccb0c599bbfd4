"""`check` and `variants`: whether the lock still answers the project, without a network or an interpreter."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.answers.looking import get_time
from buildlock.diff.model import Finding, only_variants
from buildlock.diff.policy import inspect_lock
from buildlock.errors import MissingLockError
from buildlock.lockfile.model import Lockfile
from buildlock.lockfile.reader import read_lockfile
from buildlock.project.model import Project, SourceRule
from buildlock.reporting import phase
from buildlock.runtime.discovery import RuntimeLocks
from buildlock.values import dataclass
from buildlock.workflows.backend_file import FileState, judge_backend
from buildlock.workflows.orphans import list_orphaned
from buildlock.workflows.staleness import stale_inputs
from buildlock.workflows.uv_block import UvBlockStatus, judge_uv_block
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
class PackageStatus:
    """A package from elsewhere, and what the lock says of it for one variant."""

    name: NormalizedName
    variant: str
    state: State
    """`unlocked` is what the project configures, for a variant that is locked."""
    moved: tuple[str, ...]
    """Why it is stale: the inputs that moved, a sentence each."""
    version: Version | None
    packages: int | None
    """How many the lock holds to build it with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LockStatus:
    """Every variant of the project, and what is locked for it."""

    path: Path
    variants: tuple[VariantStatus, ...]
    packages: tuple[PackageStatus, ...]
    orphans: tuple[str, ...]
    """Variants that the lock holds and the project no longer has."""
    orphaned_packages: tuple[tuple[NormalizedName, str], ...]
    """The same of packages from elsewhere, or of the variants that they are configured for."""
    backend: FileState | None = None
    """How the file of buildlock's backend is, in a project whose `[build-system]` names it."""
    uv_block: UvBlockStatus | None = None
    """The constraints that `export --format uv --write` put into pyproject.toml."""
    findings: tuple[Finding, ...] = ()
    """What the project's policy has a word for in the lock as it is."""

    @property
    def refused(self) -> bool:
        """Whether the policy denies anything."""
        return any(finding.refused for finding in self.findings)

    @property
    def fresh(self) -> bool:
        """Whether the lock is, and what buildlock wrote into the project beside it."""
        in_step = self.uv_block is None or self.uv_block.fault is None
        return self.lock_fresh and self.backend in {None, "current"} and in_step

    @property
    def lock_fresh(self) -> bool:
        """Whether all that is locked still answers the project, and anything is."""
        locked = [
            *(each.state for each in self.variants if each.state != "unlocked"),
            *(p.state for p in self.packages),
        ]
        orphaned = self.orphans or self.orphaned_packages
        return bool(locked) and not orphaned and all(state == "fresh" for state in locked)


def check(workspace: Workspace, variants: tuple[str, ...] = ()) -> LockStatus:
    """Compare the project with its lock, and the lock with the project's policy.

    Args:
        workspace: The project.
        variants: Look at these alone; all by default.

    Raises:
        ProjectError: The project's configuration is invalid.
        InvalidLockError: The lock cannot be read.
        RuntimeLockError: The runtime lock of a variant cannot be compared with it.
        UnknownVariantError: One of `variants` is not the project's.
    """
    project = workspace.read_project(asks_pip=False)
    with phase(workspace.report, "reading the project"):
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
    orphaned = () if variants else tuple(list_orphaned(project, lockfile))
    block = judge_uv_block(project.root / "pyproject.toml", lockfile)
    if block is not None and block.variant is not None and block.variant not in chosen:
        block = None
    findings = inspect_lock(lockfile, project.policy, get_time().date())
    return LockStatus(
        path=workspace.lock_path,
        variants=tuple(statuses),
        packages=tuple(
            each
            for each in _list_packages(project, lockfile, runtime)
            if each.variant in chosen and (each.name, each.variant) not in orphaned
        ),
        orphans=orphans,
        orphaned_packages=orphaned,
        backend=judge_backend(project.root) if project.build_system.locked else None,
        uv_block=block,
        findings=tuple(only_variants(findings, chosen)) if variants else findings,
    )


def _list_packages(project: Project, lockfile: Lockfile, runtime: RuntimeLocks) -> Iterator[PackageStatus]:
    for name in sorted({*lockfile.packages, *project.packages}):
        configured = project.packages.get(name)
        for variant in project.variants:
            environment = lockfile.packages.get(name, {}).get(variant)
            if environment is not None:
                moved = stale_inputs(project, variant, environment, runtime)
                yield PackageStatus(
                    name=name,
                    variant=variant,
                    state="stale" if moved else "fresh",
                    moved=moved,
                    version=environment.source.version if environment.source else None,
                    packages=len(environment.packages),
                )
            elif configured is not None and configured.is_for(variant) and variant in lockfile.variants:
                yield PackageStatus(name=name, variant=variant, state="unlocked", moved=(), version=None, packages=None)
