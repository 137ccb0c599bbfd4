"""uv, pip and build as they are, building from the lock: the right environment or none, for the right variant."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.offer import add_wheelhouse
from index.server import IndexServer, serve
from index.universe import standard_universe
from support.frontends import CHECKS, FRONTENDS, Way, Workshop, lock_seed, open_workshop

WHEELHOUSE = Path(__file__).parents[2] / "wheelhouse"
QUICK = {
    ("uv sync --extra", "extra", "switching"),
    ("uv build", "-C", "locked torch"),
    ("uv build --wheel", "-C", "wrong hash"),
    ("pip wheel .", "-C", "wrong hash"),
    ("pip wheel .", "variable", "missing package"),
    ("pip install -e .", "variable", "locked torch"),
    ("uv sync --extra", "extra", "missing package"),
    ("python -m build --installer uv", "-C", "locked torch"),
}
"""What runs everywhere: each frontend once, each check once or twice."""


def list_cells() -> Iterator[object]:
    for name, (_, ways) in FRONTENDS.items():
        for way in ways:
            for check in CHECKS:
                marks = () if (name, way, check) in QUICK else (pytest.mark.heavy,)
                yield pytest.param(name, way, check, marks=marks, id=f"{name}, {way}, {check}")


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
def locked_seed(real_server: IndexServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lock_seed(tmp_path_factory.mktemp("seed"), real_server)


@pytest.fixture
def workshop(locked_seed: Path, real_server: IndexServer, tmp_path: Path) -> Workshop:
    return open_workshop(locked_seed, tmp_path, real_server)


@pytest.mark.parametrize(("name", "way", "check"), list(list_cells()))
def test_it_builds_from_the_lock(workshop: Workshop, name: str, way: Way, check: str) -> None:
    CHECKS[check](workshop, FRONTENDS[name][0], way)
