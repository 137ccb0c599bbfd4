"""What listings offer in the order of preference, and what of it fits: worked out once, however many targets ask."""

from collections.abc import Collection, Iterator, Sequence
from typing import TypeAlias

from packaging.version import Version

from buildlock.artifacts import Listing, Release
from buildlock.lazy import LazyList
from buildlock.resolver.needs import Need
from buildlock.values import identity

Releases: TypeAlias = Sequence[Release]


class Offers:
    """Shared by the views of targets: most targets are offered the same, and need the same."""

    def __init__(self) -> None:
        # By the identity of what is kept beside it, which therefore stays what it is.
        self._ordered: dict[tuple[int, bool, Version | None], tuple[Listing, Releases]] = {}
        self._fitting: dict[tuple[int, frozenset[str]], tuple[Releases, Releases]] = {}
        self._by_version: dict[int, tuple[Releases, dict[Version, list[Release]], Iterator[Release]]] = {}

    def order(self, listing: Listing, pinned: Version | None, *, prereleases: bool) -> Releases:
        """The releases of a listing, best first; what is equal in all of this stays in its order.

        An existing pin, then what is not yanked (PEP 592: yanked only where nothing else satisfies), then, unless
        the user allows pre-releases, what is stable.
        """
        key = identity(listing), prereleases, pinned
        if key not in self._ordered:
            ordered = LazyList(_order(listing.releases, pinned, prereleases=prereleases))
            self._ordered[key] = listing, ordered
        return self._ordered[key][1]

    def filter(self, releases: Releases, needs: Sequence[Need]) -> Releases:
        """Those of `releases`, which came from `order`, whose version all needs accept."""
        key = identity(releases), frozenset([need.versions for need in needs])
        if key not in self._fitting:
            distinct = {need.versions: need for need in needs}
            # What has no specifier accepts everything.
            distinct.pop("", None)
            fitting = LazyList(_filter(releases, distinct.values())) if distinct else releases
            self._fitting[key] = releases, fitting
        return self._fitting[key][1]

    def find(self, releases: Releases, version: Version, *, unique: bool) -> Sequence[Release]:
        """Those of a version among `releases`, which came from `filter`; with `unique` there is one at most."""
        key = identity(releases)
        if key not in self._by_version:
            self._by_version[key] = releases, {}, iter(releases)
        _, known, rest = self._by_version[key]
        try:
            while not (unique and version in known) and (release := next(rest, None)) is not None:
                known.setdefault(release.version, []).append(release)
        except BaseException:
            # What comes after is not known: the next one who asks is told as well.
            del self._by_version[key]
            raise
        return known.get(version, ())


def _order(releases: Releases, pinned: Version | None, *, prereleases: bool) -> Iterator[Release]:
    def rank(release: Release) -> tuple[bool, bool, bool]:
        version = release.version
        return version != pinned, release.yanked, version.is_prerelease and not prereleases

    best = pinned is None, False, False
    others = []
    for release in releases:
        if rank(release) == best:
            yield release
        else:
            others.append(release)
    yield from sorted(others, key=rank)


def _filter(releases: Releases, needs: Collection[Need]) -> Iterator[Release]:
    for release in releases:
        if all(need.accepts(release.version) for need in needs):
            yield release
