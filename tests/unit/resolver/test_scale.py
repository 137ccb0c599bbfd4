"""How the work of a resolution grows with what is resolved: counted, not timed."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytest

from buildlock.resolver import needs
from buildlock.resolver.evaluator import Evaluator
from buildlock.resolver.needs import Need
from buildlock.resolver.provider import Provider
from buildlock.resolver.request import ResolutionRequest
from buildlock.resolver.resolve import resolve_all
from support.small_universe import Packages, SmallUniverse, make_target, written

INDEX = "https://index.example/simple"


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each of the questions was answered that take the time."""
    counted: Counter[str] = Counter()

    def count(owner: Any, name: str) -> None:
        answer: Callable[..., Any] = getattr(owner, name)

        def counting(*args: Any, **named: Any) -> Any:
            counted[name] += 1
            return answer(*args, **named)

        monkeypatch.setattr(owner, name, counting)

    count(Provider, "choose")
    count(Provider, "find_matches")
    count(Provider, "_satisfies")
    count(Evaluator, "evaluate")
    count(Need, "accepts")
    count(needs, "_holds")
    return counted


class KeptUniverse(SmallUniverse):
    """One that answers all targets with the same value, as one that was fetched does."""

    listing = cache(SmallUniverse.listing)


def solve(packages: Packages, requirements: Sequence[str], targets: int = 1) -> SmallUniverse:
    universe = KeptUniverse({INDEX: packages})
    requests = [
        ResolutionRequest(
            requirements=written(*requirements),
            target=make_target(f"3.{8 + n % 8}.0", changes={"platform_machine": f"machine{n // 8}"}),
        )
        for n in range(targets)
    ]
    resolve_all([(request, universe) for request in requests])
    return universe


def make_tree(count: int) -> Packages:
    """Each needs two others."""
    return {
        f"p{n}": {
            f"{version}.0": {"requires": [f"p{other}>=1" for other in (2 * n + 1, 2 * n + 2) if other < count]}
            for version in (1, 2, 3)
        }
        for n in range(count)
    }


def make_star(count: int) -> Packages:
    """All need one."""
    around: Packages = {f"p{n}": {"1.0": {"requires": [f"base>={n % 5 + 1}"]}} for n in range(count)}
    return {**around, "base": {f"{version}.0": {} for version in range(1, 50)}}


def make_chain(count: int) -> Packages:
    """Each needs the next one, and all need one."""
    base: Packages = {"base": {"1.0": {}}}
    return {
        **base,
        **{f"p{n}": {"1.0": {"requires": ["base", *([f"p{n + 1}"] * (n + 1 < count))]}} for n in range(count)},
    }


@pytest.mark.parametrize("searched", [False, True])
@pytest.mark.parametrize("make", [make_tree, make_star, make_chain])
def test_of_requirements(
    work: Counter[str], make: Callable[[int], Packages], *, searched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if searched:
        monkeypatch.setattr("buildlock.resolver.search.settle", lambda _: None)
    done = {}
    for count in (20, 200):
        work.clear()
        universe = solve(make(count), [f"p{n}" for n in range(count)])
        assert max(Counter(universe.listed).values()) == 1
        assert max(Counter(universe.read).values()) == 1
        done[count] = work.copy()
    assert ("find_matches" in done[200]) == searched
    for question, times in done[200].items():
        assert times <= 12 * done[20][question], question


def test_of_targets(work: Counter[str]) -> None:
    done = {}
    for count in (1, 32):
        work.clear()
        solve(make_tree(30), ["p0"], targets=count)
        done[count] = work.copy()
    # Which versions fit is found out once for all of them.
    assert done[32]["accepts"] <= 2 * done[1]["accepts"]
    for question in ("evaluate", "_holds"):
        assert done[32][question] <= 32 * done[1][question], question


def test_of_extras(work: Counter[str]) -> None:
    done = {}
    for count in (20, 200):
        work.clear()
        names = [f"e{n}" for n in range(count)]
        packages: Packages = {
            "a": {"1.0": {"extras": {name: [f"p-{name}"] for name in names}}},
            **{f"p-{name}": {"1.0": {}} for name in names},
        }
        solve(packages, [f"a[{','.join(names)}]"])
        done[count] = work["_holds"]
    assert done[200] <= 12 * done[20]
