"""Projects in folders of their own, and the indexes that they are locked from."""

import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from index.offer import add_wheelhouse
from index.server import IndexServer, serve
from index.universe import standard_universe
from projects import copy_project
from support.command import Checkout, CopyLockedProject, CopyProject, hermetic

WHEELHOUSE = Path(__file__).parents[2] / "wheelhouse"


@pytest.fixture(scope="session")
def standard_server() -> Iterator[IndexServer]:
    with serve() as running:
        yield running


@pytest.fixture
def server(standard_server: IndexServer) -> Iterator[IndexServer]:
    """The fixture index, of which nothing was asked yet."""
    standard_server.exchanges.clear()
    yield standard_server
    standard_server.faults.clear()


@pytest.fixture
def checkout(server: IndexServer, tmp_path: Path) -> CopyProject:
    """Copy a fixture project that nothing was done with."""

    def copy(trait: str) -> Checkout:
        root = copy_project(trait, tmp_path, server.root)
        return Checkout(root=root, environment=hermetic(tmp_path, server.environment))

    return copy


@pytest.fixture(scope="session")
def lock_once(standard_server: IndexServer, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """The lock of a fixture project, made with these arguments."""

    @cache
    def lock(trait: str, *arguments: str) -> bytes:
        folder = tmp_path_factory.mktemp(trait)
        root = copy_project(trait, folder, standard_server.root)
        project = Checkout(root=root, environment=hermetic(folder, standard_server.environment))
        project.succeed("lock", "--quiet", *arguments)
        return project.lock_path.read_bytes()

    return lock


@pytest.fixture
def locked(checkout: CopyProject, lock_once: Callable[..., bytes], server: IndexServer) -> CopyLockedProject:
    """Copy a fixture project with its lock, made with these arguments: `locked("seed", "--variant", "cu124")`."""

    def copy(trait: str, *arguments: str) -> Checkout:
        text = lock_once(trait, *arguments)
        server.exchanges.clear()
        project = checkout(trait)
        project.lock_path.write_bytes(text)
        return project

    return copy


@pytest.fixture(scope="session")
def setuptools_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexServer]:
    """The fixture index with the real setuptools: `nox` puts it into `wheelhouse/`."""
    pure = tmp_path_factory.mktemp("wheelhouse")
    for wheel in WHEELHOUSE.glob("*-py3-none-any.whl"):
        shutil.copy(wheel, pure)
    if not any(pure.glob("setuptools-*")):
        reason = f"no setuptools in `{WHEELHOUSE.name}/`: `python3 dev.py test` downloads it"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with serve(add_wheelhouse(standard_universe(), pure)) as running:
        yield running
