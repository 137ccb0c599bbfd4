"""Asking the indexes what they say today of what is locked."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

from packaging.utils import NormalizedName

from buildlock.artifacts import Artifact
from buildlock.errors import BuildlockError, IndexError_, RefusedError, UnavailableError, UsageError
from buildlock.index.asking import ask_index
from buildlock.index.hashes import check_hashes
from buildlock.index.http import HttpClient
from buildlock.index.page import ProjectPage
from buildlock.index.provenance import MAX_PROVENANCE_BYTES, parse_provenance
from buildlock.metadata.core import MAX_METADATA_SIZE, MetadataFile
from buildlock.metadata.project_urls import find_link
from buildlock.metadata.ranged import RangesRefusedError, open_by_ranges
from buildlock.metadata.reader import find_metadata_url
from buildlock.metadata.wheel import read_wheel_metadata
from buildlock.project.model import Index, Project
from buildlock.published import LockedRelease, ProjectLink, Published, PublishedFile, Publisher
from buildlock.reporting import Began, Noted, Reporter, Warned
from buildlock.values import dataclass, replace
from buildlock.workflows.client import open_client
from buildlock.workflows.parallel import map_parallel
from buildlock.workflows.workspace import Workspace

_OK = 200
_MAX_FAILURES = 3
"""After so many requests that a server has not answered, it is asked for nothing more."""

_Answer = TypeVar("_Answer")


def ask_indexes(
    workspace: Workspace,
    project: Project,
    releases: Iterable[LockedRelease],
    *,
    attested: Collection[LockedRelease] = (),
    linked: Collection[LockedRelease] = (),
) -> Mapping[LockedRelease, Published]:
    """What the indexes say today of locked releases; each project page is asked for once.

    What an index does not answer is no error but `unknown`, and one warning for that index says so.

    Args:
        workspace: Where answers are kept, and who is told.
        project: Whose credentials are used.
        releases: As `find_release` finds them in locked packages.
        attested: Those of them whose publishers are asked for.
        linked: Those of them whose release notes are asked for.

    Raises:
        UsageError: The project is not to ask any network.
    """
    wanted = tuple(dict.fromkeys(releases))
    variants = tuple(project.inputs.values())
    if any(inputs.offline for inputs in variants):
        raise UsageError(
            "the indexes cannot be asked: this is offline",
            hint="lift `UV_OFFLINE`, `BUILDLOCK_OFFLINE` or `offline`, wherever it is set",
        )
    if not wanted:
        return {}
    workspace.report(Began("Asking the indexes"))
    with open_client(workspace, *variants) as client:
        inquiry = _Inquiry(client, workspace.report)
        keys = sorted({(release.index, release.name) for release in wanted})
        answers = dict(zip(keys, map_parallel(inquiry.ask_page, keys, give_up=client.close), strict=True))
        found = {release: _describe(release, answers[release.index, release.name]) for release in wanted}
        urls = sorted({file.provenance for each in attested for file in found[each].files if file.provenance})
        publishers = dict(zip(urls, map_parallel(inquiry.ask_publishers, urls, give_up=client.close), strict=True))
        wheels = {each: wheel for each in linked if (wheel := _find_wheel(each, answers[each.index, each.name]))}
        told = map_parallel(inquiry.ask_link, tuple(wheels.values()), give_up=client.close)
        links = dict(zip(wheels, told, strict=True))
    inquiry.warn()
    return {
        release: replace(
            published,
            files=tuple(replace(file, publishers=publishers.get(file.provenance or "")) for file in published.files),
            link=links.get(release),
        )
        for release, published in found.items()
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class _PageAnswer:
    """What an index answered: a page, that there is none, or nothing that can be used."""

    page: ProjectPage | None = None
    failure: str | None = None


class _Inquiry:
    """Asks, and takes a failure for an answer; safe to share among threads."""

    def __init__(self, client: HttpClient, report: Reporter) -> None:
        self._client = client
        self._report = report
        self._silent: Counter[str] = Counter()
        self._failures: dict[str, list[BuildlockError]] = {}

    def ask_page(self, key: tuple[str, NormalizedName]) -> _PageAnswer:
        location, name = key
        index = Index(url=location, location=location, origin="the lock")
        try:
            return _PageAnswer(page=self._ask(location, lambda: ask_index(index, name, self._client, self._report)))
        except IndexError_ as error:
            self._failures.setdefault(location, []).append(error)
            return _PageAnswer(failure=error.message)

    def ask_publishers(self, url: str) -> tuple[Publisher, ...] | None:
        """Who attests a file; `None` where that cannot be read."""
        try:
            return parse_provenance(self._fetch(url, MAX_PROVENANCE_BYTES), url=url)
        except IndexError_ as error:
            self._failures.setdefault(f"attestations of {_origin(url)}", []).append(error)
            return None

    def ask_link(self, wheel: Artifact) -> ProjectLink | None:
        """Where the project tells what is new, from the metadata of a wheel."""
        try:
            content = self._read_metadata(wheel)
            urls = MetadataFile(content, subject=wheel.filename, url=wheel.url).read_project_urls()
        # A convenience for the reader, for which no whole wheel is fetched.
        except (BuildlockError, RangesRefusedError) as error:
            self._report(Noted(f"no links from `{wheel.filename}`: {error}"))
            return None
        return find_link(urls)

    def _read_metadata(self, wheel: Artifact) -> bytes:
        if wheel.core_metadata is None:
            return read_wheel_metadata(open_by_ranges(self._client, wheel), wheel)
        url = find_metadata_url(wheel.url)
        content = self._fetch(url, MAX_METADATA_SIZE)
        check_hashes(content, wheel.core_metadata, url=url)
        return content

    def warn(self) -> None:
        """Tell, once for each index, what is unknown."""
        for _, errors in sorted(self._failures.items()):
            first = min(errors, key=lambda error: error.message)
            more = f" (and {len(errors) - 1} more like this)" if len(errors) > 1 else ""
            self._report(Warned(f"the answer is incomplete: {first.message}{more}", hint=first.hint))

    def _fetch(self, url: str, max_bytes: int) -> bytes:
        response = self._ask(url, lambda: self._client.get(url, max_bytes=max_bytes))
        if response.status != _OK:
            raise RefusedError(f"`{url}` could not be fetched: it answered {response.status}", status=response.status)
        return response.content

    def _ask(self, url: str, action: Callable[[], _Answer]) -> _Answer:
        """Ask a server, unless it has failed too often: to wait for each of its failures takes minutes."""
        origin = _origin(url)
        if self._silent[origin] >= _MAX_FAILURES:
            raise UnavailableError(f"`{origin}` was asked for nothing more: it has not answered before")
        try:
            return action()
        except RefusedError:
            raise
        except UnavailableError:
            self._silent[origin] += 1
            raise


def _describe(release: LockedRelease, answer: _PageAnswer) -> Published:
    if answer.failure is not None:
        return Published(unknown=answer.failure)
    page = answer.page or ProjectPage()
    artifacts = {artifact.filename: artifact for artifact in page.artifacts}
    return Published(
        # Of a quarantined project the index shows no files: that does not mean that they are gone.
        files=()
        if page.status == "quarantined"
        else tuple(_describe_file(filename, sha256, page, artifacts) for filename, sha256 in release.files),
        status=page.status,
        status_reason=page.status_reason,
    )


def _describe_file(filename: str, sha256: str, page: ProjectPage, artifacts: Mapping[str, Artifact]) -> PublishedFile:
    artifact = artifacts.get(filename)
    if artifact is None:
        return PublishedFile(filename=filename, state="changed" if filename in page.contradictory else "removed")
    found = artifact.hashes.get("sha256")
    if found not in {None, sha256}:  # nothing else that is said is about the locked file
        return PublishedFile(filename=filename, state="changed", sha256=found)
    return PublishedFile(
        filename=filename,
        state="there",
        sha256=found,
        upload_time=artifact.upload_time,
        yanked=artifact.yanked,
        provenance=artifact.provenance,
    )


def _find_wheel(release: LockedRelease, answer: _PageAnswer) -> Artifact | None:
    """A wheel of the release, if possible one whose metadata the index offers beside it (PEP 658)."""
    names = {filename for filename, _ in release.files}
    offered = answer.page.artifacts if answer.page is not None else ()
    wheels = [each for each in offered if each.kind == "wheel" and each.filename in names]
    return min(wheels, key=lambda wheel: wheel.core_metadata is None, default=None)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
