"""What conflicted: facts for an explanation, drawn from what the search explored."""

from collections import Counter, deque
from collections.abc import Collection
from typing import TypeAlias

from packaging.utils import NormalizedName
from resolvelib import BaseReporter
from resolvelib.resolvers import Criterion

from buildlock.artifacts import Release
from buildlock.resolver.evaluator import PassedOver
from buildlock.resolver.needs import Need
from buildlock.resolver.provider import Cause, Choice, Demand, Identifier, Requirement
from buildlock.resolver.view import Candidate, View
from buildlock.values import dataclass

_MAX_OCCASIONS = 200
"""Of one package; a long search meets the same conflict again and again."""

Occasion: TypeAlias = frozenset[tuple[Need, Candidate | None]]
"""Needs at one time, each with the candidate that has it, `None` for the user."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Conflict:
    """A package that had no version for all that was needed of it, and what that was each time."""

    name: NormalizedName
    occasions: tuple[Occasion, ...]

    @property
    def needs(self) -> Occasion:
        """All needs that had a part in it."""
        return frozenset[tuple[Need, Candidate | None]]().union(*self.occasions)

    def find_unmet(self, view: View) -> Need | None:
        """A need that was there every time, or a constraint, that no release meets, whatever else is needed."""
        versions = [release.version for release in view.listing(self.name).releases]
        lasting = frozenset.intersection(*(frozenset(need for need, _ in occasion) for occasion in self.occasions))
        needs = sorted(lasting, key=str)
        bounds = (*needs, *view.needs.constraints(self.name))
        return next((need for need in bounds if not any(map(need.accepts, versions))), None)

    def find_matching(self, view: View) -> list[Release]:
        """The releases whose versions fit, lowest first; something else is against them."""
        matching = {
            (release.version, release.index): release
            for occasion in self.occasions
            for release in view.fitting(self.name, [need for need, _ in occasion])
        }
        return [matching[key] for key in sorted(matching)]


class History(BaseReporter[Requirement, Choice, Identifier]):
    """Listens to the search and remembers what conflicted; to explain it, the search has to be for one target."""

    def __init__(self) -> None:
        self.rejections: Counter[NormalizedName] = Counter()
        """How many candidates of each package were rejected."""
        self.culprits: Counter[NormalizedName] = Counter()
        """How often each package chosen before was in the way of one of them."""
        self._first: Collection[Cause] = ()
        self._occasions: dict[NormalizedName, dict[Occasion, None]] = {}

    def resolving_conflicts(self, causes: Collection[Cause]) -> None:
        self._first = self._first or causes

    def rejecting_candidate(self, criterion: Criterion[Requirement, Choice], candidate: Choice) -> None:
        self.rejections[candidate.name] += 1
        parents = {cause.parent.name for cause in criterion.information if cause.parent is not None}
        self.culprits.update(parents - {candidate.name})
        self._remember(criterion.information)

    def gather_conflicts(self, final: Collection[Cause]) -> list[Conflict]:
        """The first conflict, which says why the preferred versions do not fit, and the last: why no others do."""
        if not self._occasions:
            self._remember(final)
        names = [
            name for causes in (self._first, final) for name in sorted({cause.requirement.name for cause in causes})
        ]
        return [
            Conflict(name=name, occasions=tuple(self._occasions[name]))
            for name in dict.fromkeys(names)
            if name in self._occasions
        ]

    def _remember(self, causes: Collection[Cause]) -> None:
        name = next(iter(causes)).requirement.name
        occasions = self._occasions.setdefault(name, {})
        if len(occasions) < _MAX_OCCASIONS:
            occasions[
                frozenset(
                    (cause.requirement.need, cause.parent.candidates[0][1] if cause.parent is not None else None)
                    for cause in causes
                    if isinstance(cause.requirement, Demand)
                )
            ] = None


def find_route(candidate: Candidate, view: View) -> list[Need | Candidate]:
    """The shortest way from a requirement of the user to `candidate`, without it."""
    queue: deque[tuple[Candidate, list[Need | Candidate]]] = deque([(candidate, [])])
    visited = {candidate}
    while queue:
        reached, steps = queue.popleft()
        for need in view.needs.roots:
            if need.name == reached.name and need.accepts(reached.version):
                return [need, *steps]
        for parent, needs in view.explored.items():
            if parent in visited or isinstance(needs, PassedOver):
                continue
            if any(need.name == reached.name and need.accepts(reached.version) for need in needs):
                visited.add(parent)
                queue.append((parent, [parent, *steps]))
    return []


def find_reason(release: Release, view: View) -> PassedOver | None:
    """Why a release is passed over: its page says, or its metadata that was read."""
    verdict = view.verdict(release)
    if isinstance(verdict, PassedOver):
        return verdict
    key = release.name, release.index, release.version
    refused = (
        found
        for candidate, found in view.explored.items()
        if (candidate.name, candidate.index, candidate.version) == key and isinstance(found, PassedOver)
    )
    return next(refused, None)
