"""Frontends as they are, building from the lock: each does what the table in docs/frontends.md says of it."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from index.offer import add_wheelhouse
from index.server import IndexServer, serve
from index.universe import standard_universe
from support.frontends import CHECKS, ROWS, Row, Way, lock_seeds, open_workshop, try_cell
from support.frontends_table import read_table

WHEELHOUSE = Path(__file__).parents[2] / "wheelhouse"
QUICK = {
    ("uv sync --extra, backend, the extra", "switching"),
    ("uv sync --extra, run --frontend, `--variant`", "locked torch"),
    ("uv build, backend, `-C variant=`", "locked torch"),
    ("uv build --wheel, backend, `-C variant=`", "wrong hash"),
    ("uv build --wheel, constraints, `--build-constraint`", "missing package"),
    ("uv build --wheel, run --frontend, `--variant`", "locked torch"),
    ("pip wheel ., backend, `BUILDLOCK_VARIANT`", "missing package"),
    ("pip install -e ., backend, `BUILDLOCK_VARIANT`", "locked torch"),
    ("python -m build --installer uv, backend, `-C variant=`", "locked torch"),
}
"""What runs everywhere: each kind of frontend, each way, each check."""


def list_cells() -> Iterator[object]:
    for row in ROWS:
        for check in CHECKS:
            marks = () if (str(row), check) in QUICK else (pytest.mark.heavy,)
            yield pytest.param(row, check, marks=marks, id=f"{row}, {check}")


@pytest.fixture(scope="session")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexServer]:
    """The fixture index with the real setuptools."""
    pure = tmp_path_factory.mktemp("wheelhouse")
    for wheel in WHEELHOUSE.glob("*-py3-none-any.whl"):
        shutil.copy(wheel, pure)
    if not any(pure.glob("setuptools-*")):
        pytest.skip("no setuptools in `wheelhouse/`: `python3 dev.py test` downloads it")
    with serve(add_wheelhouse(standard_universe(), pure)) as running:
        yield running


@pytest.fixture(scope="session")
def seeds(real_server: IndexServer, tmp_path_factory: pytest.TempPathFactory) -> Mapping[Way, Path]:
    return lock_seeds(tmp_path_factory.mktemp("seeds"), real_server)


@pytest.mark.parametrize(("row", "check"), list(list_cells()))
def test_it_does_what_the_table_says(
    seeds: Mapping[Way, Path], real_server: IndexServer, tmp_path: Path, row: Row, check: str
) -> None:
    workshop = open_workshop(seeds[row.way], tmp_path, real_server)
    assert try_cell(workshop, row, check) == read_table()[str(row), check]


def test_the_table_has_every_cell() -> None:
    assert list(read_table()) == [(str(row), check) for row in ROWS for check in CHECKS]
