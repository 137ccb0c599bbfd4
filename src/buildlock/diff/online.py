"""What the indexes say today of what a change of a lock brings in."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from packaging.utils import NormalizedName

from buildlock.diff.ages import describe_age, describe_span
from buildlock.diff.compute import join_findings, list_sections
from buildlock.diff.locked import list_locked
from buildlock.diff.model import Diff, Facts, Finding, Place, sort_findings
from buildlock.diff.published import inspect_release, list_silent, list_some
from buildlock.diff.quoting import quote, quote_all
from buildlock.lockfile.model import Lockfile
from buildlock.lockfile.releases import find_release
from buildlock.project.model import Policy
from buildlock.published import LockedRelease, Published, PublishedFile, Publisher
from buildlock.values import dataclass, replace

_ARRIVALS = frozenset(
    {"new-package", "package-added", "version-raised", "pin-lowered", "artifact-added", "hash-changed"}
)
"""Codes of one package, of which the index is asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Questions:
    """What of a change of a lock the indexes are asked about."""

    new: tuple[LockedRelease, ...]
    """Those of which the old lock has not every file."""
    old: tuple[LockedRelease, ...]
    """What the old lock has of the same names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Locked:
    """A release at a place of a lock."""

    place: Place
    release: LockedRelease
    chain: tuple[str, ...]


def list_questions(old: Lockfile | None, new: Lockfile | None, variants: Collection[str] | None = None) -> Questions:
    """The questions to ask before `add_published`.

    Args:
        old: What there was; `None` where there was no lock.
        new: What there is.
        variants: Ask of what is new in these alone; of all by default.
    """
    before = tuple(dict.fromkeys(locked.release for locked in _list_locked(old)))
    known = {file for release in before for file in _identify_files(release)}
    arrived = tuple(
        dict.fromkeys(
            locked.release
            for locked in _list_locked(new)
            if (variants is None or locked.place.variant in variants)
            and not known.issuperset(_identify_files(locked.release))
        )
    )
    names = {release.name for release in arrived}
    return Questions(new=arrived, old=tuple(release for release in before if release.name in names))


def add_published(
    diff: Diff,
    old: Lockfile | None,
    new: Lockfile | None,
    facts: Mapping[LockedRelease, Published],
    *,
    policy: Policy,
    now: datetime,
) -> Diff:
    """The diff of two locks with what the indexes say of what the new one brings in.

    Args:
        diff: What differs.
        old: The first lock.
        new: The second.
        facts: The answers to `list_questions`; what has none was not asked.
        policy: For its minimum age; a verdict is not made here.
        now: Aware.
    """
    questions = list_questions(old, new)
    namesakes: dict[NormalizedName, list[LockedRelease]] = {}
    for release in questions.old:
        namesakes.setdefault(release.name, []).append(release)
    arrived = {release: facts[release] for release in questions.new if release in facts}
    locked = [each for each in _list_locked(new) if each.release in arrived]
    found: list[Finding] = []
    for each in locked:
        published = arrived[each.release]
        found += inspect_release(each.release, published, each.place, each.chain)
        found += _compare_publishers(each, published, namesakes.get(each.release.name, ()), facts)
        found += _measure_age(each, published, policy, now)
    told = [_tell(finding, locked, arrived, now) for finding in diff.findings]
    return replace(
        diff,
        findings=sort_findings([*told, *join_findings(found)]),
        unknown=(*diff.unknown, *_list_unknown(facts)),
    )


def note_unasked(diff: Diff, policy: Policy) -> Diff:
    """The diff, which says of a minimum age that it takes the indexes to know."""
    if policy.minimum_age is None or all(finding.code not in _ARRIVALS for finding in diff.findings):
        return diff
    span = describe_span(policy.minimum_age)
    sentence = f"whether what is new is {span} old, as the policy wants it: only {quote('--online')} finds out"
    return replace(diff, unknown=(*diff.unknown, sentence))


def _list_locked(lockfile: Lockfile | None) -> Iterator[_Locked]:
    """All releases of indexes, wherever they are locked."""
    for each in list_locked(list_sections(lockfile)):
        if (release := find_release(each.package)) is not None:
            yield _Locked(place=each.place, release=release, chain=each.chain)


def _identify_files(release: LockedRelease) -> frozenset[object]:
    return frozenset((release.index, release.name, release.version, file) for file in release.files)


def _compare_publishers(
    locked: _Locked, published: Published, namesakes: Sequence[LockedRelease], facts: Mapping[LockedRelease, Published]
) -> Iterator[Finding]:
    """Whether those who attested what was locked attest what is."""
    known = [file for release in namesakes if release in facts for file in facts[release].files]
    before, after = _list_publishers(known), _list_publishers(published.files)
    if not before:
        return
    version, was = quote(locked.release.version), quote_all(before)
    if strangers := [each for each in after if not any(each.is_same(other) for other in before)]:
        yield _find(
            "publisher-changed",
            locked,
            f"{version} is attested by {quote_all(strangers)}: it was by {was}",
            before=", ".join(map(str, before)),
            after=", ".join(map(str, strangers)),
        )
    there = [file for file in published.files if file.state == "there"]
    if bare := [file for file in there if file.provenance is None or file.publishers == ()]:
        yield _find(
            "attestation-dropped",
            locked,
            f"{version}: the version before was attested by {was}",
            before=", ".join(map(str, before)),
            details=tuple(list_some(bare, published.files)),
        )


def _list_publishers(files: Iterable[PublishedFile]) -> list[Publisher]:
    return sorted({publisher for file in files for publisher in file.publishers or ()}, key=str)


def _measure_age(locked: _Locked, published: Published, policy: Policy, now: datetime) -> Iterator[Finding]:
    """Whether a release is as old as the policy wants. One of which nobody says it is not, as for `exclude-newer`."""
    if policy.minimum_age is None:
        return
    version, span = quote(locked.release.version), describe_span(policy.minimum_age)
    times = [file.upload_time for file in published.files]
    if not times or None in times:
        message = f"{version}: nobody says when it was uploaded, and the policy wants {span}"
        yield _find("too-new", locked, message, after=str(locked.release.version))
        return
    latest = max(time for time in times if time is not None)
    if now - latest < policy.minimum_age:
        message = f"{version} was uploaded {_describe_moment(latest, now)}: the policy wants {span}"
        yield _find("too-new", locked, message, after=str(locked.release.version))


def _find(
    code: str,
    locked: _Locked,
    message: str,
    *,
    before: str | None = None,
    after: str | None = None,
    details: tuple[str, ...] = (),
) -> Finding:
    return Finding(
        code=code,
        packages=(locked.release.name,),
        message=message,
        before=before,
        after=after,
        places=(locked.place,),
        details=details,
        chain=locked.chain,
    )


def _tell(
    finding: Finding, locked: Sequence[_Locked], facts: Mapping[LockedRelease, Published], now: datetime
) -> Finding:
    """The finding with what the index says of the version that it is about."""
    if finding.code not in _ARRIVALS:
        return finding
    places = {replace(place, targets=()) for place in finding.places}
    matches = [each.release for each in locked if each.place in places and each.release.name in finding.packages]
    exact = [release for release in matches if str(release.version) == finding.after]
    answers = [facts[release] for release in dict.fromkeys(exact or matches)]
    if not answers:
        return finding
    files = [file for published in answers for file in published.files]
    return replace(
        finding,
        details=(*finding.details, *filter(None, [_describe_files(files, now)])),
        facts=Facts(
            uploaded=max((file.upload_time for file in files if file.upload_time is not None), default=None),
            publishers=tuple(map(str, _list_publishers(files))),
            link=next((published.link for published in answers if published.link is not None), None),
        ),
    )


def _describe_files(files: Sequence[PublishedFile], now: datetime) -> str:
    """When files were uploaded and who attests them, as far as the index says it."""
    parts = []
    times = sorted(file.upload_time for file in files if file.upload_time is not None)
    if times:
        since = f"from {times[0].date()} to " if times[0].date() != times[-1].date() else ""
        parts.append(f"uploaded {since}{_describe_moment(times[-1], now)}")
    if publishers := _list_publishers(files):
        attested = sum(bool(file.publishers) for file in files)
        share = f"{attested} of {len(files)} files " if attested < len(files) else ""
        parts.append(f"{share}attested by {quote_all(publishers)}")
    return "; ".join(parts)


def _describe_moment(moment: datetime, now: datetime) -> str:
    return f"{moment.date()}, {describe_age(now - moment)}"


def _list_unknown(facts: Mapping[LockedRelease, Published]) -> Iterator[str]:
    """What an index did not answer, a sentence for each index; and what of its answers cannot be read."""
    yield from list_silent(facts)
    unread = sorted(
        {
            f"{release.name} {release.version}"
            for release, published in facts.items()
            for file in published.files
            if file.provenance is not None and file.publishers is None
        }
    )
    if unread:
        yield f"who attests {quote_all(unread)}: that cannot be read"
