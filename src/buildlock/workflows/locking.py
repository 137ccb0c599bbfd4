"""Resolving the build environments of a project's variants and writing them down."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.utils import NormalizedName

from buildlock.errors import StaleLockError
from buildlock.lockfile.changes import Change, compare_environments
from buildlock.lockfile.model import LockedEnvironment
from buildlock.lockfile.sections import SectionKey
from buildlock.lockfile.writer import drop_package, drop_variant, write_sections
from buildlock.project.model import Project
from buildlock.reporting import phase
from buildlock.values import dataclass
from buildlock.workflows.choosing import OutsideSource
from buildlock.workflows.lock_options import LockOptions
from buildlock.workflows.lock_so_far import LockSoFar, read_lock_so_far
from buildlock.workflows.locker import Seen
from buildlock.workflows.locking_jobs import choose_variants, is_apart, list_jobs
from buildlock.workflows.locking_task import LockingTask, open_task
from buildlock.workflows.orphans import list_orphaned
from buildlock.workflows.outside_locking import list_dropped, lock_package
from buildlock.workflows.saving import clear_unfinished, save
from buildlock.workflows.variant_locking import VariantLocker
from buildlock.workflows.workspace import Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedSection:
    """What locking one section came to."""

    variant: str
    package: NormalizedName | None
    """None of the project itself."""
    environment: LockedEnvironment
    changes: tuple[Change, ...]
    """Against the lock so far, by package."""
    touched: bool
    """Whether the section of the lockfile differs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LockResult:
    """What `lock` did, or would do."""

    path: Path
    sections: tuple[LockedSection, ...]
    dropped: tuple[str, ...]
    """Variants that the project no longer has; locking all of them leaves these out."""
    dropped_packages: tuple[tuple[NormalizedName, str], ...]
    """Packages from elsewhere that are left out, each with its variant."""
    written: bool

    @property
    def unchanged(self) -> bool:
        """Whether the lock is as it was, and would be so if anything may be written."""
        touched = any(section.touched for section in self.sections)
        return not (self.written or self.dropped or self.dropped_packages or touched)


def lock_project(workspace: Workspace, project: Project, options: LockOptions, seen: Seen) -> LockResult:
    """Lock the chosen variants of a project that was read, as `lock` says it."""
    with workspace.alone():
        with phase(workspace.report, "reading the project"):
            before = read_lock_so_far(workspace)
        names = choose_variants(workspace, project, options, marked=before.marked)
        sections: dict[SectionKey, LockedSection] = {}
        for job in list_jobs(workspace, project, options, names, before.conflicts):
            with open_task(workspace, project, options, job.matches, job.targets, seen=seen) as task:
                for package in job.packages:
                    key, section = _lock_section(task, package, before)
                    sections[key] = section
        text = before.text
        if touched := {key: section.environment for key, section in sections.items() if section.touched}:
            text = write_sections(text, touched)
        dropped = tuple(_list_dropped_variants(project, options, before))
        for name in dropped:
            text = drop_variant(text or "", name)
        dropped_packages = tuple(_list_dropped_packages(project, options, before, names))
        for package_name, variant in dropped_packages:
            text = drop_package(text or "", package_name, variant)
        differs = before.marked or text != before.text
        result = LockResult(
            path=workspace.lock_path,
            sections=tuple(sections.values()),
            dropped=dropped,
            dropped_packages=dropped_packages,
            written=differs and not options.dry_run and not options.check,
        )
        if options.check and differs:
            raise _describe_difference(result)
        if not options.dry_run and not options.check:
            clear_unfinished(workspace.lock_path)
        if result.written:
            with phase(workspace.report, "writing"):
                save(workspace.lock_path, text or "")
    return result


def lock_variant(
    workspace: Workspace, project: Project, name: str, pins: LockedEnvironment | None
) -> LockedEnvironment:
    """Lock the project for one variant with these pins as preferences, and run no backend.

    Raises:
        BuildlockError: As of `lock`.
    """
    options = LockOptions(variants=(name,), dynamic=False)
    (job,) = list_jobs(workspace, project, options, (name,), {})
    with open_task(workspace, project, options, job.matches, job.targets, seen=Seen()) as task:
        return VariantLocker(task).lock(pins)


def _lock_section(
    task: LockingTask, wanted: OutsideSource | None, before: LockSoFar
) -> tuple[SectionKey, LockedSection]:
    """Lock the project for a variant, or a package from elsewhere."""
    variant = task.inputs.variant.name
    if wanted is None:
        package, known = None, before.lockfile.variants.get(variant)
        key: SectionKey = ("variants", variant)
        environment = VariantLocker(task).lock(before.pins(key, known))
    else:
        package = wanted.name
        known = before.lockfile.packages.get(package, {}).get(variant)
        key = ("packages", package, variant)
        environment = lock_package(task, wanted, before.pins(key, known))
    return key, LockedSection(
        variant=variant,
        package=package,
        environment=environment,
        changes=compare_environments(known, environment),
        touched=environment != known,
    )


def _describe_difference(result: LockResult) -> StaleLockError:
    touched = [(each.package, each.variant) for each in result.sections if each.touched]
    gone = [*((None, name) for name in result.dropped), *result.dropped_packages]
    listed = ", ".join(
        f"`{name}`" if package is None else f"`{package}` for `{name}`" for package, name in touched + gone
    )
    return StaleLockError(
        f"`{result.path}` would change: {listed or 'a merge left conflict markers in it'}",
        hint="run `buildlock lock` without `--check`, or with `--dry-run` to see the changes",
    )


def _list_dropped_variants(project: Project, options: LockOptions, before: LockSoFar) -> Iterator[str]:
    everything = options.all_variants and not is_apart(options) and not options.drop_packages
    for name in before.lockfile.variants:
        if name not in project.variants and (everything or ("variants", name) in before.conflicts):
            yield name


def _list_dropped_packages(
    project: Project, options: LockOptions, before: LockSoFar, names: Sequence[str]
) -> Iterator[tuple[NormalizedName, str]]:
    usual = list(list_dropped(project, options, before.lockfile, names))
    yield from usual
    for orphan in list_orphaned(project, before.lockfile):
        if ("packages", *orphan) in before.conflicts and orphan not in usual:
            yield orphan
