"""Whether a version is affected, as the OSV schema evaluates it, with the order of PEP 440."""

from collections.abc import Iterator, Sequence

from packaging.version import Version

from buildlock.audit.advisory import Affected, Event
from buildlock.values import dataclass

_LONGEST = 500
"""Characters of a version. Numbers of thousands of digits are an error only when they are compared."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """What an advisory says of a version."""

    affected: bool
    unreadable: tuple[str, ...] = ()
    """Bounds that are no versions, for which alone it counts as affected."""


def evaluate(affected: Affected, version: Version) -> Evaluation:
    """Whether `version` is one of the versions, or in one of the ranges.

    A local label is looked at where what it is compared with has one, as in specifiers (PEP 440): `2.4.0+cu124` is
    affected where `2.4.0` is. What is listed and is no version can be none that is locked. A range with a bound that
    is no version cannot be told from one that holds the version, and so counts as if it did.
    """
    if any(_align(version, known) == known for known in map(parse_version, affected.versions) if known is not None):
        return Evaluation(affected=True)
    unreadable: list[str] = []
    for events in affected.ranges:
        if bad := list(_list_unreadable(events)):
            unreadable += bad
        elif _holds(events, version):
            return Evaluation(affected=True)
    return Evaluation(affected=bool(unreadable), unreadable=tuple(unreadable))


def list_fixed(affected: Affected, version: Version) -> Iterator[Version]:
    """The versions above this one that are said to be fixed."""
    for events in affected.ranges:
        for event in events:
            fixed = parse_version(event.version) if event.kind == "fixed" else None
            if fixed is not None and fixed > version:
                yield fixed


def parse_version(text: str) -> Version | None:
    if len(text) > _LONGEST:
        return None
    try:
        return Version(text)
    except ValueError:
        return None


def _list_unreadable(events: Sequence[Event]) -> Iterator[str]:
    for event in events:
        if not _is_start(event) and not _is_endless(event) and parse_version(event.version) is None:
            yield event.version


def _is_start(event: Event) -> bool:
    """`introduced` allows a version of the value "0" to represent a version that sorts before any other version."""
    return event.kind == "introduced" and event.version == "0"


def _is_endless(event: Event) -> bool:
    """`limit` allows versions containing the string "*" to represent "infinity"."""
    return event.kind == "limit" and "*" in event.version


def _holds(events: Sequence[Event], version: Version) -> bool:
    """`BeforeLimits` and the loop over the events of the schema's `IncludedInRanges`.

    Events of one version are taken in the order in which they are written.
    """
    limits = [event for event in events if event.kind == "limit"]
    if limits and not any(_is_endless(event) or _precedes(version, event) for event in limits):
        return False
    vulnerable = False
    bounds = (event for event in events if event.kind != "limit" and not _is_start(event))
    if any(map(_is_start, events)):
        vulnerable = True
    for event in sorted(bounds, key=lambda event: Version(event.version)):
        match event.kind:
            case "introduced":
                vulnerable = vulnerable or not _precedes(version, event)
            case "fixed":
                vulnerable = vulnerable and _precedes(version, event)
            case _:
                bound = Version(event.version)
                vulnerable = vulnerable and _align(version, bound) <= bound
    return vulnerable


def _precedes(version: Version, event: Event) -> bool:
    bound = Version(event.version)
    return _align(version, bound) < bound


def _align(version: Version, other: Version) -> Version:
    """`version` as it compares with `other`: without its local label, unless the other has one too."""
    return version if version.local is None or other.local is not None else Version(version.public)
