"""The resolvelib provider: a package is one thing to decide for each block of targets that share a version of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from packaging.utils import NormalizedName
from packaging.version import Version
from resolvelib import AbstractProvider
from resolvelib.structs import RequirementInformation

from buildlock.resolver.evaluator import PassedOver
from buildlock.resolver.needs import Need
from buildlock.resolver.partition import Block, Partition
from buildlock.resolver.view import Candidate, View
from buildlock.values import dataclass, identity

Identifier: TypeAlias = tuple[NormalizedName, int]
"""A package, and the number of one of its blocks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """A version of a package for some targets, in each with the extras that are asked of it there.

    Two requirements for different extras or in different targets meet in one choice that has both.
    """

    name: NormalizedName
    version: Version
    candidates: tuple[tuple[int, Candidate], ...]
    """By target, sorted."""

    def includes(self, other: "Choice") -> bool:
        """Whether all that `other` brings comes with this one too."""
        own = dict(self.candidates)
        return self.version == other.version and all(
            target in own and own[target].index == candidate.index and candidate.extras <= own[target].extras
            for target, candidate in other.candidates
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """A need, and the targets of one block in which it holds."""

    need: Need
    targets: Block

    @property
    def name(self) -> NormalizedName:
        return self.need.name

    @property
    def target(self) -> int:
        """Any of its targets: each stands for the block."""
        return min(self.targets)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A need that nothing meets: the one dependency of a choice whose metadata rules it out in a target."""

    name: NormalizedName
    target: int


Requirement: TypeAlias = Demand | Refusal
Cause: TypeAlias = RequirementInformation[Requirement, Choice]


class Provider(AbstractProvider[Requirement, Choice, Identifier]):
    """Answers resolvelib's questions out of what each target sees.

    Args:
        views: What each target sees.
        partition: Which of the targets share a version of a package.
        only: The targets to solve for, if not for all.
        agreed: The public version that every block of a package must take.
    """

    def __init__(
        self,
        views: Sequence[View],
        partition: Partition,
        *,
        only: Block | None = None,
        agreed: Mapping[NormalizedName, str] | None = None,
    ) -> None:
        self.views = views
        self.partition = partition
        self.culprits: Counter[NormalizedName] = Counter()
        """How often each package was in the way of one chosen after it, in searches that took too long."""
        self._satisfied: dict[tuple[int, int], tuple[Requirement, Choice, bool]] = {}
        self._agreed = agreed or {}
        self._considered = frozenset(range(len(views))) if only is None else only
        self.roots = self._make_demands((target, views[target].needs.roots) for target in sorted(self._considered))
        self._root_names = frozenset(demand.name for demand in self.roots)

    def identify(self, requirement_or_candidate: Requirement | Choice) -> Identifier:
        it = requirement_or_candidate
        target = it.candidates[0][0] if isinstance(it, Choice) else it.target
        return it.name, self.partition.find_block(it.name, target)

    def narrow_requirement_selection(
        self,
        identifiers: Iterable[Identifier],
        resolutions: Mapping[Identifier, Choice],  # noqa: ARG002 - resolvelib's signature
        candidates: Mapping[Identifier, Iterator[Choice]],  # noqa: ARG002
        information: Mapping[Identifier, Iterator[Cause]],  # noqa: ARG002
        backtrack_causes: Sequence[Cause],
    ) -> Iterable[Identifier]:
        """Settle first what conflicted last: nothing chosen before it can help."""
        conflicting = {self.identify(cause.requirement) for cause in backtrack_causes}
        conflicting |= {self.identify(cause.parent) for cause in backtrack_causes if cause.parent is not None}
        identifiers = list(identifiers)
        return [identifier for identifier in identifiers if identifier in conflicting] or identifiers

    def get_preference(
        self,
        identifier: Identifier,
        resolutions: Mapping[Identifier, Choice],  # noqa: ARG002
        candidates: Mapping[Identifier, Iterator[Choice]],  # noqa: ARG002
        information: Mapping[Identifier, Iterator[Cause]],
        backtrack_causes: Sequence[Cause],  # noqa: ARG002
    ) -> tuple[bool, int, bool, bool, Identifier]:
        """Pinned packages first, troublemakers last, then what the user names and what is bounded above.

        By name in the end, so that the order does not depend on the user's.
        """
        name, _ = identifier
        needs = [cause.requirement.need for cause in information[identifier] if isinstance(cause.requirement, Demand)]
        return (
            not any(need.pins for need in needs),
            self.culprits[name],
            name not in self._root_names,
            not any(need.bounds for need in needs),
            identifier,
        )

    def find_matches(
        self,
        identifier: Identifier,
        requirements: Mapping[Identifier, Iterator[Requirement]],
        incompatibilities: Mapping[Identifier, Iterator[Choice]],
    ) -> Callable[[], Iterator[Choice]]:
        """Choices, best first, each made when it is asked for."""
        name, block = identifier
        wanted = list(requirements[identifier])
        demands = [requirement for requirement in wanted if isinstance(requirement, Demand)]
        refused = len(demands) < len(wanted)
        needs = _sort_by_target(demands)
        if not wanted:
            # What required it was dropped. resolvelib still wants a match, which it leaves out in the end.
            needs = {min(self.partition.of(name)[block] & self._considered): []}
        # What fails with some extras, in some targets, fails with more of them.
        failed: dict[Version, list[Choice]] = {}
        for choice in incompatibilities[identifier]:
            failed.setdefault(choice.version, []).append(choice)

        def make_choices() -> Iterator[Choice]:
            if not refused:
                choices = self._list_choices(name, needs)
                yield from (each for each in choices if not any(map(each.includes, failed.get(each.version, ()))))

        # resolvelib looks at the first one at once, to know whether there is any, and tries it later: meanwhile the
        # metadata of all that are required together can be on its way.
        best = next(make_choices(), None)
        if best is not None:
            self.announce(best)
        return make_choices

    def choose(self, demands: Sequence[Demand]) -> Choice | None:
        """The best choice that meets some demands, all of one package and block."""
        return next(self._list_choices(demands[0].name, _sort_by_target(demands)), None)

    def is_satisfied_by(self, requirement: Requirement, candidate: Choice) -> bool:
        # In each round resolvelib asks this of all that is pinned: of a thousand packages half a million times.
        key = identity(requirement), identity(candidate)
        if key not in self._satisfied:
            # Both are kept, so that no others get their identities.
            self._satisfied[key] = requirement, candidate, self._satisfies(requirement, candidate)
        return self._satisfied[key][2]

    def _satisfies(self, requirement: Requirement, candidate: Choice) -> bool:
        if isinstance(requirement, Refusal):
            return False
        chosen = dict(candidate.candidates)
        need = requirement.need
        return need.accepts(candidate.version) and all(
            target in chosen
            and (need.extras <= chosen[target].extras or need.extras <= self.views[target].extras(chosen[target]))
            for target in requirement.targets
        )

    def get_dependencies(self, candidate: Choice) -> Sequence[Requirement]:
        found = []
        # Wheels first: where one of them rules the choice out, no sdist need be built to know what it needs.
        for target, each in sorted(candidate.candidates, key=lambda pair: pair[1].artifact.kind == "sdist"):
            needs = self.views[target].dependencies(each)
            if isinstance(needs, PassedOver):
                return [Refusal(name=candidate.name, target=target)]
            found.append((target, needs))
        return self._make_demands(found)

    def announce(self, choice: Choice) -> None:
        """Have the metadata of a choice on its way, of each file once."""
        for target, artifact in {c.artifact.url: (t, c.artifact) for t, c in choice.candidates}.values():
            self.views[target].universe.anticipate_metadata(artifact)

    def _make_demands(self, found: Iterable[tuple[int, Iterable[Need]]]) -> tuple[Demand, ...]:
        """One demand for each need and block, in the order in which the needs come."""
        targets: dict[Need, set[int]] = {}
        for target, needs in found:
            for need in needs:
                targets.setdefault(need, set()).add(target)
        return tuple(
            Demand(need=need, targets=common)
            for need, holds in targets.items()
            for block in self.partition.of(need.name)
            if (common := block & self.partition.add_twins(frozenset(holds)))
        )

    def _list_choices(self, name: NormalizedName, needs: Mapping[int, Sequence[Need]]) -> Iterator[Choice]:
        """The choices for these targets in the order in which the first of them prefers them."""
        extras = {target: frozenset[NormalizedName]().union(*(n.extras for n in needs[target])) for target in needs}
        agreed = self._agreed.get(name)
        lead, *others = needs
        for release in self.views[lead].fitting(name, needs[lead]):
            if agreed is not None and release.version.public != agreed:
                continue
            chosen = {lead: self.views[lead].choose([release], extras[lead])}
            for target in others:
                if chosen[lead] is None:
                    break
                offered = self.views[target].fitting_at(name, needs[target], release.version)
                # From the same index, where it can be.
                offered = sorted(offered, key=lambda offer: offer.index != release.index)
                chosen[target] = self.views[target].choose(offered, extras[target])
                if chosen[target] is None:
                    break
            candidates = tuple((target, each) for target, each in chosen.items() if each is not None)
            if len(candidates) == len(needs):
                yield Choice(name=name, version=release.version, candidates=candidates)


def _sort_by_target(demands: Sequence[Demand]) -> dict[int, list[Need]]:
    """What is needed in each target, the first target first."""
    return {
        target: [demand.need for demand in demands if target in demand.targets]
        for target in sorted(frozenset[int]().union(*(demand.targets for demand in demands)))
    }
