"""Markers that tell targets apart, as short as they can be. What is true of no target of the lock does not matter."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import combinations, product
from typing import cast

from packaging.markers import Marker
from packaging.version import Version

from buildlock.lockfile.model import format_marker
from buildlock.patterns import compile_pattern
from buildlock.targets import Target
from buildlock.values import dataclass, field

_KEYS = ("implementation_name", "python_version", "sys_platform", "platform_machine")
"""What a lock's markers speak of; the rest of two targets, such as the level of their glibc, their tags tell apart."""
_PYTHON = "python_version"
_RUN = compile_pattern(rf"{_PYTHON} >= '3\.(?P<first>\d{{1,2}})' and {_PYTHON} <= '3\.(?P<last>\d{{1,2}})'", re.ASCII)
"""As `environments` says that Pythons follow each other."""
_TARGETS = compile_pattern(
    rf"(?P<implementation>(?:implementation_name == '[^']*' and )?)"
    rf"(?:{_PYTHON} == '3\.(?P<only>\d{{1,2}})'|{_RUN.pattern})"
    rf"(?P<platform> and sys_platform == '[^']*' and platform_machine == '[^']*')",
    re.ASCII,
)
"""One of `environments`, as it is written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Term:
    """Clauses joined by `and`, and for which targets they are true."""

    clauses: tuple[str, ...]
    targets: frozenset[int]

    @property
    def cost(self) -> tuple[int, int, int, str]:
        text = str(self)
        # What is said positively is easier to read.
        return len(self.clauses), text.count("!="), len(text), text

    def __str__(self) -> str:
        return " and ".join(self.clauses)


@dataclass(frozen=True)
class MarkerWriter:
    """Writes markers for the targets of one lock."""

    targets: Sequence[Target] = field(repr=False)

    def environments(self) -> tuple[Marker, ...]:
        """Markers that are true of the targets and of nothing else: one for each platform and run of Pythons."""
        pythons: dict[tuple[str, str, str], dict[Version, Target]] = {}
        for target in self.targets:
            implementation, python, system, machine = _read(target)
            pythons.setdefault((implementation, system, machine), {})[Version(python)] = target
        return tuple(_mark_run(run) for versions in pythons.values() for run in _find_runs(versions))

    def distinguish(self, chosen: Iterable[int]) -> Marker | None:
        """A marker that is true of these targets, by position, and of no other; `None` where they are all."""
        wanted = frozenset(chosen)
        if len(wanted) == len(self.targets):
            return None
        if wanted not in self._known:
            self._known[wanted] = self._distinguish(wanted)
        return self._known[wanted]

    @cached_property
    def _known(self) -> dict[frozenset[int], Marker]:
        return {}

    def _distinguish(self, wanted: frozenset[int]) -> Marker:
        terms = sorted(self._cover(wanted), key=lambda term: min(term.targets))
        alone = len(terms) == 1
        return Marker(" or ".join(str(term) if alone or len(term.clauses) == 1 else f"({term})" for term in terms))

    def _cover(self, wanted: frozenset[int]) -> Sequence[_Term]:
        """The cheapest terms that are true of all that is wanted, and of nothing else."""
        fitting = [term for term in self._terms if term.targets <= wanted]
        covers: list[tuple[_Term, ...]] = [
            terms
            for count in (1, 2)
            for terms in combinations(fitting, count)
            if frozenset[int]().union(*(term.targets for term in terms)) == wanted
        ]
        if covers:
            cheapest: tuple[_Term, ...] = min(covers, key=_add_costs)
            return cheapest
        cover: list[_Term] = []
        missing = wanted
        while missing:
            # `_terms` are in order of cost: of those that bring as much, the first is the cheapest.
            best = max(fitting, key=lambda term: len(term.targets & missing) / len(term.clauses))
            cover.append(best)
            missing -= best.targets
        return cover

    @cached_property
    def _terms(self) -> tuple[_Term, ...]:
        """The cheapest term for each set of targets that one can be true of, the cheapest first."""
        cheapest: dict[frozenset[int], _Term] = {}
        everywhere = frozenset(range(len(self.targets)))
        for parts in product(*(list(self._list_parts(key)) for key in _KEYS)):
            targets = everywhere.intersection(*(part.targets for part in parts))
            term = _Term(clauses=tuple(clause for part in parts for clause in part.clauses), targets=targets)
            if targets and term.clauses and (targets not in cheapest or term.cost < cheapest[targets].cost):
                cheapest[targets] = term
        return tuple(sorted(cheapest.values(), key=lambda term: term.cost))

    def _list_parts(self, key: str) -> Iterator[_Term]:
        """All that can be said of one key, which may be nothing."""
        values = [_read(target)[_KEYS.index(key)] for target in self.targets]
        yield _Term(clauses=(), targets=frozenset(range(len(values))))
        distinct = sorted(set(values), key=Version if key == _PYTHON else None)
        if len(distinct) == 1:
            return
        ranks = [distinct.index(value) for value in values]

        def part(targets: Iterable[int], *clauses: str) -> _Term:
            return _Term(clauses=tuple(f"{key} {clause}" for clause in clauses), targets=frozenset(targets))

        for rank, value in enumerate(distinct):
            yield part((i for i, own in enumerate(ranks) if own == rank), f"== '{value}'")
            yield part((i for i, own in enumerate(ranks) if own != rank), f"!= '{value}'")
            if key == _PYTHON and rank:
                yield part((i for i, own in enumerate(ranks) if own >= rank), f">= '{value}'")
                yield part((i for i, own in enumerate(ranks) if own < rank), f"< '{value}'")
        if key == _PYTHON:
            for first, last in combinations(range(len(distinct)), 2):
                run = (i for i, own in enumerate(ranks) if first <= own <= last)
                yield part(run, f">= '{distinct[first]}'", f"<= '{distinct[last]}'")


def list_targets(environments: Iterable[Marker]) -> tuple[Marker, ...]:
    """The markers of a lock's `environments` with one for each Python of a run.

    >>> [str(marker) for marker in list_targets([Marker("python_version >= '3.9' and python_version <= '3.10'")])]
    ['python_version == "3.9"', 'python_version == "3.10"']
    """
    markers = []
    for environment in environments:
        text = format_marker(environment)
        run = _RUN.search(text)
        minors = range(int(run["first"]), int(run["last"]) + 1) if run else ()
        versions = [f"{_PYTHON} == '3.{minor}'" for minor in minors]
        markers += [Marker(text.replace(run[0], version)) for version in versions] if run else [environment]
    return tuple(markers)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the markers of a lock's `environments` are true of, seen from their text alone.

    >>> coverage = Coverage.of([Marker("python_version >= '3.9' and python_version <= '3.11' and "
    ...                                "sys_platform == 'linux' and platform_machine == 'x86_64'")])
    >>> both = "sys_platform == 'linux' and platform_machine == 'x86_64'"
    >>> [coverage.lacks(Marker(f"python_version == '{python}' and {both}")) for python in ("3.10", "3.12")]
    [False, True]
    """

    pythons: Mapping[tuple[str, str], int] | None
    """By implementation and platform, the minor versions as bits; `None` where not all are written as usual."""

    @classmethod
    def of(cls, environments: Iterable[Marker]) -> "Coverage":
        pythons: dict[tuple[str, str], int] = {}
        for marker in environments:
            read = _read_targets(marker)
            if read is None:
                return cls(None)
            pythons[read[0]] = pythons.get(read[0], 0) | read[1]
        return cls(pythons)

    def lacks(self, marker: Marker) -> bool:
        """Whether a marker is true of a target that is not covered, as far as this can be seen."""
        read = _read_targets(marker)
        return read is not None and self.pythons is not None and bool(read[1] & ~self.pythons.get(read[0], 0))


def _read_targets(environment: Marker) -> tuple[tuple[str, str], int] | None:
    match = _TARGETS.fullmatch(format_marker(environment))
    if match is None:
        return None
    first, last = match["only"] or match["first"], match["only"] or match["last"]
    return (match["implementation"], match["platform"]), sum(1 << minor for minor in range(int(first), int(last) + 1))


def _add_costs(terms: tuple[_Term, ...]) -> tuple[int, int, int, int, str]:
    clauses, negations, lengths, _ = zip(*(term.cost for term in terms), strict=True)
    return sum(clauses), sum(negations), len(terms), sum(lengths), " or ".join(map(str, terms))


def _read(target: Target) -> tuple[str, ...]:
    values = cast("Mapping[str, str]", target.environment)
    return tuple(values[key] for key in _KEYS)


def _find_runs(versions: Mapping[Version, Target]) -> Iterator[list[Target]]:
    """The targets in runs of Pythons that follow each other."""
    run: list[Version] = []
    for version in sorted(versions):
        if run and (version.major, version.minor) != (run[-1].major, run[-1].minor + 1):
            yield [versions[each] for each in run]
            run = []
        run.append(version)
    yield [versions[each] for each in run]


def _mark_run(run: Sequence[Target]) -> Marker:
    if len(run) == 1:
        return run[0].marker
    first, last = (target.environment["python_version"] for target in (run[0], run[-1]))
    single = f"{_PYTHON} == '{first}'"
    text = str(run[0].marker).replace('"', "'")
    return Marker(text.replace(single, f"{_PYTHON} >= '{first}' and {_PYTHON} <= '{last}'"))
