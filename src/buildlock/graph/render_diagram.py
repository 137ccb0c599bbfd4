"""Graphs as diagrams: Mermaid, which GitHub and GitLab draw in Markdown, and Graphviz' dot."""

from collections.abc import Sequence

from buildlock.graph.model import Node
from buildlock.graph.view import View
from buildlock.graph.wording import describe_ask
from buildlock.lockfile.model import format_marker
from buildlock.text import present

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .-_+,:/'!*~()")


def render_mermaid(views: Sequence[View]) -> str:
    lines = ["flowchart LR"]
    for number, view in enumerate(views):
        lines.append(f"  subgraph s{number}[{_quote_mermaid(str(view.graph.section))}]")
        lines.append(f"    s{number}top([{_quote_mermaid(view.graph.section.variant)}])")
        lines += (
            f"    s{number}n{position}[{_quote_mermaid(_describe(view.graph.nodes[position]))}]"
            for position in view.distances
        )
        for edge in view.edges:
            label = f"|{_quote_mermaid(describe_ask(edge.ask))}|" if edge.ask is not None else ""
            arrow = "-.->" if edge.builds else "-->"
            lines.append(f"    s{number}{_name(edge.start)} {arrow}{label} s{number}{_name(edge.end)}")
        lines.append("  end")
    return "\n".join(lines) + "\n"


def render_dot(views: Sequence[View]) -> str:
    lines = ['digraph "build-lock" {', "  rankdir=LR;", "  node [shape=box];"]
    for number, view in enumerate(views):
        lines += [f"  subgraph cluster_{number} {{", f"    label={_quote_dot(str(view.graph.section))};"]
        lines.append(f"    s{number}top [label={_quote_dot(view.graph.section.variant)}, shape=ellipse];")
        lines += (
            f"    s{number}n{position} [label={_quote_dot(_describe(view.graph.nodes[position]))}];"
            for position in view.distances
        )
        for edge in view.edges:
            attributes = [f"label={_quote_dot(describe_ask(edge.ask))}"] if edge.ask is not None else []
            attributes += ["style=dashed"] if edge.builds else []
            ending = f" [{', '.join(attributes)}]" if attributes else ""
            lines.append(f"    s{number}{_name(edge.start)} -> s{number}{_name(edge.end)}{ending};")
        lines.append("  }")
    return "\n".join([*lines, "}"]) + "\n"


def _name(position: int | None) -> str:
    return "top" if position is None else f"n{position}"


def _describe(node: Node) -> str:
    marker = node.package.marker
    return str(node) if marker is None else f"{node} where {format_marker(marker)}"


def _quote_mermaid(text: str) -> str:
    """A label in which nothing is Markdown, HTML or syntax: Mermaid knows characters by their numbers.

    >>> _quote_mermaid("foo<2")
    '"foo#60;2"'
    """
    return '"{}"'.format("".join(char if char in _PLAIN else f"#{ord(char)};" for char in present(text)))


def _quote_dot(text: str) -> str:
    escaped = present(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
