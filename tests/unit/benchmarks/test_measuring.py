"""Runs are measured in turn, and what fails is told."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.measuring import Launcher, RunError, Step
from benchmarks.rounds import order
from benchmarks.rows import Contender


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    with Launcher(tmp_path / "log") as launcher:
        yield launcher


def step(folder: Path, code: str) -> Step:
    return Step(arguments=[sys.executable, "-I", "-S", "-c", code], folder=folder, environ=os.environ)


def test_steps_are_summed_and_the_largest_counts(launcher: Launcher, tmp_path: Path) -> None:
    large = step(tmp_path, "print(len(bytearray(200_000_000)))")
    small = step(tmp_path, "open('here', 'w').close()")
    found = launcher.measure([large, small], limit=30)
    assert (tmp_path / "here").exists()
    assert found.memory > 200_000_000 > launcher.measure([small], limit=30).memory
    assert found.seconds > found.processor / (os.cpu_count() or 1) > 0


def test_the_launcher_does_not_show_in_the_memory(launcher: Launcher, tmp_path: Path) -> None:
    ballast = bytearray(100_000_000)
    assert launcher.measure([step(tmp_path, "pass")], limit=30).memory < len(ballast) / 2


def test_a_command_that_fails_is_told_with_what_it_said(launcher: Launcher, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"(?s)exit 3.*alas"):
        launcher.measure([step(tmp_path, "print('alas'); raise SystemExit(3)")], limit=30)


def test_a_command_that_is_not_there_is_told(launcher: Launcher, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="exit 127"):
        launcher.measure([Step(arguments=[str(tmp_path / "absent")], folder=tmp_path, environ={})], limit=30)
    assert launcher.measure([step(tmp_path, "pass")], limit=30).seconds > 0


def test_a_command_that_takes_too_long_is_stopped(launcher: Launcher, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="stopped after 0 s"):
        launcher.measure([step(tmp_path, "import time; time.sleep(60)")], limit=0.3)
    assert launcher.measure([step(tmp_path, "pass")], limit=30).seconds > 0


def test_each_begins_a_round_and_the_slow_one_takes_part_in_few() -> None:
    names = {"buildlock": None, "uv": None, "pip": 1}
    tools = [Contender(name=name, shown="", prepare=lambda *_: [], rounds=rounds) for name, rounds in names.items()]
    assert [[each.name for each in order(tools, number)] for number in range(3)] == [
        ["buildlock", "uv", "pip"],
        ["uv", "buildlock"],
        ["buildlock", "uv"],
    ]
