"""From a lock and the advisories about its packages to findings: one for each vulnerability of a version."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.audit.advisory import Advisory
from buildlock.audit.ranges import evaluate, list_fixed
from buildlock.diff.locked import Locked
from buildlock.diff.model import Finding, Vulnerability
from buildlock.diff.published import inspect_release
from buildlock.diff.quoting import quote, quote_all
from buildlock.lockfile.releases import find_release
from buildlock.published import LockedRelease, Published
from buildlock.values import dataclass, replace

_SHOWN_NAMES = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class _Hit:
    """An advisory that a version is affected by."""

    advisory: Advisory
    fixed: frozenset[Version]
    severity: tuple[str, ...]
    unreadable: tuple[str, ...]


def find_vulnerable(locked: Iterable[Locked], advisories: Sequence[Advisory]) -> Iterator[Finding]:
    """What the advisories say of what is locked, wherever it is."""
    by_name = _group(_drop_superseded(advisories))
    known: dict[tuple[NormalizedName, Version], list[Finding]] = {}
    for each in locked:
        key = (each.name, each.version)
        if key not in known:
            known[key] = list(_describe(each, by_name.get(each.name, [])))
        for finding in known[key]:
            yield replace(finding, places=(each.place,), chain=each.chain)


def list_undecided(advisories: Sequence[Advisory]) -> Iterator[str]:
    """What names a package and no version that can be compared, such as commits alone: a sentence each."""
    for advisory in _drop_superseded(advisories):
        for name, entries in advisory.affected.items():
            if not any(entry.versions or entry.ranges for entry in entries):
                yield f"the advisory {quote(advisory.id)} names no versions of `{name}`: nothing is found by it"


def list_releases(locked: Iterable[Locked]) -> tuple[LockedRelease, ...]:
    """What of it an index can be asked about."""
    return tuple(dict.fromkeys(filter(None, (find_release(each.package) for each in locked))))


def find_withdrawn(locked: Iterable[Locked], published: Mapping[LockedRelease, Published]) -> Iterator[Finding]:
    """What the indexes say against what is locked, wherever it is: what is yanked, gone or exchanged."""
    for each in locked:
        release = find_release(each.package)
        if release is not None and release in published:
            yield from inspect_release(release, published[release], each.place, each.chain)


def _drop_superseded(advisories: Sequence[Advisory]) -> Iterator[Advisory]:
    """Those that hold: of several with one identifier those that were modified last, and none that is withdrawn."""
    latest: dict[str, str] = {}
    for advisory in advisories:
        latest[advisory.id] = max(advisory.modified, latest.get(advisory.id, ""))
    return (each for each in advisories if each.modified == latest[each.id] and not each.withdrawn)


def _group(advisories: Iterable[Advisory]) -> Mapping[NormalizedName, list[Advisory]]:
    groups: dict[NormalizedName, list[Advisory]] = {}
    for advisory in advisories:
        for name in advisory.affected:
            groups.setdefault(name, []).append(advisory)
    return groups


def _describe(locked: Locked, advisories: Iterable[Advisory]) -> Iterator[Finding]:
    hits = [hit for hit in (_evaluate(advisory, locked) for advisory in advisories) if hit is not None]
    for same in _join_aliases(hits):
        vulnerability = _make_vulnerability(same)
        names = quote(vulnerability.ids[0])
        if others := vulnerability.ids[1 : _SHOWN_NAMES + 1]:
            more = len(vulnerability.ids) - 1 - len(others)
            names += f" ({quote_all(others)}{f' and {more} more' if more else ''})"
        yield Finding(
            code="vulnerable",
            packages=(locked.name,),
            message=f"{quote(locked.version)}: {names}",
            after=str(locked.version),
            places=(locked.place,),
            details=tuple(_list_details(vulnerability, same)),
            vulnerability=vulnerability,
        )


def _evaluate(advisory: Advisory, locked: Locked) -> _Hit | None:
    entries = advisory.affected[locked.name]
    evaluations = [evaluate(entry, locked.version) for entry in entries]
    if not any(evaluation.affected for evaluation in evaluations):
        return None
    certain = any(evaluation.affected and not evaluation.unreadable for evaluation in evaluations)
    severity = (*advisory.severity, *(score for entry in entries for score in entry.severity))
    return _Hit(
        advisory=advisory,
        fixed=frozenset(version for entry in entries for version in list_fixed(entry, locked.version)),
        severity=tuple(dict.fromkeys(severity)),
        unreadable=() if certain else tuple(bound for each in evaluations for bound in each.unreadable),
    )


def _join_aliases(hits: Iterable[_Hit]) -> list[list[_Hit]]:
    """Those together that share a name: "Aliases should be considered symmetric […] and transitive"."""
    groups: list[tuple[set[str], list[_Hit]]] = []
    for hit in sorted(hits, key=lambda hit: hit.advisory.id):
        names, members = {hit.advisory.id, *hit.advisory.aliases}, [hit]
        apart = []
        for other in groups:
            if other[0].isdisjoint(names):
                apart.append(other)
            else:
                names |= other[0]
                members = [*other[1], *members]
        groups = [*apart, (names, members)]
    return [sorted(members, key=lambda hit: hit.advisory.id) for _, members in groups]


def _make_vulnerability(hits: Sequence[_Hit]) -> Vulnerability:
    advisories = [hit.advisory for hit in hits]
    aliases = sorted({alias for advisory in advisories for alias in advisory.aliases})
    return Vulnerability(
        ids=tuple(dict.fromkeys([*(advisory.id for advisory in advisories), *aliases])),
        summary=next((advisory.summary for advisory in advisories if advisory.summary), ""),
        severity=tuple(dict.fromkeys(score for hit in hits for score in hit.severity)),
        level=next((advisory.level for advisory in advisories if advisory.level is not None), None),
        fixed=tuple(map(str, sorted(frozenset[Version]().union(*(hit.fixed for hit in hits))))),
    )


def _list_details(vulnerability: Vulnerability, hits: Sequence[_Hit]) -> Iterator[str]:
    if vulnerability.summary:
        yield quote(vulnerability.summary)
    scores = [vulnerability.level] if vulnerability.level is not None else vulnerability.severity
    severity = [f"severity {quote_all(scores)}"] if scores else []
    fixed = (
        f"fixed in {quote_all(vulnerability.fixed)}" if vulnerability.fixed else "no newer version is said to be fixed"
    )
    yield "; ".join([*severity, fixed])
    if all(hit.unreadable for hit in hits):
        bounds = dict.fromkeys(bound for hit in hits for bound in hit.unreadable)
        yield f"{quote_all(bounds)} is no version, so that this one counts as affected"
