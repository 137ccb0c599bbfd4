"""Write the tables of docs/benchmarks.md, and its pictures, from the results that are kept."""

from collections.abc import Iterator, Mapping, Sequence

from benchmarks import curve_report, svg
from benchmarks.bench import ROOT
from benchmarks.ratios import Spread
from benchmarks.results import Results, read_results
from benchmarks.rows import Row
from benchmarks.table import ROWS

DOCUMENT = ROOT / "docs" / "benchmarks.md"
PICTURES = ROOT / "docs" / "images"
PARTS = ("results", "costs", "commands", "days", "curves")
_FIRST, _LAST = "<!-- {}: written by nox -s benchmark -->\n", "<!-- end of {} -->\n"
_LEFT, _RIGHT, _STEP = 470, 800, 26


def write_report() -> None:
    results = read_results()
    DOCUMENT.write_text(fill(DOCUMENT.read_text(encoding="utf-8"), results), encoding="utf-8", newline="\n")
    PICTURES.mkdir(exist_ok=True)
    for name, drawn in draw(results).items():
        (PICTURES / name).write_text(drawn, encoding="utf-8", newline="\n")


def fill(text: str, results: Sequence[Results]) -> str:
    """The page with its tables made anew."""
    for part, lines in describe(results).items():
        first, last = _FIRST.format(part), _LAST.format(part)
        before, _, rest = text.partition(first)
        text = before + first + "\n" + "\n".join(lines) + "\n\n" + last + rest.partition(last)[2]
    return text


def describe(results: Sequence[Results]) -> Mapping[str, Sequence[str]]:
    """The lines of each part of the page."""
    newest = choose(results)
    return {
        "results": list(_describe_results(newest)),
        "costs": list(_describe_costs(newest)),
        "commands": list(_describe_commands(newest)),
        "days": list(_describe_days(results)),
        "curves": list(curve_report.describe(results)),
    }


def draw(results: Sequence[Results]) -> Mapping[str, str]:
    """The pictures by the names of their files."""
    return {"benchmarks.svg": _draw_ratios(choose(results)), **curve_report.draw(results)}


def choose(results: Sequence[Results]) -> Results:
    """What the page shows first: the newest results that have every row of a plain run, else the newest with any."""
    measured = [each for each in results if any(each.tools(row.name) for row in ROWS)]
    plain = [row.name for row in ROWS if not row.needs]
    return next((each for each in measured if all(each.tools(name) for name in plain)), measured[0])


def _describe_results(results: Results) -> Iterator[str]:
    yield f"{_introduce(results)}\n"
    yield "| operation | buildlock ÷ uv | goal | | buildlock | uv | pip |"
    yield "| --- | ---: | ---: | --- | ---: | ---: | ---: |"
    for row in ROWS:
        yield f"| {row.title} | {' | '.join(_describe_row(results, row))} |"
    failures = {row.name: said for row in ROWS if (said := results.failure(row.name))}
    if failures:
        yield ""
    for name, said in failures.items():
        yield f"- {name} failed: `{said.splitlines()[0]}`"


def _introduce(results: Results) -> str:
    machine, versions = results.machine, results.versions
    loads = results.loads(row.name for row in ROWS)
    load = f", the load before each row {min(loads):g} to {max(loads):g}" if loads else ", its load not kept"
    filesystem = f", {machine['filesystem']}" if machine.get("filesystem") else ""
    return (
        f"{results.date}, {machine['system']}, {machine['cores']} cores ({machine['processor']}), "
        f"{machine['memory'] / 2**30:.0f} GiB{filesystem}{load}; CPython {versions['python']}: "
        f"buildlock {versions['buildlock']}, uv {versions['uv']}, pip {versions['pip']}."
    )


def _describe_row(results: Results, row: Row) -> Iterator[str]:
    ratio = results.ratio(row.name, "buildlock")
    if ratio is None:
        yield "failed" if results.failure(row.name) else "not run"
    else:
        yield f"**{_number(ratio.median)}** ({_number(ratio.low)} to {_number(ratio.high)})"
    yield f"≤ {row.goal:g}" if row.goal else ""
    yield _judge(ratio, row.goal)
    for tool in ("buildlock", "uv", "pip"):
        yield _time(results.spread(row.name, tool, "seconds"))


def _judge(ratio: Spread | None, goal: float | None) -> str:
    if ratio is None or goal is None:
        return ""
    return "met" if ratio.median <= goal else "**missed**"


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"  # noqa: PLR2004 - two or three digits are enough


def _time(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    return f"{spread.median * 1000:.0f} ms" if spread.median < 1 else f"{spread.median:.2f} s"


def _describe_costs(results: Results) -> Iterator[str]:
    yield "| operation | tool | ÷ uv | time | processor time | memory | requests | downloaded | the mirror's time |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for row in ROWS:
        for tool in results.tools(row.name):
            ratio = results.ratio(row.name, tool)
            known = [results.spread(row.name, tool, what) for what in ("memory", "requests", "downloaded")]
            memory, requests, downloaded = [spread.median if spread else 0.0 for spread in known]
            cells = [
                tool,
                _number(ratio.median) if ratio else "",
                _time(results.spread(row.name, tool, "seconds")),
                _time(results.spread(row.name, tool, "processor")),
                f"{memory / 1e6:.0f} MB",
                f"{requests:.0f}" if row.mirrored else "not counted",
                f"{downloaded / 1e6:.2f} MB" if row.mirrored else "not counted",
                _time(results.spread(row.name, tool, "mirror")) if row.mirrored else "-",
            ]
            yield f"| {row.name} | {' | '.join(cells)} |"


def _describe_commands(results: Results) -> Iterator[str]:
    yield "| operation | tool | what is measured | rounds |"
    yield "| --- | --- | --- | ---: |"
    for row in ROWS:
        for tool, command in results.commands(row.name).items():
            seconds = results.spread(row.name, tool, "seconds")
            if seconds:
                yield f"| {row.name} | {tool} | `{command}` | {seconds.count} |"


def _describe_days(results: Sequence[Results]) -> Iterator[str]:
    measured = [each for each in results if any(each.tools(row.name) for row in ROWS)]
    for each in measured:
        yield f"- `{each.name}`: {_introduce(each)}"
    yield ""
    yield f"| operation | {' | '.join(f'`{each.name}`' for each in measured)} |"
    yield f"| --- |{' ---: |' * len(measured)}"
    for row in ROWS:
        ratios = [each.ratio(row.name, "buildlock") for each in measured]
        yield f"| {row.name} | {' | '.join(_number(ratio.median) if ratio else '-' for ratio in ratios)} |"


def _draw_ratios(results: Results) -> str:
    rows = [row for row in ROWS if results.ratio(row.name, "buildlock")]
    tools = ("pip", "buildlock")
    found = {(row.name, tool): results.ratio(row.name, tool) for row in rows for tool in tools}
    ends = [end for ratio in found.values() if ratio for end in (ratio.low, ratio.high)]
    scale = svg.LogScale([*ends, 0.1, 10.0], _LEFT, _RIGHT)
    bottom = 60 + _STEP * len(rows)
    parts = [svg.text(16, 24, "Time beside uv: left of 1 is faster"), *_draw_key(_LEFT, 24)]
    for tick in scale.ticks():
        place = scale(tick)
        even = tick == 1.0
        parts.append(svg.line((place, 40), (place, bottom), "even" if even else "line", width=1.5 if even else 1))
        parts.append(svg.text(place, bottom + 16, f"{tick:g}", kind="quiet", anchor="middle"))
    for number, row in enumerate(rows):
        height = 60 + _STEP * number
        parts.append(svg.text(16, height + 4, row.title.replace("`", "")))
        if row.goal:
            place = scale(row.goal)
            parts.append(svg.line((place, height - 8), (place, height + 8), "goal", width=3))
        for tool in tools:
            if ratio := found[row.name, tool]:
                parts.append(svg.line((scale(ratio.low), height), (scale(ratio.high), height), tool, width=3))
                parts.append(svg.dot(scale(ratio.median), height, tool))
        ratio = found[row.name, "buildlock"]
        assert ratio is not None
        parts.append(svg.text(_RIGHT + 16, height + 4, _number(ratio.median)))
    return svg.picture(_RIGHT + 70, bottom + 30, "Time of buildlock and pip beside uv", parts)


def _draw_key(x: float, y: float) -> list[str]:
    return [
        svg.dot(x, y - 4, "buildlock"),
        svg.text(x + 10, y, "buildlock"),
        svg.dot(x + 90, y - 4, "pip"),
        svg.text(x + 100, y, "pip"),
        svg.line((x + 146, y - 12), (x + 146, y + 4), "goal", width=3),
        svg.text(x + 154, y, "goal for buildlock"),
    ]
