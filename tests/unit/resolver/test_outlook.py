"""What is newer than what was chosen, and what is against it."""

from datetime import datetime, timezone
from typing import Any

import pytest
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.artifacts import Artifact, CoreMetadata, Listing
from buildlock.errors import UnavailableError
from buildlock.project.model import Settings
from buildlock.resolver.outlook import Held, Outlook
from buildlock.resolver.request import ResolutionRequest
from buildlock.resolver.resolve import resolve_all
from support.small_universe import Packages, SmallUniverse, make_target, written

INDEX = "https://index.example/simple"
PLACE = "(pyproject.toml: [build-system].requires)"


def look(packages: Packages, *requirements: str, name: str = "a", pythons: Any = ("3.11.0",), **changes: Any) -> Any:
    """What is held of a package, by version, where each target is resolved with the others."""
    universe = SmallUniverse({INDEX: packages})
    requests = [
        (ResolutionRequest(requirements=written(*requirements), target=make_target(python), **changes), universe)
        for python in pythons
    ]
    resolutions = resolve_all(requests)
    outlook = Outlook(requests, resolutions)
    chosen = {package.name: package.version for package in resolutions[0].packages}
    held = outlook.list_held(NormalizedName(name), chosen[NormalizedName(name)], [0])
    return {str(each.version): [obstacle.text for obstacle in each.obstacles] for each in held}


def kinds(held: tuple[Held, ...]) -> list[str]:
    return [obstacle.kind for each in held for obstacle in each.obstacles]


def test_nothing_is_newer() -> None:
    assert look({"a": {"1.0": {}, "2.0": {}}}, "a") == {}


def test_a_requirement_of_the_project() -> None:
    assert look({"a": {"1.0": {}, "1.1": {}, "2.0": {}}}, "a<1.1") == {"2.0": [f"`a<1.1` {PLACE}"]}


def test_a_dependency_and_a_constraint_at_once() -> None:
    packages: Packages = {"a": {"1.0": {}, "2.0": {}}, "b": {"1.2": {"requires": ["a<2"]}}}
    constraints = written("a<1.5", origin="pyproject.toml: [tool.uv].constraint-dependencies")
    assert look(packages, "a", "b", constraints=constraints) == {
        "2.0": ["`a<1.5` (pyproject.toml: [tool.uv].constraint-dependencies)", "`a<2` of `b 1.2`"]
    }


def test_an_override_is_named_where_it_is_written() -> None:
    packages: Packages = {"a": {"1.0": {}, "2.0": {}}, "b": {"1.2": {"requires": ["a>=2"]}}}
    overrides = written("a<2", origin="pyproject.toml: [tool.uv].override-dependencies")
    assert look(packages, "b", overrides=overrides) == {
        "2.0": ["`a<2` (pyproject.toml: [tool.uv].override-dependencies)"]
    }


def test_a_requirement_by_an_extra() -> None:
    packages: Packages = {"a": {"1.0": {}, "2.0": {}}, "b": {"1.2": {"extras": {"x": ["a<2"]}}}}
    assert look(packages, "b[x]") == {"2.0": ["`a<2` of `b 1.2`"]}


@pytest.mark.parametrize(
    ("entry", "settings", "texts"),
    [
        ({"requires-python": ">=3.12"}, {}, ["does not run on CPython 3.11.0 (needs >=3.12)"]),
        ({"metadata-requires-python": ">=3.12"}, {}, ["does not run on CPython 3.11.0 (needs >=3.12)"]),
        (
            {"wheels": ["cp311-cp311-win_amd64"]},
            {},
            ["no wheel for CPython 3.11.0 on manylinux_2_17_x86_64 (only cp311-win_amd64)"],
        ),
        ({"wheels": [], "sdist": True}, {"no_build": True}, ["`no-build` excludes its sdist"]),
        ({"yanked": "broken"}, {}, ["yanked (broken)"]),
        ({"broken": "no name"}, {}, ["its metadata is refused (`a-2.0-py3-none-any.whl`: no name)"]),
        (
            {"uploaded": datetime(2024, 5, 1, tzinfo=timezone.utc)},
            {"exclude_newer": datetime(2024, 2, 1, tzinfo=timezone.utc)},
            ["not uploaded before `exclude-newer`, 2024-02-01T00:00:00+00:00 (uploaded 2024-05-01)"],
        ),
    ],
)
def test_what_is_passed_over(entry: dict[str, Any], settings: dict[str, Any], texts: list[str]) -> None:
    packages: Packages = {"a": {"1.0": {"uploaded": datetime(2024, 1, 1, tzinfo=timezone.utc)}, "2.0": entry}}
    assert look(packages, "a", settings=Settings(**settings)) == {"2.0": texts}


def test_of_many_wheels_that_do_not_fit_a_few_are_named() -> None:
    wheels = [f"cp3{minor}-cp3{minor}-win_amd64" for minor in range(20)]
    (text,) = look({"a": {"1.0": {}, "2.0": {"wheels": wheels}}}, "a")["2.0"]
    assert text.endswith("and 15 more)")


def test_the_newest_that_could_be_used_is_told_beside_one_that_could_not() -> None:
    packages: Packages = {"a": {"1.0": {}, "1.5": {}, "1.6": {}, "2.0": {"requires-python": ">=3.12"}}}
    assert look(packages, "a<1.5") == {
        "2.0": [f"`a<1.5` {PLACE}", "does not run on CPython 3.11.0 (needs >=3.12)"],
        "1.6": [f"`a<1.5` {PLACE}"],
    }


def test_what_less_is_against_is_told_down_to_one_to_use() -> None:
    late, early = (datetime(2024, month, 1, tzinfo=timezone.utc) for month in (5, 1))
    packages: Packages = {
        "a": {
            "1.0": {"uploaded": early},
            "1.1": {"uploaded": early},
            "1.2": {"uploaded": early, "requires-python": ">=3.12"},
            "1.3": {"uploaded": early, "requires-python": ">=3.13"},
            "1.4": {"uploaded": late},
            "1.5": {"uploaded": late},
        }
    }
    cutoff = Settings(exclude_newer=datetime(2024, 2, 1, tzinfo=timezone.utc))
    found = look(packages, "a==1.0", settings=cutoff)
    assert {version: len(texts) for version, texts in found.items()} == {"1.5": 2, "1.3": 2, "1.1": 1}
    assert list(look(packages, "a", settings=cutoff)) == ["1.5", "1.3"]


def test_a_yanked_version_is_not_the_latest_if_another_one_is_newer() -> None:
    assert list(look({"a": {"1.0": {}, "1.5": {}, "2.0": {"yanked": ""}}}, "a<1.5")) == ["1.5"]


@pytest.mark.parametrize(
    ("requirement", "settings", "expected"),
    [
        ("a<2", Settings(), []),
        ("a<2", Settings(prerelease="allow"), ["2.0rc1"]),
        ("a==1.1b1", Settings(), ["2.0rc1"]),
    ],
)
def test_pre_releases_are_told_where_they_are_allowed(
    requirement: str, settings: Settings, expected: list[str]
) -> None:
    packages: Packages = {"a": {"1.1b1": {}, "1.1": {}, "2.0rc1": {}}}
    assert list(look(packages, requirement, settings=settings)) == expected


def test_another_local_version_is_not_newer() -> None:
    packages: Packages = {"a": {"2.4.0+cu118": {}, "2.4.0+cu124": {}, "2.5.1+cu118": {}, "2.5.1+rocm6": {}}}
    assert list(look(packages, "a==2.4.0+cu118")) == ["2.5.1+cu118"]


class TestConflicts:
    def test_what_it_needs_excludes_what_the_project_needs(self) -> None:
        packages: Packages = {"a": {"1.0": {}, "2.0": {"requires": ["b>=2"]}}, "b": {"1.0": {}, "2.0": {}}}
        assert look(packages, "a", "b<2") == {
            "2.0": [f"`b<2` {PLACE} and `b>=2` of `a 2.0` exclude each other"],
        }

    def test_what_it_needs_is_not_there(self) -> None:
        packages: Packages = {"a": {"1.0": {}, "2.0": {"requires": ["b>=3"]}}, "b": {"1.0": {}, "2.0": {}}}
        assert look(packages, "a") == {"2.0": ["no version matches `b>=3` of `a 2.0`"]}

    def test_what_it_needs_cannot_be_used(self) -> None:
        packages: Packages = {"a": {"1.0": {}, "2.0": {"requires": ["b"]}}, "b": {"1.0": {"requires-python": ">=4"}}}
        (text,) = look(packages, "a")["2.0"]
        assert text == "`b` of `a 2.0` would be 1.0: does not run on CPython 3.11.0 (needs >=4)"

    def test_it_would_lower_another(self) -> None:
        """Both are free, and not both newest: the one that is settled first keeps the other back."""
        packages: Packages = {
            "a": {"1.0": {}, "2.0": {}},
            "b": {"1.0": {}, "2.0": {"requires": ["c<2"]}},
            "c": {"1.0": {}, "2.0": {}},
        }
        assert look(packages, "b", "c", name="c") == {"2.0": ["`c<2` of `b 2.0`"]}
        packages = {
            "a": {"1.0": {}, "2.0": {"requires": ["c<2"]}},
            "b": {"1.0": {}, "2.0": {"requires": ["c>=2"]}},
            "c": {"1.0": {}, "2.0": {}},
        }
        assert look(packages, "a", "b", name="b") == {"2.0": ["it would take `a 1.0` in place of 2.0"]}


class TestTargets:
    def test_one_version_serves_all(self) -> None:
        packages: Packages = {"a": {"1.0": {}, "2.0": {"requires-python": ">=3.12"}}}
        expected = {"2.0": ["does not run on CPython 3.11.0 (needs >=3.12)"]}
        assert look(packages, "a", pythons=["3.12.0", "3.11.0"]) == expected

    def test_a_requirement_of_some(self) -> None:
        packages: Packages = {"a": {"1.0": {}, "2.0": {}}}
        expected = {"2.0": [f"`a<2` {PLACE} on CPython 3.11.0 on manylinux_2_17_x86_64"]}
        assert look(packages, "a", "a<2; python_version < '3.12'", pythons=["3.12.0", "3.11.0"]) == expected


class BrokenUniverse(SmallUniverse):
    """An index that has no metadata for what is newer."""

    def metadata(self, artifact: Artifact) -> CoreMetadata:
        if artifact.version >= Version("2.0"):
            raise UnavailableError("it did not answer\nin detail")
        return super().metadata(artifact)


def test_what_cannot_be_explained_is_told_all_the_same() -> None:
    packages: Packages = {"a": {"1.0": {}, "2.0": {"requires": ["c"]}}, "c": {"1.0": {}}}
    request = ResolutionRequest(requirements=written("a"), target=make_target())
    resolutions = resolve_all([(request, SmallUniverse({INDEX: {"a": {"1.0": {}}}}))])
    outlook = Outlook([(request, BrokenUniverse({INDEX: packages}))], resolutions)
    (held,) = outlook.list_held(NormalizedName("a"), Version("1.0"), [0])
    assert [each.text for each in held.obstacles] == ["what it needs could not be learned: it did not answer"]


def test_of_two_indexes_the_first_one_is_preferred() -> None:
    class TwoIndexes(SmallUniverse):
        """As `unsafe-first-match` lists them: what each has, one after the other."""

        def listing(self, name: NormalizedName) -> Listing:
            offers = [SmallUniverse({index: packages}).listing(name) for index, packages in self.indexes.items()]
            releases = [release for offer in offers for release in offer.releases]
            return Listing(name=name, releases=tuple(releases), asked=())

    universe = TwoIndexes({INDEX: {"a": {"1.0": {}}}, "https://other.example": {"a": {"2.0": {}}}})
    requests = [(ResolutionRequest(requirements=written("a"), target=make_target()), universe)]
    (held,) = Outlook(requests, resolve_all(requests)).list_held(NormalizedName("a"), Version("1.0"), [0])
    assert [each.text for each in held.obstacles] == [f"`{INDEX}` goes before `https://other.example`"]


def test_of_a_package_that_is_to_be_built_wheels_are_of_no_use() -> None:
    packages: Packages = {"a": {"1.0": {"wheels": [], "sdist": True}, "2.0": {}}}
    settings = Settings(no_binary_package=frozenset({NormalizedName("a")}))
    request = ResolutionRequest(requirements=written("a"), target=make_target(), settings=settings)
    requests = [(request, SmallUniverse({INDEX: packages}))]
    (held,) = Outlook(requests, resolve_all(requests), alone=True).list_held(NormalizedName("a"), Version("1.0"), [0])
    assert [each.text for each in held.obstacles] == ["it has wheels alone"]


def test_what_a_package_from_elsewhere_requires_is_not_looked_at() -> None:
    universe = SmallUniverse({INDEX: {"a": {"1.0": {}, "2.0": {}, "3.0": {"requires-python": ">=4"}}}})
    requests = [(ResolutionRequest(requirements=written("a<2"), target=make_target()), universe)]
    resolutions = resolve_all(requests)
    universe.read.clear()
    held = Outlook(requests, resolutions, alone=True).list_held(NormalizedName("a"), Version("1.0"), [0])
    assert kinds(held) == ["requirement", "python", "requirement"]
    assert universe.read == []
