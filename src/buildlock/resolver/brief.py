"""What a version that was asked for conflicts with, in a few words: the whole story is that of `explain`."""

from buildlock.resolver.conflict import Conflict, find_reason
from buildlock.resolver.evaluator import PassedOver, Reason
from buildlock.resolver.explain import name_details
from buildlock.resolver.needs import Need
from buildlock.resolver.search import UnsolvedError
from buildlock.resolver.view import Candidate, View

PINNED = "what is asked"
"""The origin of what is required to see what it conflicts with; it is not named."""
_MAX_NAMED = 3
"""Requirements that are named; the rest is counted."""


def describe_briefly(error: UnsolvedError, view: View) -> str:
    """The first conflict: it says why the preferred versions of the rest do not fit."""
    conflicts = error.history.gather_conflicts(error.causes) if error.causes is not None else []
    if not conflicts:
        return "no solution with it was found"
    conflict = conflicts[0]
    unmet = conflict.find_unmet(view)
    needs = [*_list_needs(conflict), *((need, None) for need in view.needs.constraints(conflict.name))]
    named = dict.fromkeys(
        f"`{need}` {name_source(need, parent)}"
        for need, parent in needs
        if need.origin != PINNED and unmet in {None, need}
    )
    rest = len(named) - _MAX_NAMED
    listed = " and ".join([*list(named)[:_MAX_NAMED], *([f"{rest} more"] if rest > 0 else [])])
    if unmet is not None:
        return f"no version matches {listed}"
    if matching := conflict.find_matching(view):
        against = find_reason(matching[-1], view)
        why = name_reason(against) if against is not None else "it conflicts with the rest"
        return f"{listed} would be {matching[-1].version}: {why}"
    return f"{listed} exclude each other"


def name_source(need: Need, parent: Candidate | None) -> str:
    """Who needs something: where the user wrote it, or the package."""
    return f"of `{parent.name} {parent.version}`" if parent is not None and not need.origin else f"({need.origin})"


def name_reason(against: PassedOver) -> str:
    """A reason with a few of its details; of the times at which its files were uploaded the day of the first."""
    if against.reason is Reason.TOO_NEW:
        return f"{against.text} (uploaded {against.details[0].partition('T')[0]})"
    return f"{against.text}{name_details(against.label, against.details)}"


def _list_needs(conflict: Conflict) -> list[tuple[Need, Candidate | None]]:
    return sorted(conflict.needs, key=str)
