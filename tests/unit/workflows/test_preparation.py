"""What is to be built, however its builds are entangled."""

import sys
from dataclasses import replace

import pytest
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.environment.interpreter import find_interpreter
from buildlock.errors import BuildRefusedError
from buildlock.lockfile.select import LockedSource, walk
from buildlock.project.model import BuildInputs, Settings
from buildlock.variants import Variant
from buildlock.workflows.conditions import Conditions
from buildlock.workflows.preparation import refuse_builds

LEVELS = 60


def make_source(name: str, *requires: LockedSource) -> LockedSource:
    return LockedSource(
        name=NormalizedName(name), version=Version("1.0"), origin="vcs", commit="0" * 40, requires=requires
    )


@pytest.fixture
def tangle() -> LockedSource:
    """Each of two sources of a level needs both of the next: more ways than could ever be gone."""
    left, right = make_source("left-0"), make_source("right-0")
    for level in range(1, LEVELS):
        left, right = make_source(f"left-{level}", left, right), make_source(f"right-{level}", left, right)
    return make_source("top", left, right)


@pytest.fixture
def conditions() -> Conditions:
    inputs = BuildInputs(variant=Variant(name="default"), requires=())
    return Conditions(inputs=inputs, interpreter=find_interpreter(sys.executable, {}), environ={})


def test_each_source_is_looked_at_once(tangle: LockedSource, conditions: Conditions) -> None:
    refuse_builds(conditions, [tangle])
    settings = Settings(no_build_package=frozenset({NormalizedName("left-0")}))
    strict = replace(conditions, inputs=replace(conditions.inputs, settings=settings))
    with pytest.raises(BuildRefusedError, match=r"`left-0==1\.0` would have to be built"):
        refuse_builds(strict, [tangle])
    assert len(conditions.digest(tangle)) == 64


def test_the_way_through_a_tangle_is_short(tangle: LockedSource) -> None:
    keys = [source.key for source in walk([tangle]) if isinstance(source, LockedSource)]
    assert keys[0] == "top==1.0"
    assert len(keys) == len(set(keys)) == 2 * LEVELS + 1


def test_what_is_skipped_hides_what_it_is_built_in(tangle: LockedSource) -> None:
    assert not list(walk([tangle], skip=lambda source: source.name == "top"))
