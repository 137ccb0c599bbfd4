"""Locking the environments of one variant: that of what is built, and those of all that has to be built for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from packaging.pylock import Package
from packaging.requirements import Requirement
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.answers.looking import explained, look_at_environment
from buildlock.artifacts import Artifact, CoreMetadata
from buildlock.errors import BackendError, InvalidProjectError
from buildlock.index.catalogue import Catalogue
from buildlock.index.http import HttpClient
from buildlock.index.pages import Pages
from buildlock.lockfile.freshness import format_requirement, is_of_project
from buildlock.lockfile.markers import MarkerWriter
from buildlock.lockfile.model import LockedEnvironment, LockedInputs, build_key
from buildlock.lockfile.select import Locked, find_versions, select
from buildlock.metadata.reader import KnownMetadata, MetadataReader
from buildlock.project.contradictions import check_contradictions, check_overrides
from buildlock.project.derivation import add_requirements
from buildlock.project.model import BuildInputs, BuildRequirement
from buildlock.project.requirements import direct_rule, name_of
from buildlock.reporting import Noted, Warned, phase
from buildlock.resolver.request import Resolution, ResolutionRequest, Universe
from buildlock.resolver.resolve import resolve_all
from buildlock.resolver.view import View
from buildlock.targets import Target
from buildlock.values import dataclass, field, replace
from buildlock.workflows.build_inputs import bind_package, inputs_of_build, list_added
from buildlock.workflows.choosing import OutsideSource, build_package, choose_source
from buildlock.workflows.client import open_client
from buildlock.workflows.conditions import Conditions
from buildlock.workflows.drafts import Draft, Solution, solve_builds
from buildlock.workflows.pinning import Pinner
from buildlock.workflows.runtime import RuntimeMatches
from buildlock.workflows.sources import BackendAnswer, SourceFacts, Sources, Subject, repository_key
from buildlock.workflows.universe import IndexUniverse, list_likely
from buildlock.workflows.workspace import Workspace, file_url

if TYPE_CHECKING:
    from buildlock.environment.store import Store
    from buildlock.frontend.backend import Backend
    from buildlock.workflows.places import Place
    from buildlock.workflows.preparation import Preparer
    from buildlock.workflows.source_trees import SourceTree, SourceTrees

Dynamic: TypeAlias = Mapping[str, tuple[BuildRequirement, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """The ways to the indexes and the store, open for one run."""

    open_store: Callable[[], Store]
    """The same each time; what has only wheels that were seen before needs none."""
    client: HttpClient
    catalogue: Catalogue
    reader: MetadataReader


@dataclass(frozen=True, kw_only=True, slots=True)
class _Build:
    """What a source is built in is resolved from."""

    subject: Subject
    facts: SourceFacts
    inputs: BuildInputs
    asked: tuple[Requirement, ...]
    """By its backend, beyond what `inputs` requires."""

    @property
    def everything(self) -> BuildInputs:
        """The inputs, with what the backend asked for."""
        origin = f"`get_requires_for_build_wheel` of `{self.subject}`"
        return add_requirements(self.inputs, [BuildRequirement(requirement=each, origin=origin) for each in self.asked])


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What was seen in one run for variants before, for those that ask the same."""

    pages: Pages = field(default_factory=Pages)
    metadata: KnownMetadata = field(default_factory=dict)
    clients: Mapping[str, HttpClient] = field(default_factory=dict)
    """Those that have connections already, by the variant that they are for; who opened them closes them too."""


@contextmanager
def open_access(workspace: Workspace, inputs: BuildInputs, seen: Seen) -> Iterator[Access]:
    """Open them for a variant; what is under way when the caller is done is given up."""
    open_store = cache(workspace.open_store)
    with ExitStack() as last, ExitStack() as stack:

        def open_scratch() -> Path:
            return last.enter_context(open_store().scratch())

        known = seen.clients.get(inputs.variant.name)
        client = known or stack.enter_context(open_client(workspace, inputs))
        catalogue = Catalogue(inputs, client, workspace.report, seen.pages)
        stack.callback(catalogue.close)
        reader = MetadataReader(client, workspace.report, cache(open_scratch), seen.metadata)
        stack.callback(reader.close)
        # First of all, so that the reader need not wait for what was anticipated and is needed no more.
        stack.callback(client.close)
        yield Access(open_store=open_store, client=client, catalogue=catalogue, reader=reader)
        catalogue.warn_of_shared_names()


class Locker:
    """Locks environments of one variant.

    Args:
        workspace: Where the lock is, and who is told.
        conditions: The variant, and the interpreter that sources are built for when only that tells what they need.
        matches: What the runtime says of the packages that are to be matched.
        access: The indexes and the store.
        locked: The lock so far; `None` where there is none.
        ask: Whether the backends of sources may be run.
        forget: The packages whose pins are not kept; `None` for all of them.
    """

    def __init__(
        self,
        workspace: Workspace,
        conditions: Conditions,
        matches: RuntimeMatches,
        access: Access,
        *,
        locked: LockedEnvironment | None,
        ask: bool,
        forget: frozenset[NormalizedName] | None,
    ) -> None:
        self._workspace = workspace
        self._conditions = conditions
        self._inputs = conditions.inputs
        self._matches = matches
        self._access = access
        self._locked = locked
        self._forget = forget
        self._warned: set[str] = set()
        # A draft and what comes after it are built from the same sources, mostly.
        self._builds: dict[tuple[str, str, tuple[Target, ...]], tuple[LockedEnvironment, Draft]] = {}
        self._sources = Sources(
            workspace,
            self._inputs,
            self._open_tree,
            self._ask_backend if ask else None,
            dict(_list_commits(self.keep(_all_packages(locked)), workspace.lock_path.parent)),
        )
        self._pinner = Pinner(
            indexes=frozenset(index.location for index in self._inputs.indexes if index.format == "simple"),
            lock_dir=workspace.lock_path.parent,
            sources=self._sources,
            open_store=access.open_store,
            client=access.client,
            report=workspace.report,
        )

    @cached_property
    def preparer(self) -> Preparer:
        """Brings what is locked into the store."""
        from buildlock.workflows.preparation import Preparer  # noqa: PLC0415 - only backends need what is locked here

        return Preparer(self._workspace, self._conditions, self._access.open_store(), self._access.client)

    def _open_tree(self, place: Place) -> AbstractContextManager[SourceTree]:
        return self._trees.open(place)

    @cached_property
    def _trees(self) -> SourceTrees:
        from buildlock.workflows.source_trees import SourceTrees  # noqa: PLC0415 - where all have wheels, none is opened

        return SourceTrees(
            self._workspace,
            self._access.open_store(),
            self._access.client,
            offline=self._inputs.offline,
            insecure_hosts=self._inputs.settings.network.insecure_hosts,
        )

    def keep(self, packages: Iterable[Package]) -> Sequence[Package]:
        """The packages whose pins are not to be forgotten."""
        if self._forget is None:
            return ()
        return [package for package in packages if package.name not in self._forget]

    def solve(
        self,
        inputs: BuildInputs,
        targets: Sequence[Target],
        preferences: Sequence[Mapping[NormalizedName, Version]],
        locked: Sequence[Package] = (),
    ) -> Solution:
        """Resolve an environment.

        Args:
            inputs: The variant's, with what this environment requires.
            targets: What it is for.
            preferences: Versions to keep where they fit, for each target.
            locked: Pins so far; most will be needed again.

        Raises:
            As of `resolve_all`.
        """
        check_contradictions(inputs)
        requests = tuple(
            (
                ResolutionRequest(
                    requirements=inputs.requires,
                    constraints=inputs.constraints,
                    overrides=inputs.overrides,
                    target=target,
                    settings=inputs.settings,
                    preferences=preferred,
                    likely=list_likely(locked, inputs, target.environment) & preferred.keys(),
                ),
                self._enter_universe(target, inputs),
            )
            for target, preferred in zip(targets, preferences, strict=True)
        )
        with phase(self._workspace.report, "resolution"):
            resolutions = resolve_all(requests, self._workspace.report)
        recorded = {name_of(override) for override in inputs.overrides if is_of_project(override.origin)}
        unrecorded = [override for override in inputs.overrides if name_of(override) not in recorded]
        for resolution in resolutions:
            versions = {package.name: package.version for package in resolution.packages}
            check_overrides(inputs.requires, unrecorded, versions)
        return Solution(requests=requests, resolutions=resolutions)

    def draft(
        self,
        inputs: BuildInputs,
        targets: Sequence[Target],
        locked: Sequence[Package],
        preferences: Sequence[Mapping[NormalizedName, Version]],
    ) -> Draft:
        """Resolve an environment, and pin its files.

        Args:
            inputs: The variant's, with what this environment requires.
            targets: What it is for.
            locked: Pins so far, whose hashes are known.
            preferences: Versions to keep where they fit, for each target.

        Raises:
            As of `resolve_all` and `Pinner.pin`.
        """
        solution = self.solve(inputs, targets, preferences, locked)
        packages = self._pinner.pin(solution.resolutions, targets, locked)
        return Draft(requests=solution.requests, resolutions=solution.resolutions, packages=packages)

    def redraft(
        self,
        draft: Draft,
        inputs: BuildInputs,
        locked: Sequence[Package],
        preferences: Sequence[Mapping[NormalizedName, Version]],
    ) -> Draft:
        """Resolve an environment that requires more; it keeps the versions of its first draft where that allows it."""
        kept = [
            {**preferred, **{package.name: package.version for package in resolution.packages}}
            for preferred, resolution in zip(preferences, draft.resolutions, strict=True)
        ]
        return self.draft(inputs, draft.targets, (*locked, *draft.packages), kept)

    def lock_builds(self, draft: Draft) -> Mapping[str, LockedEnvironment]:
        """The environments that the packages of a draft are built in, to any depth, by `build_key`.

        Raises:
            BuildCycleError: A package is needed to build itself.
            BuildlockError: One of them cannot be resolved, fetched or asked.
        """
        builds: dict[str, LockedEnvironment] = {}

        def lock(key: str, artifact: Artifact, targets: tuple[Target, ...]) -> Draft:
            known = key, artifact.url, targets
            if known not in self._builds:
                self._builds[known] = self._lock_build(artifact, targets, self._pins_of(key))
            builds[key], draft = self._builds[known]
            return draft

        return {key: builds[key] for key in solve_builds(draft, lock)}

    def lock_source(self, asked: OutsideSource, targets: Sequence[Target]) -> LockedEnvironment:
        """The environment that a package from elsewhere is built in for itself; of `inputs` it has what is its own.

        Raises:
            RuntimeLockError: The index offers another file than the runtime lock has.
            NoSolutionError: It has no source that all targets can build.
            BuildlockError: As of `lock_builds`.
        """
        known = self.keep([self._locked.source] if self._locked and self._locked.source else ())
        report = self._workspace.report
        views = [View(request, universe, report) for request, universe in self.request_source(asked, targets, known)]
        chosen = asked.verify(choose_source(asked.requirement, views))
        (source,) = self._pinner.pin([Resolution(packages=(chosen,))], targets[:1], known)
        locked = self.keep(self._locked.packages if self._locked else ())
        environment, draft = self._lock_build(chosen.artifact, targets, locked)
        return replace(environment, builds=self.lock_builds(draft), source=source)

    def request_source(
        self, asked: OutsideSource, targets: Sequence[Target], known: Sequence[Package] = ()
    ) -> tuple[tuple[ResolutionRequest, Universe], ...]:
        """What asks for the source of a package from elsewhere, for each target.

        Raises:
            InvalidProjectError: A URL leads to nothing that could be.
        """
        wanted = asked.requirement
        inputs = bind_package(self._inputs, wanted)
        return tuple(
            (
                ResolutionRequest(
                    requirements=(wanted,),
                    constraints=inputs.constraints,
                    target=target,
                    settings=build_package(inputs.settings, name_of(wanted)),
                    preferences=find_versions(known, target),
                ),
                self._enter_universe(target, inputs),
            )
            for target in targets
        )

    def solve_build(self, artifact: Artifact, targets: Sequence[Target]) -> Solution:
        """Resolve the environment that a source is built in on some targets, whatever the pins so far.

        Raises:
            BuildlockError: It cannot be resolved, fetched or asked.
        """
        return self.solve(self._read_build(artifact, targets).everything, targets, [{} for _ in targets])

    def select(self, environment: LockedEnvironment) -> tuple[Locked, ...]:
        """What the interpreter of this machine gets of an environment.

        Raises:
            UncoveredTargetError: It is not for this interpreter.
        """
        return select(environment, self._conditions.interpreter.target)

    def _lock_build(
        self, artifact: Artifact, targets: Sequence[Target], locked: Sequence[Package]
    ) -> tuple[LockedEnvironment, Draft]:
        """The environment that a source is built in on some targets, without what its own packages are built in."""
        build = self._read_build(artifact, targets)
        draft = self.draft(build.everything, targets, locked, [find_versions(locked, target) for target in targets])
        own = build.facts.build_system
        environment = LockedEnvironment(
            environments=MarkerWriter(targets).environments(),
            inputs=LockedInputs(
                requires=tuple(format_requirement(each.requirement) for each in build.inputs.requires),
                extra_requires=list_added(build.inputs, build.subject.name, own.requires),
                dynamic={"wheel": tuple(map(format_requirement, build.asked))},
                match_runtime=self._matches.record({package.name for package in draft.packages}, build.subject.name),
                backend=own.backend,
            ),
            packages=draft.packages,
        )
        return environment, draft

    def _read_build(self, artifact: Artifact, targets: Sequence[Target]) -> _Build:
        subject = self._sources.subject_of(artifact)
        facts = self._sources.facts(subject)
        inputs = self.inputs_for(subject.name, facts)
        asked = self._sources.answer(subject).requires
        self._warn_foreign(subject, asked, targets)
        return _Build(subject=subject, facts=facts, inputs=inputs, asked=asked)

    def inputs_for(self, name: NormalizedName, facts: SourceFacts) -> BuildInputs:
        """What the build environment of a source is resolved from: its own requirements, by the variant's rules."""
        own = [replace(each, origin=f"{each.origin} of `{name}`") for each in facts.build_system.requires]
        for each in own:
            _refuse_local(each, name)
        inputs = inputs_of_build(self._inputs, name, own)
        matched = self._matches.constrain(inputs.requires, name)
        return replace(inputs, constraints=(*inputs.constraints, *matched))

    def _pins_of(self, key: str) -> Sequence[Package]:
        """The pins of what a package is built in."""
        known = self._locked.builds.get(key) if self._locked else None
        return self.keep(known.packages if known else ())

    def _ask_backend(self, subject: Subject, facts: SourceFacts) -> BackendAnswer:
        """Run a source's backend in its own environment, locked for this machine."""
        report, here = self._workspace.report, self._conditions.interpreter.target
        report(Noted(f"asking the backend of {subject}"))
        inputs = self.inputs_for(subject.name, facts)
        locked = self._pins_of(build_key(subject.name, subject.version)) if subject.version is not None else ()
        preferred = find_versions(locked, here)
        from buildlock.workflows.requirements import list_unlocked  # noqa: PLC0415 - few locks ask a backend

        settings = self._conditions.config_settings(subject.name)
        draft = self.draft(inputs, (here,), locked, [preferred])
        selected = self.select(self._close(draft))
        with self._open_backend(subject, selected) as (backend, scratch):
            asked = backend.requires_for("wheel", settings)
            dynamic = [BuildRequirement(requirement=each, origin=f"the backend of `{subject}`") for each in asked]
            for each in dynamic:
                _refuse_local(each, subject.name)
            if self._sources.is_known(subject) or not list_unlocked(asked, selected, here.environment):
                known = self._sources.is_known(subject)
                metadata = None if known else _parse(backend.metadata(scratch, settings), subject)
                return BackendAnswer(requires=asked, metadata=metadata)
        draft = self.redraft(draft, add_requirements(inputs, dynamic), locked, [preferred])
        with self._open_backend(subject, self.select(self._close(draft))) as (backend, scratch):
            return BackendAnswer(requires=asked, metadata=_parse(backend.metadata(scratch, settings), subject))

    def _close(self, draft: Draft) -> LockedEnvironment:
        return LockedEnvironment(
            environments=MarkerWriter(draft.targets).environments(),
            inputs=LockedInputs(),
            packages=draft.packages,
            builds=self.lock_builds(draft),
        )

    @contextmanager
    def _open_backend(self, subject: Subject, selected: Sequence[Locked]) -> Iterator[tuple[Backend, Path]]:
        """The backend of a source in its environment, and a folder for what it writes."""
        from buildlock.workflows.building import open_source_backend  # noqa: PLC0415 - where all have wheels, none runs

        wheels = self.preparer.prepare(selected)
        store = self._access.open_store()
        with store.scratch() as scratch, store.guard(), self._open_tree(subject.place) as tree:
            metadata = scratch / "metadata"
            metadata.mkdir()
            look_at_environment()
            with (
                explained(),
                open_source_backend(
                    subject.name,
                    subject.place.label,
                    tree,
                    wheels,
                    conditions=self._conditions,
                    scratch=scratch,
                    identity=self._conditions.identify(selected),
                    limits=self._workspace.limits,
                    report=self._workspace.report,
                ) as backend,
            ):
                yield backend, metadata

    def _enter_universe(self, target: Target, inputs: BuildInputs) -> Universe:
        access = self._access
        universe = IndexUniverse(access.catalogue, access.reader, self._sources, inputs, target.environment)
        return self._matches.narrow(universe, target)

    def _warn_foreign(self, subject: Subject, asked: Sequence[Requirement], targets: Sequence[Target]) -> None:
        here = self._conditions.interpreter.target
        if str(subject) in self._warned or all(target.marker == here.marker for target in targets):
            return
        if asked or not self._sources.is_known(subject):
            self._warned.add(str(subject))
            self._workspace.report(
                Warned(
                    f"what `{subject}` requires was asked of its backend on {here} alone, and is locked for every "
                    "target",
                    hint="if it depends on the target, declare it: `[[tool.uv.dependency-metadata]]`",
                )
            )


def _parse(content: bytes, subject: Subject) -> CoreMetadata:
    """What a backend prepared, of the package that it was to be.

    Raises:
        InvalidMetadataError: It cannot be used.
        BackendError: It is that of another package, or of another version.
    """
    from buildlock.metadata.core import MetadataFile  # noqa: PLC0415 - few backends are asked

    metadata = MetadataFile(content, subject=str(subject), url=subject.place.label).read()
    if metadata.name != subject.name or metadata.version != (subject.version or metadata.version):
        raise BackendError(
            f"`{subject}` is not what its backend says: the metadata is that of `{metadata.name}` {metadata.version}"
        )
    return metadata


def _refuse_local(requirement: BuildRequirement, name: NormalizedName) -> None:
    """Do nothing unless a package requires, for its build, a file of the machine that it happens to be on."""
    rule = direct_rule(requirement) if requirement.requirement.url is not None else None
    if rule is not None and rule.direct is not None and rule.direct.url.startswith("file:"):
        raise InvalidProjectError(
            [f"requires `{requirement.requirement.name}` from a file of this machine"],
            subject=f"the build configuration of `{name}`",
            hint=f"assign `{requirement.requirement.name}` to another source: `[tool.uv.sources]`",
        )


def _all_packages(environment: LockedEnvironment | None) -> Iterator[Package]:
    if environment is not None:
        yield from (environment.source,) if environment.source is not None else ()
        yield from environment.packages
        for build in environment.builds.values():
            yield from build.packages


def _list_commits(packages: Iterable[Package], lock_dir: Path) -> Iterator[tuple[tuple[str, str | None], str]]:
    for package in packages:
        if (vcs := package.vcs) is not None:
            location = vcs.url or file_url(lock_dir, vcs.path or "")
            yield (repository_key(location), vcs.requested_revision), vcs.commit_id
