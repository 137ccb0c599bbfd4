"""The targets hold for their seeds, and for some changes of them; `nox -s fuzz` tries for longer."""

from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.mutation import mutate
from fuzz.targets import LARGEST, TARGETS


@cache
def seeds_of(name: str) -> list[bytes]:
    return [seed for seed in TARGETS[name].seeds() if len(seed) <= LARGEST]


@pytest.mark.parametrize("name", ["page", "answer", "metadata", "lock", "settings"])
def test_a_seed_is_accepted_and_none_breaks_it(name: str) -> None:
    assert any([TARGETS[name].run(seed) for seed in seeds_of(name)])  # noqa: C419 - all of them are run


@pytest.mark.parametrize("name", TARGETS)
@given(seed=st.integers(0, 2**64))
@settings(max_examples=100, deadline=None)
def test_a_changed_seed_is_refused_or_consistent(name: str, seed: int) -> None:
    TARGETS[name].run(mutate(Random(seed), seeds_of(name)))
