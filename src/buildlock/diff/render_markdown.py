"""A diff for a comment on a pull request: GitHub's limit kept, and nothing that a lock says is markup.

Every value of a lock is in a code span, where GitHub knows no HTML, mention, link or emoji. The one link there is shows
its URL.
"""

import re
from collections.abc import Iterator, Sequence

from buildlock.diff.model import Diff, Findings
from buildlock.diff.quoting import quote, quote_all, split_quoted
from buildlock.diff.wording import (
    Group,
    Item,
    count_followers,
    describe_chain,
    describe_download,
    describe_places,
    describe_verdict,
    group_findings,
    list_downloads,
    list_followers,
    summarize,
)
from buildlock.published import ProjectLink
from buildlock.risks import Risk
from buildlock.text import printable
from buildlock.values import dataclass

MAX_LENGTH = 65_536
"""Of a comment on GitHub: in characters, and counted here in bytes of UTF-8, so that no way to count finds more."""
MARKER = "<!-- buildlock-diff -->"
"""By which whoever posts the comment finds it again."""
_RESERVED = 200
"""Bytes for the sentence that says what is left out."""
_SHOWN_PACKAGES = 20
_SHOWN_DETAILS = 20
_LONGEST_LINE = 2_000

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&$])")
# After a zero-width space GitHub sees no mention, reference, emoji or address.
_REFERENCE = re.compile(r"([@#:/]|www)(?=\S)")
_LINKED = re.compile(
    # Issues and the like show, to all who look at them, who links to them.
    r"https://(?!([^/]*\.)?github\.com(:\d*)?/+[^/]*/+[^/]*/+(issues|pull|discussions|commit))"
    r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+",
    re.ASCII | re.IGNORECASE,
)
_SIGNS: dict[Risk, str] = {"high": "🔴", "medium": "🟠", "low": "🟢"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fold:
    """The findings of one risk: what opens the fold, what it holds, what closes it."""

    opening: str
    entries: Sequence[tuple[str, int]]
    """Each with how many findings it tells."""
    closing: str


def render_markdown(diff: Diff) -> str:
    """The diff in GitHub's Markdown, of at most `MAX_LENGTH` bytes: what is left out is counted."""
    sides = f"{quote(diff.old)} → {quote(diff.new)}"
    head = f"{MARKER}\n### Build lock: {format_sentence(summarize(diff))}\n\n{format_sentence(sides)}\n"
    tail = _format_downloads(diff) if diff.findings else ""
    return fit_findings(diff, head=head, tail=tail, command="buildlock diff")


def fit_findings(found: Findings, *, head: str, tail: str, command: str) -> str:
    """As many of the findings as fit between `head` and `tail`; `command` shows all of them."""
    head += _format_unknown(found)
    kept, left_out = [head], 0
    left = MAX_LENGTH - _measure(head) - _measure(tail) - _RESERVED
    for risk, groups in group_findings(found):
        fold = _fold_risk(risk, groups, found)
        left -= _measure(fold.opening) + _measure(fold.closing)
        texts = []
        for text, findings in fold.entries:
            left -= _measure(text)
            if left < 0:
                left_out += findings
            else:
                texts.append(text)
        if texts:
            kept += [fold.opening, *texts, fold.closing]
    if left_out:
        kept.append(f"\n**{left_out} more findings do not fit into a comment**: `{command}` shows them all.\n")
    return "".join([*kept, tail])


def _fold_risk(risk: Risk, groups: Sequence[Group], found: Findings) -> _Fold:
    entries = [entry for group in groups for entry in _list_group(group, found)]
    title = f"{_SIGNS[risk]} {sum(findings for _, findings in entries)} of {risk} risk"
    if risk == "low":
        return _Fold(opening=f"\n<details>\n<summary>{title}</summary>\n", entries=entries, closing="\n</details>\n")
    return _Fold(opening=f"\n#### {title}\n", entries=entries, closing="")


def _list_group(group: Group, found: Findings) -> Iterator[tuple[str, int]]:
    title = f"\n**{_escape(group.kind.code)}**: {_escape(group.kind.meaning)}\n\n"
    for item in group.items:
        yield title + "".join(_list_lines(item, found)), 1 + len(item.followers)
        title = ""


def _list_lines(item: Item, found: Findings) -> Iterator[str]:
    finding = item.finding
    line = " ".join(filter(None, (_format_packages(finding.packages), format_sentence(finding.message))))
    remarks = (describe_places(finding, found), describe_chain(finding))
    aside = "; ".join(format_sentence(remark) for remark in remarks if remark is not None)
    yield f"- {line}{f' ({aside})' if aside else ''}\n"
    for detail in finding.details[:_SHOWN_DETAILS]:
        yield f"  - {format_sentence(detail)}\n"
    if len(finding.details) > _SHOWN_DETAILS:
        yield f"  - … and {len(finding.details) - _SHOWN_DETAILS} more\n"
    if finding.facts is not None and finding.facts.link is not None:
        yield f"  - {_format_link(finding.facts.link)}\n"
    if item.followers:
        yield f"  - {format_sentence(count_followers(item.followers))}\n"
        lines = list(list_followers(item.followers))
        yield from (f"    - {format_sentence(line)}\n" for line in lines[:_SHOWN_DETAILS])
        if len(lines) > _SHOWN_DETAILS:
            yield f"    - … and {len(lines) - _SHOWN_DETAILS} more\n"
    if (verdict := describe_verdict(finding)) is not None:
        yield f"  - **{format_sentence(verdict)}**\n"


def _format_unknown(found: Findings) -> str:
    lines = [f"- {format_sentence(sentence)}\n" for sentence in found.unknown[:_SHOWN_DETAILS]]
    more = len(found.unknown) - _SHOWN_DETAILS
    return f"\n**Not known:**\n\n{''.join(lines)}" + (f"- … and {more} more\n" if more > 0 else "") if lines else ""


def _format_link(link: ProjectLink) -> str:
    """A link whose text is where it leads; no link where that is not safe, or where the page would be told of it."""
    shown, target = format_sentence(quote(link.url)), link.url.replace("&", "&amp;")
    return f"{link.title}: " + (f"[{shown}](<{target}>)" if _LINKED.fullmatch(link.url) else shown)


def _format_packages(packages: Sequence[str]) -> str:
    more = len(packages) - _SHOWN_PACKAGES
    return format_sentence(quote_all(packages[:_SHOWN_PACKAGES])) + (f" and {more} more" if more > 0 else "")


def _format_downloads(diff: Diff) -> str:
    lines = [
        f"- {format_sentence(quote(each.place.section))}: {format_sentence(describe_download(each))}\n"
        for each in list_downloads(diff)
    ]
    shown = "".join(lines[:_SHOWN_PACKAGES])
    more = len(lines) - _SHOWN_PACKAGES
    return f"\n#### Download\n\n{shown}" + (f"- … and {more} more\n" if more > 0 else "") if lines else ""


def format_sentence(sentence: str) -> str:
    """A sentence, its values in code spans."""
    if len(sentence) > _LONGEST_LINE:
        sentence = f"{sentence[:_LONGEST_LINE]}…"
    text = ""
    for part, quoted in split_quoted(printable(sentence)):
        # Two code spans side by side would be one, with other ends.
        text += (" " if quoted and text.endswith("`") else "") + (f"`{part}`" if quoted else _escape(part))
    return text


def _escape(text: str) -> str:
    return _REFERENCE.sub("\\1&#8203;", _SPECIAL.sub(r"\\\1", text))


def _measure(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
