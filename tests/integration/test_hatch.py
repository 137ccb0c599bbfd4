"""A real hatch, held to the lock by `buildlock run --frontend`."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.offer import add_wheelhouse
from index.server import IndexServer, serve
from index.universe import standard_universe
from projects import copy_project
from support.command import Checkout, hermetic

pytestmark = pytest.mark.heavy

RECORD = """
import importlib.metadata, json, os
with open(os.environ["BUILT_WITH"], "w") as file:
    json.dump(dict(reversed([(d.metadata["Name"], d.version) for d in importlib.metadata.distributions()])), file)
"""
ASK_FOR_MORE = """
import setuptools
_setup = setuptools.setup
setuptools.setup = lambda **given: _setup(**given, setup_requires=["tinybackend"])
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of an environment that has hatch, and what setuptools needs for the fixture index."""
    folder = tmp_path_factory.mktemp("hatch")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = [str(scripts / "python"), "-m", "pip", "--quiet"]
    subprocess.run([*pip, "install", "hatch", "uv"], check=True)
    subprocess.run([*pip, "download", "--dest", str(folder / "wheels"), "setuptools", "wheel"], check=True)
    return scripts


@pytest.fixture
def server(scripts: Path) -> Iterator[IndexServer]:
    with serve(add_wheelhouse(standard_universe(), scripts.parent / "wheels")) as running:
        yield running


def test_builds_in_the_locked_environment_alone(scripts: Path, server: IndexServer, tmp_path: Path) -> None:
    root = copy_project("seed", tmp_path, server.root)
    setup = root / "setup.py"
    setup.write_text(RECORD + setup.read_text())
    variables = {
        **server.environment,
        "PIP_INDEX_URL": server.url(),
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "BUILT_WITH": str(tmp_path / "built_with.json"),
    }
    seed = Checkout(root=root, environment=hermetic(tmp_path, variables))
    seed.append('[tool.buildlock]\nconstraints = ["fsspec<2024.10"]')
    seed.succeed("lock", "--variant", "cu124", "--no-dynamic")
    command = ("run", "--variant", "cu124", "--frontend", "--", "hatch", "build", "--target", "wheel")
    seed.succeed(*command)
    found = json.loads((tmp_path / "built_with.json").read_text())
    built_with = {name.lower().replace("_", "-"): version for name, version in found.items()}
    assert {name: built_with.get(name) for name in seed.versions("cu124")} == seed.versions("cu124")
    setup.write_text(ASK_FOR_MORE + setup.read_text())
    result = seed.run(*command)
    assert result.code
    assert "tinybackend" in result.stdout + result.stderr
