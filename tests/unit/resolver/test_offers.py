from collections.abc import Iterator

import pytest
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.artifacts import Listing, Release
from buildlock.lazy import LazyList
from buildlock.resolver.offers import Offers
from support.small_universe import make_release


def list_releases(*versions: str, then: str | None = None) -> Listing:
    """Releases of one index in this order; with `then`, whoever looks further fails."""

    def read() -> Iterator[Release]:
        for version in versions:
            yield make_release("https://simple.example", "tool", version, {})
        if then is not None:
            pytest.fail(then)

    return Listing(name=NormalizedName("tool"), releases=LazyList(read()), asked=())


@pytest.mark.parametrize("pinned", ["3.0", None])
def test_what_comes_first_is_all_that_is_looked_at(pinned: str | None) -> None:
    listing = list_releases("3.0", then="it was looked at")
    releases = Offers().order(listing, Version(pinned) if pinned else None, prereleases=False)
    assert str(next(iter(releases)).version) == "3.0"


@pytest.mark.parametrize(
    ("pinned", "ordered"),
    [
        (None, ["3.0", "2.0", "1.0", "2.0", "4.0a1"]),
        ("2.0", ["2.0", "2.0", "3.0", "1.0", "4.0a1"]),
        ("4.0a1", ["4.0a1", "3.0", "2.0", "1.0", "2.0"]),
        ("9.0", ["3.0", "2.0", "1.0", "2.0", "4.0a1"]),
    ],
)
def test_a_pin_is_best_and_what_is_not_stable_last(pinned: str | None, ordered: list[str]) -> None:
    listing = list_releases("4.0a1", "3.0", "2.0", "1.0", "2.0")
    releases = Offers().order(listing, Version(pinned) if pinned else None, prereleases=False)
    assert [str(release.version) for release in releases] == ordered
