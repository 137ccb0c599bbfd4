"""Resolving: one request, or one for each of several targets, to closed sets of packages."""

from collections.abc import Sequence

from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.errors import NoSolutionError
from buildlock.reporting import Reporter, phase, silence
from buildlock.resolver.offers import Offers
from buildlock.resolver.partition import Block, Partition
from buildlock.resolver.provider import Choice, Provider
from buildlock.resolver.request import Resolution, ResolutionRequest, Universe
from buildlock.resolver.scout import look_ahead
from buildlock.resolver.search import Pins, UnsolvedError, collect, find_warnings, search
from buildlock.resolver.view import Candidate, View


def resolve(request: ResolutionRequest, universe: Universe, report: Reporter = silence) -> Resolution:
    """Find versions that satisfy everything at once, the most preferred ones.

    The result does not depend on the order of the requirements, nor on that of the files on a page.

    Raises:
        NoSolutionError: There are none; the message says why.
        InvalidProjectError: The request holds what is not supported, such as a direct URL.
        UnavailableError, IntegrityError: As the universe raises them.
    """
    return resolve_all([(request, universe)], report)[0]


def resolve_all(
    requests: Sequence[tuple[ResolutionRequest, Universe]], report: Reporter = silence
) -> tuple[Resolution, ...]:
    """Find versions for each of several targets that agree where they can.

    One version of everything for all targets, if there is such a solution. Otherwise only those packages have
    several versions that must, each as few as it takes. What is found for a target is a solution for it alone.

    Args:
        requests: One for each target, with the universe as that target sees it.
        report: Told of what was passed over, and warned of what was chosen for want of better.

    Returns:
        A resolution for each request.

    Raises:
        NoSolutionError: There is none for one of the targets, which the message names.
        InvalidProjectError: As of `resolve`.
        UnavailableError, IntegrityError: As of `resolve`.
    """
    offers = Offers()
    views = tuple(View(request, universe, report, offers) for request, universe in requests)
    together = Partition(targets=[view.target for view in views])
    with phase(report, "pages and metadata"):
        look_ahead(views)
    try:
        pins, partition = search(Provider(views, together)), together
    except UnsolvedError as error:
        if len(views) == 1:
            raise error.explain(views[0]) from error
        from buildlock.resolver.agreement import bring_together  # noqa: PLC0415 - most targets agree at once

        pins, partition = bring_together(views, *_solve_apart(views, together))
    resolutions = collect(pins, views, partition)
    for warning in find_warnings(resolutions):
        report(warning)
    return resolutions


def _solve_apart(views: Sequence[View], together: Partition) -> tuple[Pins, Partition]:
    """A solution for each target alone, in which those that chose the same version of a package share a block."""
    chosen: dict[NormalizedName, dict[Version, dict[int, Candidate]]] = {}
    for twins in together.twins:
        for choice in _solve_twins(views, together, twins).values():
            chosen.setdefault(choice.name, {}).setdefault(choice.version, {}).update(choice.candidates)
    everything = frozenset(range(len(views)))
    blocks: dict[NormalizedName, tuple[Block, ...]] = {}
    pins = {}
    for name, versions in chosen.items():
        first, *others = map(frozenset, versions.values())
        blocks[name] = (everything.difference(*others), *others)
        assert first <= blocks[name][0]
        for number, (version, candidates) in enumerate(versions.items()):
            pins[name, number] = Choice(name=name, version=version, candidates=tuple(sorted(candidates.items())))
    return pins, Partition(targets=together.targets, blocks=blocks)


def _solve_twins(views: Sequence[View], together: Partition, twins: Block) -> Pins:
    try:
        return search(Provider(views, together, only=twins))
    except UnsolvedError:
        for target in sorted(twins):
            _solve_alone(views[target])
        names = " and ".join(f"`{views[target].target}`" for target in sorted(twins))
        raise NoSolutionError(
            f"no versions of the build requirements suit {names} alike, and a lock cannot tell these targets apart",
            hint="leave out one of these targets",
        ) from None


def _solve_alone(view: View) -> None:
    try:
        search(Provider([view], Partition(targets=[view.target])))
    except UnsolvedError as error:
        explained = error.explain(view)
        raise NoSolutionError(f"for {view.target}: {explained.message}", hint=explained.hint) from error
