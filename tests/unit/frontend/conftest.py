"""Projects with a backend of their own in the tree, and one environment to run them in."""

import os
import shutil
import sys
import textwrap
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from buildlock.frontend.backend import Backend
from buildlock.project.model import BuildSystem
from buildlock.reporting import Event, Printed
from support import honest_backend

HONEST = Path(honest_backend.__file__)


@dataclass(frozen=True)
class Environment:
    root: Path

    @property
    def scripts(self) -> Path:
        return self.root / ("Scripts" if sys.platform == "win32" else "bin")

    @property
    def python(self) -> Path:
        return self.scripts / ("python.exe" if sys.platform == "win32" else "python")


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    root = tmp_path_factory.mktemp("environment")
    venv.create(root, symlinks=sys.platform != "win32")
    return Environment(root)


class MakeBackend(Protocol):
    """`make_backend("def build_wheel(...): ...")` is a project whose backend is that source."""

    def __call__(
        self,
        source: str = "",
        *,
        backend: str = "house",
        backend_path: tuple[str, ...] = ("backend",),
        variables: Mapping[str, str] | None = None,
        name: str | None = None,
        timeout: float | None = 60,
        report: Callable[[Event], None] | None = None,
    ) -> Backend: ...


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The project's folder."""
    return tmp_path / "project"


@pytest.fixture
def printed() -> list[str]:
    """The lines that backends printed."""
    return []


@pytest.fixture
def make_backend(root: Path, environment: Environment, printed: list[str]) -> MakeBackend:
    def collect(event: Event) -> None:
        if isinstance(event, Printed):
            printed.append(event.line)

    def make(
        source: str = "",
        *,
        backend: str = "house",
        backend_path: tuple[str, ...] = ("backend",),
        variables: Mapping[str, str] | None = None,
        name: str | None = None,
        timeout: float | None = 60,
        report: Callable[[Event], None] | None = None,
    ) -> Backend:
        folder = root / "backend"
        folder.mkdir(parents=True)
        shutil.copy(HONEST, folder)
        (folder / "house.py").write_text("from honest_backend import *\n" + textwrap.dedent(source))
        return Backend(
            BuildSystem(requires=(), backend=backend, backend_path=backend_path),
            root,
            environment,
            variables or {},
            report or collect,
            name=name,
            timeout=timeout,
            environ=os.environ,
        )

    return make
