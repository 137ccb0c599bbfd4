"""A diff as one page that needs nothing else: no network, and no script but for its filters."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files

from buildlock.diff.model import Diff
from buildlock.diff.quoting import quote, split_quoted
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
from buildlock.risks import RISKS, Risk
from buildlock.text import printable


def render_html(diff: Diff) -> str:
    """The page. Its content security policy lets nothing run, and nothing be fetched, but what it was made with."""
    return "\n".join(_list_parts(diff)) + "\n"


def _list_parts(diff: Diff) -> Iterator[str]:
    style, script = _read("page.css"), _read("page.js")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    )
    yield "<!DOCTYPE html>"
    yield '<html lang="en">'
    yield "<head>"
    yield '<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>Build lock: {escape(summarize(diff))}</title>"
    yield f"<style>{style}</style>"
    yield "</head>"
    yield "<body>"
    yield '<a class="skip" href="#findings">To the findings</a>'
    yield "<header>"
    yield f"<h1>Build lock: {_format(summarize(diff))}</h1>"
    yield f"<p>{_format(f'{quote(diff.old)} → {quote(diff.new)}')}</p>"
    yield from _list_unknown(diff)
    yield "</header>"
    if diff.findings:
        yield from _list_filters(diff)
    yield '<main id="findings" tabindex="-1">'
    for risk, groups in group_findings(diff):
        yield from _list_risk(risk, groups, diff)
    if diff.findings and list_downloads(diff):
        yield from _list_downloads(diff)
    yield "</main>"
    if diff.findings:
        yield f"<script>{script}</script>"
    yield "</body>"
    yield "</html>"


def _list_unknown(diff: Diff) -> Iterator[str]:
    if diff.unknown:
        yield '<p class="refused">Not known:</p>'
        yield f"<ul>{''.join(f'<li>{_format(sentence)}</li>' for sentence in diff.unknown)}</ul>"


def _list_filters(diff: Diff) -> Iterator[str]:
    variants = sorted({place.variant for finding in diff.findings for place in finding.places})
    # Without a script there is nothing to filter with: the script shows it.
    yield '<form role="search" aria-label="Filter the findings" hidden>'
    yield from _list_boxes("risk", "Risk", [risk for risk in RISKS if diff.count()[risk]])
    yield from _list_boxes("variant", "Variant", variants)
    yield '<label>Package <input type="search" name="package" autocomplete="off" spellcheck="false"></label>'
    yield '<button type="reset">Show all</button>'
    yield '<p role="status" aria-live="polite"></p>'
    yield "</form>"


def _list_boxes(name: str, legend: str, values: Sequence[str]) -> Iterator[str]:
    yield f"<fieldset><legend>{legend}</legend>"
    for value in values:
        yield f'<label><input type="checkbox" name="{name}" value="{_escape(value)}" checked> {_escape(value)}</label>'
    yield "</fieldset>"


def _list_risk(risk: Risk, groups: Sequence[Group], diff: Diff) -> Iterator[str]:
    yield f'<section class="risk {risk}" aria-labelledby="{risk}">'
    yield f'<h2 id="{risk}">{risk.capitalize()} risk</h2>'
    for group in groups:
        yield '<div class="group">'
        yield f"<h3>{escape(group.kind.code)} <span>{escape(group.kind.meaning)}</span></h3>"
        yield "<ul>"
        for item in group.items:
            yield from _list_item(item, diff)
        yield "</ul>"
        yield "</div>"
    yield "</section>"


def _list_item(item: Item, diff: Diff) -> Iterator[str]:
    finding = item.finding
    told = (finding, *item.followers)
    variants = " ".join(sorted({place.variant for each in told for place in each.places}))
    packages = " ".join(sorted({name for each in told for name in each.packages}))
    yield (
        f'<li class="finding" data-risk="{finding.risk}" data-variants="{_escape(variants)}" '
        f'data-packages="{_escape(packages)}">'
    )
    subject = f"<strong>{_escape(', '.join(finding.packages))}</strong> " if finding.packages else ""
    yield f"<p>{subject}{_format(finding.message)}</p>"
    remarks = [*filter(None, (describe_places(finding, diff), describe_chain(finding)))]
    if remarks:
        yield f'<p class="aside">{_format("; ".join(remarks))}</p>'
    details = [f"<li>{_format(detail)}</li>" for detail in finding.details]
    if finding.facts is not None and finding.facts.link is not None:
        details.append(f"<li>{_format_link(finding.facts.link)}</li>")
    if item.followers:
        followers = "".join(f"<li>{_format(line)}</li>" for line in list_followers(item.followers))
        summary = _format(count_followers(item.followers))
        details.append(f"<li><details><summary>{summary}</summary><ul>{followers}</ul></details></li>")
    if details:
        yield f'<ul class="details">{"".join(details)}</ul>'
    if (verdict := describe_verdict(finding)) is not None:
        yield f'<p class="{"refused" if finding.refused else "allowed"}">{_format(verdict)}</p>'
    yield "</li>"


def _list_downloads(diff: Diff) -> Iterator[str]:
    yield '<section aria-labelledby="download">'
    yield '<h2 id="download">Download</h2>'
    yield "<table>"
    yield '<thead><tr><th scope="col">Variant</th><th scope="col">Size</th></tr></thead>'
    yield "<tbody>"
    for download in list_downloads(diff):
        name, size = _escape(download.place.section), _format(describe_download(download))
        yield f'<tr><th scope="row">{name}</th><td>{size}</td></tr>'
    yield "</tbody>"
    yield "</table>"
    yield "</section>"


def _format_link(link: ProjectLink) -> str:
    url = _escape(link.url)
    if not link.url.startswith(("https://", "http://")):
        return f"{escape(link.title)}: <code>{url}</code>"
    return f'{escape(link.title)}: <a href="{url}" rel="noopener noreferrer">{url}</a>'


def _format(sentence: str) -> str:
    """A sentence, its values as code."""
    parts = split_quoted(sentence)
    return "".join(f"<code>{_escape(part)}</code>" if quoted else _escape(part) for part, quoted in parts)


def _escape(text: str) -> str:
    return escape(printable(text))


def _read(name: str) -> str:
    return files("buildlock.diff").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """A content security policy's name for an inline style or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
