"""Packages that are not the project's: which are locked with a variant, and locking what they are built in."""

from collections.abc import Collection, Iterator

from packaging.requirements import Requirement
from packaging.utils import NormalizedName

from buildlock.errors import UsageError
from buildlock.lockfile.model import LockedEnvironment, Lockfile
from buildlock.lockfile.select import select_packages
from buildlock.project.model import BuildRequirement, Project
from buildlock.project.requirements import name_of
from buildlock.reporting import Began
from buildlock.values import replace
from buildlock.workflows.build_inputs import add_extra, record_outside
from buildlock.workflows.choosing import OutsideSource
from buildlock.workflows.lock_options import LockOptions
from buildlock.workflows.locking_task import LockingTask
from buildlock.workflows.orphans import list_orphaned


def choose_packages(project: Project, options: LockOptions, variant: str) -> tuple[OutsideSource, ...]:
    """The packages from elsewhere that are to be locked for a variant: those that are asked for, else the configured.

    Raises:
        UsageError: One that is asked for is configured otherwise.
    """
    if not options.packages:
        usual = (package for package in project.packages.values() if package.is_for(variant))
        return tuple(OutsideSource(requirement=package.requirement) for package in usual)
    chosen: dict[NormalizedName, BuildRequirement] = {}
    for wanted in options.packages:
        name = name_of(wanted)
        if name in chosen:
            raise UsageError(f"`--package` names `{name}` twice")
        configured = project.packages.get(name)
        if configured is None:
            chosen[name] = wanted
            continue
        if wanted.requirement != Requirement(name):
            raise UsageError(
                f"`--package {wanted.requirement}`: {configured.origin} says which version of `{name}` is locked",
                hint=f"change it there, or pass `--package {name}` to lock what it says",
            )
        if configured.is_for(variant):
            chosen[name] = configured.requirement
        elif not options.all_variants:
            names = ", ".join(f"`{each}`" for each in configured.variants or ())
            raise UsageError(f"{configured.origin} has `{name}` for {names} alone, not for `{variant}`")
    return tuple(OutsideSource(requirement=each) for each in chosen.values())


def list_dropped(
    project: Project, options: LockOptions, locked: Lockfile, variants: Collection[str]
) -> Iterator[tuple[NormalizedName, str]]:
    """The locked packages from elsewhere, each with its variant, that are to be there no longer.

    Args:
        project: What it configures is locked again, and so stays.
        options: Which to drop; with all variants also those of variants that there are no more.
        locked: The lock so far.
        variants: Where some are named, packages are dropped for these alone.

    Raises:
        UsageError: A package to drop is configured, or not locked.
    """
    for name in sorted(options.drop_packages):
        if name in project.packages:
            raise UsageError(
                f"`--drop-package {name}`: {project.packages[name].origin} says to lock it",
                hint="take it out of there first",
            )
        found = [(name, each) for each in locked.packages.get(name, ()) if not options.variants or each in variants]
        if not found:
            raise UsageError(f"`--drop-package {name}`: it is not locked" + (" for that" if options.variants else ""))
        yield from found
    if options.all_variants and not options.packages and not options.drop_packages:
        yield from list_orphaned(project, locked)


def lock_package(task: LockingTask, wanted: OutsideSource, before: LockedEnvironment | None) -> LockedEnvironment:
    """Lock what a package from elsewhere is built in, for one variant.

    Raises:
        NoSolutionError: It has no source that all targets can build, or nothing satisfies what its build requires.
        BuildlockError: An index, a source or a backend failed.
    """
    name, targets = wanted.name, wanted.targets or task.targets
    task.workspace.report(Began(f"Locking {name} for {task.inputs.variant.name}"))
    inputs = add_extra(task.inputs, task.project, name)
    locker = task.open_locker(task.conditions(inputs), before)
    environment = locker.lock_source(wanted, targets)
    # Selected one by one, and only if there is something to compare.
    selected = ((target, select_packages(environment, target)) for target in targets)
    task.matches.verify(selected, task.workspace.report, built=name)
    recorded = record_outside(
        task.name_targets(inputs), environment, root=task.project.root, matched=environment.inputs.match_runtime
    )
    return replace(environment, inputs=recorded)
