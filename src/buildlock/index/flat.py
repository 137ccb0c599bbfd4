"""Places that list files of many packages: directories and pages of links (`find-links`, `format = "flat"`)."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from types import MappingProxyType

from packaging.utils import NormalizedName

from buildlock.answers.looking import get_status
from buildlock.artifacts import Artifact
from buildlock.errors import UnavailableError
from buildlock.index.http import HttpClient
from buildlock.index.links import LinkCollector
from buildlock.index.local import is_directory
from buildlock.index.page import ACCEPT_HTML, parse_link_page
from buildlock.index.urls import InvalidUrlError, is_url, parse_address, to_path
from buildlock.reporting import Reporter
from buildlock.text import without_credentials

FlatListing = Mapping[NormalizedName, tuple[Artifact, ...]]


def read_flat(location: str, client: HttpClient, report: Reporter) -> FlatListing:
    """Every wheel and sdist at `location`, by package.

    Args:
        location: An absolute path or a `file:` URL of a directory or an HTML file, or the URL of an HTML page.
        client: Asks for the page.
        report: Told of the files that are left out.

    Raises:
        UnavailableError: It is not there, or cannot be read.
        InvalidPageError: It is no page of links.
    """
    directory = _find_directory(location)
    if directory is not None:
        return _group(read_directory(directory, name=None, report=report))
    url = location if is_url(location) else Path(location).as_uri()
    response = client.get(url, headers={"Accept": ACCEPT_HTML})
    if response.status != 200:  # noqa: PLR2004
        if is_local(location):
            raise UnavailableError(f"`{location}` is not there", hint="check `find-links` and the indexes")
        raise UnavailableError(
            f"`{without_credentials(location)}` could not be fetched: it answered {response.status}",
            hint="check the URL in `find-links` or of the index",
        )
    return _group(parse_link_page(response.content, url=response.url, report=report))


def is_local(location: str) -> bool:
    """Whether it is on this machine, as `read_flat` takes it."""
    return not is_url(location) or location.startswith("file:")


def read_directory(directory: Path, *, name: NormalizedName | None, report: Reporter) -> tuple[Artifact, ...]:
    """The wheels and sdists directly inside a directory, by file name; of all packages, or of `name`.

    Raises:
        UnavailableError: It cannot be read.
    """
    links = LinkCollector(page_url=f"{directory.as_uri()}/", name=name, report=report)
    try:
        paths = sorted(directory.iterdir())
    except OSError as error:
        raise UnavailableError(f"`{directory}` cannot be read: {error.strerror or error}") from error
    for path in paths:
        with suppress(OSError):  # a link that leads nowhere
            status = get_status(path)
            if S_ISREG(status.st_mode):
                links.add(path.as_uri(), filename=path.name, hashes={}, size=status.st_size)
    return links.finish()


def _find_directory(location: str) -> Path | None:
    """The directory at `location`, if it is one."""
    try:
        if not is_url(location):
            path = Path(location)
        elif location.startswith("file:"):
            path = to_path(parse_address(location).url)
        else:
            return None
        return path if is_directory(path) else None
    except InvalidUrlError as error:
        raise UnavailableError(f"`{location}` cannot be read: {error}") from error


def _group(artifacts: Iterable[Artifact]) -> FlatListing:
    grouped: dict[NormalizedName, list[Artifact]] = {}
    for artifact in artifacts:
        grouped.setdefault(artifact.name, []).append(artifact)
    return MappingProxyType({name: tuple(files) for name, files in grouped.items()})
