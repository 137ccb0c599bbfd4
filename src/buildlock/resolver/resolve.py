"""Resolving: one request to a closed set of packages."""

from collections.abc import Mapping
from dataclasses import replace

from packaging.utils import NormalizedName
from resolvelib import ResolutionImpossible, ResolutionTooDeep
from resolvelib.resolvers import Resolution as Search

from buildlock.errors import NoSolutionError
from buildlock.reporting import Reporter, Warned, silence
from buildlock.resolver.conflict import History
from buildlock.resolver.evaluator import PassedOver
from buildlock.resolver.explain import explain
from buildlock.resolver.provider import Candidate, Provider
from buildlock.resolver.request import Resolution, ResolutionRequest, ResolvedPackage, Universe

_ROUNDS = (200, 400, 800, 1600, 3200)
"""How long to search before starting again with what was learned. A round chooses one package or takes some back;
real build environments need some dozens."""


def resolve(request: ResolutionRequest, universe: Universe, report: Reporter = silence) -> Resolution:
    """Find versions that satisfy everything at once, the most preferred ones.

    The result does not depend on the order of the requirements, nor on that of the files on a page.

    Raises:
        NoSolutionError: There are none; the message says why.
        InvalidProjectError: The request holds what is not supported, such as a direct URL.
        UnavailableError, IntegrityError: As the universe raises them.
    """
    provider = Provider(request, universe, report)
    for rounds in _ROUNDS:
        history = History()
        # Not `Resolver.resolve`, which walks the result recursively and so fails on a long chain of dependencies.
        search = Search(provider, history)
        try:
            state = search.resolve(provider.needs.roots, max_rounds=rounds)
        except ResolutionImpossible as error:
            raise explain(history.gather_conflicts(error.causes), provider) from error
        except ResolutionTooDeep:
            provider.culprits.update(history.culprits)
        else:
            return _collect(state.mapping, provider, report)
    worst = ", ".join(f"`{name}`" for name, _ in history.rejections.most_common(3))
    raise NoSolutionError(
        f"no solution was found in {sum(_ROUNDS):,} steps" + (f"; most conflicts were with {worst}" if worst else ""),
        hint="limit the versions of these packages, with a lower bound or a constraint" if worst else None,
    )


def _collect(pins: Mapping[NormalizedName, Candidate], provider: Provider, report: Reporter) -> Resolution:
    """Walk the result from what the user requires: of what was pinned on the way, some may be needed no more."""
    extras: dict[NormalizedName, frozenset[NormalizedName]] = {}
    requires: dict[NormalizedName, tuple[NormalizedName, ...]] = {}
    pending = list(provider.needs.roots)
    while pending:
        need = pending.pop()
        known = extras.get(need.name)
        if known is not None and need.extras <= known:
            continue
        extras[need.name] = need.extras | (known or frozenset())
        dependencies = provider.dependencies(replace(pins[need.name], extras=extras[need.name]))
        assert not isinstance(dependencies, PassedOver), "a pinned candidate has dependencies"
        requires[need.name] = tuple(sorted({dependency.name for dependency in dependencies}))
        pending += dependencies
    packages = []
    for name in sorted(requires):
        pin = pins[name]
        provided = provider.metadata(pin).provides_extra
        for extra in sorted(extras[name] - provided):
            report(Warned(f"`{name} {pin.version}` does not have the extra `{extra}`"))
        if pin.artifact.yanked is not None:
            reason = f": {pin.artifact.yanked}" if pin.artifact.yanked else ""
            report(Warned(f"`{name} {pin.version}` is yanked{reason}"))
        packages.append(
            ResolvedPackage(
                name=name,
                version=pin.version,
                index=pin.index,
                artifact=pin.artifact,
                requires=requires[name],
                extras=extras[name] & provided,
            )
        )
    return Resolution(packages=tuple(packages))
