"""A project whose lock two branches have changed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from index.server import IndexServer, serve
from support.merging import PYPROJECT, Branches


@pytest.fixture(scope="module")
def index_server() -> Iterator[IndexServer]:
    with serve() as running:
        yield running


@pytest.fixture(scope="module")
def kept_branches(index_server: IndexServer, tmp_path_factory: pytest.TempPathFactory) -> Branches:
    folder = tmp_path_factory.mktemp("branches")
    return Branches(root=folder / "kept", server=index_server, cache=folder / "cache")


@pytest.fixture
def branches(kept_branches: Branches, tmp_path: Path) -> Branches:
    """The same locks for every test, and a folder of its own with the older one in it."""
    base = kept_branches.lock_base()
    own = replace(kept_branches, root=tmp_path / "project")
    own.root.mkdir()
    (own.root / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    own.workspace.lock_path.write_bytes(base)
    return own
