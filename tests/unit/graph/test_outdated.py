"""What is newer than a lock: how a locked environment compares with what it could be, and how that is said."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.pylock import Package, PackageVcs
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.graph.model import Section, make_graph
from buildlock.graph.outdated import describe_news, outdated_to_json, outdated_to_text
from buildlock.graph.standings import Comparison, Outdated, Standing, Unasked
from buildlock.graph.why import find_reasons
from buildlock.lockfile.model import LockedInputs
from buildlock.resolver.outlook import Held, Obstacle, Outlook
from buildlock.resolver.request import ResolutionRequest
from buildlock.resolver.resolve import resolve_all
from support.locks import LINUX_311, make_direct, make_environment, make_package, make_source
from support.small_universe import Packages, SmallUniverse, make_target, written

LINUX_312 = LINUX_311.replace("3.11", "3.12")
BOTH = (LINUX_311, LINUX_312)


def compare(
    locked: Sequence[Package],
    offered: Packages,
    *requirements: str,
    environments: Sequence[str] = (LINUX_311,),
    pythons: Sequence[str] = ("3.11.0",),
    only: str | None = None,
) -> list[Standing | Unasked]:
    universe = SmallUniverse({"https://index.example/simple": offered})
    targets = [make_target(python) for python in pythons]
    requests = [(ResolutionRequest(requirements=written(*requirements), target=each), universe) for each in targets]
    resolutions = resolve_all(requests)
    comparison = Comparison(
        packages=locked,
        environments=[Marker(text) for text in environments],
        targets=targets,
        resolutions=resolutions,
        outlook=Outlook(requests, resolutions),
    )
    return list(comparison.list_standings(NormalizedName(only) if only is not None else None))


def summarise(found: Sequence[Standing | Unasked]) -> list[tuple[str, str, str, str]]:
    standings = [each for each in found if isinstance(each, Standing)]
    return [(each.name, str(each.locked), str(each.allowed), str(each.latest)) for each in standings]


def stand(name: str = "a", **changes: Any) -> Standing:
    values = {"locked": Version("1.0"), "allowed": Version("1.0"), "held": (), "build": None, "targets": ()}
    return Standing(name=NormalizedName(name), **{**values, **changes})


def held(version: str, *texts: str, kind: str = "requirement") -> Held:
    return Held(version=Version(version), obstacles=tuple(Obstacle(kind=kind, text=text) for text in texts))


def say(
    standings: dict[Standing, list[str]], *, sections: Sequence[str] = ("cpu", "cu124"), width: int = 80
) -> list[str]:
    outdated = Outdated(sections=tuple(sections), standings=standings, unasked={})
    return outdated_to_text(outdated, width=width).plain.splitlines()


class TestComparison:
    def test_what_is_newest_is_not_told(self) -> None:
        assert compare([make_package("a")], {"a": {"0.9": {}, "1.0": {}}}, "a") == []

    def test_allowed_and_latest(self) -> None:
        packages: Packages = {"a": {"1.0": {}, "1.1": {}, "2.0": {}}, "b": {"1.0": {}}}
        locked = [make_package("a", "1.0"), make_package("b", "1.0")]
        found = compare(locked, packages, "a<2", "b")
        assert summarise(found) == [("a", "1.0", "1.1", "2.0")]
        assert isinstance(found[0], Standing)
        assert found[0].upgradable

    def test_what_an_upgrade_would_drop(self) -> None:
        packages: Packages = {"a": {"1.0": {"requires": ["b"]}, "1.1": {}}, "b": {"1.0": {}, "2.0": {}}}
        found = compare([make_package("a", requires=["b"]), make_package("b")], packages, "a")
        assert summarise(found) == [("a", "1.0", "1.1", "1.1"), ("b", "1.0", "None", "1.0")]

    def test_what_an_upgrade_would_lower(self) -> None:
        """What was locked is yanked now, say: the newer version that is locked is told as one that is held."""
        found = compare([make_package("a", "2.0")], {"a": {"1.0": {}, "2.0": {"yanked": ""}}}, "a")
        assert summarise(found) == [("a", "2.0", "1.0", "2.0")]
        assert not any(isinstance(each, Standing) and each.upgradable for each in found)

    def test_a_version_for_each_of_two_targets(self) -> None:
        packages: Packages = {
            "a": {"1.0": {}, "2.0": {"requires-python": ">=3.12"}, "2.1": {"requires-python": ">=3.12"}}
        }
        locked = [
            make_package("a", "1.0", marker="python_version == '3.11'"),
            make_package("a", "2.0", marker="python_version == '3.12'"),
        ]
        requirements = ["a<2; python_version < '3.12'", "a>=2; python_version >= '3.12'"]
        found = compare(locked, packages, *requirements, environments=BOTH, pythons=["3.11.0", "3.12.0"])
        assert summarise(found) == [("a", "1.0", "1.0", "2.1"), ("a", "2.0", "2.1", "2.1")]
        assert [each.targets for each in found if isinstance(each, Standing)] == [
            ("CPython 3.11.0 on manylinux_2_17_x86_64",),
            ("CPython 3.12.0 on manylinux_2_17_x86_64",),
        ]

    def test_a_target_that_is_not_locked_is_not_compared(self) -> None:
        packages: Packages = {"a": {"1.0": {}, "2.0": {"requires-python": ">=3.12"}}}
        locked = [make_package("a", "1.0")]
        requirements = ["a<2; python_version < '3.12'", "a; python_version >= '3.12'"]
        found = compare(locked, packages, *requirements, pythons=["3.11.0", "3.12.0"])
        assert summarise(found) == [("a", "1.0", "1.0", "2.0")]

    def test_what_comes_from_no_index(self) -> None:
        vcs = PackageVcs(type="git", url="https://git.example/a", commit_id="0" * 40)
        found = compare([make_direct("a", vcs=vcs), make_package("b")], {"b": {"1.0": {}}}, "b")
        assert found == [Unasked(name=NormalizedName("a"), kind="git repository", build=None)]

    def test_one_that_is_named(self) -> None:
        packages: Packages = {"a": {"1.0": {}, "2.0": {}}, "b": {"1.0": {}, "2.0": {}}}
        locked = [make_package("a"), make_package("b")]
        assert summarise(compare(locked, packages, "a", "b", only="b")) == [("b", "1.0", "2.0", "2.0")]
        assert compare(locked, packages, "a", "b", only="c") == []


class TestText:
    def test_beside_and_below(self) -> None:
        standing = stand("setuptools", held=(held("80.0", "`setuptools<70` of `foo 1.2`", "yanked"),))
        assert say({standing: ["cpu"]}) == [
            "cpu",
            "  package     locked  allowed  latest  held by",
            "  setuptools  1.0     1.0      80.0    setuptools<70 of foo 1.2",
            "                                       yanked",
            "",
            "cu124: nothing newer",
        ]
        assert say({standing: ["cpu"]}, width=60)[:4] == [
            "cpu",
            "  package     locked  allowed  latest",
            "  setuptools  1.0     1.0      80.0",
            "      held by: setuptools<70 of foo 1.2",
        ]

    def test_the_same_in_several_sections_is_said_once(self) -> None:
        standings = {
            stand("a", allowed=Version("1.1")): ["cpu", "cu124"],
            stand("b", allowed=None, build="foo==1.2"): ["cu124"],
            stand("c", allowed=Version("1.1"), targets=("CPython 3.11 on linux",)): ["cu124"],
        }
        assert say(standings) == [
            "cpu, cu124",
            "  package  locked  allowed  latest",
            "  a        1.0     1.1      1.1",
            "",
            "the build of foo 1.2 in cu124",
            "  package  locked  allowed  latest",
            "  b        1.0     -        1.0     an upgrade drops it",
            "",
            "cu124",
            "  package  locked  allowed  latest",
            "  c        1.0     1.1      1.1     for CPython 3.11 on linux",
        ]

    def test_what_is_against_two_versions(self) -> None:
        both = "`a<2` (pyproject.toml: [build-system].requires)"
        standing = stand(held=(held("3.0", both, "does not run on CPython 3.11 (needs >=3.12)"), held("2.0", both)))
        assert say({standing: ["cpu", "cu124"]})[2:] == [
            "  a        1.0     1.0      3.0     3.0: does not run on CPython 3.11 (needs",
            "                                      >=3.12)",
            "                                    2.0: a<2 ([build-system].requires)",
        ]

    def test_many_are_counted(self) -> None:
        standing = stand(held=(held("2.0", *(f"`a<2` of `b{number} 1.0`" for number in range(10))),))
        assert say({standing: ["cpu", "cu124"]})[-1].split() == ["7", "more"]

    def test_nothing(self) -> None:
        assert say({}) == ["cpu, cu124: nothing newer"]
        unasked = {Unasked(name=NormalizedName("foo"), kind="folder", build=None): ["cpu"]}
        text = outdated_to_text(Outdated(sections=("cpu",), standings={}, unasked=unasked)).plain
        assert text == "cpu: nothing newer\n\nnot asked, as from no index: foo (folder)"

    def test_nothing_controls_the_terminal(self) -> None:
        standing = stand(held=(held("2.0", "yanked (\x1b[2J\n" + "x" * 10_000 + ")", kind="yanked"),))
        outdated = Outdated(sections=("cpu",), standings={standing: ["cpu"]}, unasked={})
        for text in (
            outdated_to_text(outdated).plain,
            *describe_news(standing),
            json.dumps(outdated_to_json(outdated)),
        ):
            assert text.replace("\n", "").isprintable()
            assert len(text) < 2000


def test_json() -> None:
    standing = stand(allowed=Version("1.1"), held=(held("2.0", "`a<2` of `b 1.0`"),))
    unasked = {Unasked(name=NormalizedName("foo"), kind="folder", build=None): ["cpu"]}
    assert outdated_to_json(Outdated(sections=("cpu",), standings={standing: ["cpu"]}, unasked=unasked)) == {
        "version": 1,
        "sections": ["cpu"],
        "outdated": [
            {
                "sections": ["cpu"],
                "name": "a",
                "build": None,
                "targets": [],
                "locked": "1.0",
                "allowed": "1.1",
                "latest": "2.0",
                "held": [{"version": "2.0", "by": [{"kind": "requirement", "text": "`a<2` of `b 1.0`"}]}],
            }
        ],
        "unasked": [{"sections": ["cpu"], "name": "foo", "build": None, "kind": "folder"}],
    }


@pytest.mark.parametrize(
    ("standing", "sentences"),
    [
        (
            stand(allowed=Version("1.1"), held=(held("2.0", "`a<2` of `b 1.0`"),)),
            [
                "2.0 exists; `a<2` of `b 1.0` keeps it at 1.1",
                "1.1 exists, and the inputs allow it: `buildlock lock --upgrade-package a`",
            ],
        ),
        (
            stand(held=(held("2.0", "`a<2` of `b 1.0`", "`a<1.5` (uv.lock)"),)),
            ["2.0 exists; `a<2` of `b 1.0` and `a<1.5` (uv.lock) keep it at 1.0"],
        ),
        (stand(held=(held("2.0", "yanked (broken)", kind="yanked"),)), ["2.0 exists: yanked (broken)"]),
        (stand(allowed=None), ["an upgrade would drop it: nothing would need it"]),
    ],
)
def test_sentences(standing: Standing, sentences: list[str]) -> None:
    assert list(describe_news(standing)) == sentences


class TestWhy:
    """What `why` says where the indexes were asked."""

    def find(self, newer: Outdated | None) -> list[tuple[str, ...]]:
        build = make_environment(make_package("a"), inputs=LockedInputs(requires=("a",)))
        environment = make_environment(
            make_source("foo"),
            make_package("a"),
            inputs=LockedInputs(requires=("a", "foo")),
            builds={"foo==1.0": build},
        )
        graph = make_graph(Section(variant="cpu", environment=environment))
        return [reason.newer for reason in find_reasons([graph], "a", newer)]

    def test_nothing_where_none_was_asked(self) -> None:
        assert self.find(None) == [(), ()]
        assert self.find(Outdated(sections=("cu124",), standings={}, unasked={})) == [(), ()]

    def test_each_place_has_its_own(self) -> None:
        standing = stand(held=(held("2.0", "`a<2` of `b 1.0`"),), build="foo==1.0")
        assert self.find(Outdated(sections=("cpu",), standings={standing: ["cpu"]}, unasked={})) == [
            ("no newer version exists",),
            ("2.0 exists; `a<2` of `b 1.0` keeps it at 1.0",),
        ]

    def test_what_comes_from_no_index(self) -> None:
        unasked = {Unasked(name=NormalizedName("a"), kind="folder", build=None): ["cpu"]}
        assert self.find(Outdated(sections=("cpu",), standings={}, unasked=unasked))[0] == (
            "no index was asked for newer versions: it is from a folder",
        )
