"""Solving without a search, where there is nothing to search for: most build environments hold no tension at all.

A search decides one package after the other, and in each step looks at all of them: of a thousand packages half a
million times. Where each thing that is required of a package, taken alone, already leads to the version that all of
it together leads to, no order of decisions can lead to another one, and none has to be taken back.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from buildlock.errors import BuildlockError
from buildlock.resolver.provider import Choice, Demand, Identifier, Provider, Refusal

_MOST_PACKAGES = 3200
"""Beside what the user requires; a universe may have no end."""


class _UnsettledError(Exception):
    """Only a search can tell."""


def settle(provider: Provider) -> Mapping[Identifier, Choice] | None:
    """What any search of this provider ends with, or `None` where only a search can tell."""
    try:
        return _settle(provider)
    except (_UnsettledError, BuildlockError):  # a search may never come by what is broken
        return None


def _settle(provider: Provider) -> Mapping[Identifier, Choice]:
    demands: dict[Identifier, dict[Demand, None]] = {}
    pins: dict[Identifier, Choice] = {}
    new: Sequence[Demand] = provider.roots
    while new:
        touched: dict[Identifier, None] = {}
        for demand in new:
            identifier = provider.identify(demand)
            demands.setdefault(identifier, {})[demand] = None
            touched[identifier] = None
        if len(demands) > _MOST_PACKAGES + len(provider.roots):
            raise _UnsettledError
        changed = [
            choice
            for identifier in touched
            if (choice := _choose(provider, demands[identifier], pins.get(identifier))) != pins.get(identifier)
        ]
        for choice in changed:
            provider.announce(choice)
            pins[provider.identify(choice)] = choice
        found = [dependency for choice in changed for dependency in _list_demands(provider, choice)]
        new = [demand for demand in found if demand not in demands.get(provider.identify(demand), ())]
    roots = frozenset(provider.roots)
    for identifier, wanted in demands.items():
        for some in _list_least(wanted, roots):
            _choose(provider, some, pins[identifier])
    return pins


def _choose(provider: Provider, demands: Iterable[Demand], before: Choice | None) -> Choice:
    """The best choice that meets some demands, of the same version as the one before."""
    choice = provider.choose([*demands])
    if choice is None or (before is not None and before.version != choice.version):
        raise _UnsettledError
    # A search builds as little as it can to know what something needs.
    if any(candidate.artifact.kind != "wheel" for _, candidate in choice.candidates):
        raise _UnsettledError
    return choice


def _list_demands(provider: Provider, choice: Choice) -> Iterator[Demand]:
    for dependency in provider.get_dependencies(choice):
        if isinstance(dependency, Refusal):
            raise _UnsettledError
        yield dependency


def _list_least(wanted: Iterable[Demand], roots: frozenset[Demand]) -> Iterator[Sequence[Demand]]:
    """The least that a search can know to be required of a package when it decides.

    What the user requires it knows from the start. Whatever else it knows, the first target of that, whose order of
    preference counts, is the first one of one of these.
    """
    known = [demand for demand in wanted if demand in roots]
    if known:
        yield known
    yield from ([*known, demand] for demand in wanted if demand not in roots)
