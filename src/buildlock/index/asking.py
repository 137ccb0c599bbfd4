"""Asking one index of the simple API for one package."""

from threading import Lock
from urllib.parse import urlsplit

from packaging.utils import NormalizedName

from buildlock.artifacts import group_by_version
from buildlock.errors import RefusedError, UnavailableError
from buildlock.index.credentials import HINT as CREDENTIALS
from buildlock.index.http import HttpClient, Response
from buildlock.index.outline import KIND as OUTLINE
from buildlock.index.outline import read_outline, write_outline
from buildlock.index.page import ProjectPage, parse_outlined_page, parse_page
from buildlock.index.simple import ACCEPT, project_url
from buildlock.index.urls import InvalidUrlError, to_path
from buildlock.project.model import Index
from buildlock.reporting import Noted, Reporter

UNAUTHORIZED = frozenset({401, 403})
_ABSENT = frozenset({404, 410})
_TURN = Lock()
"""Held by who reads a page: Python runs one thread at a time, and of ten that are read in turn the first is there in a
tenth of the time that all ten are there in if they are read at once."""


def ask_index(index: Index, name: NormalizedName, client: HttpClient, report: Reporter) -> ProjectPage | None:
    """What an index says of a package; `None` where it does not know it.

    Raises:
        UnavailableError: It did not answer.
        RefusedError: It answered that it will not say.
        InvalidPageError: Its answer was not a page.
    """
    url = project_url(index.url, name)
    ignored = index.ignore_error_codes
    response = client.get(
        url, headers={"Accept": ACCEPT}, cache_control=index.cache_control, answers=ignored or frozenset()
    )
    if response.status == 200:  # noqa: PLR2004
        return _read_page(response, name, client, report)
    if url.startswith("file:"):
        return _read_local(index, url, name, report)
    if ignored is None:
        # The server of PyTorch answers 403 for what it does not have.
        ignored = frozenset({403} if urlsplit(index.location).hostname == "download.pytorch.org" else ())
    if response.status in _ABSENT | ignored:
        return None
    hint = "check the URL of the index"
    if response.status in UNAUTHORIZED:
        hint = CREDENTIALS
    raise RefusedError(
        f"the index `{index.location}` answered {response.status} when asked for `{name}`",
        status=response.status,
        hint=hint,
    )


def find_kept_page(index: Index, name: NormalizedName, client: HttpClient, report: Reporter) -> ProjectPage | None:
    """What an index has said of a package, where `ask_index` would use that without asking again.

    Raises:
        InvalidPageError: It was not a page.
    """
    url = project_url(index.url, name)
    head = client.peek(url, ACCEPT, index.cache_control)
    if head is None:
        return None
    page = _read_outline(head.url, head.sha256, name, client, report)
    if page is None:
        # Read as a whole, which may find it damaged, and then it is asked for.
        return ask_index(index, name, client, report)
    report(Noted(f"used the kept answer of `{head.url}`"))
    return page


def _read_page(response: Response, name: NormalizedName, client: HttpClient, report: Reporter) -> ProjectPage:
    """Read a page; of one that is read again, an outline is kept, or was."""
    if response.kept is not None and (page := _read_outline(response.url, response.kept, name, client, report)):
        return page
    content_type = response.headers.get("content-type")
    with _TURN:
        page = parse_page(response.content, url=response.url, content_type=content_type, name=name, report=report)
    if response.kept is not None and page.outline is not None:
        client.keep(response.url, OUTLINE, write_outline(page.outline, response.kept))
    return page


def _read_outline(
    url: str, sha256: str, name: NormalizedName, client: HttpClient, report: Reporter
) -> ProjectPage | None:
    content = client.find_kept(url, OUTLINE)
    outline = None if content is None else read_outline(content, sha256)
    return None if outline is None else parse_outlined_page(outline, url=url, name=name, report=report)


def _read_local(index: Index, url: str, name: NormalizedName, report: Reporter) -> ProjectPage | None:
    """A local index: a directory of files for each package, where there is no `index.html` in it."""
    from buildlock.index.flat import read_directory  # noqa: PLC0415 - most indexes are on servers
    from buildlock.index.local import is_directory  # noqa: PLC0415

    try:
        root, directory = to_path(index.url), to_path(url)
    except InvalidUrlError as error:
        raise UnavailableError(f"the index `{index.location}` cannot be read: {error}") from error
    if not is_directory(root):
        raise UnavailableError(f"the index `{index.location}` is not a directory", hint="check the URL of the index")
    if not is_directory(directory):
        return None
    return ProjectPage(versions=group_by_version(read_directory(directory, name=name, report=report)))
