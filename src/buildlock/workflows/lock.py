"""`lock`: resolve the build environments of a project's variants and write them down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import NormalizedName

from buildlock.errors import MissingLockError, StaleLockError, UsageError
from buildlock.lockfile.changes import Change, compare_environments
from buildlock.lockfile.model import LockedEnvironment, Lockfile
from buildlock.lockfile.reader import parse_lockfile, read_content
from buildlock.lockfile.writer import drop_package, drop_variant, save, write_package, write_variant
from buildlock.project.contradictions import check_contradictions
from buildlock.project.model import Project
from buildlock.runtime.discovery import read_runtime_lock
from buildlock.workflows.choosing import OutsideSource
from buildlock.workflows.lock_options import LockOptions
from buildlock.workflows.locking_task import LockingTask, Targets, choose_targets, match_runtime, open_task
from buildlock.workflows.outside_locking import choose_packages, list_dropped, lock_package
from buildlock.workflows.runtime_builds import list_unbuilt
from buildlock.workflows.variant_locking import VariantLocker
from buildlock.workflows.workspace import Workspace, choose_variant


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


def lock(workspace: Workspace, options: LockOptions) -> LockResult:
    """Resolve and lock the chosen variants, or packages from elsewhere for them; all else keeps its bytes.

    All are resolved before the file is written, atomically; where one fails, nothing is written.

    Raises:
        ProjectError: The project's configuration is invalid or contradicts itself.
        IndexError_: An index is down, or serves what it should not.
        NoSolutionError: Nothing satisfies the requirements.
        BackendError: A backend failed when it was asked for its dynamic requirements.
        LockfileError: The lockfile as it is cannot be read.
        StaleLockError: `check` was asked for, and the lock would change.
    """
    project = workspace.read_project(options.overrides)
    # Packages alone: of the project itself nothing is locked.
    apart = bool(options.packages) or options.runtime_lock is not None
    whole = not apart and not options.drop_packages
    names = _choose_variants(project, options, workspace) if whole or apart or options.variants else ()
    targets = {name: choose_targets(project.inputs[name], options, workspace.environ) for name in names}
    wanted = _choose_outside(workspace, project, options, targets) if whole or apart else {}
    matches = match_runtime(project, options, targets)
    inputs = {name: matches[name].bind() for name in names}
    for each in inputs.values() if whole else ():
        check_contradictions(each)
    with workspace.alone():
        text, old = _read_old(workspace.lock_path)
        before = text
        sections: list[LockedSection] = []
        for name in names if wanted else ():
            with open_task(workspace, project, options, matches[name], targets[name]) as task:
                for package in ((None,) if whole else ()) + wanted[name]:
                    section, text = _lock_section(task, package, old, text)
                    sections.append(section)
        dropped = (
            tuple(name for name in old.variants if name not in project.variants)
            if options.all_variants and whole
            else ()
        )
        for name in dropped:
            text = drop_variant(text or "", name)
        dropped_packages = tuple(list_dropped(project, options, old, names))
        for package_name, variant in dropped_packages:
            text = drop_package(text or "", package_name, variant)
        result = LockResult(
            path=workspace.lock_path,
            sections=tuple(sections),
            dropped=dropped,
            dropped_packages=dropped_packages,
            written=text != before and not options.dry_run and not options.check,
        )
        if options.check and text != before:
            raise _describe_difference(result)
        if result.written:
            save(workspace.lock_path, text or "")
    return result


def _lock_section(
    task: LockingTask, wanted: OutsideSource | None, old: Lockfile, text: str | None
) -> tuple[LockedSection, str]:
    """Lock the project for a variant, or a package from elsewhere; with the text of the lock that has it."""
    variant = task.inputs.variant.name
    if wanted is None:
        package, known = None, old.variants.get(variant)
        environment = VariantLocker(task).lock(known)
        new = write_variant(text, variant, environment)
    else:
        package = wanted.name
        known = old.packages.get(package, {}).get(variant)
        environment = lock_package(task, wanted, known)
        new = write_package(text, package, variant, environment)
    section = LockedSection(
        variant=variant,
        package=package,
        environment=environment,
        changes=compare_environments(known, environment),
        touched=new != text,
    )
    return section, new


def _describe_difference(result: LockResult) -> StaleLockError:
    touched = [(each.package, each.variant) for each in result.sections if each.touched]
    gone = [*((None, name) for name in result.dropped), *result.dropped_packages]
    listed = ", ".join(
        f"`{name}`" if package is None else f"`{package}` for `{name}`" for package, name in touched + gone
    )
    return StaleLockError(
        f"`{result.path}` would change: {listed}",
        hint="run `buildlock lock` without `--check`, or with `--dry-run` to see the changes",
    )


def _choose_outside(
    workspace: Workspace, project: Project, options: LockOptions, targets: Mapping[str, Targets]
) -> Mapping[str, tuple[OutsideSource, ...]]:
    """The packages from elsewhere that are to be locked, by variant."""
    if options.runtime_lock is None:
        return {name: choose_packages(project, options, name) for name in targets}
    if options.packages:
        raise UsageError("`--package` and `--runtime-lock` exclude each other")
    lock = read_runtime_lock(options.runtime_lock)
    return {
        name: list_unbuilt(lock, project, project.inputs[name], chosen, workspace.report)
        for name, (_, chosen) in targets.items()
    }


def _choose_variants(project: Project, options: LockOptions, workspace: Workspace) -> tuple[str, ...]:
    if options.all_variants:
        if options.variants:
            raise UsageError("`--all` and `--variant` exclude each other")
        return tuple(project.variants)
    asked: Sequence[str | None] = options.variants or [None]
    return tuple(sorted({choose_variant(project, name, workspace.environ, workspace.report) for name in asked}))


def _read_old(path: Path) -> tuple[str | None, Lockfile]:
    """The text of the lockfile so far, `None` where there is none, and what it says."""
    try:
        content = read_content(path)
    except MissingLockError:
        return None, Lockfile(variants={})
    lockfile = parse_lockfile(content, str(path))
    return content.decode(), lockfile
