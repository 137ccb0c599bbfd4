"""The benchmark: `nox -s benchmark`, which makes what it needs and calls this."""

import argparse
import datetime as dt
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import page
from benchmarks.bench import (
    FOLDER,
    MIRROR,
    Bench,
    Tools,
    describe_machine,
    fetch_cpu_torch,
    find_configured_index,
    find_default_index,
    has_reflinks,
)
from benchmarks.curves import CURVES
from benchmarks.measuring import Launcher, start_mirror
from benchmarks.projects import CPU_TORCH
from benchmarks.results import FORMAT, Results, write_results
from benchmarks.rounds import measure_row
from benchmarks.rows import Row
from benchmarks.table import ROWS

WORK = FOLDER / ".work"
BUDGET = 30.0
"""Seconds that the rounds of a row may take before it begins no further one."""
_SHOWN = (
    ("seconds", 1, " s"),
    ("processor", 1, " s of processor"),
    ("memory", 1e-6, " MB"),
    ("requests", 1, " requests"),
    ("downloaded", 1e-6, " MB downloaded"),
    ("mirror", 1, " s of processor for the mirror"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _make_parser()
    chosen = parser.parse_args(arguments)
    if chosen.report:
        page.write_report()
        return 0
    # Ended by a signal too, what it started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    own = chosen.folder.resolve() / str(os.getpid())
    own.mkdir(parents=True)
    try:
        started = time.monotonic()
        _measure(chosen, own)
        if not chosen.quick:
            page.write_report()
        print(f"took {time.monotonic() - started:.0f} s; deleting what was installed", file=sys.stderr)
    finally:
        _clear(own)
    return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nox -s benchmark --", description=__doc__)
    parser.add_argument("--buildlock", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--fast", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--uv", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--only", metavar="PATTERN", default="", help="rows whose name this is found in")
    parser.add_argument("--quick", action="store_true", help="two rounds of each row, and write no results")
    parser.add_argument("--real", action="store_true", help="also the rows that ask the real index")
    parser.add_argument("--cuda", action="store_true", help="also the rows that install several GB")
    parser.add_argument("--folder", metavar="DIR", type=Path, default=WORK, help="where to install and to keep caches")
    parser.add_argument("--curves", action="store_true", help="the curves of growth, in place of the rows")
    parser.add_argument("--report", action="store_true", help="measure nothing, write the page from the results")
    return parser


def _measure(chosen: argparse.Namespace, own: Path) -> None:
    tools = Tools(buildlock=chosen.buildlock, fast=chosen.fast, uv=chosen.uv, python=Path(sys.executable))
    given = {"": True, "real": chosen.real, "cuda": chosen.cuda, "fast": tools.fast, "reflinks": has_reflinks(own)}
    every = [row for curve in CURVES for row in curve.rows()] if chosen.curves else ROWS
    rows = [row for row in every if re.search(chosen.only, row.name) and given[row.needs]]
    MIRROR.mkdir(exist_ok=True)
    fetch_cpu_torch(tools.python, CPU_TORCH)
    configured = find_configured_index(tools.python)
    index = configured or find_default_index(tools.python)
    found: dict[str, Any] = {
        "format": FORMAT,
        "date": dt.datetime.now(tz=dt.timezone.utc).date().isoformat(),
        "machine": describe_machine(own),
        "versions": tools.versions(),
        "rows": {},
    }
    with start_mirror(MIRROR, index) as mirror, Launcher(own / "log") as launcher:
        bench = Bench(tools=tools, mirror=mirror, launcher=launcher, folder=own, configured=configured)
        bench.patience *= 10 if chosen.cuda else 1
        for row in rows:
            found["rows"][row.name] = measure_row(bench, row, quick=chosen.quick, budget=BUDGET)
            _show(row, found["rows"][row.name])
            if not chosen.quick:
                write_results(found)


def _clear(own: Path) -> None:
    """Delete what was installed, by runs that were interrupted too: a million files, so in several threads."""
    runs = [folder for folder in own.parent.iterdir() if folder.name.isdigit()]
    ended = [folder for folder in runs if folder == own or not _is_alive(int(folder.name))]
    with ThreadPoolExecutor(4) as pool:
        below = [each for folder in ended for each in folder.iterdir() if each.is_dir()]
        list(pool.map(partial(shutil.rmtree, ignore_errors=True), below))
    for folder in ended:
        shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _show(row: Row, found: Any) -> None:
    """Say what came out of a row, while the next one runs."""
    results = Results(name="", content={"rows": {row.name: found}})
    print(f"{row.name}  ({found['took']} s)", flush=True)
    for tool in results.tools(row.name):
        ratio, facts = results.ratio(row.name, tool), []
        for what, factor, unit in _SHOWN:
            spread = results.spread(row.name, tool, what)
            facts.append(f"{spread.median * factor:.3g}{unit}" if spread else "")
        against = f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})" if ratio else ""
        print(f"  {tool:16}{against:24}{', '.join(facts)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
