"""What is fetched ahead of the search: as much as can be at a time, and never so that it decides anything."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import permutations
from threading import Barrier, Event

import pytest
from packaging.utils import NormalizedName

from buildlock.artifacts import Artifact, CoreMetadata, Listing
from buildlock.errors import NoSolutionError, UnavailableError
from buildlock.resolver import scout
from buildlock.resolver.request import ResolutionRequest
from buildlock.resolver.resolve import resolve
from support.small_universe import Packages, SmallUniverse, make_target, written

INDEX = "https://index.example/simple"
CHAINS: Packages = {
    "a": {"1.0": {"requires": ["a2"]}},
    "b": {"1.0": {"requires": ["b2<2"]}},
    "a2": {"1.0": {"requires": ["a3"]}},
    "b2": {"1.0": {"requires": ["b3"]}, "2.0": {"requires": ["unrelated"]}},
    "a3": {"1.0": {}},
    "b3": {"1.0": {}},
    "unrelated": {"1.0": {}},
}


class AwaitedUniverse(SmallUniverse):
    """Each listing is there only when all that are to be asked for together have been asked for."""

    def __init__(self, packages: Packages, pool: ThreadPoolExecutor, together: Iterable[Sequence[str]] = ()) -> None:
        super().__init__({INDEX: packages})
        self._pool = pool
        self._begun: dict[str, Future[Listing]] = {}
        self._barriers = {name: barrier for names in together for barrier in [Barrier(len(names))] for name in names}
        self.metadata_begun: list[str] = []

    def listing(self, name: NormalizedName) -> Listing:
        return self.anticipate([name])[name].result()

    def anticipate(self, names: Iterable[NormalizedName]) -> Mapping[NormalizedName, Future[Listing]]:
        names = list(names)
        for name in names:
            if name not in self._begun:
                self._begun[name] = self._pool.submit(self._list, name)
        return {name: self._begun[name] for name in names}

    def anticipate_metadata(self, artifact: Artifact) -> Future[CoreMetadata]:
        self.metadata_begun.append(artifact.filename)
        return self._pool.submit(self.metadata, artifact)

    def _list(self, name: NormalizedName) -> Listing:
        if name in self._barriers:
            self._barriers[name].wait(timeout=10)
        return super().listing(name)

    @property
    def asked(self) -> set[str]:
        return set(self._begun)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


def ask(universe: SmallUniverse, *requirements: str) -> list[str]:
    request = ResolutionRequest(requirements=written(*requirements), target=make_target())
    return [f"{package.name} {package.version}" for package in resolve(request, universe).packages]


def test_what_is_needed_together_is_asked_for_together(pool: ThreadPoolExecutor) -> None:
    universe = AwaitedUniverse(CHAINS, pool, [("a", "b"), ("a2", "b2"), ("a3", "b3")])
    assert ask(universe, "a", "b") == ["a 1.0", "a2 1.0", "a3 1.0", "b 1.0", "b2 1.0", "b3 1.0"]
    assert "unrelated" not in universe.asked


def test_what_will_probably_be_needed_is_asked_for_with_what_is(pool: ThreadPoolExecutor) -> None:
    universe = AwaitedUniverse(CHAINS, pool, [("a", "a2", "a3")])
    likely = frozenset(map(NormalizedName, ("a2", "a3")))
    request = ResolutionRequest(requirements=written("a"), target=make_target(), likely=likely)
    assert [package.name for package in resolve(request, universe).packages] == ["a", "a2", "a3"]


class OrderedUniverse(AwaitedUniverse):
    """Its listings come one after the other, in an order of its own."""

    def __init__(self, packages: Packages, pool: ThreadPoolExecutor, order: Sequence[str]) -> None:
        super().__init__(packages, pool)
        self._there = {name: Event() for name in order}
        self._before = dict(zip(order[1:], order, strict=False))

    def _list(self, name: NormalizedName) -> Listing:
        if name in self._before:
            assert self._there[self._before[name]].wait(timeout=10)
        self._there[name].set()
        return super()._list(name)


def test_whatever_arrives_first_the_same_is_chosen(pool: ThreadPoolExecutor) -> None:
    packages: Packages = {
        "a": {"1.0": {}, "2.0": {"requires": ["c<2"]}},
        "b": {"1.0": {"requires": ["c>=2"]}},
        "c": {"1.0": {}, "2.0": {}},
    }
    expected = ask(SmallUniverse({INDEX: packages}), "a", "b", "c")
    assert expected == ["a 1.0", "b 1.0", "c 2.0"]
    for order in permutations(packages):
        assert ask(OrderedUniverse(packages, pool, order), "a", "b", "c") == expected


def test_a_requirement_that_cannot_be_met_is_told_at_once(pool: ThreadPoolExecutor) -> None:
    chain: Packages = {f"a{number}": {"1.0": {"requires": [f"a{number + 1}"]}} for number in range(500)}
    universe = AwaitedUniverse({**chain, "a500": {"1.0": {}}, "z": {"1.0": {}}}, pool)
    with pytest.raises(NoSolutionError, match="z"):
        ask(universe, "a0", "z>1")
    assert "a500" not in universe.asked


class BrokenUniverse(AwaitedUniverse):
    def _list(self, name: NormalizedName) -> Listing:
        if name == "b3":
            raise UnavailableError("the index is down")
        return super()._list(name)


def test_what_cannot_be_had_is_told_by_the_search(pool: ThreadPoolExecutor) -> None:
    with pytest.raises(UnavailableError, match="down"):
        ask(BrokenUniverse(CHAINS, pool), "a", "b")
    # What only a wrong guess would need is no failure.
    packages: Packages = {**CHAINS, "c": {"1.0": {"requires": ["b2>=2"]}}}
    assert ask(BrokenUniverse(packages, pool), "b2", "c") == ["b2 2.0", "c 1.0", "unrelated 1.0"]


def test_a_universe_without_an_end_is_not_walked_to_it(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scout, "_MOST_PACKAGES", 5)
    packages: Packages = {f"p{n}": {"1.0": {"requires": [f"p{n + 1}"]}} for n in range(100)}
    packages = {**packages, "p0": {"1.0": {"requires": ["p1", "z>1"]}}, "z": {"1.0": {}}}
    universe = AwaitedUniverse(packages, pool)
    with pytest.raises(NoSolutionError):
        ask(universe, "p0")
    assert len(universe.asked) < 10
