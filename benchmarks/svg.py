"""Pictures as text: the same numbers give the same bytes, readable on a light page and on a dark one."""

import math
from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
  .page { fill: #ffffff; } .text { fill: #1f2328; } .quiet { fill: #59636e; } .line { stroke: #d1d9e0; }
  .even { stroke: #59636e; } .buildlock { fill: #0969da; stroke: #0969da; } .uv { fill: #9a6700; stroke: #9a6700; }
  .pip { fill: #818b98; stroke: #818b98; } .goal { stroke: #1a7f37; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; } .text { fill: #f0f6fc; } .quiet { fill: #9198a1; } .line { stroke: #3d444d; }
    .even { stroke: #9198a1; } .buildlock { fill: #4493f8; stroke: #4493f8; } .uv { fill: #d29922; stroke: #d29922; }
    .pip { fill: #656c76; stroke: #656c76; } .goal { stroke: #3fb950; }
  }
  text { font: 12px system-ui, sans-serif; stroke: none; }
"""
_ROUNDED = 1e-9
"""What a logarithm may be beside a round number."""


def picture(width: int, height: int, title: str, parts: Iterable[str]) -> str:
    body = "\n".join(f"  {part}" for part in parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(title)}">\n  <style>{_STYLE}  </style>\n'
        f'  <rect class="page" width="{width}" height="{height}" rx="6"/>\n{body}\n</svg>\n'
    )


def text(x: float, y: float, words: str, *, kind: str = "text", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def line(start: tuple[float, float], end: tuple[float, float], kind: str, *, width: float = 1.0) -> str:
    (x1, y1), (x2, y2) = start, end
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke-width="{width:g}"/>'


def dot(x: float, y: float, kind: str, *, radius: float = 4.0) -> str:
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'


def path(points: Sequence[tuple[float, float]], kind: str) -> str:
    steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{kind}" points="{steps}" style="fill: none" stroke-width="1.5"/>'


class LogScale:
    """Where a number lies between two ends of a logarithmic axis; with `margin`, its ends lie beyond the numbers."""

    def __init__(self, values: Iterable[float], start: float, end: float, *, margin: float = 0.0) -> None:
        logs = [math.log10(value) for value in values]
        self._low, self._high = min(logs) - margin, max(logs) + margin
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self._low) / ((self._high - self._low) or 1.0)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> list[float]:
        """The round numbers on it."""
        decades = range(math.floor(self._low), math.ceil(self._high) + 1)
        every = [step * 10.0**decade for decade in decades for step in (1, 2, 5)]
        return [value for value in every if self._low - _ROUNDED <= math.log10(value) <= self._high + _ROUNDED]
