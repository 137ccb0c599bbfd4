"""The page and its pictures are what the committed results give, and have all that was to be measured."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from benchmarks import page
from benchmarks.curves import CURVES
from benchmarks.results import FOLDER, Results, read_results, write_results
from benchmarks.table import ROWS

WANTED = {
    "install, warm, new environment: CPU torch": ("install-warm", 0.2),
    "install, warm, new environment: CUDA torch": ("install-warm-cuda", 0.2),
    "the same with the hardlink fallback": ("install-warm-hardlink", 1.05),
    "first `import torch` in a fresh environment": ("first-import", 0.45),
    "install, cold, from a local index": ("install-cold", 1.0),
    "the same with an optional extra": ("install-cold-fast", 0.8),
    "install, the environment exists": ("install-again", 1.0),
    "check, unchanged": ("check", 1.0),
    "lock, cold, torch list, round trips of 20 ms": ("lock-cold-20", 0.95),
    "lock, cold, torch list, round trips of 50 ms": ("lock-cold-50", 0.95),
    "relock, round trips of 20 ms": ("relock-cold-20", 0.75),
    "relock, round trips of 50 ms": ("relock-cold-50", 0.75),
    "lock, cold, the real index": ("lock-cold-real", 0.8),
    "lock, warm, full resolution, one environment": ("lock-warm-full", 2.5),
    "lock, warm, nothing changed": ("lock-warm-unchanged", 1.0),
    "lock, 4 variants, 4 Pythons, 2 platforms, warm": ("lock-matrix", 0.5),
}
GROWING = {"packages", "files", "targets", "variants", "page", "backtracking"}


def run(number: int, tool: str, seconds: float, **more: float) -> dict[str, Any]:
    costs = {"processor": 1.0, "memory": 10_000_000, "requests": 2, "connections": 1, "downloaded": 5, "mirror": 0.0}
    return {"round": number, "tool": tool, "seconds": seconds, **costs, **more}


def make(rows: dict[str, Any], date: str = "2026-01-02") -> Results:
    machine = {"kind": "linux-x86_64-2-cores", "cores": 2, "memory": 2**33, "system": "Linux 6.1", "processor": "A"}
    versions = {"buildlock": "1", "uv": "2", "pip": "3", "python": "3.11.7"}
    content = {"format": 1, "date": date, "machine": machine, "versions": versions, "rows": rows}
    return Results(name=date, content=content)


def row(*seconds: float, peer: float = 1.0) -> dict[str, Any]:
    runs = [
        run(number, tool, took)
        for number, each in enumerate(seconds)
        for tool, took in (("buildlock", each), ("uv", peer))
    ]
    return {"runs": runs, "commands": {"buildlock": "buildlock it", "uv": "uv it"}, "took": 1.0}


def test_the_page_is_what_the_committed_results_give() -> None:
    text = page.DOCUMENT.read_text(encoding="utf-8")
    assert page.fill(text, read_results()) == text


def test_the_pictures_are_what_the_committed_results_give() -> None:
    drawn = page.draw(read_results())
    kept = {path.name: path.read_text(encoding="utf-8") for path in page.PICTURES.glob("benchmarks*.svg")}
    assert kept == drawn
    for picture in drawn.values():
        ET.fromstring(picture)


@pytest.mark.parametrize(("name", "goal"), WANTED.values(), ids=WANTED)
def test_every_operation_is_measured(name: str, goal: float) -> None:
    assert [row.goal for row in ROWS if row.name == name] == [goal]


def test_everything_that_grows_is_measured() -> None:
    assert {curve.name for curve in CURVES} == GROWING
    assert len({row.name for curve in CURVES for row in curve.rows()} | {row.name for row in ROWS}) == len(ROWS) + sum(
        len(curve.rows()) for curve in CURVES
    )


def test_results_tell_nothing_of_the_machine_that_is_its_own() -> None:
    for path in FOLDER.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert set(json.loads(text)["machine"]) - {"filesystem"} == {"kind", "cores", "memory", "system", "processor"}
        assert not any(private in text for private in ("/root", "/home", "/tmp", "/work", "127.0.0.1"))


def test_a_row_shows_the_ratio_its_spread_and_whether_the_goal_is_met() -> None:
    shown = page.describe([make({"check": row(0.5, 0.5, 2.0), "lock-cold-20": row(1.5)})])
    assert "| check, unchanged | **0.50** (0.50 to 1.25) | ≤ 1 | met | 500 ms | 1.00 s | - |" in shown["results"]
    (line,) = [line for line in shown["results"] if "round trips of 20 ms | **1.50**" in line]
    assert "**missed**" in line
    assert "| check | buildlock | 0.50 | 500 ms | 1.00 s | 10 MB | 2 | 0.00 MB | 0 ms |" in shown["costs"]
    assert "| check | uv | `uv it` | 3 |" in shown["commands"]


def test_a_row_that_failed_says_so() -> None:
    shown = page.describe(
        [make({"check": row(1.0), "lock-matrix": {"runs": [], "failed": "uv: exit 1\nalas", "took": 1.0}})]
    )
    (line,) = [line for line in shown["results"] if "4 variants" in line]
    assert "| failed |" in line
    assert shown["results"][-1] == "- lock-matrix failed: `uv: exit 1`"


def test_results_of_every_row_are_shown_before_newer_ones_of_some() -> None:
    whole = make({row_.name: row(1.0) for row_ in ROWS if not row_.needs}, "2026-01-01")
    some = make({"check": row(1.0)}, "2026-01-02")
    assert page.choose([some, whole]) is whole
    assert page.choose([some]) is some


def test_growth_is_told_for_each_tool() -> None:
    (curve,) = [curve for curve in CURVES if curve.name == "page"]
    operation = next(iter(curve.operations))
    points = {curve.row_name(operation, size): row(size / 100, peer=1.0) for size in curve.sizes}
    points["page/lock, warm/100"] = {"runs": [], "failed": "uv: exit 1", "took": 1.0}
    shown = page.describe([make({"check": row(1.0), **points})])["curves"]
    assert shown[-1] == "- lock, warm, 100 files on a page failed: `uv: exit 1`"
    (ours, theirs) = [line for line in shown if operation in line]
    assert "| buildlock | 100: 1000 ms, 1,000: 10000 ms, 10,000: 100000 ms | 1.00 |" in ours
    assert "| uv | 100: 1000 ms, 1,000: 1000 ms, 10,000: 1000 ms | 0.00 |" in theirs


def test_rows_measured_again_that_day_replace_the_earlier_ones(tmp_path: Path) -> None:
    first = make({"check": row(1.0), "lock-cold-20": row(1.0)})
    write_results(first.content, tmp_path)
    path = write_results(make({"check": row(3.0)}).content, tmp_path)
    (found,) = read_results(tmp_path)
    assert found.content["rows"] == {**first.content["rows"], "check": row(3.0)}
    assert sum('"round"' in line for line in path.read_text().splitlines()) == 4


def test_the_tenth_file_of_a_day_is_newer_than_its_ninth(tmp_path: Path) -> None:
    for number in range(11):
        write_results({**make({"check": row(1.0)}).content, "versions": {"uv": str(number)}}, tmp_path)
    assert [each.versions["uv"] for each in read_results(tmp_path)] == [str(number) for number in reversed(range(11))]


def test_the_file_system_is_told_where_it_was_kept() -> None:
    known = make({"check": row(1.0)})
    on_btrfs = Results(name="b", content={**known.content, "machine": {**known.machine, "filesystem": "btrfs"}})
    shown = page.describe([on_btrfs, known])
    assert ", 8 GiB, btrfs, its load not kept;" in shown["results"][0]
    assert ", 8 GiB, its load not kept;" in shown["days"][1]


def test_other_versions_have_a_file_of_their_own(tmp_path: Path) -> None:
    check, lock = make({"check": row(1.0)}).content, make({"lock-cold-20": row(1.0)}).content
    for _ in range(2):
        write_results(check, tmp_path)
        write_results({**lock, "versions": {"uv": "3"}}, tmp_path)
    newest, before = read_results(tmp_path)
    assert newest.content["rows"] == lock["rows"]
    assert before.content["rows"] == check["rows"]
