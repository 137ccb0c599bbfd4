"""Trees as text, Mermaid, dot and JSON."""

import json
import re

import pydot
import pytest
from packaging.markers import Marker

from buildlock.graph.model import Section, make_graph
from buildlock.graph.reasons import explain_origin
from buildlock.graph.render_diagram import render_dot, render_mermaid
from buildlock.graph.render_json import render_json
from buildlock.graph.render_text import MAX_DEPTH, render_text
from buildlock.graph.view import View, view_all, view_dependents
from buildlock.graph.why import find_reasons, reasons_to_text
from buildlock.lockfile.model import LockedEnvironment, LockedInputs
from support.locks import make_archive, make_direct, make_environment, make_package, make_source

LEGEND = "\n\n(*) is shown in full above"
HOSTILE = r"os_name == '</code>`[x](y) ; end | %%'"


def see(environment: LockedEnvironment, depth: int | None = None, *, invert: str | None = None) -> View:
    graph = make_graph(Section(variant="default", environment=environment))
    return view_all(graph, depth) if invert is None else view_dependents(graph, invert, depth)


def draw(environment: LockedEnvironment, depth: int | None = None, *, invert: str | None = None) -> str:
    return render_text([see(environment, depth, invert=invert)]).plain


def with_sdist() -> LockedEnvironment:
    build = make_environment(
        make_package("setuptools", "69.5.1"),
        inputs=LockedInputs(requires=("setuptools<70",), dynamic={"wheel": ("setuptools",)}),
    )
    return make_environment(
        make_source("foo"),
        make_package("setuptools", "75.8.0"),
        inputs=LockedInputs(requires=("foo>=1", "setuptools"), dynamic={"editable": ("setuptools>=64",)}),
        builds={"foo==1.0": build},
    )


CIRCLE = make_environment(
    make_package("a", requires=["b", "c"]),
    make_package("b", requires=["c"]),
    make_package("c", requires=["a"]),
    inputs=LockedInputs(requires=("a", "b")),
)


class TestText:
    def test_what_is_built(self) -> None:
        assert draw(with_sdist()).splitlines() == [
            "default",
            "├── foo 1.0  (foo>=1; built from an sdist)",
            "│   └── [built in]",
            "│       └── setuptools 69.5.1  (setuptools<70; setuptools for the wheel)",
            "└── setuptools 75.8.0  (setuptools>=64 for the editable)",
        ]

    def test_inverted(self) -> None:
        assert draw(with_sdist(), invert="setuptools").splitlines() == [
            "default",
            "├── setuptools 75.8.0",
            "│   ├── setuptools  (build requirement)",
            "│   └── setuptools>=64 for the editable  (build requirement)",
            "└── setuptools 69.5.1  (in the build of foo 1.0)",
            "    ├── foo 1.0  (built with setuptools<70; built from an sdist)",
            "    │   └── foo>=1  (build requirement)",
            "    └── foo 1.0 (*)  (built with setuptools for the wheel; built from an sdist)",
            *LEGEND.splitlines()[1:],
        ]

    def test_circles_and_repetitions(self) -> None:
        assert draw(CIRCLE).splitlines() == [
            "default",
            "├── a 1.0",
            "│   ├── b 1.0",
            "│   │   └── c 1.0",
            "│   │       └── a 1.0 (*)",
            "│   └── c 1.0 (*)",
            "└── b 1.0 (*)",
            *LEGEND.splitlines()[1:],
        ]

    def test_a_depth_cuts_and_what_comes_higher_again_is_shown(self) -> None:
        assert draw(CIRCLE, 1).splitlines() == [
            "default",
            "├── a 1.0",
            "│   ├── b 1.0 …",
            "│   └── c 1.0 …",
            "└── b 1.0",
            "    └── c 1.0 …",
            "",
            "… has more below",
        ]

    def test_equal_sections_share_a_tree(self) -> None:
        graphs = [make_graph(Section(variant=name, environment=CIRCLE)) for name in ("cpu", "cu124")]
        assert render_text([view_all(graph) for graph in graphs]).plain.startswith("cpu, cu124\n├── a 1.0\n")

    def test_lines_are_as_wide_as_the_terminal(self) -> None:
        marker = " or ".join(f"python_version == '3.{minor}'" for minor in range(8, 16))
        packages = [
            make_package("a", requires=["b"]),
            make_package("b", requires=["c"], marker=marker),
            make_package("c"),
        ]
        text = draw(make_environment(*packages, inputs=LockedInputs(requires=("a",))))
        assert max(map(len, text.splitlines())) <= 80
        assert "    └── b 1.0\n        │ (where python_version == '3.8'" in text
        assert marker in " ".join(text.replace("│ ", "").split())

    def test_deeper_than_the_stack_and_than_a_terminal(self) -> None:
        packages = [make_package(f"p{n}", requires=[f"p{n + 1}"]) for n in range(3000)]
        environment = make_environment(*packages, make_package("p3000"), inputs=LockedInputs(requires=("p0",)))
        lines = draw(environment).splitlines()
        assert len(lines) == MAX_DEPTH + 4
        assert lines[MAX_DEPTH + 1].endswith(f"p{MAX_DEPTH} 1.0 …")
        assert len(json.loads(render_json([see(environment)]))["sections"][0]["packages"]) == 3001


class TestDiagrams:
    def hostile(self) -> LockedEnvironment:
        package = make_package("a", requires=["b"], marker=str(Marker(f"python_version > '3' or {HOSTILE}")))
        inputs = LockedInputs(requires=('a @ https://files.example/a"`$#;[]{}|',))
        return make_environment(package, make_package("b"), inputs=inputs)

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pydot, of its own parser
    def test_dot_is_what_graphviz_reads(self) -> None:
        for environment, nodes, edges in ((with_sdist(), 4, 5), (CIRCLE, 4, 6), (self.hostile(), 3, 2)):
            text = render_dot([see(environment)])
            (parsed,) = pydot.graph_from_dot_data(text) or []
            (cluster,) = parsed.get_subgraphs()
            assert (len(cluster.get_nodes()), len(cluster.get_edges())) == (nodes, edges), text

    def test_mermaid_has_nothing_in_its_labels_that_means_something(self) -> None:
        label = r'"(?:[A-Za-z0-9 .\-_+=,:/\'()]|#\d+;)*"'
        node = r"s0(?:n\d+|top)"
        declared = rf"subgraph s0\[{label}\]|  {node}(?:\[{label}\]|\(\[{label}\]\))|end"
        line = rf"  (?:{declared}|  {node} -\.?->(?:\|{label}\|)? {node})"
        for environment in (with_sdist(), CIRCLE, self.hostile()):
            first, *lines = render_mermaid([see(environment)]).splitlines()
            assert first == "flowchart LR"
            assert [each for each in lines if not re.fullmatch(line, each)] == []

    def test_inverted_it_still_points_to_what_is_needed(self) -> None:
        environment = make_environment(
            make_package("a", requires=["b", "c"]),
            make_package("b"),
            make_package("c"),
            inputs=LockedInputs(requires=("a",)),
        )
        (section,) = json.loads(render_json([see(environment, invert="b")]))["sections"]
        names = {package["id"]: package["name"] for package in section["packages"]} | {None: None}
        assert {(names[edge["from"]], names[edge["to"]]) for edge in section["edges"]} == {("a", "b"), (None, "a")}


class TestWhy:
    def test_a_chain_through_a_build(self) -> None:
        graph = make_graph(Section(variant="default", environment=with_sdist()))
        text = reasons_to_text(find_reasons([graph, graph], "setuptools")).plain
        assert text.splitlines() == [
            "setuptools 75.8.0 in default, default",
            "  from the index https://index.example/simple: the default, as no source assigns",
            "    `setuptools`",
            "  setuptools → setuptools 75.8.0",
            "  setuptools>=64 for the editable → setuptools 75.8.0",
            "",
            "setuptools 69.5.1 in the build of foo 1.0 in default, default",
            "  from the index https://index.example/simple: the default, as no source assigns",
            "    `setuptools`",
            "  foo>=1 → foo 1.0 → built with setuptools<70 → setuptools 69.5.1",
            "  foo>=1 → foo 1.0 → built with setuptools for the wheel → setuptools 69.5.1",
        ]

    def test_where_it_is_from(self) -> None:
        place = "https://index.example/simple"
        named = LockedInputs(settings={"index": (place,)})
        assigned = LockedInputs(indexes={"a": (f"{place} ; sys_platform == 'linux'",)})
        linked = LockedInputs(settings={"find-links": ("other", "wheels")})
        direct = LockedInputs(requires=("a @ https://files.example/a-1.0.tar.gz",))
        package, archive = make_package("a"), make_direct("a", archive=make_archive("a-1.0.tar.gz"))
        for inputs, locked, said in (
            (LockedInputs(), package, f"from the index {place}: the default, as no source assigns `a`"),
            (named, package, f"from the index {place}: one that the project names, for what no source assigns"),
            (
                assigned,
                package,
                f"from the index {place} ; sys_platform == 'linux': a source of the project assigns `a` to it",
            ),
            (linked, make_package("a", base="wheels"), "from wheels: one of the places of find-links"),
            (direct, archive, "from the URL https://index.example/files/a-1.0.tar.gz: the build requirement names it"),
            (
                LockedInputs(),
                archive,
                "from the URL https://index.example/files/a-1.0.tar.gz: what requires it names it",
            ),
        ):
            section = Section(variant="default", environment=make_environment(locked, inputs=inputs))
            assert explain_origin(section, locked) == said
