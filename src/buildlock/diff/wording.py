"""What every rendering says in the same words: counts, sizes, where a finding holds and what brings it in."""

from collections.abc import Iterator, Sequence

from packaging.utils import NormalizedName

from buildlock.diff.model import Diff, Download, Finding, Findings, count_risks
from buildlock.diff.quoting import quote, quote_all
from buildlock.risks import KINDS, RISKS, Kind, Risk
from buildlock.values import dataclass

_SHOWN_PACKAGES = 8
_SHOWN_FOLLOWERS = 3
_MOVES = frozenset({"version-raised", "pin-lowered"})
_UNEXPLAINED = frozenset({"version-raised", "artifact-added", "artifact-removed", "details-changed"})
"""Codes of a package that was there before, of which it does not matter what brings it in."""
_OF_NO_PLACE = frozenset({"variant-added", "variant-dropped", "policy-loosened", "policy-tightened"})
"""Codes of what names its place, or holds wherever anything does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A finding, and those that are told with it because it explains them."""

    finding: Finding
    followers: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The findings of one code."""

    kind: Kind
    items: tuple[Item, ...]


def group_findings(found: Findings) -> Iterator[tuple[Risk, Sequence[Group]]]:
    """The findings by risk and code, the riskiest first."""
    by_code: dict[str, list[Item]] = {}
    for item in _list_items(found.findings):
        by_code.setdefault(item.finding.code, []).append(item)
    for risk in RISKS:
        groups = [
            Group(kind=kind, items=tuple(by_code[kind.code]))
            for kind in KINDS.values()
            if kind.risk == risk and kind.code in by_code
        ]
        if groups:
            yield risk, groups


def _list_items(findings: Sequence[Finding]) -> Sequence[Item]:
    """Every finding once. What the policy denies stands for itself, whatever explains it."""
    followed = {finding.follows for finding in findings} - {None}
    items = {}
    told: set[int] = set()
    for position, leader in enumerate(findings):
        if leader.code not in _MOVES or followed.isdisjoint(leader.packages):
            continue
        places = set(leader.places)
        followers = [
            other
            for other, finding in enumerate(findings)
            if finding.follows in leader.packages and not finding.refused and not places.isdisjoint(finding.places)
        ]
        told.update(followers)
        items[position] = Item(finding=leader, followers=tuple(findings[other] for other in followers))
    rest = (position for position in range(len(findings)) if position not in told)
    return [items.get(position, Item(finding=findings[position])) for position in rest]


def count_followers(followers: Sequence[Finding]) -> str:
    """How many follow, in words: `14 nvidia packages and triton follow`."""
    names = sorted({finding.packages[0] for finding in followers})
    others = [name for name in names if not name.startswith("nvidia-")]
    count = len(names) - len(others)
    parts = [f"{count} nvidia package{'' if count == 1 else 's'}"] if count else []
    parts += others if len(others) <= _SHOWN_FOLLOWERS else [f"{len(others)} others"]
    listed = " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
    return f"{listed} follow{'s' if len(names) == 1 else ''}"


def list_followers(followers: Sequence[Finding]) -> Iterator[str]:
    """The followers in a few words each, those together that move alike."""
    alike: dict[str, list[NormalizedName]] = {}
    words = {"package-added": " new", "package-removed": " gone"}
    for finding in followers:
        message = quote(finding.after or finding.before) if finding.code in words else finding.message
        alike.setdefault(f"{message}{words.get(finding.code, '')}", []).append(finding.packages[0])
    for message, names in alike.items():
        yield f"{message}: {quote_all(names)}"


def summarize(diff: Diff) -> str:
    """The whole in a line."""
    if diff.hidden:
        denied = sum(finding.refused for finding in diff.hidden)
        shown = summarize_findings(diff) if diff.findings else "nothing of this risk"
        return f"{shown}; {len(diff.hidden)} of others not shown, of which the policy denies {denied or 'nothing'}"
    if diff.findings:
        return summarize_findings(diff)
    if diff.reformatted:
        return "nothing changed but how the file is written"
    return "nothing changed"


def summarize_findings(found: Findings) -> str:
    """How many there are of each risk, and how many are denied."""
    counts = ", ".join(f"{number} {risk}" for risk, number in count_risks(found.findings).items() if number)
    denied = sum(finding.refused for finding in found.findings)
    return f"{counts} risk; the policy denies {denied or 'nothing'}{'; incomplete' if found.unknown else ''}"


def describe_subject(packages: Sequence[NormalizedName]) -> str:
    """The packages of a finding, at most so many by name."""
    more = len(packages) - _SHOWN_PACKAGES
    # What the many come with is not to be among those that are counted.
    packages = sorted(packages, key=lambda name: (name.startswith("nvidia-"), name))
    return ", ".join(packages[:_SHOWN_PACKAGES]) + (f" and {more} more" if more > 0 else "")


def describe_places(finding: Finding, found: Findings) -> str | None:
    """Where it holds; nothing where that is the one place there is, or goes without saying."""
    if finding.code in _OF_NO_PLACE:
        return None
    alike: dict[tuple[str | None, tuple[str, ...]], list[str]] = {}
    for place in finding.places:
        alike.setdefault((place.build, place.targets), []).append(place.section)
    described = (_describe_alike(sections, *rest, found) for rest, sections in alike.items())
    return "; ".join(filter(None, described)) or None


def _describe_alike(sections: Sequence[str], build: str | None, targets: Sequence[str], found: Findings) -> str:
    """Places that differ only in their variant, in words."""
    parts = []
    if build is not None:
        parts.append(f"in the build of {quote(build.replace('==', ' '))}")
    if len(found.sections) > 1:
        everywhere = len(sections) == len(found.sections)
        parts.append("everywhere" if everywhere else f"in {quote_all(sections)}")
    if targets:
        parts.append(f"for {quote_all(targets)}")
    return " ".join(parts)


def describe_chain(finding: Finding) -> str | None:
    """What brings the package in, or brought it."""
    if not finding.chain or finding.code in _UNEXPLAINED:
        return None
    was = "was " if finding.code == "package-removed" else ""
    if len(finding.chain) == 1:
        return f"{was}required as {quote(finding.chain[0])}"
    return f"{was}needed through {' → '.join(map(quote, finding.chain[:-1]))}"


def describe_verdict(finding: Finding) -> str | None:
    """What the policy says of it."""
    if finding.verdict is None:
        return None
    reason = f": {quote(finding.verdict.reason)}" if finding.verdict.reason is not None else ""
    words = {
        "denied": "DENIED by the policy",
        "allowed": "allowed by the policy",
        "expired": "DENIED: no longer allowed",
    }
    return f"{words[finding.verdict.state]}{reason}"


def list_downloads(diff: Diff) -> tuple[Download, ...]:
    """Those of sections that download anything: what is locked from local files does not."""
    return tuple(download for download in diff.downloads if download.before or download.after)


def describe_download(download: Download) -> str:
    """A size before and after, in words.

    >>> from buildlock.diff.model import Place
    >>> describe_download(Download(place=Place(variant="cpu"), before=2048, after=3072, complete=True))
    '2.0 KiB → 3.0 KiB (+1.0 KiB)'
    """
    least = "" if download.complete else "at least "
    if download.before is None or download.after is None:
        known = format_size(download.after if download.before is None else download.before)
        return f"{least}{known}, {'new' if download.before is None else 'no longer locked'}"
    difference = download.after - download.before
    if not difference:
        return f"{least}{format_size(download.after)}, unchanged"
    sign = "+" if difference > 0 else "-"
    sizes = dict.fromkeys((format_size(download.before), format_size(download.after)))
    return f"{least}{' → '.join(sizes)} ({sign}{format_size(abs(difference))})"


def format_size(size: int | None) -> str:
    """Bytes as a person reads them.

    >>> format_size(797269532)
    '760.3 MiB'
    """
    amount = float(size or 0)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:  # noqa: PLR2004 - of one unit in the next
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
