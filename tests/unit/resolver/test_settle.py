"""Where no search is needed; that it would find the same is a property test."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from buildlock.errors import UnavailableError
from buildlock.reporting import silence
from buildlock.resolver.partition import Partition
from buildlock.resolver.provider import Provider
from buildlock.resolver.request import ResolutionRequest
from buildlock.resolver.settle import settle
from buildlock.resolver.view import View
from support.small_universe import Packages, SmallUniverse, make_target, written

INDEX = "https://index.example/simple"
VERSIONS: Mapping[str, Any] = {"1.0": {}, "2.0": {}, "3.0": {}}


def try_to_settle(packages: Packages, requirements: Sequence[str]) -> dict[str, str] | None:
    universe = SmallUniverse({INDEX: packages})
    request = ResolutionRequest(requirements=written(*requirements), target=make_target())
    view = View(request, universe, silence)
    settled = settle(Provider([view], Partition(targets=[view.target])))
    return None if settled is None else {choice.name: str(choice.version) for choice in settled.values()}


@pytest.mark.parametrize(
    ("requires", "expected"),
    [
        (["c"], "3.0"),
        (["c<3"], "2.0"),
        (["c==1.0", "c"], None),  # a search that knew of the second alone would take another one
        (["c<2", "c>=2"], None),
        (["c>=4"], None),
    ],
)
def test_what_packages_require(requires: Sequence[str], expected: str | None) -> None:
    packages = {"a": {"1.0": {"requires": requires[:1]}}, "b": {"1.0": {"requires": requires[1:]}}, "c": VERSIONS}
    settled = try_to_settle(packages, ["a", "b"])
    assert settled == (None if expected is None else {"a": "1.0", "b": "1.0", "c": expected})


def test_what_the_user_requires_is_known_from_the_start() -> None:
    packages = {"a": {"1.0": {"requires": ["c"]}}, "c": VERSIONS}
    assert try_to_settle(packages, ["a", "c<3"]) == {"a": "1.0", "c": "2.0"}


def test_what_a_package_rules_out_of_the_users() -> None:
    packages = {"a": {"1.0": {"requires": ["c<3"]}}, "c": VERSIONS}
    assert try_to_settle(packages, ["a", "c"]) is None


def test_what_only_an_extra_requires() -> None:
    packages: Packages = {
        "a": {"1.0": {"requires": ["b"]}},
        "b": {"1.0": {"extras": {"x": ["c<3"]}}},
        "c": VERSIONS,
        "d": {"1.0": {"requires": ["b[x]"]}},
    }
    assert try_to_settle(packages, ["a", "d"]) == {"a": "1.0", "b": "1.0", "c": "2.0", "d": "1.0"}


def test_a_round_of_packages() -> None:
    packages = {"a": {"1.0": {"requires": ["b"]}}, "b": {"1.0": {"requires": ["a>=1"]}}}
    assert try_to_settle(packages, ["a"]) == {"a": "1.0", "b": "1.0"}


def test_metadata_that_is_refused_is_left_to_the_search() -> None:
    assert try_to_settle({"a": {"2.0": {"broken": "no name"}, "1.0": {}}}, ["a"]) is None


def test_a_server_that_is_down_is_left_to_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise UnavailableError("it is down")

    monkeypatch.setattr(SmallUniverse, "metadata", fail)
    assert try_to_settle({"a": {"1.0": {}}}, ["a"]) is None


def test_what_has_to_be_built_to_know_its_needs_is_left_to_the_search() -> None:
    packages: Packages = {"a": {"1.0": {"wheels": [], "sdist": True}}}
    assert try_to_settle(packages, ["a"]) is None


def test_a_universe_without_end_is_left_to_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("buildlock.resolver.settle._MOST_PACKAGES", 20)
    packages: Packages = {f"p{n}": {"1.0": {"requires": [f"p{n + 1}"]}} for n in range(30)}
    assert try_to_settle({**packages, "p30": {"1.0": {}}}, ["p20"]) is not None
    assert try_to_settle({**packages, "p30": {"1.0": {}}}, ["p0"]) is None
