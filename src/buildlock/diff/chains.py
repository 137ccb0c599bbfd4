"""What brings a package into an environment: the shortest way from a requirement down to it."""

from collections import deque
from collections.abc import Mapping
from functools import cached_property

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from buildlock.lockfile.model import LockedEnvironment
from buildlock.values import dataclass

_SHOWN_OF_AN_END = 8


@dataclass(frozen=True)
class Chains:
    """The chains of one environment."""

    environment: LockedEnvironment

    def find(self, name: str) -> tuple[str, ...]:
        """The requirement that leads to a package, then the packages from it down to this one; nothing if none does.

        Of a long chain there are the two ends, and `…` between them: nobody reads all of it, and a lock of one chain
        would make a review of all pairs of its packages.
        """
        if name not in self._parents:
            return ()
        chain: list[str] = []
        current: str | None = name
        while current is not None and len(chain) < 2 * _SHOWN_OF_AN_END:
            chain.append(current)
            current = self._parents[current]
        if current is None:
            return (self.roots[chain.pop()], *reversed(chain))
        top, *head = self._heads[name]
        return (self.roots[top], *head, "…", *reversed(chain[:_SHOWN_OF_AN_END]))

    def leads_through(self, name: str, parent: str) -> bool:
        """Whether one package is needed by another, directly or not, on the shortest way to it."""
        current = self._parents.get(name)
        while current is not None and current != parent:
            current = self._parents[current]
        return current == parent

    @cached_property
    def roots(self) -> Mapping[str, str]:
        """By package, the requirement that asks for it by name."""
        return {canonicalize_name(Requirement(text).name): text for text, _ in reversed(self.environment.inputs.asked)}

    @cached_property
    def _parents(self) -> Mapping[str, str | None]:
        edges: dict[str, list[str]] = {}
        for package in self.environment.packages:
            names = edges.setdefault(package.name, [])
            names += (str(dependency["name"]) for dependency in package.dependencies or ())
        parents: dict[str, str | None] = dict.fromkeys((name for name in self.roots if name in edges), None)
        waiting = deque(parents)
        while waiting:
            name = waiting.popleft()
            for needed in edges.get(name, ()):
                if needed not in parents:
                    parents[needed] = name
                    waiting.append(needed)
        return parents

    @cached_property
    def _heads(self) -> Mapping[str, tuple[str, ...]]:
        """By package, the packages that its chain begins with."""
        heads: dict[str, tuple[str, ...]] = {}
        for name, parent in self._parents.items():  # each after its parent
            above = heads[parent] if parent is not None else ()
            heads[name] = (*above, name) if len(above) < _SHOWN_OF_AN_END else above
        return heads
