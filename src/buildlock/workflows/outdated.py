"""`outdated`: what is newer than what is locked, and what keeps it from being locked."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from packaging.pylock import Package
from packaging.requirements import Requirement
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.artifacts import Origin
from buildlock.errors import UncoveredTargetError
from buildlock.graph.model import Section
from buildlock.graph.standings import Comparison, Outdated, Standing, Unasked
from buildlock.lockfile.model import FILENAME, LockedEnvironment, Lockfile, format_marker
from buildlock.lockfile.reader import read_lockfile
from buildlock.lockfile.select import is_for
from buildlock.project.derivation import add_requirements
from buildlock.project.model import BuildInputs, BuildRequirement, Overrides
from buildlock.reporting import Began, Warned
from buildlock.resolver.outlook import Outlook
from buildlock.resolver.request import Resolution
from buildlock.resolver.view import View
from buildlock.runtime.installed import InstalledEnvironment
from buildlock.targets import Target
from buildlock.values import dataclass, field, replace
from buildlock.workflows.build_inputs import add_extra
from buildlock.workflows.choosing import OutsideSource, choose_source
from buildlock.workflows.drafts import Solution, solve_builds
from buildlock.workflows.graphs import Scope, list_sections
from buildlock.workflows.lock_options import LockOptions
from buildlock.workflows.locker import Locker, Seen
from buildlock.workflows.locking_task import LockingTask, choose_targets, match_runtime, open_task
from buildlock.workflows.workspace import Workspace, file_url


@dataclass(frozen=True, kw_only=True, slots=True)
class OutdatedOptions:
    """What `outdated` is asked for."""

    scope: Scope = field(default_factory=Scope)
    """Without a package of its own, those from elsewhere are looked at with the variants that they are locked for."""
    pythons: tuple[str, ...] = ()
    """As of `LockOptions`: where the project leaves the targets to the machine, those that were locked for."""
    platforms: tuple[str, ...] = ()
    dynamic: bool = True
    """Run the backends of sources where only that tells what they need. The project's own is not run."""
    overrides: Overrides = field(default_factory=Overrides)


def outdated(workspace: Workspace, options: OutdatedOptions | None = None) -> Outdated:
    """What is newer than what is locked: what the inputs allow, and what they do not, with what is against it.

    All is resolved as `lock` with `upgrade` would, and nothing is written. The lock's dynamic requirements are taken
    as they are.

    Raises:
        LockfileError: There is no such lock, it is invalid, or it is for other targets.
        NoSolutionError: Without the pins of the lock nothing satisfies the requirements.
        BuildlockError: As of `lock`.
    """
    options = options or OutdatedOptions()
    lockfile = read_lockfile(workspace.lock_path)
    return survey(workspace, _choose_sections(lockfile, options.scope), options)


def survey(
    workspace: Workspace, sections: Sequence[Section], options: OutdatedOptions, name: NormalizedName | None = None
) -> Outdated:
    """The same of some sections, of one package if it is named.

    Raises:
        As of `outdated`.
    """
    project = workspace.read_project(options.overrides)
    by_variant: dict[str, list[Section]] = {}
    for section in sections:
        if section.variant in project.variants:
            by_variant.setdefault(section.variant, []).append(section)
        else:
            what = f"`{section}` is locked, and the project has no such variant any more: it was not looked at"
            workspace.report(Warned(what))
    locking = LockOptions(pythons=options.pythons, platforms=options.platforms, dynamic=options.dynamic)
    targets = {each: choose_targets(project.inputs[each].targets, locking, workspace.environ) for each in by_variant}
    matches = match_runtime(project, locking, targets)
    standings: dict[Standing, dict[str, None]] = {}
    unasked: dict[Unasked, dict[str, None]] = {}
    seen = Seen()
    for variant, found in by_variant.items():
        with open_task(workspace, project, locking, matches[variant], targets[variant], seen=seen) as task:
            for section in found:
                for each in _examine(task, section, name):
                    if isinstance(each, Standing):
                        standings.setdefault(each, {})[str(section)] = None
                    else:
                        unasked.setdefault(each, {})[str(section)] = None
    looked_at = tuple(str(section) for found in by_variant.values() for section in found)
    return Outdated(
        sections=looked_at,
        standings={each: tuple(found) for each, found in standings.items()},
        unasked={each: tuple(found) for each, found in unasked.items()},
    )


def _choose_sections(lockfile: Lockfile, scope: Scope) -> tuple[Section, ...]:
    """Those that are asked for; of variants, with the packages from elsewhere that are locked for them."""
    if scope.package is not None or not lockfile.packages:
        return list_sections(lockfile, scope)
    own = list_sections(lockfile, scope) if lockfile.variants or scope.variants else ()
    variants = {section.variant for section in own} if scope.variants else None
    outside = (
        Section(variant=variant, environment=environment, outside=package)
        for package, held in lockfile.packages.items()
        for variant, environment in held.items()
        if variants is None or variant in variants
    )
    return (*own, *outside)


def _examine(task: LockingTask, section: Section, name: NormalizedName | None) -> Iterator[Standing | Unasked]:
    """What there is to say of a section, what its sources are built in included."""
    locked = section.environment
    task.workspace.report(Began(f"Looking for what is newer in {section}"))
    targets = _choose_covered(task, locked)
    if section.outside is None:
        locker = task.open_locker(task.conditions(task.inputs), locked)
        solution = locker.solve(_add_dynamic(task, locked), task.targets, [{} for _ in task.targets])
    else:
        inputs = add_extra(task.inputs, task.project, section.outside)
        locker = task.open_locker(task.conditions(inputs), locked)
        source = _find_source(locker, task, locked, targets)
        yield from source.list_standings(name)
        solution = locker.solve_build(source.resolutions[0].packages[0].artifact, targets)
    builds = solve_builds(solution, lambda _, artifact, needing: locker.solve_build(artifact, needing))
    yield from _compare(locked, solution, None).list_standings(name)
    for key, environment in locked.builds.items():
        if (found := _find_build(key, builds)) is not None:
            yield from _compare(environment, found, key).list_standings(name)


def _compare(environment: LockedEnvironment, solution: Solution, build: str | None) -> Comparison:
    return Comparison(
        packages=environment.packages,
        environments=environment.environments,
        targets=solution.targets,
        resolutions=solution.resolutions,
        outlook=Outlook(solution.requests, solution.resolutions),
        build=build,
    )


def _find_source(locker: Locker, task: LockingTask, locked: LockedEnvironment, targets: Sequence[Target]) -> Comparison:
    """The source of a package from elsewhere: that which is locked, and that which would be."""
    assert locked.source is not None
    wanted = _find_wanted(task, locked.source)
    requests = locker.request_source(OutsideSource(requirement=wanted), targets)
    chosen = choose_source(wanted, [View(request, universe, task.workspace.report) for request, universe in requests])
    resolutions = [Resolution(packages=(chosen,))] * len(targets)
    return Comparison(
        packages=(locked.source,),
        environments=locked.environments,
        targets=targets,
        resolutions=resolutions,
        outlook=Outlook(requests, resolutions, alone=True),
    )


def _find_wanted(task: LockingTask, source: Package) -> BuildRequirement:
    """Which version of a package from elsewhere is asked for: the project says so, else the lock."""
    if (configured := task.project.packages.get(source.name)) is not None:
        return configured.requirement
    origin = _find_origin(source, task.workspace.lock_path.parent)
    text = f"{source.name}=={source.version}" if origin is None else f"{source.name} @ {origin}"
    return BuildRequirement(requirement=Requirement(text), origin=FILENAME)


def _find_origin(source: Package, folder: Path) -> Origin | None:
    """Where a package comes from without an index; paths are relative to the lock's folder."""
    if (vcs := source.vcs) is not None:
        url = vcs.url or file_url(folder, vcs.path or "")
        return Origin(kind="vcs", url=url, revision=vcs.requested_revision, subdirectory=vcs.subdirectory)
    if (archive := source.archive) is not None:
        url = archive.url or file_url(folder, archive.path or "")
        return Origin(kind="archive", url=url, hashes=archive.hashes, subdirectory=archive.subdirectory)
    return None


def _add_dynamic(task: LockingTask, locked: LockedEnvironment) -> BuildInputs:
    """What the variant is resolved from, with what the backend asked for, and what was matched, when it was locked."""
    dynamic = task.project.dynamic
    if dynamic is None:
        backend = locked.inputs.backend
        dynamic = {
            product: tuple(
                BuildRequirement(
                    requirement=Requirement(text), origin=f"`get_requires_for_build_{product}` of `{backend}`"
                )
                for text in texts
            )
            for product, texts in locked.inputs.dynamic.items()
        }
    asked = tuple(dict.fromkeys(each for requirements in dynamic.values() for each in requirements))
    inputs = add_requirements(task.inputs, asked) if asked else task.inputs
    # That environment may be gone.
    label = InstalledEnvironment.label
    matched = (
        BuildRequirement(requirement=Requirement(text), origin=label)
        for text in locked.inputs.match_runtime.get(label, ())
    )
    return replace(inputs, constraints=(*inputs.constraints, *matched))


def _choose_covered(task: LockingTask, locked: LockedEnvironment) -> tuple[Target, ...]:
    """The targets that a section is locked for.

    Raises:
        UncoveredTargetError: It is locked for others.
    """
    covered = tuple(target for target in task.targets if any(is_for(marker, target) for marker in locked.environments))
    if not covered:
        names = " and ".join(map(str, task.targets))
        listed = "".join(f"\n  {format_marker(marker)}" for marker in locked.environments)
        raise UncoveredTargetError(
            f"the lock does not cover {names}; it covers{listed}",
            hint="name the targets with `--python` and `--platform`, as when it was locked",
        )
    return covered


def _find_build(key: str, builds: Mapping[str, Solution]) -> Solution | None:
    """What a source is built in now, whichever version of it that is; `None` where it is not built any more."""
    if key in builds:
        return builds[key]
    name = key.partition("==")[0]
    versions = {
        Version(version): each for each in builds for other, _, version in [each.partition("==")] if other == name
    }
    return builds[versions[max(versions)]] if versions else None
