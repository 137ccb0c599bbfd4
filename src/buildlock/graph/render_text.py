"""Trees for a terminal: to be read without colour, in 80 columns."""

import textwrap
from collections.abc import Iterator, Sequence

from rich.text import Text

from buildlock.graph.model import Ask, Graph
from buildlock.graph.view import View
from buildlock.graph.wording import describe_ask, list_notes
from buildlock.values import dataclass

MAX_DEPTH = 64
"""Levels that are shown: of what is deeper, a terminal shows nothing but indentation."""
_NARROWEST = 24
"""Columns for a line, however far it is indented."""
_REPEATED = "(*) is shown in full above"
_CUT = "… has more below"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """One line of a tree."""

    label: str
    notes: tuple[str, ...] = ()
    node: int | None = None
    """The package that it is."""
    below: tuple["_Line", ...] = ()
    """Of a line that is no package, all that is below it."""


def render_text(views: Sequence[View], *, width: int = 80) -> Text:
    """A tree for each of the views, with the lines that explain the marks. Sections whose trees are equal share one."""
    marks: set[str] = set()
    trees: dict[tuple[str, ...], tuple[list[str], list[Text]]] = {}
    for view in views:
        drawn = list(_Tree(view, width, marks).list_lines())
        names, _ = trees.setdefault(tuple(line.plain for line in drawn), ([], drawn))
        names.append(str(view.graph.section))
    lines: list[Text] = []
    for names, drawn in trees.values():
        lines += [Text()] if lines else []
        lines += (Text(line, style="bold") for line in textwrap.wrap(", ".join(names), width, break_on_hyphens=False))
        lines += drawn
    legend = [text for mark, text in (("(*)", _REPEATED), ("…", _CUT)) if mark in marks]
    if legend:
        lines += [Text(), *(Text(line, style="dim") for line in legend)]
    return Text("\n").join(lines)


@dataclass(frozen=True)
class _Tree:
    view: View
    width: int
    marks: set[str]
    """Those that were used."""

    @property
    def graph(self) -> Graph:
        return self.view.graph

    def list_lines(self) -> Iterator[Text]:
        depth = MAX_DEPTH if self.view.depth is None else min(self.view.depth, MAX_DEPTH)
        shown: dict[int, int] = {}
        # By hand: a lock may be deeper than Python's stack.
        stack = [(line, 0, "", last) for line, last in _mark_last(self._list_roots())]
        while stack:
            line, level, indent, last = stack.pop()
            below, mark = self._look_below(line, level, depth, shown)
            if mark:
                self.marks.add(mark)
            deeper = indent + ("    " if last else "│   ")
            hanging = deeper + ("│ " if below else "  ")
            yield from self._draw(line, mark, indent + ("└── " if last else "├── "), hanging)
            further = level + (line.node is not None)
            stack += [(each, further, deeper, ends) for each, ends in _mark_last(below)]

    def _look_below(self, line: _Line, level: int, depth: int, shown: dict[int, int]) -> tuple[tuple[_Line, ...], str]:
        """The lines below one, and its mark where they are elsewhere or nowhere."""
        if line.node is None:
            return line.below, ""
        below = self._list_dependents(line.node) if self.view.inverted else self._list_needs(line.node)
        if not below:
            return (), ""
        if line.node in shown and (shown[line.node] <= level or self.view.depth is None):
            return (), "(*)"
        if level >= depth:
            return (), "…"
        shown[line.node] = level
        return below, ""

    def _list_roots(self) -> tuple[_Line, ...]:
        if self.view.inverted:
            return tuple(self._make_line(position) for position in self.view.starts)
        asks = self.graph.asks[None]
        orphans = [self._make_line(position, more=("nothing requires it",)) for position in self.graph.orphans]
        return (*self._list_asked(asks), *orphans)

    def _list_needs(self, position: int) -> tuple[_Line, ...]:
        needs = tuple(self._make_line(child) for child in self.graph.requires[position])
        built = self._list_asked(self.graph.asks.get(position, ()))
        return (*needs, _Line(label="[built in]", below=built)) if built else needs

    def _list_asked(self, asks: Sequence[Ask]) -> tuple[_Line, ...]:
        by_node: dict[int, list[Ask]] = {}
        for ask in asks:
            by_node.setdefault(ask.node, []).append(ask)
        return tuple(self._make_line(node, by_node[node]) for node in sorted(by_node))

    def _list_dependents(self, position: int) -> tuple[_Line, ...]:
        lines = [self._make_line(parent) for parent in self.graph.required_by[position]]
        for ask in self.graph.asked_by.get(position, ()):
            if ask.parent is None:
                lines.append(_Line(label=describe_ask(ask), notes=("build requirement",)))
            else:
                lines.append(self._make_line(ask.parent, more=(f"built with {describe_ask(ask)}",)))
        return tuple(lines)

    def _make_line(self, position: int, asks: Sequence[Ask] = (), more: tuple[str, ...] = ()) -> _Line:
        node = self.graph.nodes[position]
        built = f"in the build of {node.build.replace('==', ' ')}" if self.view.inverted and node.build else None
        notes = (*more, *list_notes(node, asks), *([built] if built else []))
        return _Line(label=str(node), notes=notes, node=position)

    def _draw(self, line: _Line, mark: str, indent: str, hanging: str) -> Iterator[Text]:
        label = f"{line.label} {mark}" if mark else line.label
        notes = f"({'; '.join(line.notes)})" if line.notes else ""
        if not notes or len(indent) + len(label) + 2 + len(notes) <= self.width:
            yield Text.assemble((indent, "dim"), label, (f"  {notes}" if notes else "", "dim"))
            return
        yield Text.assemble((indent, "dim"), label)
        room = max(self.width - len(hanging), _NARROWEST)
        for each in textwrap.wrap(notes, room, break_long_words=False, break_on_hyphens=False):
            yield Text.assemble((hanging, "dim"), (each, "dim"))


def _mark_last(lines: Sequence[_Line]) -> list[tuple[_Line, bool]]:
    """The lines, the first one on top of a stack, and whether each is the last one to be shown."""
    return [(line, number == 0) for number, line in enumerate(reversed(lines))]
