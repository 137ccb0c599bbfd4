"""One search for versions, and what it came to."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TypeAlias

from packaging.utils import NormalizedName
from resolvelib import ResolutionImpossible, ResolutionTooDeep
from resolvelib.resolvers import Resolution as Search

from buildlock.errors import NoSolutionError
from buildlock.reporting import Event, Warned
from buildlock.resolver.conflict import History
from buildlock.resolver.evaluator import PassedOver
from buildlock.resolver.needs import Need
from buildlock.resolver.partition import Partition
from buildlock.resolver.provider import Cause, Choice, Identifier, Provider, Requirement
from buildlock.resolver.request import Resolution, ResolvedPackage
from buildlock.resolver.settle import settle
from buildlock.resolver.view import Candidate, View
from buildlock.values import replace

ROUNDS = (200, 400, 800, 1600, 3200)
"""How long to search before starting again with what was learned. A round chooses one package or takes some back;
real build environments need some dozens."""

Pins: TypeAlias = Mapping[Identifier, Choice]


class UnsolvedError(Exception):
    """A search found nothing.

    Args:
        history: What conflicted on the way.
        causes: What conflicted last; `None` where the search was given up.
    """

    def __init__(self, history: History, causes: Collection[Cause] | None) -> None:
        super().__init__("no solution")
        self.history = history
        self.causes = causes

    def explain(self, view: View) -> NoSolutionError:
        """Why there is nothing for a single target."""
        if self.causes is not None:
            from buildlock.resolver.explain import explain  # noqa: PLC0415 - most searches end well

            return explain(self.history.gather_conflicts(self.causes), view)
        worst = ", ".join(f"`{name}`" for name, _ in self.history.rejections.most_common(3))
        return NoSolutionError(
            f"no solution was found in {sum(ROUNDS):,} steps"
            + (f"; most conflicts were with {worst}" if worst else ""),
            hint="limit the versions of these packages, with a lower bound or a constraint" if worst else None,
        )


class _CarefulSearch(Search[Requirement, Choice, Identifier]):
    """One that never jumps back further than it may.

    resolvelib does at first. When that has led nowhere for a while it goes on from the state before, but has lost the
    last choice made in that: it can then take for impossible what is not.
    """

    def __init__(self, provider: Provider, history: History) -> None:
        super().__init__(provider, history)
        self._optimistic_backjumping_ratio = 0.0  # there is no public way, so a test sees that there is this one


def search(provider: Provider, rounds: Sequence[int] | None = None) -> Pins:
    """Find a choice for all that is required, the most preferred ones.

    Raises:
        UnsolvedError: There is none, or none was found in so many rounds.
        InvalidProjectError, UnavailableError, IntegrityError: As the universe raises them.
    """
    settled = settle(provider)
    if settled is not None:
        return settled
    history = History()
    limits = ROUNDS if rounds is None else rounds
    # Each package takes a round, whether it conflicts with anything or not, and there are more than the user names.
    for limit in [limit for limit in limits if limit >= 2 * len(provider.roots)] or limits:
        pins, history = _search_once(provider, limit)
        if pins is not None:
            return pins
        provider.culprits.update(history.culprits)
    raise UnsolvedError(history, None)


def _search_once(provider: Provider, rounds: int) -> tuple[Pins | None, History]:
    """A solution, if one is found in so many rounds, and what conflicted on the way.

    Raises:
        UnsolvedError: There is none.
    """
    history = History()
    try:
        # Not `Resolver.resolve`, which walks the result recursively and so fails on a long chain of dependencies.
        with suppress(ResolutionImpossible):
            return Search(provider, history).resolve(provider.roots, max_rounds=rounds).mapping, history
        history = History()
        return _CarefulSearch(provider, history).resolve(provider.roots, max_rounds=rounds).mapping, history
    except ResolutionImpossible as error:
        raise UnsolvedError(history, error.causes) from error
    except ResolutionTooDeep:
        return None, history


def collect(pins: Pins, views: Sequence[View], partition: Partition) -> tuple[Resolution, ...]:
    """Walk the result from what the user requires: of what was pinned on the way, some may be needed no more."""
    extras: dict[tuple[int, NormalizedName], frozenset[NormalizedName]] = {}
    requires: dict[tuple[int, NormalizedName], tuple[Need, ...]] = {}

    def find(target: int, name: NormalizedName) -> Candidate:
        choice = pins[name, partition.find_block(name, target)]
        return replace(dict(choice.candidates)[target], extras=extras[target, name])

    pending = [(target, need) for target, view in enumerate(views) for need in view.needs.roots]
    while pending:
        origin, need = pending.pop()
        for target in partition.add_twins(frozenset({origin})):
            known = extras.get((target, need.name))
            if known is not None and need.extras <= known:
                continue
            extras[target, need.name] = need.extras | (known or frozenset())
            dependencies = views[target].dependencies(find(target, need.name))
            assert not isinstance(dependencies, PassedOver), "a pinned candidate has dependencies"
            requires[target, need.name] = dependencies
            pending += [(target, dependency) for dependency in dependencies]
    return tuple(
        Resolution(
            packages=tuple(
                _describe(find(target, name), requires[target, name], view)
                for name in sorted(name for position, name in extras if position == target)
            )
        )
        for target, view in enumerate(views)
    )


def _describe(candidate: Candidate, requires: Sequence[Need], view: View) -> ResolvedPackage:
    return ResolvedPackage(
        name=candidate.name,
        version=candidate.version,
        index=candidate.index,
        artifact=candidate.artifact,
        requires=tuple(sorted({need.name for need in requires})),
        extras=candidate.extras & view.metadata(candidate).provides_extra,
        missing_extras=candidate.extras - view.metadata(candidate).provides_extra,
    )


def find_warnings(resolutions: Sequence[Resolution]) -> Iterator[Event]:
    """What the user should know of what was chosen, each once."""
    messages: dict[str, None] = {}
    for package in sorted((p for each in resolutions for p in each.packages), key=lambda package: package.name):
        for extra in sorted(package.missing_extras):
            messages[f"`{package.name} {package.version}` does not have the extra `{extra}`"] = None
        if package.artifact.yanked is not None:
            reason = f": {package.artifact.yanked}" if package.artifact.yanked else ""
            messages[f"`{package.name} {package.version}` is yanked{reason}"] = None
    return map(Warned, messages)
