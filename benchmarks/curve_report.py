"""The table and the picture of the curves."""

from collections.abc import Iterator, Mapping, Sequence

from benchmarks import svg
from benchmarks.curves import CURVES, Curve
from benchmarks.ratios import growth
from benchmarks.results import Results

_TOOLS = ("buildlock", "uv")
_MEASURES = {"seconds": ("time", 1000.0, "ms"), "memory": ("memory", 1e-6, "MB")}
_PANEL, _HEIGHT = 300, 190
_LEFT, _TOP = 60, 56


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


def _describe_line(results: Results, curve: Curve, operation: str, tool: str) -> Iterator[str]:
    for what, (_, factor, unit) in _MEASURES.items():
        points = _read(results, curve, operation, tool, what)
        yield ", ".join(f"{size:,}: {value * factor:.0f} {unit}" for size, value in points.items())
        yield f"{growth(list(points), list(points.values())):.2f}" if len(points) > 1 else ""


def draw(results: Sequence[Results]) -> Mapping[str, str]:
    panels = [(newest, curve, what) for curve in CURVES for what in _MEASURES if (newest := choose(results, curve))]
    if not panels:
        return {}
    parts = [part for number, panel in enumerate(panels) for part in _draw_panel(number, *panel)]
    parts += _draw_key()
    rows = (len(panels) + 1) // 2
    drawn = svg.picture(2 * _PANEL + 40, _TOP + rows * (_HEIGHT + 60), "How time and memory grow", parts)
    return {"benchmarks-growth.svg": drawn}


def _draw_key() -> Iterator[str]:
    yield svg.text(16, 24, "Time and memory against size; both axes are logarithmic")
    for place, tool in ((400, "buildlock"), (490, "uv")):
        yield svg.dot(place, 20, tool)
        yield svg.text(place + 10, 24, tool)


def _draw_panel(number: int, results: Results, curve: Curve, what: str) -> Iterator[str]:
    title, factor, unit = _MEASURES[what]
    left, top = _LEFT + (number % 2) * (_PANEL + 10), _TOP + (number // 2) * (_HEIGHT + 60)
    right, bottom = left + _PANEL - 80, top + _HEIGHT
    lines = [
        (operation, tool, points)
        for operation in curve.operations
        for tool in _TOOLS
        if (points := _read(results, curve, operation, tool, what))
    ]
    values = [value * factor for _, _, points in lines for value in points.values()]
    across, up = svg.LogScale(curve.sizes, left, right), svg.LogScale(values, bottom, top + 16)
    yield svg.text(left, top + 4, f"{title}, {unit}: {curve.title}")
    for tick in up.ticks():
        yield svg.line((left, up(tick)), (right, up(tick)), "line")
        yield svg.text(left - 6, up(tick) + 4, f"{tick:,g}", kind="quiet", anchor="end")
    for size in curve.sizes:
        yield svg.text(across(size), bottom + 16, f"{size:,}", kind="quiet", anchor="middle")
    for _, tool, points in lines:
        places = [(across(size), up(value * factor)) for size, value in points.items()]
        yield svg.path(places, tool)
        yield from (svg.dot(x, y, tool, radius=2.5) for x, y in places)
