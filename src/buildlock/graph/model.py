"""The graph of a section of the lock: what requires what, for which targets, what is built included."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.pylock import Package
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from buildlock.lockfile.model import LockedEnvironment, find_key, is_source
from buildlock.lockfile.seen_targets import SeenTarget, see_targets
from buildlock.values import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A variant of the project, or a package from elsewhere for one, as a lock has it."""

    variant: str
    environment: LockedEnvironment
    outside: NormalizedName | None = None

    def __str__(self) -> str:
        source = self.environment.source
        return self.variant if source is None else f"{source.name} {source.version} for {self.variant}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A locked package, in one of the environments of a section."""

    package: Package
    build: str | None
    """The key of what is built in the environment; `None` in the section's own."""
    targets: int
    """The targets that get it, a bit each."""

    def __str__(self) -> str:
        return f"{self.package.name} {self.package.version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A requirement that an environment starts from, and a package that answers it."""

    text: str
    product: str | None
    """What the backend asked for it to build: `wheel`, `sdist`, `editable`; `None` where it is static."""
    parent: int | None
    """What is built with it; `None` for what the section is for."""
    node: int
    targets: int


@dataclass(frozen=True)
class Graph:
    """The packages of a section, by position, and what joins them.

    A package that depends on another that has an entry for each of several targets leads to those that share a target
    with it.

    Args:
        section: Of the lock.
        targets: Those that are looked at.
    """

    section: Section
    targets: tuple[SeenTarget, ...]
    _masks: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(node for key in self._environments for node in self._list_nodes(key))

    @cached_property
    def requires(self) -> tuple[tuple[int, ...], ...]:
        """By package, those that it depends on."""
        return tuple(tuple(dict.fromkeys(self._follow(node))) for node in self.nodes)

    @cached_property
    def required_by(self) -> tuple[tuple[int, ...], ...]:
        """By package, those that depend on it."""
        parents: list[list[int]] = [[] for _ in self.nodes]
        for position, children in enumerate(self.requires):
            for child in children:
                parents[child].append(position)
        return tuple(map(tuple, parents))

    @cached_property
    def asks(self) -> Mapping[int | None, Sequence[Ask]]:
        """By what is built, the requirements of its build; with `None` those of what the section is for."""
        asks: dict[int | None, list[Ask]] = {None: self._list_asks(None, None, self._everywhere)}
        for position, node in enumerate(self.nodes):
            key = find_key(node.package)
            if is_source(node.package) and key in self.section.environment.builds:
                asks[position] = self._list_asks(key, position, node.targets)
        return asks

    @cached_property
    def asked_by(self) -> Mapping[int, Sequence[Ask]]:
        """By package, the requirements that name it."""
        found: dict[int, list[Ask]] = {}
        for asks in self.asks.values():
            for ask in asks:
                found.setdefault(ask.node, []).append(ask)
        return found

    @cached_property
    def orphans(self) -> tuple[int, ...]:
        """The packages that no requirement leads to, less those that another one of them leads to."""
        reached: set[int] = set()
        for ask in self.asks[None]:
            self._reach(ask.node, reached)
        # Those that nothing requires go first; what is left is in circles.
        starts = sorted(range(len(self.nodes)), key=lambda position: bool(self.step_up(position)))
        return tuple(start for start in starts if self._reach(start, reached))

    def find(self, name: str) -> tuple[int, ...]:
        """The packages of a name, wherever they are in the section."""
        return tuple(position for position, node in enumerate(self.nodes) if node.package.name == name)

    def step_down(self, position: int) -> tuple[int, ...]:
        """What a package needs, to run and to be built."""
        return (*self.requires[position], *(ask.node for ask in self.asks.get(position, ())))

    def step_up(self, position: int) -> tuple[int, ...]:
        """What needs a package, to run and to be built."""
        asked = (ask.parent for ask in self.asked_by.get(position, ()))
        return (*self.required_by[position], *(parent for parent in asked if parent is not None))

    def name_targets(self, mask: int) -> tuple[str, ...]:
        """The targets of a mask; none if it is all of them."""
        if mask == self._everywhere:
            return ()
        return tuple(target.label for bit, target in enumerate(self.targets) if mask >> bit & 1)

    @cached_property
    def _environments(self) -> Mapping[str | None, LockedEnvironment]:
        environments: dict[str | None, LockedEnvironment] = {None: self.section.environment}
        environments.update(self.section.environment.builds.items())
        return environments

    @cached_property
    def _everywhere(self) -> int:
        return (1 << len(self.targets)) - 1

    @cached_property
    def _by_name(self) -> Mapping[tuple[str | None, str], Sequence[int]]:
        found: dict[tuple[str | None, str], list[int]] = {}
        for position, node in enumerate(self.nodes):
            found.setdefault((node.build, node.package.name), []).append(position)
        return found

    def _list_nodes(self, key: str | None) -> Iterator[Node]:
        environment = self._environments[key]
        served = self._match_any(environment.environments)
        # One entry of a name is for each target: where several say so, the first one.
        free: dict[str, int] = {}
        for package in environment.packages:
            left = free.setdefault(package.name, served)
            if mask := left & self._match(package.marker):
                free[package.name] = left & ~mask
                yield Node(package=package, build=key, targets=mask)

    def _match_any(self, markers: Iterable[Marker]) -> int:
        mask = 0
        for marker in markers:
            mask |= self._match(marker)
        return mask

    def _match(self, marker: Marker | None) -> int:
        if marker is None:
            return self._everywhere
        text = str(marker)
        if text not in self._masks:
            bits = (1 << bit for bit, target in enumerate(self.targets) if _needs(target, marker))
            self._masks[text] = sum(bits)
        return self._masks[text]

    def _follow(self, node: Node) -> Iterator[int]:
        for dependency in node.package.dependencies or ():
            for position in self._by_name.get((node.build, dependency["name"]), ()):
                other = self.nodes[position]
                version = dependency.get("version")
                if other.targets & node.targets and version in {None, str(other.package.version)}:
                    yield position

    def _list_asks(self, key: str | None, parent: int | None, targets: int) -> list[Ask]:
        asks: list[Ask] = []
        for text, product in self._environments[key].inputs.asked:
            requirement = Requirement(text)
            wanted = targets & self._match(requirement.marker)
            asks += (
                Ask(text=text, product=product, parent=parent, node=position, targets=mask)
                for position in self._by_name.get((key, canonicalize_name(requirement.name)), ())
                if (mask := wanted & self.nodes[position].targets)
            )
        return asks

    def _reach(self, start: int, reached: set[int]) -> bool:
        """Add a package and all that it leads to; whether it was not there yet."""
        if start in reached:
            return False
        reached.add(start)
        waiting = deque([start])
        while waiting:
            found = [each for each in dict.fromkeys(self.step_down(waiting.popleft())) if each not in reached]
            reached.update(found)
            waiting += found
        return True


def make_graph(section: Section, targets: Sequence[SeenTarget] | None = None) -> Graph:
    """The graph of a section, for all of its targets or for these."""
    seen = see_targets(section.environment.environments) if targets is None else targets
    return Graph(section, tuple(seen))


def _needs(target: SeenTarget, marker: Marker) -> bool:
    try:
        return target.needs(marker)
    except (UndefinedComparison, UndefinedEnvironmentName):
        # A requirement may say what no target answers: it is shown rather than hidden.
        return True
