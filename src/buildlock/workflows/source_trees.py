"""What is to be built, as a folder: an sdist or archive unpacked, a commit checked out, a folder copied."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from buildlock.artifacts import Origin
from buildlock.environment.kept import KeptFiles
from buildlock.environment.sdist import open_sdist
from buildlock.environment.store import Store
from buildlock.environment.trees import copy_tree
from buildlock.errors import IntegrityError, InvalidArchiveError
from buildlock.index.download import download
from buildlock.index.git import add_history, checkout
from buildlock.index.http import HttpClient
from buildlock.index.urls import to_path
from buildlock.lockfile.select import LockedSource
from buildlock.metadata.static import declares_version
from buildlock.project.network import InsecureHost
from buildlock.values import dataclass
from buildlock.workflows.files import LockedFile, LockedFiles, file_of
from buildlock.workflows.places import Place
from buildlock.workflows.workspace import Workspace, file_url

_MAX_TEXT = 4 << 20
"""Bytes of PKG-INFO and pyproject.toml each."""

_SDIST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._]{0,99}-[0-9][A-Za-z0-9._+!]{0,99}\.(?:tar\.gz|zip)", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceTree:
    """A source as files, of which the build may do what it likes."""

    root: Path
    """The project's folder."""
    sha256: str | None
    """Of the file, or of the folder's content; `None` for a commit."""
    size: int | None
    """Bytes of the file."""

    def read(self, name: str) -> bytes | None:
        """A file at the top of the project; `None` where there is none. A link leads to another file of the source.

        Raises:
            InvalidArchiveError: It is too large.
        """
        path = self.root / name
        if not path.is_file():
            return None
        if path.stat().st_size > _MAX_TEXT:
            raise InvalidArchiveError(f"`{name}` of the source is larger than {_MAX_TEXT} bytes")
        return path.read_bytes()


class SourceTrees:
    """Brings sources to this machine; what was downloaded is kept in the store.

    Args:
        workspace: Where caches are, and who is told.
        store: Where files are kept.
        client: Asks for them; not closed here.
        files: Where locked files may be besides.
        offline: Ask nothing of other machines.
        insecure_hosts: Servers whose certificate is not checked.
    """

    def __init__(
        self,
        workspace: Workspace,
        store: Store,
        client: HttpClient,
        *,
        files: LockedFiles | None = None,
        offline: bool = False,
        insecure_hosts: Sequence[InsecureHost] = (),
    ) -> None:
        self._insecure_hosts = insecure_hosts
        self._workspace = workspace
        self._files = files
        self._offline = offline
        self._store = store
        self._client = client
        self._kept = KeptFiles(store, "sources", workspace.report, by_content=True)

    def has(self, file: LockedFile) -> bool:
        """Whether a file was kept."""
        return self._kept.find_intact(file.sha256) is not None

    @contextmanager
    def open(self, place: Place) -> Iterator[SourceTree]:
        """A new tree, removed at the end.

        Raises:
            UnavailableError: It cannot be fetched.
            IntegrityError: It is not what it has to be.
            InvalidArchiveError: The file is refused, or the project is not where it was said to be.
            EnvironmentPreparationError: It cannot be written.
        """
        with self._store.scratch() as scratch:
            folder = scratch / "source"
            sha256, size = None, None
            if place.kind == "file":
                file, sha256, size = self._fetch(place, scratch)
                folder.mkdir()
                with open_sdist(file, filename=place.label, limit=self._workspace.unpacked_limit) as sdist:
                    folder = sdist.unpack(folder)
            elif place.kind == "commit":
                self._checkout(place, folder)
            else:
                sha256 = copy_tree(to_path(place.url), folder)
                if place.content is not None and sha256 != place.content:
                    raise IntegrityError(
                        f"the content of `{to_path(place.url)}` is not what was locked: it has the sha256 {sha256}, "
                        f"not {place.content}",
                        hint="it was edited since: lock again",
                    )
            yield SourceTree(root=_enter(folder, place), sha256=sha256, size=size)

    def _checkout(self, place: Place, folder: Path) -> None:
        origin = Origin(kind="vcs", url=place.url, commit=place.commit)
        self._ask_git(checkout, origin, folder)
        tree = SourceTree(root=_enter(folder, place), sha256=None, size=None)
        # A version that is not declared may be made of the history, which can be large.
        if not declares_version(tree.read("pyproject.toml")):
            self._ask_git(add_history, origin, folder)

    def _ask_git(self, act: Callable[..., None], origin: Origin, folder: Path) -> None:
        act(
            origin,
            folder,
            cache=self._workspace.cache_dir,
            environ=self._workspace.environ,
            report=self._workspace.report,
            offline=self._offline,
            insecure_hosts=self._insecure_hosts,
        )

    def _fetch(self, place: Place, scratch: Path) -> tuple[Path, str, int]:
        """A file, its sha256 and its size in bytes; not downloaded where it was kept."""
        expected = place.hashes.get("sha256")
        if expected is not None and (kept := self._kept.find_intact(expected)):
            return kept.path, expected, kept.path.stat().st_size
        archive = scratch / "archive"
        if self._files is not None and place.file is not None:
            got = self._files.fetch(place.file, archive)
        else:
            got = download(
                self._client,
                place.url,
                archive,
                filename=place.label,
                sha256=expected,
                size=place.size,
                hashes=place.hashes,
                report=self._workspace.report,
            )
        # `buildlock cache clean NAME` finds it by its name; a URL may end in anything.
        filename = place.label if _SDIST.fullmatch(place.label) else "source"
        kept = self._kept.keep(got.sha256, archive, filename=filename, sha256=got.sha256)
        return kept.path, got.sha256, got.size


def place_of_locked(source: LockedSource, lock_dir: Path) -> Place:
    """Where a locked source is, and what it has to be."""
    url = source.url or file_url(lock_dir, source.path or "")
    return Place(
        kind={"sdist": "file", "vcs": "commit", "directory": "folder"}[source.origin],  # type: ignore[arg-type]
        label=source.filename or f"{source.name}-{source.version}",
        url=url,
        hashes={"sha256": source.sha256} if source.origin == "sdist" and source.sha256 else {},
        size=source.size,
        content=source.sha256 if source.origin == "directory" else None,
        commit=source.commit,
        subdirectory=source.subdirectory,
        file=file_of(source, lock_dir),
    )


def _enter(folder: Path, place: Place) -> Path:
    """The project's folder in a tree; a link cannot lead out of it, which those who made the tree saw to."""
    if place.subdirectory is None:
        return folder
    inner = folder.joinpath(*place.subdirectory.split("/"))
    if not inner.is_dir() or not inner.resolve().is_relative_to(folder.resolve()):
        raise InvalidArchiveError(f"`{place.label}` has no folder `{place.subdirectory}`")
    return inner
