"""What is locked into the store: wheels found there or downloaded, verified and unpacked; sources built first."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from buildlock.artifacts import parse_filename, wheel_tags
from buildlock.environment.kept import KeptFile, KeptFiles
from buildlock.environment.own_files import hash_file
from buildlock.environment.store import Store
from buildlock.environment.stored import StoredWheel
from buildlock.errors import BackendError, BuildRefusedError
from buildlock.index.http import HttpClient
from buildlock.lockfile.select import Locked, LockedArtifact, LockedSource, walk
from buildlock.reporting import Began, phase
from buildlock.values import replace
from buildlock.workflows.building import open_source_backend
from buildlock.workflows.client import open_client
from buildlock.workflows.closure import check_closed
from buildlock.workflows.conditions import Conditions
from buildlock.workflows.files import LockedFile, LockedFiles, describe_missing, file_of
from buildlock.workflows.parallel import map_parallel
from buildlock.workflows.places import Place
from buildlock.workflows.requirements import check_locked
from buildlock.workflows.source_trees import SourceTrees, place_of_locked
from buildlock.workflows.tools import check_tools
from buildlock.workflows.workspace import Workspace

_Result = TypeVar("_Result")


def prepare_wheels(workspace: Workspace, conditions: Conditions, locked: Sequence[Locked]) -> tuple[StoredWheel, ...]:
    """Bring every package into the store; what is there already is neither downloaded nor built.

    Args:
        workspace: Whose store they go to; a locked `path` is relative to the folder of its lock.
        conditions: The variant and the machine that sources are built for.
        locked: What the lock selects for a target.

    Raises:
        BuildRefusedError: One has to be built, and `no-build` is set.
        UnavailableError: A file cannot be downloaded.
        IntegrityError: A file is not the locked one.
        InvalidArchiveError: A file is the locked one, and is refused.
        BackendError: The backend of a source failed, or built something else.
    """
    workspace.report(Began(f"Preparing the environment of {conditions.inputs.variant.name}"))
    with open_preparer(workspace, conditions, locked) as preparer:
        return preparer.prepare(locked)


def keep_wheels(workspace: Workspace, conditions: Conditions, locked: Sequence[Locked]) -> tuple[KeptFile, ...]:
    """The wheels of every package as whole files in the store, in their order; those of sources are built.

    Raises:
        As of `prepare_wheels`.
    """
    workspace.report(Began(f"Preparing the wheels of {conditions.inputs.variant.name}"))
    with open_preparer(workspace, conditions, locked, whole=True) as preparer:
        return preparer.keep_wheels(locked)


@contextmanager
def open_preparer(
    workspace: Workspace, conditions: Conditions, locked: Sequence[Locked], *, whole: bool = False
) -> Iterator["Preparer"]:
    """A preparer for packages that may be built, and that are here if no network may be asked.

    Args:
        workspace: Whose store they go to.
        conditions: The variant and the machine that sources are built for.
        locked: The packages.
        whole: Whether the files themselves are needed.

    Raises:
        BuildRefusedError: One has to be built, and `no-build` is set.
        UnavailableError: A file is missing, and no network may be asked.
    """
    refuse_builds(conditions, locked)
    with open_client(workspace, conditions.inputs) as client:
        preparer = Preparer(workspace, conditions, workspace.open_store(), client)
        preparer.check_here(locked, whole=whole)
        yield preparer


def refuse_builds(conditions: Conditions, locked: Sequence[Locked]) -> None:
    """Do nothing if all that has to be built may be.

    Raises:
        BuildRefusedError: `no-build` excludes some of it.
    """
    settings = conditions.inputs.settings
    refused = sorted(
        each.key
        for each in walk(locked)
        if isinstance(each, LockedSource) and (settings.no_build or each.name in settings.no_build_package)
    )
    if refused:
        names = ", ".join(f"`{key}`" for key in refused)
        raise BuildRefusedError(
            f"{names} would have to be built from source, which `no-build` excludes",
            hint="lock again with the same setting to choose versions that have wheels",
        )


class Preparer:
    """Brings packages into the store.

    Args:
        workspace: Where the lock is, and who is told.
        conditions: The variant and the machine that sources are built for.
        store: Where they go.
        client: Asks for their files; not closed here.
    """

    def __init__(self, workspace: Workspace, conditions: Conditions, store: Store, client: HttpClient) -> None:
        self._workspace = workspace
        self._conditions = conditions
        self._store = store
        self._client = client
        self._files = LockedFiles(workspace, conditions.inputs, client)
        self._trees = SourceTrees(
            workspace,
            store,
            client,
            files=self._files,
            offline=conditions.inputs.offline,
            insecure_hosts=conditions.inputs.settings.network.insecure_hosts,
        )
        self._whole = KeptFiles(store, "files", workspace.report, by_content=True)
        self._built = KeptFiles(store, "built", workspace.report, by_content=False)

    def prepare(self, locked: Sequence[Locked]) -> tuple[StoredWheel, ...]:
        """The wheels of these packages, in their order; those of sources are built, one after the other.

        Raises:
            As of `prepare_wheels`.
        """
        wheels = self._map_artifacts(self._fetch, locked)
        built = {each: self._build_once(each) for each in locked if isinstance(each, LockedSource)}
        if built:
            # They may be what the builds were made with, and Python leaves its bytecode there.
            wheels = self._map_artifacts(self._fetch, locked)
        prepared = tuple(wheels[each] if isinstance(each, LockedArtifact) else built[each] for each in locked)
        check_closed(self._conditions, locked, prepared)
        self._store.compile(prepared, self._conditions.interpreter)
        return prepared

    def _map_artifacts(
        self, work: Callable[[LockedArtifact], _Result], locked: Sequence[Locked]
    ) -> Mapping[LockedArtifact, _Result]:
        artifacts = [each for each in locked if isinstance(each, LockedArtifact)]
        # The largest first, so that none is left alone at the end.
        artifacts.sort(key=lambda artifact: -(artifact.size or 0))
        with phase(self._workspace.report, "waiting"):
            results = map_parallel(work, artifacts, give_up=self._client.close)
        return dict(zip(artifacts, results, strict=True))

    def _fetch(self, artifact: LockedArtifact) -> StoredWheel:
        with phase(self._workspace.report, "unpacking"):
            return self._find_or_fetch(artifact)

    def _find_or_fetch(self, artifact: LockedArtifact) -> StoredWheel:
        if stored := self._store.find(artifact.sha256):
            return stored
        with self._store.lock(artifact.sha256), self._store.scratch() as scratch:
            # Another process may have brought it while this one waited.
            if stored := self._store.find(artifact.sha256):
                return stored
            if kept := self._whole.find_intact(artifact.sha256):
                return self._store.add(kept.path, sha256=artifact.sha256, filename=artifact.filename)
            archive = scratch / artifact.filename
            got = self._files.fetch(self._file(artifact), archive)
            return self._store.add(archive, sha256=got.sha256, filename=artifact.filename, hashed=got.stamp)

    def build(self, source: LockedSource, *, anew: bool = False) -> tuple[KeptFile, bool]:
        """The wheel of a source as a file, and whether it was built before from the very same.

        Args:
            source: What is built, unless it was.
            anew: Build it all the same; what was kept is replaced.

        Raises:
            As of `prepare_wheels`.
        """
        key = self._conditions.digest(source)
        if not anew and (kept := self._built.find_intact(key)):
            return kept, True
        with self._store.lock(key), self._store.scratch() as scratch:
            if not anew and (kept := self._built.find_intact(key)):
                return kept, True
            return self._build_and_keep(source, key, scratch)[1], False

    def _file(self, artifact: LockedArtifact) -> LockedFile:
        file = file_of(artifact, self._workspace.lock_path.parent)
        assert file is not None
        return file

    def keep_wheels(self, locked: Sequence[Locked]) -> tuple[KeptFile, ...]:
        """The wheels of these packages as whole files, for tools that unpack them themselves.

        Raises:
            As of `prepare_wheels`.
        """
        kept = self._map_artifacts(self._keep, locked)
        return tuple(kept[each] if isinstance(each, LockedArtifact) else self.build(each)[0] for each in locked)

    def _keep(self, artifact: LockedArtifact) -> KeptFile:
        if kept := self._whole.find_intact(artifact.sha256):
            return kept
        with self._store.lock(artifact.sha256), self._store.scratch() as scratch:
            if kept := self._whole.find_intact(artifact.sha256):
                return kept
            archive = scratch / artifact.filename
            self._files.fetch(self._file(artifact), archive)
            return self._whole.keep(artifact.sha256, archive, filename=artifact.filename, sha256=artifact.sha256)

    def check_here(self, locked: Sequence[Locked], *, whole: bool = False) -> None:
        """Do nothing if no network is needed to prepare these packages, or one may be asked.

        Args:
            locked: What the lock selects.
            whole: Whether the files themselves are needed.

        Raises:
            UnavailableError: It is, and none may be; every file that is missing is named.
        """
        if self._conditions.inputs.offline and (missing := list(self._list_missing(locked, whole=whole))):
            raise describe_missing(missing, self._conditions.inputs.variant.name)

    def _list_missing(self, locked: Sequence[Locked], *, whole: bool = False) -> Iterator[str]:
        complete = {each for each in locked if isinstance(each, LockedArtifact)} if whole else set()
        for each in walk(locked, skip=self._is_built):
            file = file_of(each, self._workspace.lock_path.parent)
            if file is not None and not self._is_here(each, file, whole=each in complete):
                yield file.filename

    def _is_built(self, source: LockedSource) -> bool:
        return self._find_built(self._conditions.digest(source)) is not None

    def _is_here(self, locked: Locked, file: LockedFile, *, whole: bool) -> bool:
        if isinstance(locked, LockedSource):
            return self._trees.has(file) or self._files.has(file)
        unpacked = not whole and self._store.find(file.sha256) is not None
        return unpacked or self._whole.find_intact(file.sha256) is not None or self._files.has(file)

    def _build_once(self, source: LockedSource) -> StoredWheel:
        key = self._conditions.digest(source)
        if stored := self._find_built(key):
            return stored
        with self._store.lock(key), self._store.scratch() as scratch:
            if stored := self._find_built(key):
                return stored
            return self._build_and_keep(source, key, scratch)[0]

    def _build_and_keep(self, source: LockedSource, key: str, scratch: Path) -> tuple[StoredWheel, KeptFile]:
        wheel = self._build(source, scratch)
        sha256 = hash_file(wheel)
        stored = self._store.add(wheel, sha256=sha256, filename=wheel.name)
        return stored, self._built.keep(key, wheel, filename=wheel.name, sha256=sha256)

    def _find_built(self, key: str) -> StoredWheel | None:
        kept = self._built.find(key)
        if kept is None:
            return None
        if stored := self._store.find(kept.sha256):
            return stored
        # Unpacked no more, or damaged there: the wheel itself is still here, if it is what it was.
        kept = self._built.find_intact(key)
        return self._store.add(kept.path, sha256=kept.sha256, filename=kept.path.name) if kept else None

    def _build(self, source: LockedSource, scratch: Path) -> Path:
        """Build a source in its own locked environment, and check what comes out."""
        wheels = self.prepare(source.requires)
        workspace, conditions = self._workspace, self._conditions
        settings = conditions.config_settings(source.name)
        place = self._find_place(source)
        with (
            self._store.guard(),
            self._trees.open(place) as tree,
            open_source_backend(
                source.name,
                place.label,
                tree,
                wheels,
                conditions=conditions,
                scratch=scratch,
                identity=conditions.identify(source.requires),
                limits=workspace.limits,
                report=workspace.report,
            ) as backend,
        ):
            asked = backend.requires_for("wheel", settings)
            check_locked(
                asked,
                source.requires,
                conditions.interpreter.target.environment,
                subject=f"the wheel of `{source.key}`",
                variant=conditions.inputs.variant.name,
            )
            check_tools(conditions.inputs.variant, source.requires, backend.environ, workspace.report)
            workspace.report(Began(f"Building {source.name} {source.version} for {conditions.inputs.variant.name}"))
            built = backend.build("wheel", scratch / "dist", settings)
            self._check(built, source)
        return built

    def _find_place(self, source: LockedSource) -> Place:
        """Where the source is; of a repository with the credentials that the project has for it."""
        place = place_of_locked(source, self._workspace.lock_path.parent)
        for rule in self._conditions.inputs.sources.get(source.name, ()):
            if source.origin == "vcs" and rule.direct is not None and rule.direct.location == place.url:
                return replace(place, url=rule.direct.url)
        return place

    def _check(self, built: Path, source: LockedSource) -> None:
        """The name was looked at already: a wheel of another version, or for another machine, is refused."""
        _, version, _ = parse_filename(built.name)
        if version != source.version:
            raise BackendError(
                f"it built `{built.name}`, and {source.version} is locked",
                hint="its version depends on something else than its source, such as a tag that was set since; "
                "declare it, or lock again",
            )
        if wheel_tags(built.name)[1].isdisjoint(self._conditions.interpreter.target.tags):
            raise BackendError(f"it built `{built.name}`, which does not fit {self._conditions.interpreter.target}")
