"""What is newer than what a lock has, as text and as JSON."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from buildlock.graph.standings import Outdated, Standing
from buildlock.resolver.outlook import Held, Obstacle
from buildlock.text import present

_SHOWN = 3
"""Of what is against a version; the rest is counted."""
_NARROWEST = 36
"""Columns for what is against it; where there are fewer, it stands below."""
_HEADINGS = ("package", "locked", "allowed", "latest", "held by")


def describe_news(standing: Standing) -> Iterator[str]:
    """What is newer, in sentences."""
    for held, obstacles in _tell_apart(standing.held):
        required = [each.text for each in obstacles if each.kind == "requirement"]
        others = "; ".join(_cut([each.text for each in obstacles if each.kind != "requirement"]))
        sentence = f"{held.version} exists"
        if required:
            verb = "keeps" if len(required) == 1 else "keep"
            sentence += f"; {' and '.join(_cut(required))} {verb} it at {standing.allowed}"
        if others:
            sentence += f"; {others}" if required else f": {others}"
        yield present(sentence)
    if standing.upgradable:
        command = f"`buildlock lock --upgrade-package {standing.name}`"
        yield f"{standing.allowed} exists, and the inputs allow it: {command}"
    if standing.allowed is None:
        yield "an upgrade would drop it: nothing would need it"


def outdated_to_text(outdated: Outdated, *, width: int = 80) -> Text:
    """A table for each of the groups of sections that have the same, in 80 columns, to be read without colour."""
    groups: dict[tuple[tuple[str, ...], str | None], list[Standing]] = {}
    for standing, sections in outdated.standings.items():
        groups.setdefault((tuple(sections), standing.build), []).append(standing)
    rows = [_list_cells(standing) for standing in outdated.standings]
    widths = [max(map(len, column)) for column in zip(_HEADINGS[:4], *rows, strict=True)]
    blocks = []
    for (sections, build), standings in groups.items():
        subject = f"the build of {build.replace('==', ' ')} in " if build is not None else ""
        heading = textwrap.wrap(f"{subject}{', '.join(sections)}", width, break_on_hyphens=False)
        blocks.append([*(Text(line, style="bold") for line in heading), *_draw_table(standings, widths, width)])
    moved = {section for sections in outdated.standings.values() for section in sections}
    if current := [section for section in outdated.sections if section not in moved]:
        blocks.append([Text(line) for line in _wrap(f"{', '.join(current)}: nothing newer", width)])
    if outdated.unasked:
        names = ", ".join(dict.fromkeys(f"{each.name} ({each.kind})" for each in outdated.unasked))
        blocks.append(
            [Text(line, style="dim") for line in _wrap(present(f"not asked, as from no index: {names}"), width)]
        )
    return Text("\n\n").join(Text("\n").join(block) for block in blocks)


def _list_cells(standing: Standing) -> tuple[str, ...]:
    return standing.name, str(standing.locked), str(standing.allowed or "-"), str(standing.latest)


def _draw_table(standings: Sequence[Standing], widths: Sequence[int], width: int) -> Iterator[Text]:
    used = 2 + sum(column + 2 for column in widths)
    beside = width - used >= _NARROWEST
    yield Text(_align(_HEADINGS if beside and any(each.held for each in standings) else _HEADINGS[:4], widths), "dim")
    for standing in standings:
        row = _list_cells(standing)
        against, notes = list(_list_obstacles(standing)), list(_list_notes(standing))
        if beside:
            told = [*(f"{version}: {text}" if version else text for version, text in against), *notes]
            lines = [line for each in told for line in _wrap(each, width - used, other="  ")]
            yield _colour(_align((*row, *lines[:1]), widths), standing, widths)
            yield from (Text(" " * used + line) for line in lines[1:])
        else:
            yield _colour(_align(row, widths), standing, widths)
            told = [*(f"{version} held by: {text}".lstrip() for version, text in against), *notes]
            yield from (Text(line) for each in told for line in _wrap(each, width, "      ", "        "))


def _list_obstacles(standing: Standing) -> Iterator[tuple[str, str]]:
    """What is against what is newer, each with its version where there are several."""
    for held, obstacles in _tell_apart(standing.held):
        for text in _cut([each.text for each in obstacles]):
            line = text.replace("`", "").replace("(pyproject.toml: ", "(")
            yield ("" if len(standing.held) == 1 else str(held.version)), present(line)


def _tell_apart(held: Sequence[Held]) -> Iterator[tuple[Held, Sequence[Obstacle]]]:
    """What is against each of some versions, the newest first; what is against an older one too is said of that one."""
    for number, each in enumerate(held):
        later = {obstacle for older in held[number + 1 :] for obstacle in older.obstacles}
        yield each, [obstacle for obstacle in each.obstacles if obstacle not in later]


def _list_notes(standing: Standing) -> Iterator[str]:
    if standing.allowed is None:
        yield "an upgrade drops it"
    if standing.targets:
        yield present(f"for {', '.join(standing.targets)}")


def _align(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
    return f"  {'  '.join([*padded, *cells[len(widths) :]])}".rstrip()


def _colour(line: str, standing: Standing, widths: Sequence[int]) -> Text:
    text = Text(line)
    if standing.upgradable:
        start = 2 + widths[0] + 2 + widths[1] + 2
        text.stylize("green", start, start + widths[2])
    return text


def _cut(items: Sequence[str]) -> list[str]:
    rest = len(items) - _SHOWN
    return [*items[:_SHOWN], *([f"{rest} more"] if rest > 0 else [])]


def _wrap(line: str, width: int, first: str = "", other: str = "") -> list[str]:
    return textwrap.wrap(
        line, width, initial_indent=first, subsequent_indent=other, break_long_words=False, break_on_hyphens=False
    )


def outdated_to_json(outdated: Outdated) -> Mapping[str, Any]:
    return {
        "version": 1,
        "sections": list(outdated.sections),
        "outdated": [
            {
                "sections": list(sections),
                "name": standing.name,
                "build": standing.build,
                "targets": list(standing.targets),
                "locked": str(standing.locked),
                "allowed": str(standing.allowed) if standing.allowed is not None else None,
                "latest": str(standing.latest),
                "held": [
                    {
                        "version": str(held.version),
                        "by": [{"kind": each.kind, "text": present(each.text)} for each in held.obstacles],
                    }
                    for held in standing.held
                ],
            }
            for standing, sections in outdated.standings.items()
        ],
        "unasked": [
            {"sections": list(sections), "name": each.name, "build": each.build, "kind": each.kind}
            for each, sections in outdated.unasked.items()
        ],
    }
