"""A diff for a terminal: to be read without colour, in 80 columns."""

import textwrap
from collections.abc import Iterator

from rich.text import Text

from buildlock.diff.model import Diff, Findings
from buildlock.diff.quoting import quote, unquote
from buildlock.diff.wording import (
    Group,
    Item,
    count_followers,
    describe_chain,
    describe_download,
    describe_places,
    describe_subject,
    describe_verdict,
    group_findings,
    list_downloads,
    list_followers,
    summarize,
)
from buildlock.risks import Risk

_INDENT = " " * 4
_DEEPER = " " * 6
_COLOURS: dict[Risk, str] = {"high": "bold red", "medium": "bold yellow", "low": "bold"}


def render_text(diff: Diff, *, width: int = 80) -> Text:
    """The diff in lines of at most `width` columns; only a word that is longer, such as a URL, makes a longer one."""
    return Text("\n").join(_list_lines(diff, width))


def _list_lines(diff: Diff, width: int) -> Iterator[Text]:
    heading = f"{unquote(quote(diff.old))} → {unquote(quote(diff.new))}: {summarize(diff)}"
    yield from map(Text, wrap(heading, width, "", "  "))
    yield from list_findings(diff, width)
    if diff.findings and (downloads := list_downloads(diff)):
        yield Text()
        longest = max(len(download.place.section) for download in downloads)
        yield Text("DOWNLOAD", style="bold")
        for download in downloads:
            yield Text(f"  {unquote(quote(download.place.section)):{longest}}  {describe_download(download)}")


def list_findings(found: Findings, width: int) -> Iterator[Text]:
    """What is not known, then the findings, those of a risk below its heading."""
    if found.unknown:
        yield Text()
        yield Text("NOT KNOWN", style="bold red")
        for sentence in found.unknown:
            yield from map(Text, wrap(unquote(sentence), width, "  ", "    "))
    for risk, groups in group_findings(found):
        yield Text()
        yield Text(f"{risk.upper()} RISK", style=_COLOURS[risk])
        for group in groups:
            yield from _list_group(group, found, width)


def _list_group(group: Group, found: Findings, width: int) -> Iterator[Text]:
    first, *rest = wrap(f"{group.kind.code}: {group.kind.meaning}", width, "  ", "    ")
    yield Text(first)
    yield from map(Text, rest)
    for item in group.items:
        yield from _list_item(item, found, width)


def _list_item(item: Item, found: Findings, width: int) -> Iterator[Text]:
    finding = item.finding
    subject = describe_subject(finding.packages)
    line = " ".join(filter(None, (subject, unquote(finding.message))))
    aside = unquote("; ".join(filter(None, (describe_places(finding, found), describe_chain(finding)))))
    whole = f"{line}  ({aside})" if aside else line
    if len(whole) + len(_INDENT) <= width:
        yield _stress(f"{_INDENT}{whole}", subject)
    else:
        first, *rest = wrap(line, width, _INDENT, _DEEPER)
        yield _stress(first, subject)
        yield from map(Text, [*rest, *wrap(aside, width, _DEEPER, _DEEPER)])
    for detail in _list_details(item):
        yield from map(Text, wrap(unquote(detail), width, _DEEPER, f"{_DEEPER}  "))
    if (verdict := describe_verdict(finding)) is not None:
        style = "bold red" if finding.refused else "green"
        yield from (Text(each, style=style) for each in wrap(unquote(verdict), width, _DEEPER, _DEEPER))


def _list_details(item: Item) -> Iterator[str]:
    details, facts = item.finding.details, item.finding.facts
    if item.followers:
        yield "; ".join([*details, count_followers(item.followers)]) + ":"
        yield from (f"  {line}" for line in list_followers(item.followers))
    else:
        yield from details
    if facts is not None and facts.link is not None:
        yield f"{facts.link.title}: {quote(facts.link.url)}"


def _stress(line: str, subject: str) -> Text:
    text = Text(line)
    text.stylize("bold", len(_INDENT), len(_INDENT) + len(subject))
    return text


def wrap(line: str, width: int, first: str, other: str) -> list[str]:
    """A sentence in lines, the first of which begins with `first`, the others with `other`."""
    if not line:
        return []
    return textwrap.wrap(
        line,
        width,
        initial_indent=first,
        subsequent_indent=other,
        break_long_words=False,
        break_on_hyphens=False,
    )
