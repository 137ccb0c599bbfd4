"""`--timings`: where the time of a command went."""

import json
import re
import sys

import pytest

from support.command import Checkout, CopyProject, Result

PHASES = (
    *("start-up", "reading the project", "pages and metadata", "resolution", "downloads", "unpacking", "environment"),
    *("backend", "writing", "other", "total"),
)


def read_table(result: Result) -> dict[str, float]:
    lines = result.stderr.partition("Time by phase, in seconds:\n")[2].splitlines()
    found = (re.fullmatch(r"  ([a-z -]+?) +([0-9]+\.[0-9]{3})", line) for line in lines)
    table = {match[1]: float(match[2]) for match in found if match}
    assert tuple(table) == PHASES, result
    # Each is rounded.
    assert sum(table.values()) - table["total"] == pytest.approx(table["total"], abs=0.01)
    return table


@pytest.fixture
def tiny(checkout: CopyProject) -> Checkout:
    return checkout("tiny")


def test_each_phase_is_named(tiny: Checkout) -> None:
    locked = read_table(tiny.succeed("lock", "--timings"))
    assert all(locked[name] for name in ("pages and metadata", "backend", "environment", "writing")), locked
    tiny.succeed("cache", "clean")
    result = tiny.succeed("install", "--timings")
    installed = read_table(result)
    assert all(installed[name] for name in ("downloads", "unpacking", "environment")), installed
    files = len(tiny.packages())
    counts = re.search(r"requests: ([0-9]+), received: [0-9.]+ MiB, files fetched: ([0-9]+)\n", result.stderr)
    assert counts is not None, result
    assert (int(counts[1]), int(counts[2])) == (files, files)
    if sys.platform != "win32":
        peaks = r"peak memory: [0-9.]+ MiB, of the largest process that was run: [0-9.]+ MiB\n"
        assert re.search(peaks, result.stderr), result


def test_data_stays_data(tiny: Checkout) -> None:
    result = tiny.succeed("lock", "--no-dynamic", "--timings", "--json")
    assert json.loads(result.stdout)["written"]
    read_table(result)


def test_a_command_that_fails_tells_too(tiny: Checkout) -> None:
    result = tiny.run("install", "--timings", "--quiet")
    assert result.code == 1, result
    read_table(result)
    assert "error:" in result.stderr


def test_nothing_is_told_unasked(tiny: Checkout) -> None:
    assert "Time by phase" not in tiny.succeed("lock", "--no-dynamic", "--verbose").stderr
