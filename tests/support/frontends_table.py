"""Write the table in docs/frontends.md from what the frontends do: `nox -s frontends`.

Each cell is a run of the real tool, at the version that is installed, on a copy of the seed's project.
"""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from index.offer import add_wheelhouse
from index.server import serve
from index.universe import standard_universe
from support.frontends import CHECKS, ROWS, Row, lock_seeds, open_workshop, try_cell

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "frontends.md"
FIRST, LAST = "<!-- table: written by nox -s frontends -->\n", "<!-- end of the table -->\n"
TOOLS = ("uv", "pip", "build", "hatch", "tox", "nox")


def main(chosen: str = "") -> int:
    """Run every cell; where a pattern is `chosen`, those of the rows that it is found in."""
    rows = [row for row in ROWS if re.search(chosen, str(row))]
    cells = [(row, check) for row in rows for check in CHECKS]
    found: dict[tuple[str, str], str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pure = folder / "wheelhouse"
        pure.mkdir()
        for wheel in (ROOT / "wheelhouse").glob("*-py3-none-any.whl"):
            shutil.copy(wheel, pure)
        with (
            serve(add_wheelhouse(standard_universe(), pure)) as server,
            ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool,
        ):
            locked = lock_seeds(folder, server)

            def run(cell: tuple[Row, str]) -> str:
                row, check = cell
                own = Path(tempfile.mkdtemp(dir=folder))
                try:
                    return try_cell(open_workshop(locked[row.way], own, server), row, check)
                finally:
                    shutil.rmtree(own, ignore_errors=True)

            for (row, check), said in zip(cells, pool.map(run, cells), strict=True):
                found[str(row), check] = said
                write(found)
    return int(any(found[str(row), check].startswith("**no**") for row, check in cells if row.way != "constraints"))


def write(found: Mapping[tuple[str, str], str]) -> None:
    """Put what was found into the document; what it says of other cells stays."""
    table = "\n".join(describe({**read_table(), **found}))
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(FIRST)
    text = f"{before}{FIRST}\n{table}\n\n{LAST}{rest.partition(LAST)[2]}"
    DOCUMENT.write_text(text, encoding="utf-8", newline="\n")


def describe(results: Mapping[tuple[str, str], str]) -> Iterator[str]:
    tools = ", ".join(f"{tool} {version(tool)}" for tool in TOOLS)
    python = ".".join(map(str, sys.version_info[:3]))
    yield f"By {tools}, with CPython {python} and setuptools {find_setuptools()}:\n"
    yield f"| frontend | way | variant by | {' | '.join(CHECKS)} |"
    yield f"| --- | --- | --- |{' --- |' * len(CHECKS)}"
    for row in ROWS:
        cells = " | ".join(results.get((str(row), check), "not tried") for check in CHECKS)
        yield f"| `{row.frontend}` | {row.way} | {row.by} | {cells} |"


def read_table() -> dict[tuple[str, str], str]:
    """What the document says, by `str(row)` and check."""
    table = DOCUMENT.read_text(encoding="utf-8").partition(FIRST)[2].partition(LAST)[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]
    return {
        (f"{frontend.strip('`')}, {way}, {by}", check): cell
        for frontend, way, by, *cells in lines[2:]
        for check, cell in zip(CHECKS, cells, strict=True)
    }


def find_setuptools() -> str:
    (wheel,) = (ROOT / "wheelhouse").glob("setuptools-*.whl")
    return wheel.name.split("-")[1]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
