"""Medians of paired ratios."""

import pytest
from benchmarks.ratios import growth, pair, spread
from hypothesis import given
from hypothesis import strategies as st

_TIMES = st.floats(min_value=1e-3, max_value=1e3)


def test_the_spread_of_some_values() -> None:
    found = spread([5.0, 1.0, 2.0, 4.0, 3.0])
    assert (found.low, found.median, found.high, found.count) == (2.0, 3.0, 4.0, 5)


def test_one_value_has_no_spread() -> None:
    found = spread([7.0])
    assert (found.low, found.median, found.high, found.count) == (7.0, 7.0, 7.0, 1)


def test_a_slow_round_does_not_show() -> None:
    found = pair({0: 1.0, 1: 10.0, 2: 1.0}, {0: 2.0, 1: 20.0, 2: 2.0})
    assert found
    assert (found.low, found.median, found.high) == (0.5, 0.5, 0.5)


def test_only_rounds_of_both_count() -> None:
    found = pair({0: 1.0, 3: 9.0}, {0: 4.0, 1: 1.0})
    assert found
    assert (found.median, found.count) == (0.25, 1)
    assert pair({0: 1.0}, {1: 1.0}) is None


@given(st.lists(_TIMES, min_size=1, max_size=20))
def test_who_is_compared_with_itself_is_as_fast(times: list[float]) -> None:
    rounds = dict(enumerate(times))
    found = pair(rounds, rounds)
    assert found
    assert (found.low, found.median, found.high) == pytest.approx((1.0, 1.0, 1.0))


@given(st.lists(_TIMES, min_size=1, max_size=20))
def test_the_median_lies_between_the_quartiles(times: list[float]) -> None:
    found = spread(times)
    ordered = [min(times), found.low, found.median, found.high, max(times)]
    assert ordered == pytest.approx(sorted(ordered))


@pytest.mark.parametrize(
    ("values", "exponent"), [([5.0, 5.0, 5.0], 0.0), ([1.0, 10.0, 100.0], 1.0), ([1.0, 1.0, 100.0], 2.0)]
)
def test_growth_is_that_of_the_end(values: list[float], exponent: float) -> None:
    assert growth([10, 100, 1000], values) == pytest.approx(exponent)
