"""What listings offer in the order of preference, and what of it fits: worked out once, however many targets ask."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from packaging.version import Version

from buildlock.artifacts import Listing, Release
from buildlock.resolver.needs import Need

Releases: TypeAlias = tuple[Release, ...]


class Offers:
    """Shared by the views of targets: most targets are offered the same, and need the same."""

    def __init__(self) -> None:
        # By the identity of what is kept beside it, which therefore stays what it is.
        self._ordered: dict[tuple[int, bool, Version | None], tuple[Listing, Releases]] = {}
        self._fitting: dict[tuple[int, frozenset[str]], tuple[Releases, Releases]] = {}
        self._by_version: dict[int, tuple[Releases, Mapping[Version, Sequence[Release]]]] = {}

    def order(self, listing: Listing, pinned: Version | None, *, prereleases: bool) -> Releases:
        """The releases of a listing, best first; what is equal in all of this stays in its order.

        An existing pin, then what is not yanked (PEP 592: yanked only where nothing else satisfies), then, unless
        the user allows pre-releases, what is stable.
        """
        key = id(listing), prereleases, pinned
        if key not in self._ordered:

            def rank(release: Release) -> tuple[bool, bool, bool]:
                version = release.version
                return version != pinned, release.yanked, version.is_prerelease and not prereleases

            self._ordered[key] = listing, tuple(sorted(listing.releases, key=rank))
        return self._ordered[key][1]

    def filter(self, releases: Releases, needs: Sequence[Need]) -> Releases:
        """Those of `releases`, which came from `order`, whose version all needs accept."""
        key = id(releases), frozenset([need.versions for need in needs])
        if key not in self._fitting:
            distinct = {need.versions: need for need in needs}
            # What has no specifier accepts everything.
            distinct.pop("", None)
            fitting: Sequence[Release] = releases
            for need in distinct.values():
                fitting = [release for release in fitting if need.accepts(release.version)]
            self._fitting[key] = releases, tuple(fitting)
        return self._fitting[key][1]

    def group(self, releases: Releases) -> Mapping[Version, Sequence[Release]]:
        """`releases`, which came from `filter`, by version."""
        if id(releases) not in self._by_version:
            versions: dict[Version, list[Release]] = {}
            for release in releases:
                versions.setdefault(release.version, []).append(release)
            self._by_version[id(releases)] = releases, versions
        return self._by_version[id(releases)][1]
