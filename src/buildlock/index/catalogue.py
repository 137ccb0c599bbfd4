"""What the indexes offer of each package, asked once, in parallel, and put in the order to be preferred."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from itertools import chain
from threading import Lock
from typing import TYPE_CHECKING, final

from packaging.markers import Environment
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.artifacts import Artifact, IndexAnswer, Listing, Release, group_by_version
from buildlock.errors import InvalidProjectError, RefusedError
from buildlock.index.asking import UNAUTHORIZED
from buildlock.index.assignment import Assignment, assign
from buildlock.index.futures import NotAtHandError, Workers, complete
from buildlock.index.http import HttpClient
from buildlock.index.page import ProjectPage
from buildlock.index.pages import Pages
from buildlock.lazy import LazyList
from buildlock.project.model import BuildInputs, Index
from buildlock.reporting import Reporter, Warned, phase
from buildlock.text import without_credentials

if TYPE_CHECKING:
    from buildlock.index.flat import FlatListing

_MAX_WORKERS = 16
_SHOWN = 5
"""Of the packages that several indexes have."""


@final
class Catalogue:
    """The offer of the indexes that serve one variant, for any target; safe to share among threads.

    Every page is asked for once, errors included: what has failed fails again without being asked.

    Args:
        inputs: What the user wrote.
        client: Asks the indexes. The catalogue does not close it.
        report: Told of files that are left out and of indexes that are passed over.
        pages: Those that other variants have asked for in the same run.
    """

    def __init__(self, inputs: BuildInputs, client: HttpClient, report: Reporter, pages: Pages | None = None) -> None:
        self._pages = pages or Pages()
        self._inputs = inputs
        self._client = client
        self._report = report
        self._lock = Lock()
        self._usual: Assignment | None = None
        """The places of what has no source of its own."""
        self._listings: dict[tuple[NormalizedName, Assignment | None], Future[Listing]] = {}
        self._listed: set[NormalizedName] = set()
        self._shared: dict[NormalizedName, list[str]] = {}
        self._flats: dict[str, Future[FlatListing]] = {}
        self._workers = Workers(_MAX_WORKERS, "buildlock-index")
        # Of their own: the workers above wait for these, and must not take all the places.
        self._flat_workers = Workers(_MAX_WORKERS, "buildlock-flat")

    def close(self) -> None:
        """Give up what has not begun; requests under way end by themselves."""
        self._workers.close(wait=False)
        self._flat_workers.close(wait=False)

    def anticipate(
        self, names: Iterable[NormalizedName], environment: Environment
    ) -> Mapping[NormalizedName, Future[Listing]]:
        """Begin to ask for packages that will probably be listed; the answers to come, where there is one to ask."""
        begun = {}
        for name in names:
            # Whoever lists it is told.
            with suppress(InvalidProjectError):
                begun[name] = self._begin(name, self._assign(name, environment))
        return begun

    def listing(self, name: NormalizedName, environment: Environment) -> Listing:
        """What may be chosen of `name` in a target, the most preferred release first.

        The target's marker values decide the sources that apply.

        With `first-index`, the releases of the first index that knows the package, newest first; with
        `unsafe-first-match`, those of each index after those of the one before; with `unsafe-best-match`, those of
        all, newest first. Files of `find-links` count as the first such index's own, and go before its others of
        the same version.

        Raises:
            UnavailableError: An index did not answer, or refused to: what it has is not known.
            InvalidPageError: Its answer was not a page.
            InvalidProjectError: What the user wrote names no place, or two, for the package.
        """
        self._listed.add(name)
        listing = self._begin(name, self._assign(name, environment))
        if listing.done():
            return listing.result()
        with phase(self._report, "pages and metadata"):
            return listing.result()

    def warn_of_shared_names(self) -> None:
        """Tell which of the packages that were listed are on several of the indexes that were asked for them.

        Only a strategy that goes beyond the first index finds out: by default no other is asked, as that would tell it
        the names of packages that are not its business.
        """
        names = sorted(name for name in self._listed if name in self._shared)
        if names:
            shown = ", ".join(f"`{name}`" for name in names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")
            locations = sorted({location for name in names for location in self._shared[name]})
            indexes = ", ".join(f"`{location}`" for location in locations)
            count = f"{len(names)} package{'' if len(names) == 1 else 's'}"
            self._report(
                Warned(
                    f"{count} could come from several indexes, and whoever adds a version to one of these decides what"
                    f" is locked: {shown}, from {indexes}",
                    hint="leave `index-strategy` at `first-index`, or give each an `index` in `[tool.uv.sources]`",
                )
            )

    def _assign(self, name: NormalizedName, environment: Environment) -> Assignment:
        if name in self._inputs.sources:
            return assign(name, self._inputs, environment)
        if self._usual is None:
            self._usual = assign(name, self._inputs, environment)
        return self._usual

    def _begin(self, name: NormalizedName, assignment: Assignment) -> Future[Listing]:
        # The usual places are many values, which take long to hash.
        key = name, None if assignment is self._usual else assignment
        if key not in self._listings:
            at_hand = complete(lambda: self._list(name, assignment, at_hand=True))
            with self._lock:
                if key not in self._listings:
                    self._listings[key] = at_hand or self._workers.submit(self._list, name, assignment)
        return self._listings[key]

    def _list(self, name: NormalizedName, assignment: Assignment, *, at_hand: bool = False) -> Listing:
        """Put a listing together; with `at_hand` of what nothing has to be waited for.

        Raises:
            NotAtHandError: Something has to be.
        """
        strategy = self._inputs.settings.index_strategy
        asked: list[IndexAnswer] = []
        linked: list[Release] = []
        for location in assignment.find_links:
            artifacts = self._read_flat(location, at_hand=at_hand).get(name, ())
            shown = without_credentials(location)
            asked.append(IndexAnswer(index=shown, found=bool(artifacts)))
            linked += _releases(name, shown, group_by_version(artifacts))
        offers: list[Sequence[Release]] = []
        for index in assignment.indexes:
            page = self._ask(index, name, at_hand=at_hand)
            asked.append(
                IndexAnswer(
                    index=index.location,
                    found=page is not None,
                    status=page.status if page else None,
                    reason=page.status_reason if page else None,
                )
            )
            if page is not None:
                offers.append(_releases(name, index.location, page.versions))
                if strategy == "first-index":
                    break
        if len(offers) > 1:
            self._shared[name] = [offer[0].index for offer in offers if offer]
        first, *others = offers or [()]
        if strategy == "unsafe-best-match":
            releases: Sequence[Release] = _newest_first(chain(linked, first, *others))
        else:
            # Those of one place are so already.
            best = _newest_first([*linked, *first]) if linked else first
            releases = LazyList(chain(best, *others)) if others else best
        return Listing(name=name, releases=releases, asked=tuple(asked))

    def _ask(self, index: Index, name: NormalizedName, *, at_hand: bool) -> ProjectPage | None:
        """What one index says of a package; `None` where it does not know it."""
        if index.format == "flat":
            artifacts = self._read_flat(index.url, at_hand=at_hand).get(name)
            return None if artifacts is None else ProjectPage(versions=group_by_version(artifacts))
        if at_hand:
            found, page = self._pages.find(index, name, self._client, self._report)
            if not found:
                raise NotAtHandError
            return page
        try:
            return self._pages.ask(index, name, self._client, self._report)
        except RefusedError as error:
            # For uv such an index does not have the package, unless the first index decides alone.
            if error.status not in UNAUTHORIZED or self._inputs.settings.index_strategy == "first-index":
                raise
            self._report(Warned(f"the index `{index.location}` was passed over: it answered {error.status}"))
            return None

    def _read_flat(self, location: str, *, at_hand: bool) -> "FlatListing":
        from buildlock.index.flat import is_local, read_flat  # noqa: PLC0415 - few projects name such places

        if location not in self._flats:
            future = None
            if is_local(location):
                future = complete(lambda: read_flat(location, self._client, self._report))
            elif at_hand:
                raise NotAtHandError
            with self._lock:
                if location not in self._flats:
                    self._flats[location] = future or self._flat_workers.submit(
                        read_flat, location, self._client, self._report
                    )
        if at_hand and not self._flats[location].done():
            raise NotAtHandError
        return self._flats[location].result()


def _releases(
    name: NormalizedName, index: str, versions: Iterable[tuple[Version, Sequence[Artifact]]]
) -> Sequence[Release]:
    """What one place offers, newest first."""
    return LazyList(Release(name=name, version=version, index=index, artifacts=files) for version, files in versions)


def _newest_first(releases: Iterable[Release]) -> list[Release]:
    """By version; those of one version stay in their order, which is their places' priority."""
    return sorted(releases, key=lambda release: release.version, reverse=True)
