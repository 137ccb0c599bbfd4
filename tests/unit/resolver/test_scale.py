"""How the work of a resolution grows with what is resolved: counted, not timed."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from functools import cache
from typing import Any

import pytest

from buildlock.artifacts import Artifact, LazyArtifacts
from buildlock.project.model import Settings
from buildlock.resolver import needs
from buildlock.resolver.evaluator import Evaluator
from buildlock.resolver.needs import Need
from buildlock.resolver.provider import Choice, Provider
from buildlock.resolver.request import ResolutionRequest
from buildlock.resolver.resolve import resolve_all
from support.small_universe import Packages, SmallUniverse, make_release, make_target, written

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
    count(Choice, "includes")
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


def test_of_versions_that_are_not_chosen(work: Counter[str]) -> None:
    versions: dict[str, Any] = {f"{n}.0": {} for n in range(1000)}
    packages: Packages = dict.fromkeys(("a", "b", "c"), versions)
    solve(packages, ["a>1", "b>1,<990", "c", "a>2"], targets=8)
    assert work["accepts"] < 100


class TestFilesThatAreNotLookedAt:
    NAMES = (
        "a-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
        "a-1.0-cp312-cp312-manylinux_2_17_x86_64.manylinux_2_5_x86_64.whl",
        "a-1.0-cp311-cp311-win_amd64.whl",
        "a-1.0-py3-none-any.whl",
        "a-1.0.tar.gz",
    )

    def judge(self, entry: Mapping[str, Any], **settings: Any) -> tuple[object, object, list[str]]:
        """The verdict on a release whose files are all there, the one where they are read, and which those are."""
        release = make_release(
            INDEX, "a", "1.0", {"wheels": [name[6:-4] for name in self.NAMES[:-1]], "sdist": True, **entry}
        )
        read: list[str] = []

        def look(positions: Sequence[int]) -> list[Artifact]:
            read.extend(release.artifacts[position].filename for position in positions)
            return [release.artifacts[position] for position in positions]

        lazy = LazyArtifacts(
            look,
            lambda: [artifact.filename for artifact in release.artifacts],
            yanked=release.yanked,
            requires_python=entry.get("requires-python"),
        )
        request = ResolutionRequest(requirements=written("a"), target=make_target(), settings=Settings(**settings))
        first, second = (
            Evaluator(request, needs.Needs(request)).evaluate(each)
            for each in (release, replace(release, artifacts=lazy))
        )
        return first, second, read

    def test_for_other_platforms(self) -> None:
        first, second, read = self.judge({"requires-python": ">=3.8"})
        assert first == second
        assert read == [name for name in self.NAMES if "win" not in name]

    @pytest.mark.parametrize("yanked", [None, "broken"])
    def test_for_other_pythons(self, yanked: str | None) -> None:
        first, second, read = self.judge({"requires-python": "<3", "yanked": yanked})
        assert first == second
        assert bool(read) == (yanked is not None)

    @pytest.mark.parametrize(
        "settings",
        [{"no_build": True}, {"no_binary_package": frozenset({"a"})}, {"exclude_newer": datetime.now(timezone.utc)}],
    )
    def test_all_where_there_is_more_against_them(self, settings: dict[str, Any]) -> None:
        first, second, read = self.judge({"requires-python": "<3"}, **settings)
        assert first == second
        assert set(read) == set(self.NAMES)


def test_of_versions_that_are_tried_in_vain(work: Counter[str]) -> None:
    done = {}
    for count in (10, 100):
        work.clear()
        versions = [f"{number}.0" for number in range(1, count + 1)]
        packages: Packages = {
            "a": {version: {"requires": [f"b=={version}"]} for version in versions},
            "b": {version: {"requires": [f"c=={version}"]} for version in versions},
            "c": {version: {} for version in versions},
        }
        solve(packages, ["a", "c<2"])
        done[count] = work.copy()
    # Each version that failed is passed over by each look that comes after, and compared with nothing else.
    assert done[100]["includes"] <= 300 * done[10]["includes"]
