"""What is to be locked: which variants, for which targets, and which packages from elsewhere."""

from collections.abc import Iterator, Mapping, Sequence

from packaging.requirements import Requirement
from packaging.utils import NormalizedName

from buildlock.errors import LockfileError, UsageError
from buildlock.lockfile.model import FILENAME, LockedEnvironment
from buildlock.lockfile.sections import SectionKey
from buildlock.project.contradictions import check_contradictions
from buildlock.project.model import BuildRequirement, Project
from buildlock.values import dataclass
from buildlock.workflows.choosing import OutsideSource
from buildlock.workflows.lock_options import LockOptions
from buildlock.workflows.locking_task import Targets, choose_targets, match_runtime
from buildlock.workflows.outside_locking import choose_packages
from buildlock.workflows.runtime import RuntimeMatches
from buildlock.workflows.workspace import Workspace, choose_variant


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What is to be locked for one variant."""

    matches: RuntimeMatches
    targets: Targets
    packages: tuple[OutsideSource | None, ...]
    """Packages from elsewhere; `None` is the project itself."""


def choose_variants(workspace: Workspace, project: Project, options: LockOptions, *, marked: bool) -> tuple[str, ...]:
    """The variants that are asked for.

    Args:
        workspace: Where the project is.
        project: Whose they are.
        options: What is asked for.
        marked: Whether the lock has conflict markers.

    Raises:
        UsageError: They cannot be told.
    """
    if options.all_variants:
        if options.variants:
            raise UsageError("`--all` and `--variant` exclude each other")
        return tuple(project.variants)
    # A lock with conflict markers says itself what is to be locked, and dropping a package locks nothing.
    if not options.variants and not is_apart(options) and (options.drop_packages or marked):
        return ()
    asked: Sequence[str | None] = options.variants or [None]
    return tuple(sorted({choose_variant(project, name, workspace.environ, workspace.report) for name in asked}))


def list_jobs(
    workspace: Workspace,
    project: Project,
    options: LockOptions,
    names: Sequence[str],
    conflicts: Mapping[SectionKey, LockedEnvironment],
) -> tuple[Job, ...]:
    """What is to be locked for each variant: what is asked for, and what both sides of a merge have changed.

    Args:
        workspace: Where the project is.
        project: What it configures.
        options: What is asked for.
        names: The variants, as `choose_variants` gives them.
        conflicts: What both sides of a merge have changed, with the pins of both.

    Raises:
        UsageError: What is asked for contradicts itself, or the project.
        ProjectError: The variant's inputs contradict each other, or what it runs with cannot be matched.
        LockfileError: What both sides have changed cannot be asked for again.
    """
    apart = is_apart(options)
    whole = not apart and not options.drop_packages
    disputed = {key: pins for key, pins in conflicts.items() if key[-1] in project.variants}
    asked = names if whole or apart else ()
    every = sorted({*asked, *(key[-1] for key in disputed)})
    # The same values for all variants that declare the same: what is found out of a target is kept with it.
    declared = dict.fromkeys(project.inputs[name].targets for name in every)
    chosen_for = {each: choose_targets(each, options, workspace.environ) for each in declared}
    targets = {name: chosen_for[project.inputs[name].targets] for name in every}
    wanted = _choose_outside(workspace, project, options, {name: targets[name] for name in asked})
    matches = match_runtime(project, options, targets)
    jobs = []
    for name in every:
        itself = (whole and name in asked) or ("variants", name) in disputed
        if itself:
            check_contradictions(matches[name].bind())
        packages = {package.name: package for package in wanted.get(name, ())}
        for key, pins in disputed.items():
            if key[0] == "packages" and key[-1] == name and key[1] not in packages:
                packages.update((each.name, each) for each in _ask_again(project, key, pins))
        chosen = (*((None,) if itself else ()), *packages.values())
        jobs.append(Job(matches=matches[name], targets=targets[name], packages=chosen))
    return tuple(jobs)


def _ask_again(project: Project, key: SectionKey, pins: LockedEnvironment) -> Iterator[OutsideSource]:
    """A package from elsewhere that both sides of a merge have locked; none where it is to be locked no longer."""
    name, variant = NormalizedName(key[1]), key[2]
    configured, source = project.packages.get(name), pins.source
    if configured is not None:
        if configured.is_for(variant):
            yield OutsideSource(requirement=configured.requirement)
        return
    if source is None or source.sdist is None:
        raise LockfileError(
            f"both sides of the merge have locked `{name}` for `{variant}`, which comes from no index",
            hint=f'say again which it is: `buildlock lock --package "{name} @ URL" --variant {variant}`',
        )
    requirement = Requirement(f"{name}=={source.version}")
    yield OutsideSource(requirement=BuildRequirement(requirement=requirement, origin=f"`{FILENAME}`"))


def is_apart(options: LockOptions) -> bool:
    """Whether packages alone are locked, and nothing of the project itself."""
    return bool(options.packages) or options.runtime_lock is not None


def _choose_outside(
    workspace: Workspace, project: Project, options: LockOptions, targets: Mapping[str, Targets]
) -> Mapping[str, tuple[OutsideSource, ...]]:
    """The packages from elsewhere that are asked for, by variant."""
    if options.runtime_lock is None:
        return {name: choose_packages(project, options, name) for name in targets}
    if options.packages:
        raise UsageError("`--package` and `--runtime-lock` exclude each other")
    from buildlock.runtime.discovery import read_runtime_lock  # noqa: PLC0415 - few ask for it
    from buildlock.workflows.runtime_builds import list_unbuilt  # noqa: PLC0415

    lock = read_runtime_lock(options.runtime_lock)
    return {
        name: list_unbuilt(lock, project, project.inputs[name], chosen, workspace.report)
        for name, (_, chosen) in targets.items()
    }
