"""A project with buildlock's backend, a backend of its own in the tree, and a lock."""

import hashlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from buildlock import backend

HERE = "python_version >= '3.8'"

Install: TypeAlias = Callable[..., None]

HONEST = """
import os
calls = []
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    calls.append((config_settings, {key: os.environ.get(key) for key in ("ARCH", "DIST_EXTRA_CONFIG")}))
    return "honest-1-py3-none-any.whl"
def build_sdist(sdist_directory, config_settings=None):
    calls.append((config_settings, {key: os.environ.get(key) for key in ("ARCH", "DIST_EXTRA_CONFIG")}))
    return "honest-1.tar.gz"
class nested:
    build_wheel, build_sdist = staticmethod(build_wheel), staticmethod(build_sdist)
    @staticmethod
    def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
        return "editable"
    @staticmethod
    def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
        return "honest-1.dist-info"
"""


def wheel(filename: str, base: str = "https://files.example") -> str:
    digest = hashlib.sha256(filename.encode()).hexdigest()
    url = f"{base}/{filename.replace('+', '%2B')}"
    return f'{{ url = "{url}", size = 1, hashes = {{ sha256 = "{digest}" }} }}'


def entry(variant: str, name: str, version: str, *, tag: str = "py3-none-any", marker: str = "") -> str:
    condition = f'marker = "{marker}"\n' if marker else ""
    filename = f"{name.replace('-', '_')}-{version}-{tag}.whl"
    header = f'[[variants.{variant}.packages]]\nname = "{name}"\nversion = "{version}"\n'
    return f"{header}{condition}wheels = [{wheel(filename)}]\n"


def variant(name: str, torch: str, *, environments: str = HERE, more: str = "") -> str:
    """A variant that has `tool` 1.0 and a torch."""
    return (
        f'[variants.{name}]\nenvironments = ["{environments}"]\n'
        f'[variants.{name}.inputs]\nrequires = ["tool", "torch"]\n'
        f'[variants.{name}.inputs.indexes]\ntorch = ["https://index.example/{name}"]\n'
        f"{entry(name, 'tool', '1.0')}{entry(name, 'torch', torch)}{more}"
    )


class Fake(Distribution):
    """An installed distribution."""

    def __init__(self, name: str, version: str, requires: tuple[str, ...]) -> None:
        lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {each}" for each in requires)]
        self._text = "\n".join(["Metadata-Version: 2.1", *lines, "", ""])

    def read_text(self, filename: str) -> str | None:
        return self._text if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        return path


class Tree:
    """The project, to write and to build."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pyproject(backend_object="honest")
        (root / "own").mkdir()
        (root / "own" / "honest.py").write_text(HONEST)

    def pyproject(self, *, backend_object: str = "honest", requires: str = '["tool", "torch"]', more: str = "") -> None:
        (self.root / "pyproject.toml").write_text(
            f'[tool.buildlock.build-system]\nrequires = {requires}\nbuild-backend = "{backend_object}"\n'
            f'backend-path = ["own"]\n{more}\n'
        )

    def lock(self, *sections: str, version: str = "1.0") -> None:
        (self.root / "build-lock.toml").write_text("\n".join([f'lock-version = "{version}"', *sections]))

    def replace(self, pattern: str, new: str) -> None:
        path = self.root / "build-lock.toml"
        text, count = re.subn(pattern, new, path.read_text(), count=1)
        assert count
        path.write_text(text)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Say what is installed in the build environment: `install({"torch": "2.4.0+cu124"}, torch=["filelock"])`."""

    def say(versions: Mapping[str, str], **requires: list[str]) -> None:
        found = {name: Fake(name, version, tuple(requires.get(name, ()))) for name, version in versions.items()}
        monkeypatch.setattr(backend, "list_installed", lambda: found)

    return say


@pytest.fixture
def tree(install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tree]:
    install({})
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BUILDLOCK_VARIANT", raising=False)
    monkeypatch.setattr(backend, "__file__", str(tmp_path / "backend.py"))
    monkeypatch.setattr("sys.path", [*sys.path])
    made = Tree(tmp_path)
    made.lock(variant("cu118", "2.2.0+cu118"), variant("cu124", "2.4.0+cu124"))
    yield made
    sys.modules.pop("honest", None)
