"""One project page of an index: the files it offers and the state of the project, out of HTML or JSON."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.artifacts import Artifact, LazyArtifacts, group_by_version
from buildlock.errors import InvalidPageError
from buildlock.index.links import LinkCollector, MalformedPageError
from buildlock.index.outline import FileGroup, Outline, outline_page
from buildlock.index.page_json import check_files, check_version, collect, read_json
from buildlock.lazy import LazyList
from buildlock.reporting import Reporter
from buildlock.text import excerpt, printable, without_credentials
from buildlock.values import dataclass, field, replace

ACCEPT_HTML = "application/vnd.pypi.simple.v1+html, text/html;q=0.9"

_JSON = frozenset(
    {
        "application/vnd.pypi.simple.v1+json",
        "application/vnd.pypi.simple.latest+json",
        "application/json",
    }
)
_HTML = frozenset(
    {
        "application/vnd.pypi.simple.v1+html",
        "application/vnd.pypi.simple.latest+html",
        "application/xhtml+xml",
        "text/html",
    }
)
_STATUSES = frozenset({"archived", "deprecated", "quarantined"})


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectPage:
    """What an index says of a package."""

    versions: Sequence[tuple[Version, Sequence[Artifact]]] = ()
    """The files of each version, the newest first; none where the project is quarantined."""
    contradictory: frozenset[str] = frozenset()
    """The names of files that are left out because the page has two hashes of them."""
    status: str | None = None
    """PEP 792, where it is not `active`."""
    status_reason: str | None = None
    outline: Outline | None = field(default=None, compare=False, repr=False)
    """What may be kept of it, so that it is read faster the next time."""

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """All files, by version."""
        return tuple(artifact for _, files in self.versions for artifact in files)


def parse_page(
    content: bytes, *, url: str, content_type: str | None, name: NormalizedName, report: Reporter
) -> ProjectPage:
    """Read a project page of the simple API (PEP 503, PEP 691).

    Args:
        content: The body.
        url: Where it came from, after redirects.
        content_type: As the server gave it; where it gave none, the body tells.
        name: The package that was asked for.
        report: Told of the files that are left out.

    Raises:
        InvalidPageError: It is no such page.
    """
    links = LinkCollector(page_url=url, name=name, report=report)
    try:
        if _is_json(content, content_type):
            page = read_json(content, name)
            if outline := outline_page(page, links):
                return _make_outlined_page(outline, links)
            artifacts = collect(page.files, links)
            status, reason = page.status.get("status"), page.status.get("reason")
            return _make_page(status, reason, group_by_version(artifacts), links.contradictory)
        from buildlock.index.page_html import read_html  # noqa: PLC0415 - most indexes have JSON

        return _make_html_page(read_html(content, links), links)
    except MalformedPageError as error:
        raise _invalid(url, error) from error


def parse_outlined_page(outline: Outline, *, url: str, name: NormalizedName, report: Reporter) -> ProjectPage:
    """A page of which an outline was kept; as `parse_page` reads it.

    Raises:
        InvalidPageError: As of `parse_page`.
    """
    links = LinkCollector(page_url=url, name=name, report=report)
    try:
        for filename in outline.refused:
            links.find_version(filename, (filename,))
        return _make_outlined_page(outline, links)
    except MalformedPageError as error:
        raise _invalid(url, error) from error


def parse_link_page(content: bytes, *, url: str, report: Reporter) -> tuple[Artifact, ...]:
    """Read an HTML page that links to files of many packages.

    Raises:
        InvalidPageError: It is no such page.
    """
    links = LinkCollector(page_url=url, name=None, report=report)
    try:
        from buildlock.index.page_html import read_html  # noqa: PLC0415 - most indexes have JSON

        read_html(content, links)
    except MalformedPageError as error:
        raise _invalid(url, error) from error
    return links.finish()


def _invalid(url: str, reason: ValueError) -> InvalidPageError:
    return InvalidPageError(
        f"`{without_credentials(url)}` is not a page of a package index: {excerpt(str(reason))}",
        hint="check the URL of the index",
    )


def _is_json(content: bytes, content_type: str | None) -> bool:
    if content_type is None:
        start = content[:64].removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        if start not in {b"{", b"<"}:
            raise MalformedPageError("it has no content type and is neither HTML nor JSON")
        return start == b"{"
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in _JSON | _HTML:
        raise MalformedPageError(f"its content type is `{excerpt(kind)}`")
    return kind in _JSON


def _make_html_page(meta: Mapping[str, str], links: LinkCollector) -> ProjectPage:
    if version := meta.get("pypi:repository-version"):
        check_version(version)
    status, reason = meta.get("pypi:project-status"), meta.get("pypi:project-status-reason")
    return _make_page(status, reason, group_by_version(links.finish()), links.contradictory)


def _make_outlined_page(outline: Outline, links: LinkCollector) -> ProjectPage:
    versions = LazyList(_list_versions(outline, links))
    page = _make_page(outline.status.get("status"), outline.status.get("reason"), versions)
    return replace(page, outline=outline)


def _list_versions(outline: Outline, links: LinkCollector) -> Iterator[tuple[Version, Sequence[Artifact]]]:
    try:
        for group in outline.groups:
            files = _Files(group, links)
            yield (
                group.version,
                LazyArtifacts(files.read, files.list_names, yanked=group.yanked, requires_python=group.requires_python),
            )
    except ValueError as error:
        raise _invalid_outline(links) from error


def _invalid_outline(links: LinkCollector) -> InvalidPageError:
    return _invalid(links.page_url, MalformedPageError("what was kept of it is damaged"))


class _Files:
    """The files of one version, each read when it is looked at."""

    def __init__(self, group: FileGroup, links: LinkCollector) -> None:
        self._group = group
        self._links = links

    @cached_property
    def _files(self) -> Sequence[Mapping[str, Any]]:
        try:
            files = self._group.read()
            check_files(files)
        except (ValueError, TypeError, RecursionError) as error:
            raise _invalid_outline(self._links) from error
        return files

    def list_names(self) -> Sequence[str]:
        return [file["filename"] for file in self._files]

    def read(self, positions: Sequence[int]) -> Sequence[Artifact | None]:
        # No two have one name, so that each can be judged alone.
        found = {
            each.filename: each for each in collect(map(self._files.__getitem__, positions), self._links.begin_again())
        }
        return [found.get(self._files[position]["filename"]) for position in positions]


def _make_page(
    status: Any,
    reason: Any,
    versions: Sequence[tuple[Version, Sequence[Artifact]]],
    contradictory: frozenset[str] = frozenset(),
) -> ProjectPage:
    if not isinstance(status, str | None) or not isinstance(reason, str | None):
        raise MalformedPageError("the project status or its reason is no string")
    known = status in _STATUSES
    return ProjectPage(
        # PEP 792: nothing of a quarantined project is to be installed.
        versions=() if status == "quarantined" else versions,
        contradictory=contradictory,
        status=status if known else None,
        status_reason=printable(reason) if known and reason else None,
    )
