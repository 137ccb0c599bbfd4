"""Markers say which targets, in few words, and never more."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildlock.lockfile.markers import MarkerWriter, list_targets
from buildlock.lockfile.model import format_marker
from buildlock.lockfile.select import is_for
from buildlock.platforms import parse_platform
from buildlock.targets import Target, make_target, parse_python

PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
PLATFORMS = ("linux", "aarch64-unknown-linux-gnu", "macos", "x86_64-apple-darwin", "windows")


def make_targets(pythons: tuple[str, ...], platforms: tuple[str, ...]) -> list[Target]:
    return [make_target(parse_python(python), parse_platform(name)) for python, name in product(pythons, platforms)]


ALL = make_targets(PYTHONS, PLATFORMS)


def distinguish(pythons: set[str], platforms: set[str]) -> str | None:
    names = list(product(PYTHONS, PLATFORMS))
    chosen = [i for i, (python, platform) in enumerate(names) if python in pythons and platform in platforms]
    marker = MarkerWriter(ALL).distinguish(chosen)
    return format_marker(marker) if marker is not None else None


@pytest.mark.parametrize(
    ("pythons", "platforms", "marker"),
    [
        (PYTHONS, PLATFORMS, None),
        (("3.12", "3.13"), PLATFORMS, "python_version >= '3.12'"),
        (("3.9", "3.10"), PLATFORMS, "python_version < '3.11'"),
        (("3.10", "3.11"), PLATFORMS, "python_version >= '3.10' and python_version <= '3.11'"),
        (("3.9", "3.13"), PLATFORMS, "python_version < '3.10' or python_version == '3.13'"),
        (PYTHONS, ("windows",), "sys_platform == 'win32'"),
        (PYTHONS, ("linux", "windows"), "platform_machine == 'AMD64' or (sys_platform == 'linux' and …"),
        (PYTHONS, ("macos",), "platform_machine == 'arm64'"),
        (PYTHONS, ("linux", "aarch64-unknown-linux-gnu", "windows"), "sys_platform != 'darwin'"),
        (PYTHONS[:-1], ("windows",), "python_version < '3.13' and sys_platform == 'win32'"),
    ],
)
def test_short(pythons: tuple[str, ...], platforms: tuple[str, ...], marker: str | None) -> None:
    found = distinguish(set(pythons), set(platforms))
    if marker is not None and marker.endswith("…"):
        assert found is not None
        assert len(found.split(" and ")) + found.count(" or ") <= 3
    else:
        assert found == marker


@settings(max_examples=60, deadline=None)
@given(
    targets=st.lists(st.sampled_from(ALL), min_size=1, max_size=12, unique_by=id),
    data=st.data(),
)
def test_true_of_the_chosen_and_of_no_other(targets: list[Target], data: st.DataObject) -> None:
    chosen = data.draw(st.sets(st.integers(0, len(targets) - 1), min_size=1))
    marker = MarkerWriter(targets).distinguish(chosen)
    assert {i for i, target in enumerate(targets) if marker is None or is_for(marker, target)} == chosen


@settings(max_examples=60, deadline=None)
@given(targets=st.lists(st.sampled_from(ALL), min_size=1, max_size=12, unique_by=id))
def test_environments_are_the_targets_and_nothing_else(targets: list[Target]) -> None:
    environments = MarkerWriter(targets).environments()
    for target in ALL:
        assert any(is_for(marker, target) for marker in environments) is any(target is each for each in targets)


def test_environments_join_pythons_that_follow_each_other() -> None:
    targets = make_targets(("3.9", "3.10", "3.11", "3.13"), ("linux",))
    on = "and sys_platform == 'linux' and platform_machine == 'x86_64'"
    assert [format_marker(marker) for marker in MarkerWriter(targets).environments()] == [
        f"python_version >= '3.9' and python_version <= '3.11' {on}",
        f"python_version == '3.13' {on}",
    ]


def test_what_tags_tell_apart_markers_need_not() -> None:
    names = ("linux", "x86_64-manylinux_2_17", "x86_64-unknown-linux-musl")
    writer = MarkerWriter(make_targets(("3.13", "3.13t"), names))
    assert len(writer.environments()) == 1


@settings(max_examples=60, deadline=None)
@given(targets=st.lists(st.sampled_from(ALL), min_size=1, max_size=12, unique_by=id))
def test_environments_are_taken_apart_into_the_targets(targets: list[Target]) -> None:
    apart = list_targets(MarkerWriter(targets).environments())
    assert sorted(map(str, apart)) == sorted(str(target.marker) for target in targets)
