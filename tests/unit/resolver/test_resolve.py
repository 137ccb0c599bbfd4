"""Promises of `resolve` that a scenario cannot state; what comes out of what is in `fixtures/scenarios`."""

from datetime import datetime, timezone
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName
from packaging.version import Version
from resolvelib.resolvers import Resolution as Search

from buildlock.artifacts import Artifact, CoreMetadata, IndexAnswer, Listing
from buildlock.errors import IntegrityError, InvalidProjectError, NoSolutionError, UnavailableError
from buildlock.project.model import BuildRequirement, Settings
from buildlock.reporting import Event, Noted
from buildlock.resolver import search
from buildlock.resolver.conflict import History
from buildlock.resolver.request import Resolution, ResolutionRequest
from buildlock.resolver.resolve import resolve, resolve_all
from support.small_universe import Packages, SmallUniverse, make_target, written

INDEX = "https://index.example/simple"


def ask(universe: SmallUniverse, *requirements: str, **changes: Any) -> Resolution:
    return resolve(ResolutionRequest(requirements=written(*requirements), target=make_target(), **changes), universe)


def fail(packages: Packages, *requirements: str, **changes: Any) -> NoSolutionError:
    with pytest.raises(NoSolutionError) as caught:
        ask(SmallUniverse({INDEX: packages}), *requirements, **changes)
    return caught.value


def test_reads_no_metadata_but_that_of_what_it_tries() -> None:
    packages: Packages = {
        "torch": {f"2.{minor}": {"requires": ["filelock"]} for minor in range(50)},
        "filelock": {"3.0": {}, "3.1": {}},
        "unrelated": {"1.0": {}},
    }
    universe = SmallUniverse({INDEX: packages})
    ask(universe, "torch>=2.0", "torch==2.4")
    assert universe.read == ["torch-2.4-py3-none-any.whl", "filelock-3.1-py3-none-any.whl"]
    assert universe.listed == ["torch", "filelock"]


def test_reads_no_metadata_of_an_sdist_before_it_is_tried() -> None:
    """It may have to be built for it; what is only announced, suggested or explained is not tried."""
    newer = {f"2.{minor}": {"wheels": [], "sdist": True} for minor in range(20)}
    packages: Packages = {"a": {"1.0": {}, **newer}, "b": {"1.0": {"requires": ["a<2.5", "c"]}}, "c": newer}
    universe = SmallUniverse({INDEX: packages})
    ask(universe, "b==1.0", "a<2.7")
    assert universe.read == ["b-1.0-py3-none-any.whl", "a-2.4.tar.gz", "c-2.19.tar.gz"]
    universe = SmallUniverse({INDEX: packages})
    with pytest.raises(NoSolutionError):
        ask(universe, "b==1.0", "a>=2.5", "c")
    assert universe.read == ["b-1.0-py3-none-any.whl"]


def test_builds_no_sdist_for_one_target_where_the_wheel_of_another_is_refused() -> None:
    entry = {"wheels": ["cp312-cp312-manylinux_2_17_x86_64"], "sdist": {"requires": ["b"]}, "broken": "no name"}
    universe = SmallUniverse({INDEX: {"a": {"1.0": {"sdist": True}, "1.1": entry}, "b": {"1.0": {}}}})
    resolutions = resolve_all(
        [
            (ResolutionRequest(requirements=written("a"), target=make_target(python)), universe)
            for python in ("3.11.0", "3.12.0")
        ]
    )
    assert {package.artifact.filename for each in resolutions for package in each.packages} == {
        "a-1.0-py3-none-any.whl"
    }
    assert "a-1.1.tar.gz" not in universe.read


def test_each_target_needs_what_its_own_file_needs() -> None:
    entry = {"wheels": ["cp312-cp312-manylinux_2_17_x86_64"], "requires": ["b"], "sdist": {"requires": ["c"]}}
    universe = SmallUniverse({INDEX: {"a": {"1.0": entry}, "b": {"1.0": {}}, "c": {"1.0": {}}}})
    resolutions = resolve_all(
        [
            (ResolutionRequest(requirements=written("a"), target=make_target(python)), universe)
            for python in ("3.11.0", "3.12.0")
        ]
    )
    assert [[package.artifact.filename for package in each.packages] for each in resolutions] == [
        ["a-1.0.tar.gz", "c-1.0-py3-none-any.whl"],
        ["a-1.0-cp312-cp312-manylinux_2_17_x86_64.whl", "b-1.0-py3-none-any.whl"],
    ]


@pytest.mark.parametrize("count", [3, 10, 50])
def test_finds_the_only_solution_behind_many_that_fail(count: int) -> None:
    versions = range(1, count + 1)
    packages: Packages = {
        "a": {f"{n}.0": {"requires": [f"b=={n}.0"]} for n in versions},
        "b": {f"{n}.0": {"requires": [f"c=={n}.0"]} for n in versions},
        "c": {f"{n}.0": {} for n in versions},
        "z": {"1.0": {"requires": ["c<2"]}},
    }
    found = ask(SmallUniverse({INDEX: packages}), "a", "z")
    assert [f"{package.name} {package.version}" for package in found.packages] == ["a 1.0", "b 1.0", "c 1.0", "z 1.0"]


def test_announces_what_it_will_list() -> None:
    universe = SmallUniverse({INDEX: {"a": {"1.0": {"requires": ["c", "a"]}}, "b": {"1.0": {}}, "c": {"1.0": {}}}})
    ask(universe, "b", "a")
    assert universe.anticipated == ["a", "b", "c"]


def test_announces_whose_metadata_it_will_ask_for() -> None:
    packages: Packages = {"a": {"1.0": {}, "2.0": {"requires": ["c<2"]}}, "b": {"1.0": {}}, "c": {"1.0": {}, "2.0": {}}}
    universe = SmallUniverse({INDEX: packages})
    ask(universe, "b", "a")
    assert list(dict.fromkeys(universe.expected)) == [
        f"{name}-py3-none-any.whl" for name in ("a-2.0", "b-1.0", "c-1.0")
    ]


def test_computes_tags_only_of_releases_that_it_looks_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []
    compute = Artifact.tags.fget  # type: ignore[attr-defined]

    def count(artifact: Artifact) -> Any:
        looked_at.append(artifact.filename)
        return compute(artifact)

    monkeypatch.setattr(Artifact, "tags", property(count))
    ask(SmallUniverse({INDEX: {"a": {f"1.{minor}": {} for minor in range(100)}}}), "a<1.50")
    assert set(looked_at) == {"a-1.49-py3-none-any.whl"}


class BrokenUniverse(SmallUniverse):
    """An index that cannot be reached for a package, and a file that is not the promised one for another."""

    def listing(self, name: NormalizedName) -> Listing:
        if name == "unreachable":
            raise UnavailableError(f"{INDEX} did not answer")
        return super().listing(name)

    def metadata(self, artifact: Artifact) -> CoreMetadata:
        if artifact.name == "forged":
            raise IntegrityError(f"{artifact.filename} has another hash")
        return super().metadata(artifact)


@pytest.mark.parametrize(
    ("requirement", "error"), [("unreachable", UnavailableError), ("forged", IntegrityError), ("a", UnavailableError)]
)
def test_an_index_that_is_down_is_not_a_conflict(requirement: str, error: type[Exception]) -> None:
    packages: Packages = {"forged": {"1.0": {}, "0.9": {}}, "a": {"1.0": {}, "2.0": {"requires": ["unreachable"]}}}
    with pytest.raises(error):
        ask(BrokenUniverse({INDEX: packages}), requirement)


def test_notes_each_candidate_that_it_passes_over() -> None:
    events: list[Event] = []
    universe = SmallUniverse({INDEX: {"a": {"1.0": {}, "1.1": {"yanked": "broken"}, "1.2": {"broken": "no name"}}}})
    resolve(ResolutionRequest(requirements=written("a"), target=make_target()), universe, events.append)
    assert [event for event in events if isinstance(event, Noted)] == [
        Noted("passed over `a 1.2`: its metadata is refused (`a-1.2-py3-none-any.whl`: no name)"),
    ]


def test_starts_again_with_what_it_learned() -> None:
    """`boto`, chosen first, is in the way of every version of `aio`: without a second start, some 10,000 rounds."""
    packages: Packages = {
        "boto": {f"1.{minor}": {"requires": [f"core>=1.{minor},<1.{minor + 1}"]} for minor in range(100)},
        "core": {f"1.{minor}": {} for minor in range(100)},
        "aio": {f"2.{minor}": {"requires": [f"core>=1.{minor},<1.{minor + 1}"]} for minor in range(50)},
        "s3": {f"3.{minor}": {"requires": [f"aio>=2.{minor // 2}", "boto"]} for minor in range(100)},
    }
    resolution = ask(SmallUniverse({INDEX: packages}), "boto", "s3")
    pins = {package.name: str(package.version) for package in resolution.packages}
    assert pins == {"aio": "2.49", "boto": "1.49", "core": "1.49", "s3": "3.99"}


def test_resolvelib_jumps_back_too_far_by_what_we_turn_off() -> None:
    provider: Any = None
    assert "_optimistic_backjumping_ratio" in vars(Search(provider, History()))


def test_gives_up_with_the_names_of_what_conflicts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "ROUNDS", (1, 1))
    packages: Packages = {"a": {"2.0": {"requires": ["b==2"]}, "1.0": {}}, "b": {"1.0": {}}}
    error = fail(packages, "a", "b")
    assert error.message == "no solution was found in 2 steps; most conflicts were with `a`"


def test_gives_up_without_conflicts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "ROUNDS", (1,))
    monkeypatch.setattr(search, "settle", lambda _: None)
    error = fail({"a": {"1.0": {"requires": ["b"]}}, "b": {"1.0": {}}}, "a")
    assert error.message == "no solution was found in 1 steps"


@pytest.mark.parametrize(
    "requirement",
    [
        f"b>={'9' * 5000}",
        f"b=={'9' * 5000}.*",
        f"b!=1.{'9' * 5000}",
        f"b; python_version > '{'9' * 5000}'",
        "b; os_name ~= 'x'",
        "b; 'x' in extras",
        "b @ https://user:secret@files.example/b.whl",
        "a>=2",
    ],
)
def test_a_requirement_that_cannot_be_used_rules_its_candidate_out(requirement: str) -> None:
    universe = SmallUniverse({INDEX: {"a": {"1.0": {}, "1.1": {"requires": [requirement]}}, "b": {"1.0": {}}}})
    (package,) = ask(universe, "a").packages
    assert package.version == Version("1.0")
    error = fail({"a": {"1.1": {"requires": [requirement]}}, "b": {"1.0": {}}}, "a")
    assert "secret" not in error.message


@pytest.mark.parametrize("text", [f"b>={'9' * 5000}", "b; os_name ~= 'x'"])
@pytest.mark.parametrize("place", ["requirements", "constraints", "overrides"])
def test_a_requirement_of_the_user_that_cannot_be_used_is_an_error(text: str, place: str) -> None:
    requests: dict[str, Any] = {"requirements": written("b"), place: written(text, origin="pyproject.toml: here")}
    with pytest.raises(InvalidProjectError, match=r"`b` \(from pyproject\.toml: here\)") as caught:
        resolve(ResolutionRequest(target=make_target(), **requests), SmallUniverse({INDEX: {"b": {"1.0": {}}}}))
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("place", ["requirements", "overrides"])
def test_a_url_of_the_user_is_any_version_that_is_there(place: str) -> None:
    packages: Packages = {"a": {"1.0": {"requires": ["b[x]<3"]}}, "b": {"2.0.dev1": {}}}
    requests: dict[str, Any] = {"requirements": written("a"), place: written("a", "b @ https://me:secret@a.example/b")}
    found = resolve(ResolutionRequest(target=make_target(), **requests), SmallUniverse({INDEX: packages})).packages
    assert [str(package.version) for package in found] == ["1.0", "2.0.dev1"]


@pytest.mark.parametrize("text", ["", "any text", f">={'9' * 5000}", ">=3.8,<3.12"])
def test_a_page_that_names_no_python_admits_every_one(text: str) -> None:
    assert ask(SmallUniverse({INDEX: {"a": {"1.0": {"requires-python": text}}}}), "a").packages


def test_a_message_cannot_control_the_terminal_or_fill_it() -> None:
    yanked = {f"1.{minor}": {"yanked": f"\x1b[2J\n{minor}" + "x" * 10_000} for minor in range(30)}
    error = fail({"a": yanked}, "a")
    assert error.message.replace("\n", "").isprintable()
    assert error.message.count("\n") < 20
    assert max(map(len, error.message.splitlines())) <= 400


def test_a_message_counts_what_it_does_not_name() -> None:
    packages: Packages = {
        "c": {"1.0": {}},
        **{f"b{number:02}": {"1.0": {"requires": [f"c>={number}"]}} for number in range(2, 30)},
    }
    packages = {"a": {"1.0": {"requires": sorted(set(packages) - {"c"})}}, **packages}
    error = fail(packages, "a", "c")
    assert error.message.count("\n") < 20


def test_origins_are_those_of_the_requirements_that_conflict() -> None:
    requirements = (
        BuildRequirement(requirement=Requirement("a<2"), origin="pyproject.toml: [build-system].requires"),
        BuildRequirement(requirement=Requirement("a>=2"), origin="get_requires_for_build_wheel"),
    )
    universe = SmallUniverse({INDEX: {"a": {"1.0": {}, "2.0": {}}}})
    with pytest.raises(NoSolutionError) as caught:
        resolve(ResolutionRequest(requirements=requirements, target=make_target()), universe)
    assert "`a>=2` (from get_requires_for_build_wheel)" in caught.value.message


def test_an_index_that_knows_a_package_without_files_is_told_from_one_that_does_not() -> None:
    class EmptyIndex(SmallUniverse):
        def listing(self, name: NormalizedName) -> Listing:
            return Listing(name=name, releases=(), asked=(IndexAnswer(index=INDEX, found=True),))

    with pytest.raises(NoSolutionError, match="`a` has no files that can be used"):
        ask(EmptyIndex({}), "a")


def test_find_links_are_not_dated() -> None:
    settings = Settings(
        find_links=("https://user:secret@wheels.example/flat",), exclude_newer=datetime(2024, 1, 1, tzinfo=timezone.utc)
    )
    assert ask(SmallUniverse({"https://wheels.example/flat": {"a": {"1.0": {}}}}), "a", settings=settings).packages


def test_an_extra_that_a_package_asks_of_itself_can_be_required_of_it() -> None:
    """Or the search went on for ever: choosing it anew for the extra dropped what had asked for that."""
    packages: Packages = {
        "a": {"1.0": {"requires": ["c[x]"]}, "3.0": {"requires": ["c<2"]}},
        "c": {"1.0": {"requires": ["c[x]"], "extras": {"x": ["a==1.0"]}}, "3.0": {"requires": ["a>=2"]}},
    }
    found = ask(SmallUniverse({INDEX: packages}), "c").packages
    assert [(package.name, str(package.version), package.extras) for package in found] == [
        ("a", "1.0", frozenset()),
        ("c", "1.0", frozenset({"x"})),
    ]
