"""Medians of paired ratios, with their quartiles."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Where the middle half of some numbers lies."""

    median: float
    low: float
    high: float
    count: int


def spread(values: Sequence[float]) -> Spread:
    """The median and the quartiles of at least one value."""
    low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else (values[0],) * 3
    return Spread(median=median(values), low=low, high=high, count=len(values))


def pair(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Spread | None:
    """The ratios of the rounds that both took part in; `None` without such a round.

    A ratio is made within a round, and the median of the ratios is taken, so that what slowed a whole round down (the
    machine's other work) takes no part.
    """
    ratios = [value / theirs[number] for number, value in sorted(ours.items()) if theirs.get(number)]
    return spread(ratios) if ratios else None


def growth(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The exponent of growth between the two largest sizes: 1 is linear, 0 is no growth."""
    return math.log(values[-1] / values[-2]) / math.log(sizes[-1] / sizes[-2])
