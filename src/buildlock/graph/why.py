"""Why a package is locked: what leads to it, and where it is from."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from packaging.requirements import Requirement
from rich.text import Text

from buildlock.graph.chains import Chain, ChainFinder
from buildlock.graph.model import Graph, Node
from buildlock.graph.outdated import describe_news
from buildlock.graph.reasons import explain_origin
from buildlock.graph.standings import Outdated
from buildlock.graph.wording import describe_ask
from buildlock.lockfile.model import format_marker
from buildlock.text import present
from buildlock.values import dataclass

SHOWN_CHAINS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why one version of a package is locked. The same in several sections is said once."""

    name: str
    version: str
    build: str | None
    """The key of what it is there to build; `None` where it is for what the section is for."""
    origin: str
    """A sentence: from where, and what says so."""
    chains: tuple[tuple[str, ...], ...]
    """Each from a requirement down, the shortest first."""
    complete: bool
    """Whether these are all."""
    newer: tuple[str, ...] = ()
    """What newer versions there are and what keeps it back, a sentence each, if the indexes were asked."""

    @property
    def subject(self) -> str:
        return f"{self.name} {self.version}"


def find_reasons(graphs: Sequence[Graph], name: str, newer: Outdated | None = None) -> Mapping[Reason, Sequence[str]]:
    """Why a package is locked, and for each reason the sections where it is the reason.

    Args:
        graphs: Those of the sections.
        name: The package.
        newer: What newer versions there are of it, if the indexes were asked.
    """
    reasons: dict[Reason, list[str]] = {}
    for graph in graphs:
        finder = ChainFinder(graph)
        for position in graph.find(name):
            reasons.setdefault(_find_reason(finder, position, newer), []).append(str(graph.section))
    return reasons


def _find_reason(finder: ChainFinder, position: int, newer: Outdated | None) -> Reason:
    graph = finder.graph
    node = graph.nodes[position]
    found = finder.find(position, SHOWN_CHAINS)
    return Reason(
        name=node.package.name,
        version=str(node.package.version),
        build=node.build,
        origin=explain_origin(graph.section, node.package),
        chains=tuple(tuple(_describe_chain(graph, chain)) for chain in found.shown),
        complete=found.complete,
        newer=tuple(_list_newer(graph, node, newer)) if newer is not None else (),
    )


def _list_newer(graph: Graph, node: Node, newer: Outdated) -> Iterator[str]:
    """What newer versions there are of a package, a sentence each."""
    section = str(graph.section)
    if section not in newer.sections:
        return
    for unasked, sections in newer.unasked.items():
        if section in sections and (unasked.name, unasked.build) == (node.package.name, node.build):
            yield f"no index was asked for newer versions: it is from a {unasked.kind}"
            return
    news = [
        sentence
        for standing, sections in newer.standings.items()
        if section in sections
        and (standing.name, standing.locked, standing.build) == (node.package.name, node.package.version, node.build)
        for sentence in describe_news(standing)
    ]
    yield from dict.fromkeys(news or ["no newer version exists"])


def _describe_chain(graph: Graph, chain: Chain) -> Iterator[str]:
    marked = False
    for number, link in enumerate(chain.links):
        node = graph.nodes[link.node]
        if link.ask is not None:
            yield describe_ask(link.ask) if number == 0 else f"built with {describe_ask(link.ask)}"
            marked = marked or Requirement(link.ask.text).marker is not None
        marked = marked or node.package.marker is not None
        ending = ""
        # What no marker says: that it is built for some of the targets alone.
        if number == len(chain.links) - 1 and not marked and (labels := graph.name_targets(chain.targets)):
            ending = f" for {', '.join(labels)}"
        yield present(f"{_describe_node(node)}{ending}")


def _describe_node(node: Node) -> str:
    marker = node.package.marker
    return str(node) if marker is None else f"{node} where {format_marker(marker)}"


def reasons_to_text(reasons: Mapping[Reason, Sequence[str]], *, width: int = 80) -> Text:
    """For a terminal: readable without colour, in 80 columns."""
    lines: list[Text] = []
    for reason, sections in reasons.items():
        lines += [Text(), *_list_lines(reason, sections, width)] if lines else _list_lines(reason, sections, width)
    return Text("\n").join(lines)


def _list_lines(reason: Reason, sections: Sequence[str], width: int) -> Iterator[Text]:
    build = f"the build of {reason.build.replace('==', ' ')} in " if reason.build is not None else ""
    for number, line in enumerate(_wrap(f"{reason.subject} in {build}{', '.join(sections)}", width, "", "  ")):
        text = Text(line)
        if number == 0:
            text.stylize("bold", 0, len(reason.subject))
        yield text
    yield from map(Text, _wrap(reason.origin, width, "  ", "    "))
    for sentence in reason.newer:
        yield from map(Text, _wrap(sentence, width, "  ", "    "))
    for chain in reason.chains:
        yield from map(Text, _wrap(" → ".join(chain), width, "  ", "    → "))
    if not reason.chains:
        yield Text("  nothing requires it")
    if not reason.complete:
        yield Text(f"  … and more ways: `buildlock tree --invert {reason.name}` shows what needs it")


def _wrap(line: str, width: int, first: str, other: str) -> list[str]:
    wrapped = textwrap.wrap(
        line, width, initial_indent=first, subsequent_indent=other, break_long_words=False, break_on_hyphens=False
    )
    return wrapped or [first]


def reasons_to_json(reasons: Mapping[Reason, Sequence[str]]) -> Mapping[str, Any]:
    return {
        "version": 1,
        "reasons": [
            {
                "sections": list(sections),
                "name": reason.name,
                "version": reason.version,
                "build": reason.build,
                "origin": reason.origin,
                "chains": [list(chain) for chain in reason.chains],
                "complete": reason.complete,
                "newer": list(reason.newer),
            }
            for reason, sections in reasons.items()
        ],
    }
