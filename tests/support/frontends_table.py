"""Write the table in docs/frontends.md from what the frontends do: `nox -s frontends`.

Each cell is a run of the real tool, at the version that is installed, on a copy of the seed's project.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from index.offer import add_wheelhouse
from index.server import serve
from index.universe import standard_universe
from support.frontends import CHECKS, FRONTENDS, RefusedError, Way, lock_seed, open_workshop

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "frontends.md"
FIRST, LAST = "<!-- table: written by nox -s frontends -->\n", "<!-- end of the table -->\n"
WAYS: dict[Way, str] = {"-C": "`-C variant=`", "variable": "`BUILDLOCK_VARIANT`", "extra": "the extra"}


def main() -> int:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pure = folder / "wheelhouse"
        pure.mkdir()
        for wheel in (ROOT / "wheelhouse").glob("*-py3-none-any.whl"):
            shutil.copy(wheel, pure)
        with serve(add_wheelhouse(standard_universe(), pure)) as server, ThreadPoolExecutor(2) as pool:
            locked = lock_seed(folder, server)

            def run(cell: tuple[str, Way, str]) -> str:
                name, way, check = cell
                own = Path(tempfile.mkdtemp(dir=folder))
                try:
                    CHECKS[check](open_workshop(locked, own, server), FRONTENDS[name][0], way)
                except (AssertionError, RefusedError) as error:
                    sys.stderr.write(f"{name}, {way}, {check}: {error}\n")
                    return "**no**"
                finally:
                    shutil.rmtree(own, ignore_errors=True)
                return "yes"

            cells = [(name, way, check) for name, (_, ways) in FRONTENDS.items() for way in ways for check in CHECKS]
            results = dict(zip(cells, pool.map(run, cells), strict=True))
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(FIRST)
    table = "\n".join(describe(results))
    DOCUMENT.write_text(f"{before}{FIRST}\n{table}\n\n{LAST}{rest.partition(LAST)[2]}", encoding="utf-8", newline="\n")
    return int("**no**" in results.values())


def describe(results: dict[tuple[str, Way, str], str]) -> Iterator[str]:
    tools = ", ".join(f"{tool} {version(tool)}" for tool in ("uv", "pip", "build"))
    python = ".".join(map(str, sys.version_info[:3]))
    yield f"By {tools}, with CPython {python} and setuptools {find_setuptools()}:\n"
    yield f"| frontend | the variant by | {' | '.join(CHECKS)} |"
    yield f"| --- | --- |{' --- |' * len(CHECKS)}"
    for name, (_, ways) in FRONTENDS.items():
        for way in ways:
            yield f"| `{name}` | {WAYS[way]} | {' | '.join(results[name, way, check] for check in CHECKS)} |"


def find_setuptools() -> str:
    (wheel,) = (ROOT / "wheelhouse").glob("setuptools-*.whl")
    return wheel.name.split("-")[1]


if __name__ == "__main__":
    sys.exit(main())
