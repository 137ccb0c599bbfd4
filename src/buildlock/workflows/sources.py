"""What the sources that come up in a resolution say of themselves, each asked once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from packaging.requirements import Requirement
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.artifacts import (
    Artifact,
    CoreMetadata,
    IndexAnswer,
    InvalidFilenameError,
    Listing,
    Origin,
    Release,
    parse_filename,
)
from buildlock.errors import BuildCycleError, IntegrityError, InvalidProjectError
from buildlock.index.urls import to_path
from buildlock.project.model import BuildInputs, BuildSystem
from buildlock.reporting import Noted
from buildlock.values import dataclass, replace
from buildlock.workflows.places import Place, filename_of, place_of_artifact, place_of_origin
from buildlock.workflows.workspace import Workspace

if TYPE_CHECKING:
    from buildlock.workflows.source_trees import SourceTree

_MAX_DEPTH = 30
"""Builds within builds. Real ones have three or four; this ends a chain without an end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFacts:
    """What a source says without its code being run."""

    build_system: BuildSystem
    static: CoreMetadata | None
    """None where it has to be built to be known."""
    sha256: str | None
    size: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class BackendAnswer:
    """What a source says when its backend is run."""

    requires: tuple[Requirement, ...]
    """What it needs to build a wheel, beyond its static build requirements."""
    metadata: CoreMetadata | None
    """Only where it was not known without."""


class OpenTree(Protocol):
    """Brings a source here."""

    def __call__(self, place: Place) -> AbstractContextManager[SourceTree]:
        """As `SourceTrees.open`."""


class AskBackend(Protocol):
    """Runs the backend of a source in its own locked environment."""

    def __call__(self, subject: Subject, facts: SourceFacts) -> BackendAnswer:
        """Ask.

        Raises:
            BuildlockError: Whatever kept its environment from being made, or its backend from answering.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A source that is asked."""

    name: NormalizedName
    version: Version | None
    """None of a direct source, whose version is not known before it is asked."""
    place: Place

    def __str__(self) -> str:
        return f"{self.name} {self.version}" if self.version is not None else str(self.name)


class Sources:
    """Everything that is known of the sources of one variant.

    Args:
        workspace: Where caches are, and who is told.
        inputs: What the user says of them.
        open_tree: Brings one here.
        ask: Runs their backends; `None` where no code may be run.
        commits: The commits that are locked so far, by `repository_key` and revision.
    """

    def __init__(
        self,
        workspace: Workspace,
        inputs: BuildInputs,
        open_tree: OpenTree,
        ask: AskBackend | None,
        commits: Mapping[tuple[str, str | None], str],
    ) -> None:
        self._workspace = workspace
        self._inputs = inputs
        self._open_tree = open_tree
        self._ask = ask
        self._commits = commits
        self._facts: dict[Place, SourceFacts] = {}
        self._answers: dict[Place, BackendAnswer] = {}
        self._listings: dict[Origin, Listing] = {}
        self._trail: list[Subject] = []

    def facts(self, subject: Subject) -> SourceFacts:
        """What a source says of itself; it is fetched for it.

        Raises:
            UnavailableError, IntegrityError, InvalidArchiveError: As of `SourceTrees.open`.
            InvalidProjectError: Its pyproject.toml cannot be used.
            InvalidMetadataError: Its static metadata is refused.
        """
        from buildlock.metadata.static import read_static_metadata  # noqa: PLC0415 - where all have wheels, none is read
        from buildlock.project.build_system import read_build_system_of  # noqa: PLC0415

        place = subject.place
        if place not in self._facts:
            self._workspace.report(Noted(f"reading the source of {subject}: {place.label}"))
            with self._open_tree(place) as tree:
                pyproject = tree.read("pyproject.toml")
                self._facts[place] = SourceFacts(
                    build_system=read_build_system_of(pyproject, place.label),
                    static=read_static_metadata(
                        # In a folder or a repository it is what an earlier build left.
                        pkg_info=tree.read("PKG-INFO") if place.kind == "file" else None,
                        pyproject=pyproject,
                        name=subject.name,
                        version=subject.version,
                        where=place.label,
                    ),
                    sha256=tree.sha256,
                    size=tree.size,
                )
        return self._facts[place]

    def metadata(self, subject: Subject) -> CoreMetadata:
        """What a package needs once it is built: declared by the user, static, or as its backend prepares it.

        Raises:
            BuildCycleError: Its build is what asks for it.
            BuildlockError: As of `facts`, or whatever kept its backend from answering.
        """
        if declared := self._find_declared(subject):
            return declared
        facts = self.facts(subject)
        if facts.static is not None:
            return facts.static
        if self._ask is None:
            raise InvalidProjectError(
                [f"what `{subject}` requires is known only to its backend, and `--no-dynamic` says not to run it"],
                hint="declare it: `[[tool.uv.dependency-metadata]]`",
            )
        metadata = self.answer(subject).metadata
        assert metadata is not None
        return metadata

    def answer(self, subject: Subject) -> BackendAnswer:
        """What a source's backend says; it is run once, on this machine.

        Raises:
            BuildCycleError, BuildlockError: As of `metadata`.
        """
        if subject.place not in self._answers:
            facts = self.facts(subject)
            with self._enter(subject):
                self._answers[subject.place] = self._run(subject, facts)
        return self._answers[subject.place]

    def list_origin(self, name: NormalizedName, origin: Origin) -> Listing:
        """A direct source as the one release that there is of a package.

        Raises:
            IntegrityError: It is another package.
            BuildlockError: As of `metadata`.
        """
        if origin not in self._listings:
            artifact = self._describe_origin(name, origin)
            release = Release(name=name, version=artifact.version, index=origin.location, artifacts=(artifact,))
            answer = IndexAnswer(index=origin.location, found=True)
            self._listings[origin] = Listing(name=name, releases=(release,), asked=(answer,))
        return self._listings[origin]

    @staticmethod
    def subject_of(artifact: Artifact) -> Subject:
        """The source that an artifact is."""
        place = place_of_origin(artifact.origin) if artifact.origin else place_of_artifact(artifact)
        return Subject(name=artifact.name, version=artifact.version, place=place)

    def _describe_origin(self, name: NormalizedName, origin: Origin) -> Artifact:
        if origin.kind == "archive" and filename_of(origin.url).endswith(".whl"):
            return self._describe_wheel(name, origin)
        if origin.kind == "vcs":
            origin = self._resolve(origin)
        subject = Subject(name=name, version=None, place=place_of_origin(origin))
        metadata, facts = self.metadata(subject), self.facts(subject)
        return Artifact(
            name=name,
            version=metadata.version,
            kind="sdist",
            filename=subject.place.label,
            url=_identify(origin),
            hashes={**origin.hashes, **({"sha256": facts.sha256} if facts.sha256 else {})},
            size=facts.size,
            requires_python=str(metadata.requires_python) if metadata.requires_python is not None else None,
            origin=origin,
        )

    def _describe_wheel(self, name: NormalizedName, origin: Origin) -> Artifact:
        filename = filename_of(origin.url)
        try:
            found, version, kind = parse_filename(filename)
        except InvalidFilenameError as error:
            raise InvalidProjectError(
                [f"the source of `{name}`, `{origin.location}`, is not named as a wheel: {error}"]
            ) from error
        if found != name:
            raise IntegrityError(f"the source of `{name}`, `{origin.location}`, is a wheel of `{found}`")
        return Artifact(
            name=name,
            version=version,
            kind=kind,
            filename=filename,
            url=origin.location,
            hashes=origin.hashes,
            origin=origin,
        )

    def _resolve(self, origin: Origin) -> Origin:
        """The commit of a repository: the locked one, if the same branch or tag is still asked for."""
        if commit := self._commits.get((repository_key(origin.location), origin.revision)):
            return replace(origin, commit=commit)
        from buildlock.index.git import resolve_revision  # noqa: PLC0415 - few packages come from a repository

        return resolve_revision(
            origin,
            cache=self._workspace.cache_dir,
            environ=self._workspace.environ,
            report=self._workspace.report,
            offline=self._inputs.offline,
            insecure_hosts=self._inputs.settings.network.insecure_hosts,
        )

    def is_known(self, subject: Subject) -> bool:
        """Whether the metadata of a source is known without its code being run."""
        return self._find_declared(subject) is not None or self.facts(subject).static is not None

    def _find_declared(self, subject: Subject) -> CoreMetadata | None:
        """What `[[tool.uv.dependency-metadata]]` says; without a version it is for all of them."""
        for declared in self._inputs.metadata.get(subject.name, ()):
            version = declared.version or subject.version
            if version is not None and subject.version in {None, version}:
                return CoreMetadata(
                    name=subject.name,
                    version=version,
                    requires_dist=declared.requires_dist,
                    requires_python=declared.requires_python,
                    provides_extra=declared.provides_extra,
                )
        return None

    def _run(self, subject: Subject, facts: SourceFacts) -> BackendAnswer:
        if self._ask is None:
            return BackendAnswer(requires=(), metadata=None)
        return self._ask(subject, facts)

    @contextmanager
    def _enter(self, subject: Subject) -> Iterator[None]:
        if any(other.place == subject.place for other in self._trail):
            raise cycle_error([*map(str, self._trail), str(subject)])
        if len(self._trail) >= _MAX_DEPTH:
            raise BuildCycleError(
                f"building `{self._trail[0]}` needs builds within builds, more than {_MAX_DEPTH} deep",
                hint="exclude it with `no-build-package`, or give it a source that has wheels",
            )
        self._trail.append(subject)
        try:
            yield
        finally:
            self._trail.pop()


def repository_key(location: str) -> str:
    """What a repository is known by in the lock, which has no links in the path of a local one."""
    return to_path(location).resolve().as_uri() if location.startswith("file:") else location


def cycle_error(names: list[str]) -> BuildCycleError:
    """An error that shows how the last of these packages needs itself."""
    cycle = names[names.index(names[-1]) :]
    chain = "\n".join(f"  {needed} is built with {needs}" for needed, needs in pairwise(cycle))
    return BuildCycleError(
        f"`{cycle[0]}` cannot be built: it is needed to build itself\n{chain}",
        hint="allow a wheel of one of them, or constrain one of them to a version that has a wheel",
    )


def _identify(origin: Origin) -> str:
    """A URL that tells one direct source from all others."""
    commit = f"@{origin.commit}" if origin.commit else ""
    subdirectory = f"#subdirectory={origin.subdirectory}" if origin.subdirectory else ""
    return f"{origin.location}{commit}{subdirectory}"
