"""Which part of a graph is looked at: all that a section is built in, or what needs a package."""

from collections import deque
from collections.abc import Iterator, Mapping
from functools import cached_property

from buildlock.graph.model import Ask, Graph
from buildlock.values import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Edge:
    """That one thing needs another."""

    start: int | None
    """A package; `None` is what the section is for."""
    end: int
    ask: Ask | None = None
    """The requirement by which it is an edge to what the start is built with."""

    @property
    def builds(self) -> bool:
        """Whether it is between two packages, the first one built with the second."""
        return self.ask is not None and self.start is not None


@dataclass(frozen=True)
class View:
    """A part of a graph: what one comes to from some packages.

    Args:
        graph: All of it.
        starts: The packages.
        inverted: Whether one goes from what is needed to what needs it.
        depth: How many steps one goes; any number if it is `None`.
    """

    graph: Graph
    starts: tuple[int, ...]
    inverted: bool = False
    depth: int | None = None

    @cached_property
    def distances(self) -> Mapping[int, int]:
        """The packages in it, the nearest first, and how many steps away each is."""
        step = self.graph.step_up if self.inverted else self.graph.step_down
        distances = dict.fromkeys(self.starts, 0)
        waiting = deque(distances)
        while waiting:
            position = waiting.popleft()
            further = distances[position] + 1
            if self.depth is not None and further > self.depth:
                break
            for other in step(position):
                if other not in distances:
                    distances[other] = further
                    waiting.append(other)
        return distances

    @property
    def edges(self) -> Iterator[Edge]:
        """Between what is in it, from what needs to what is needed."""
        for start, asks in self.graph.asks.items():
            if start is None or start in self.distances:
                yield from (Edge(start=start, end=ask.node, ask=ask) for ask in asks if ask.node in self.distances)
        for start in self.distances:
            yield from (Edge(start=start, end=end) for end in self.graph.requires[start] if end in self.distances)


def view_all(graph: Graph, depth: int | None = None) -> View:
    """What a section is built in, from its requirements on."""
    asked = dict.fromkeys(ask.node for ask in graph.asks[None])
    return View(graph, (*sorted(asked), *graph.orphans), depth=depth)


def view_dependents(graph: Graph, name: str, depth: int | None = None) -> View:
    """What needs a package."""
    return View(graph, graph.find(name), inverted=True, depth=depth)
