"""Sequences that are worked out as far as they are looked at."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest

from buildlock.lazy import LazyList


def count(to: int, made: list[int], *, fail: bool = False) -> Iterator[int]:
    for number in range(to):
        made.append(number)
        yield number
    if fail:
        raise ValueError("damaged")


def test_no_more_is_made_than_is_looked_at() -> None:
    made: list[int] = []
    numbers = LazyList(count(5, made))
    assert made == []
    assert numbers
    assert made == [0]
    first, second = iter(numbers), iter(numbers)
    assert list(islice(first, 2)) == list(islice(second, 2)) == [0, 1]
    assert made == [0, 1]
    assert [*first, *second] == [2, 3, 4, 2, 3, 4]
    assert made == [0, 1, 2, 3, 4]
    assert (len(numbers), numbers[-1], numbers[1:3], list(numbers)) == (5, 4, [1, 2], [0, 1, 2, 3, 4])
    assert made == [0, 1, 2, 3, 4]


def test_it_is_what_is_in_it() -> None:
    assert not LazyList(())
    assert LazyList("ab") == ["a", "b"]
    assert LazyList("ab") == LazyList("ab")
    assert LazyList("ab") != ("a",)
    assert LazyList("ab") != 1


def test_a_failure_is_no_end() -> None:
    numbers = LazyList(count(2, [], fail=True))
    for _ in range(2):
        found: list[int] = []
        with pytest.raises(ValueError, match="damaged"):
            found.extend(iter(numbers))
        assert found == [0, 1]
    for ask in (len, lambda each: each[0]):
        with pytest.raises(ValueError, match="damaged"):
            ask(numbers)
    assert list(islice(numbers, 2)) == [0, 1]


def test_threads_see_the_same() -> None:
    made: list[int] = []
    numbers = LazyList(count(1000, made))
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(tuple, [numbers] * 50)) == {tuple(range(1000))}
    assert len(made) == 1000
