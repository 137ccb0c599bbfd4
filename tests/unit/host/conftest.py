"""A machine without any driver, to which a test adds."""

import sys
from pathlib import Path

import pytest

from support.machine import compile_drivers


@pytest.fixture(scope="session")
def drivers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables with which the libraries of drivers are found, and find nothing."""
    if sys.platform != "linux":
        pytest.skip("the libraries of drivers are found by LD_LIBRARY_PATH")
    return compile_drivers(tmp_path_factory.mktemp("drivers"))


@pytest.fixture
def bare(drivers: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment variables of a machine with no driver, and `bin` as the only folder on PATH."""
    return {**drivers, "PATH": str(tmp_path / "bin")}
