"""Every way from a requirement down to a package, the shortest first."""

import heapq
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import count

from buildlock.graph.model import Ask, Graph
from buildlock.graph.view import View
from buildlock.values import dataclass

_PATIENCE = 200_000
"""Steps that are made to find more of them: there may be more than anybody can count."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A package of a chain, and how one comes to it."""

    node: int
    ask: Ask | None
    """The requirement that leads to it; `None` where the package before it depends on it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chain:
    """From a requirement of what the section is for, which the first link has, to a package."""

    links: tuple[Link, ...]
    targets: int
    """For which it holds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chains:
    """Those to one package."""

    shown: tuple[Chain, ...]
    complete: bool
    """Whether there are no more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """A chain that is still to be followed upwards: it begins at a package."""

    node: int
    targets: int
    length: int = 0
    nearest: int
    """Of its packages, the distance of the one that is nearest to the top."""
    ask: Ask | None = None
    """What leads to the rest."""
    rest: "_Part | None" = None

    def holds(self, node: int) -> bool:
        part: _Part | None = self
        while part is not None and part.node != node:
            part = part.rest
        return part is not None

    def finish(self, first: Ask) -> Chain:
        links = [Link(node=self.node, ask=first)]
        part = self
        while part.rest is not None:
            links.append(Link(node=part.rest.node, ask=part.ask))
            part = part.rest
        return Chain(links=tuple(links), targets=self.targets & first.targets)


@dataclass(frozen=True)
class ChainFinder:
    """Finds the chains of a graph. No package is twice in one."""

    graph: Graph

    def find(self, node: int, limit: int) -> Chains:
        """The chains to a package, at most `limit`."""
        if node not in self._distances:
            return Chains(shown=(), complete=True)
        found: list[Chain] = []
        order = count()
        start = _Part(node=node, targets=self.graph.nodes[node].targets, nearest=self._distances[node])
        # The distance to the top is the least that is missing: so the shortest chain is complete first.
        # Of equals, the one that is nearer to it: so there is a chain soon, however many there are.
        missing = self._distances[node]
        waiting: list[tuple[int, int, int, _Part | Chain]] = [(missing, missing, next(order), start)]
        for _ in range(_PATIENCE):
            if not waiting:
                return Chains(shown=tuple(found), complete=True)
            *_, part = heapq.heappop(waiting)
            if isinstance(part, Chain):
                if len(found) == limit:
                    break
                found.append(part)
                continue
            for ask in self.graph.asked_by.get(part.node, ()):
                if ask.parent is None and part.targets & ask.targets:
                    heapq.heappush(waiting, (part.length, -1, next(order), part.finish(ask)))
            for longer in self._extend(part):
                missing = self._distances[longer.node]
                heapq.heappush(waiting, (longer.length + missing, missing, next(order), longer))
        return Chains(shown=tuple(found), complete=False)

    def _extend(self, part: _Part) -> Iterator[_Part]:
        for parent, ask in self._list_parents(part.node):
            targets = part.targets & self.graph.nodes[parent].targets & (ask.targets if ask is not None else -1)
            distance = self._distances.get(parent)
            if distance is None or not targets:
                continue
            # What is nearer to the top than all of it is not in it: no need to look, however long it is.
            if distance >= part.nearest and part.holds(parent):
                continue
            yield _Part(
                node=parent,
                targets=targets,
                length=part.length + 1,
                nearest=min(distance, part.nearest),
                ask=ask,
                rest=part,
            )

    def _list_parents(self, node: int) -> Iterator[tuple[int, Ask | None]]:
        yield from ((parent, None) for parent in self.graph.required_by[node])
        for ask in self.graph.asked_by.get(node, ()):
            if ask.parent is not None:
                yield ask.parent, ask

    @cached_property
    def _distances(self) -> Mapping[int, int]:
        """How far each package is from the requirements of what the section is for."""
        return View(self.graph, starts=tuple(dict.fromkeys(ask.node for ask in self.graph.asks[None]))).distances
