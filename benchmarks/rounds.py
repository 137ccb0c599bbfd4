"""Run the tools of a row in turn, round after round, and keep what each run cost."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.bench import ROOT, Bench
from benchmarks.measuring import Measurement, RunError
from benchmarks.rows import Contender, Row

QUICK_ROUNDS = 2
ATTEMPTS = 3
"""A run that asked for what was not recorded is no run: it is recorded, and run again."""


def order(contenders: Sequence[Contender], number: int) -> list[Contender]:
    """Who runs in a round: the first of a round is the last of the next, and who takes long stays out of most."""
    shift = number % len(contenders)
    turned = [*contenders[shift:], *contenders[:shift]]
    return [each for each in turned if each.rounds is None or number < each.rounds]


def measure_row(bench: Bench, row: Row, *, quick: bool, budget: float) -> dict[str, Any]:
    """What the results file says of a row; a row that fails is told as such, with what was measured before it."""
    started = time.monotonic()
    runs: list[dict[str, Any]] = []
    found: dict[str, Any] = {"runs": runs, "load": round(os.getloadavg()[0], 1)}
    try:
        contenders = _set_up(bench, row)
        found["commands"] = {contender.name: contender.shown for contender in contenders}
        rounds = QUICK_ROUNDS if quick else row.rounds
        for number, contender, measurement in _run_rounds(bench, row, contenders, rounds, budget):
            runs.append({"round": number, "tool": contender.name, **_round(measurement)})
    except Exception as error:  # noqa: BLE001 - whatever it is, the other rows are not lost
        found["failed"] = _anonymize(str(error), bench)[:1500]
        print(f"{row.name}: {error}", file=sys.stderr)
    found["took"] = round(time.monotonic() - started, 1)
    return found


def _anonymize(text: str, bench: Bench) -> str:
    """A message without the paths and the ports of this machine."""
    for secret, shown in ((str(bench.folder), "…"), (str(ROOT), "…"), (bench.mirror.url, "mirror")):
        text = text.replace(secret, shown)
    return text


def _set_up(bench: Bench, row: Row) -> Sequence[Contender]:
    bench.mirror.steer("delay", 0)
    bench.mirror.steer("record", "on")
    contenders = row.contenders(bench)
    for contender in contenders:
        # What is asked for the first time is recorded, and caches of the machine are as warm as they will be.
        if contender.rehearsed:
            bench.run(*contender.prepare(bench, bench.make_folder(row.name)))
    return contenders


def _run_rounds(
    bench: Bench, row: Row, contenders: Sequence[Contender], rounds: int, budget: float
) -> Iterator[tuple[int, Contender, Measurement]]:
    deadline = time.monotonic() + budget
    for number in range(rounds):
        if number and time.monotonic() > deadline:
            print(f"{row.name}: stopped after {number} of {rounds} rounds, as it takes long", file=sys.stderr)
            return
        for contender in order(contenders, number):
            yield number, contender, _run_once(bench, row, contender)


def _run_once(bench: Bench, row: Row, contender: Contender) -> Measurement:
    for attempt in range(ATTEMPTS):
        steps = contender.prepare(bench, bench.make_folder(row.name))
        bench.mirror.steer("record", "off")
        bench.mirror.steer("delay", row.delay / 1000)
        try:
            return bench.measure(steps)
        except RunError:
            if attempt == ATTEMPTS - 1 or not bench.mirror.steer("count")["missed"]:
                raise
        finally:
            bench.mirror.steer("delay", 0)
            bench.mirror.steer("record", "on")
        bench.run(*contender.prepare(bench, bench.make_folder(row.name)))
    raise AssertionError


def _round(measurement: Measurement) -> dict[str, Any]:
    """To what can be told apart, so that the files stay small."""
    return {name: round(value, 5) if isinstance(value, float) else value for name, value in asdict(measurement).items()}
