"""Locked files, from wherever they are nearest: a folder of `find-links`, a mirror, or where the lock says."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from packaging.utils import NormalizedName

from buildlock.environment.own_files import hash_file
from buildlock.errors import IntegrityError, UnavailableError
from buildlock.index.download import Downloaded, download
from buildlock.index.flat import read_directory
from buildlock.index.http import HttpClient
from buildlock.index.local import is_directory
from buildlock.index.page import parse_page
from buildlock.index.simple import ACCEPT, project_url
from buildlock.index.urls import InvalidUrlError, is_url, to_path
from buildlock.lockfile.select import LockedArtifact, LockedSource
from buildlock.project.mirrors import find_mirror
from buildlock.project.model import BuildInputs
from buildlock.reporting import Noted
from buildlock.values import dataclass
from buildlock.workflows.workspace import Workspace, file_url


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedFile:
    """A file that the lock names, a wheel or an sdist."""

    name: NormalizedName
    """Of its package."""
    filename: str
    url: str
    """Where the lock says that it is; that of a local path is a `file:` URL."""
    sha256: str
    size: int | None
    """Bytes."""
    index: str | None
    """The index that it was found on, if it was."""

    @property
    def is_local(self) -> bool:
        return self.url.startswith("file:")


def file_of(locked: LockedArtifact | LockedSource, lock_dir: Path) -> LockedFile | None:
    """The file of a wheel or an sdist; `None` for a commit and for a folder, which are none."""
    if isinstance(locked, LockedSource) and locked.origin != "sdist":
        return None
    assert locked.sha256 is not None
    return LockedFile(
        name=locked.name,
        filename=locked.filename or f"{locked.name}-{locked.version}",
        url=locked.url or file_url(lock_dir, locked.path or ""),
        sha256=locked.sha256,
        size=locked.size,
        index=locked.index,
    )


class LockedFiles:
    """Fetches locked files; their hashes decide, wherever they come from.

    Args:
        workspace: Who is told.
        inputs: The folders of `find-links`, the mirrors, and whether a network may be asked.
        client: Asks for them; not closed here.
    """

    def __init__(self, workspace: Workspace, inputs: BuildInputs, client: HttpClient) -> None:
        self._report = workspace.report
        self._inputs = inputs
        self._client = client
        self._folders = tuple(_list_folders(inputs.settings.find_links))

    def give_up(self) -> None:
        """Make what is under way end soon."""
        self._client.close()

    def has(self, file: LockedFile) -> bool:
        """Whether it is on this machine, and the locked one; its content is read."""
        places = [folder / file.filename for folder in self._folders]
        for url in (file.url, find_mirror(self._inputs.mirrors, file.url)):
            if url is not None and url.startswith("file:"):
                with suppress(InvalidUrlError):
                    places.append(to_path(url))
        for path in places:
            with suppress(OSError):
                if path.is_file() and hash_file(path) == file.sha256:
                    return True
        return False

    def fetch(self, file: LockedFile, destination: Path) -> Downloaded:
        """Write a file to `destination`.

        Raises:
            UnavailableError: It is nowhere that may be asked.
            IntegrityError: It is not the locked one.
            EnvironmentPreparationError: It cannot be written.
        """
        for folder in self._folders:
            path = folder / file.filename
            if path.is_file():
                try:
                    return self._download(file, path.as_uri(), destination)
                except (IntegrityError, UnavailableError) as error:
                    self._report(Noted(f"`{path}` is passed over: {error.message}"))
        if self._inputs.offline and not file.is_local and not self._has_local_mirror(file):
            raise describe_missing([file.filename], self._inputs.variant.name)
        return self._ask(file, destination)

    def _ask(self, file: LockedFile, destination: Path) -> Downloaded:
        """Where there is a mirror, what it stands in for is not asked."""
        mirrored = find_mirror(self._inputs.mirrors, file.url)
        page = find_mirror(self._inputs.mirrors, file.index) if file.index is not None else None
        if mirrored is not None:
            try:
                return self._download(file, mirrored, destination)
            except UnavailableError as error:
                if page is None:
                    raise
                self._report(Noted(error.message))
        # A caching proxy names its files as it likes, and says how on its page of the package.
        url = file.url if page is None else self._find_on_page(page, file)
        return self._download(file, url, destination)

    def _has_local_mirror(self, file: LockedFile) -> bool:
        return (find_mirror(self._inputs.mirrors, file.url) or "").startswith("file:")

    def _download(self, file: LockedFile, url: str, destination: Path) -> Downloaded:
        return download(
            self._client,
            url,
            destination,
            filename=file.filename,
            sha256=file.sha256,
            size=file.size,
            report=self._report,
        )

    def _find_on_page(self, index: str, file: LockedFile) -> str:
        """Where an index says that a file of this name is: proxies name their files as they like.

        Raises:
            UnavailableError: It does not say.
            InvalidPageError: Its page cannot be read.
        """
        url = project_url(index, file.name)
        if url.startswith("file:") and is_directory(to_path(url)):
            artifacts = read_directory(to_path(url), name=file.name, report=self._report)
        else:
            response = self._client.get(url, headers={"Accept": ACCEPT})
            if response.status != 200:  # noqa: PLR2004
                raise UnavailableError(
                    f"the mirror answered {response.status} when asked for `{response.url}`",
                    hint="check its URL under `[tool.buildlock.mirrors]` or in the variable",
                )
            artifacts = parse_page(
                response.content,
                url=response.url,
                content_type=response.headers.get("content-type"),
                name=file.name,
                report=self._report,
            ).artifacts
        for artifact in artifacts:
            if artifact.filename == file.filename:
                return artifact.url
        raise UnavailableError(f"the mirror has no `{file.filename}` on its page of `{file.name}`")


def describe_missing(filenames: list[str], variant: str) -> UnavailableError:
    """The error for files that are not on this machine, and no network may be asked."""
    listing = "\n".join(f"  {name}" for name in dict.fromkeys(filenames))
    return UnavailableError(
        f"this is offline, and these files are not on this machine:\n{listing}",
        hint=f"where there is a network, run `buildlock download --variant {variant} -d DIR`; then pass"
        " `--find-links DIR`",
    )


def _list_folders(locations: tuple[str, ...]) -> Iterator[Path]:
    """Those places of `find-links` that are folders of this machine."""
    for location in locations:
        with suppress(InvalidUrlError, ValueError, OSError):
            if not is_url(location) or urlsplit(location).scheme == "file":
                path = to_path(location) if is_url(location) else Path(location)
                if os.path.isdir(path):  # noqa: PTH112 - no error, whatever the path
                    yield path
