"""What needs what: for each target, through builds, in circles, and at any depth."""

from buildlock.graph.chains import ChainFinder
from buildlock.graph.model import Graph, Section, make_graph
from buildlock.graph.view import view_all, view_dependents
from buildlock.lockfile.model import LockedEnvironment, LockedInputs
from buildlock.lockfile.seen_targets import choose_targets, see_targets
from support.locks import LINUX_311, make_environment, make_package, make_source

LINUX_312 = LINUX_311.replace("3.11", "3.12")
WINDOWS = "python_version == '3.12' and sys_platform == 'win32' and platform_machine == 'AMD64'"


def graph_of(environment: LockedEnvironment, target: str | None = None) -> Graph:
    targets = choose_targets(see_targets(environment.environments), target) if target is not None else None
    return make_graph(Section(variant="default", environment=environment), targets)


def asked(*requires: str, **dynamic: tuple[str, ...]) -> LockedInputs:
    return LockedInputs(requires=requires, dynamic=dynamic)


def chains_to(graph: Graph, name: str, limit: int = 10) -> list[list[str]]:
    finder = ChainFinder(graph)
    found = [chain for node in graph.find(name) for chain in finder.find(node, limit).shown]
    return [[graph.nodes[link.node].package.name for link in chain.links] for chain in found]


class TestGraph:
    def test_a_dependency_leads_to_the_entry_that_shares_a_target(self) -> None:
        environment = make_environment(
            make_package("a", requires=["numpy"], marker="python_version == '3.11'"),
            make_package("a", "2.0", requires=["numpy"], marker="python_version == '3.12'"),
            make_package("numpy", "1.0", marker="python_version == '3.11'"),
            make_package("numpy", "2.0", marker="python_version == '3.12'"),
            inputs=asked("a"),
            environments=[LINUX_311, LINUX_312],
        )
        graph = graph_of(environment)
        pairs = {(str(graph.nodes[s]), str(graph.nodes[e])) for s, ends in enumerate(graph.requires) for e in ends}
        assert pairs == {("a 1.0", "numpy 1.0"), ("a 2.0", "numpy 2.0")}

    def test_a_requirement_whose_marker_is_false_leads_nowhere(self) -> None:
        environment = make_environment(
            make_package("a"),
            inputs=asked("a; python_version < '3.12'", "a; sys_platform == 'win32'"),
            environments=[LINUX_311, LINUX_312],
        )
        (ask,) = graph_of(environment).asks[None]
        assert ask.text == "a; python_version < '3.12'"
        assert graph_of(environment).name_targets(ask.targets) == ("3.11 linux x86_64",)

    def test_one_target(self) -> None:
        environment = make_environment(
            make_package("colorama", marker="sys_platform == 'win32'"),
            make_package("a", requires=["colorama"]),
            inputs=asked("a"),
            environments=[LINUX_311, LINUX_312, WINDOWS],
        )
        for text, names in {
            "3.11": ["a"],
            "linux": ["a"],
            "3.12": ["a", "colorama"],
            "windows": ["a", "colorama"],
            "3.12 x86_64-pc-windows-msvc": ["a", "colorama"],
            "3.12 x86_64-manylinux_2_28": ["a"],
            "3.12 WIN32 amd64": ["a", "colorama"],
        }.items():
            assert [node.package.name for node in graph_of(environment, text).nodes] == names
        assert choose_targets(see_targets(environment.environments), "3.11 windows") == ()

    def test_an_undefined_marker_of_a_requirement_hides_nothing(self) -> None:
        environment = make_environment(make_package("a"), inputs=asked("a; platform_release ~= 'x'"))
        assert len(graph_of(environment).asks[None]) == 1

    def test_what_nothing_requires_is_there_too(self) -> None:
        environment = make_environment(
            make_package("a"),
            make_package("b", requires=["c"]),
            make_package("c", requires=["b"]),
            make_package("d", requires=["e"]),
            make_package("e"),
            inputs=asked("a"),
        )
        graph = graph_of(environment)
        assert [graph.nodes[each].package.name for each in graph.orphans] == ["d", "b"]
        assert len(view_all(graph).distances) == 5

    def test_depth(self) -> None:
        environment = make_environment(
            make_package("a", requires=["b"]), make_package("b", requires=["c"]), make_package("c"), inputs=asked("a")
        )
        graph = graph_of(environment)
        assert [len(view_all(graph, depth).distances) for depth in (0, 1, 2, None)] == [1, 2, 3, 3]
        assert [len(view_dependents(graph, "c", depth).distances) for depth in (0, 1, None)] == [1, 2, 3]


class TestChains:
    def test_all_of_them_the_shortest_first(self) -> None:
        environment = make_environment(
            make_package("a", requires=["b", "c"]),
            make_package("b", requires=["c"]),
            make_package("c", requires=["a"]),
            inputs=asked("a", "b>=0.5", wheel=("c",)),
        )
        found = chains_to(graph_of(environment), "c")
        assert [len(chain) for chain in found] == sorted(len(chain) for chain in found)
        assert sorted(found) == [["a", "b", "c"], ["a", "c"], ["b", "c"], ["c"]]

    def test_through_a_build(self) -> None:
        build = make_environment(make_package("setuptools", "69.5.1"), inputs=asked("setuptools<70"))
        environment = make_environment(
            make_source("foo"),
            make_package("setuptools", "75.8.0"),
            inputs=asked("foo", "setuptools"),
            builds={"foo==1.0": build},
        )
        assert sorted(chains_to(graph_of(environment), "setuptools")) == [["foo", "setuptools"], ["setuptools"]]

    def test_a_chain_holds_for_some_target(self) -> None:
        environment = make_environment(
            make_package("a", requires=["b"], marker="python_version == '3.11'"),
            make_package("b", requires=["c"]),
            make_package("c", marker="python_version == '3.12'"),
            inputs=asked("a", "b"),
            environments=[LINUX_311, LINUX_312],
        )
        assert chains_to(graph_of(environment), "c") == [["b", "c"]]

    def test_more_than_anybody_can_count(self) -> None:
        layers = 40
        packages = [
            make_package(f"p{layer}-{side}", requires=[f"p{layer + 1}-{other}" for other in "ab"])
            for layer in range(layers)
            for side in "ab"
        ]
        ends = [make_package(f"p{layers}-{side}") for side in "ab"]
        graph = graph_of(make_environment(*packages, *ends, inputs=asked("p0-a", "p0-b")))
        (node,) = graph.find(f"p{layers}-a")
        found = ChainFinder(graph).find(node, 20)
        assert len({chain.links for chain in found.shown}) == 20
        assert not found.complete

    def test_a_chain_that_is_deeper_than_the_stack(self) -> None:
        packages = [make_package(f"p{n}", requires=[f"p{n + 1}"]) for n in range(3000)]
        graph = graph_of(make_environment(*packages, make_package("p3000"), inputs=asked("p0")))
        (chain,) = chains_to(graph, "p3000")
        assert len(chain) == 3001
