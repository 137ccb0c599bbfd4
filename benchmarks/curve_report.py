"""The table and the picture of the curves."""

from collections.abc import Iterator, Mapping, Sequence

from benchmarks import svg
from benchmarks.curves import CURVES, Curve
from benchmarks.ratios import growth
from benchmarks.results import Results

_TOOLS = ("buildlock", "uv")
_MEASURES = {"seconds": ("time", 1000.0, "ms"), "memory": ("memory", 1e-6, "MB")}
_LEFT, _TOP = 60, 56
_ACROSS, _DOWN = 430, 160
_TICKS = 5
"""So many fit on the height of a panel."""


def choose(results: Sequence[Results], curve: Curve) -> Results | None:
    """The newest results that have points of a curve."""
    return next(
        (each for each in results if any(_read(each, curve, operation) for operation in curve.operations)), None
    )


def _read(
    results: Results, curve: Curve, operation: str, tool: str = "buildlock", what: str = "seconds"
) -> dict[int, float]:
    """The medians of a tool by size."""
    found = {size: results.spread(curve.row_name(operation, size), tool, what) for size in curve.sizes}
    return {size: spread.median for size, spread in found.items() if spread}


def describe(results: Sequence[Results]) -> Iterator[str]:
    yield "| what grows | operation | tool | size: time | growth of time | size: memory | growth of memory |"
    yield "| --- | --- | --- | --- | ---: | --- | ---: |"
    for curve in CURVES:
        if newest := choose(results, curve):
            for operation in curve.operations:
                for tool in _TOOLS:
                    if _read(newest, curve, operation, tool):
                        cells = _describe_line(newest, curve, operation, tool)
                        yield f"| {curve.title} | {operation} | {tool} | {' | '.join(cells)} |"
    yield ""
    for curve in CURVES:
        if newest := choose(results, curve):
            for row in curve.rows():
                if said := newest.failure(row.name):
                    yield f"- {row.title} failed: `{said.splitlines()[0]}`"


def _describe_line(results: Results, curve: Curve, operation: str, tool: str) -> Iterator[str]:
    for what, (_, factor, unit) in _MEASURES.items():
        points = _read(results, curve, operation, tool, what)
        yield ", ".join(f"{size:,}: {value * factor:.0f} {unit}" for size, value in points.items())
        yield f"{growth(list(points), list(points.values())):.2f}" if len(points) > 1 else ""


def draw(results: Sequence[Results]) -> Mapping[str, str]:
    """A row of panels for each operation: its time, and its memory."""
    drawn = [
        (newest, curve, operation)
        for curve in CURVES
        if (newest := choose(results, curve))
        for operation in curve.operations
        if _read(newest, curve, operation)
    ]
    if not drawn:
        return {}
    parts = [svg.text(16, 24, "Time and memory against size; all axes are logarithmic")]
    for place, tool in ((460, "buildlock"), (550, "uv")):
        parts += [svg.dot(place, 20, tool), svg.text(place + 10, 24, tool)]
    for row, (newest, curve, operation) in enumerate(drawn):
        for column, what in enumerate(_MEASURES):
            corner = (_LEFT + column * _ACROSS, _TOP + row * _DOWN)
            parts += _draw_panel(newest, curve, operation, what, corner)
    width, height = 2 * _ACROSS + 20, _TOP + len(drawn) * _DOWN
    return {"benchmarks-growth.svg": svg.picture(width, height, "How time and memory grow", parts)}


def _draw_panel(
    results: Results, curve: Curve, operation: str, what: str, corner: tuple[float, float]
) -> Iterator[str]:
    title, factor, unit = _MEASURES[what]
    left, top = corner
    right, bottom = left + _ACROSS - 80, top + _DOWN - 60
    lines = {tool: points for tool in _TOOLS if (points := _read(results, curve, operation, tool, what))}
    values = [value * factor for points in lines.values() for value in points.values()]
    across, up = svg.LogScale(curve.sizes, left, right), svg.LogScale(values, bottom, top + 14, margin=0.15)
    yield svg.text(left, top, f"{operation}: {title} in {unit} against {curve.title}")
    ticks = up.ticks()
    for tick in ticks[:: 1 + len(ticks) // _TICKS]:
        yield svg.line((left, up(tick)), (right, up(tick)), "line")
        yield svg.text(left - 6, up(tick) + 4, f"{tick:,g}", kind="quiet", anchor="end")
    for size in curve.sizes:
        yield svg.text(across(size), bottom + 16, f"{size:,}", kind="quiet", anchor="middle")
    for tool, points in lines.items():
        places = [(across(size), up(value * factor)) for size, value in points.items()]
        yield svg.path(places, tool)
        yield from (svg.dot(x, y, tool, radius=2.5) for x, y in places)
