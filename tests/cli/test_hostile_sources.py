"""A source whose backend lies when it is asked, or when it is built; the project has it from a folder."""

import shutil
from pathlib import Path

import pytest

from support import honest_backend
from support.command import Checkout, CopyProject

PREPARE = """
import os
def prepare(directory, more="", name="demo", version="1.0"):
    os.mkdir(f"{directory}/demo.dist-info")
    with open(f"{directory}/demo.dist-info/METADATA", "w") as file:
        file.write(describe(name, version) + more)
    return "demo.dist-info"
def prepare_metadata_for_build_wheel(directory, _):
    return prepare(directory)
"""


@pytest.fixture
def project(checkout: CopyProject) -> Checkout:
    """One that is built with `demo`, whose backend is honest so far."""
    made = checkout("tiny")
    folder = made.root / "demo"
    folder.mkdir()
    shutil.copy(Path(honest_backend.__file__), folder)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "house"\nbackend-path = ["."]\n'
    )
    (folder / "house.py").write_text(f"from honest_backend import *\n{PREPARE}")
    made.replace('["tinybackend"]', '["tinybackend", "demo"]')
    made.append('[tool.uv.sources]\ndemo = { path = "demo" }')
    return made


def lie(project: Checkout, code: str) -> None:
    with (project.root / "demo" / "house.py").open("a") as file:
        file.write(f"{code}\n")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "def get_requires_for_build_wheel(_): return ['filelock @ file:///any/filelock-1.0-py3-none-any.whl']",
            "error: the build configuration of `demo` is invalid: requires `filelock` from a file of this machine\n",
        ),
        (
            "def get_requires_for_build_wheel(_): return ['filelock @ git+file:///any']",
            "requires `filelock` from a file of this machine\n",
        ),
        (
            "def get_requires_for_build_wheel(_): return ['demo']",
            "error: `demo` cannot be built: it is needed to build itself\n",
        ),
        (
            "def prepare_metadata_for_build_wheel(d, _): return prepare(d, 'Requires-Dist: x @ file:///any.whl\\n')",
            "`x` is required by a URL, which only the project may do",
        ),
        (
            "def prepare_metadata_for_build_wheel(d, _): return prepare(d, name='other')",
            "error: `demo` could not be built: `demo` is not what its backend says: the metadata is that of `other`",
        ),
        (
            "def prepare_metadata_for_build_wheel(d, _): return prepare(d, name='de\\x1b[2Jmo')",
            "error: the metadata of `demo` is refused: `Name: de [2Jmo` cannot be read",
        ),
        (
            "def build_wheel(d, *_): return write_wheel(d, metadata=describe('demo', '1.0') + 'Requires-Dist: ninja')",
            "error: the wheel that was built of `demo==1.0` requires what the lock does not hold:\n  - `ninja`: not in",
        ),
        (
            "def build_wheel(d, *_): return write_wheel(d, version='2.0')",
            "error: `demo` could not be built: it built `demo-2.0-py3-none-any.whl`, and 1.0 is locked\n",
        ),
        (
            "def build_wheel(d, *_): return write_wheel(d, tag='cp27-cp27m-win32')",
            "error: `demo` could not be built: it built `demo-1.0-cp27-cp27m-win32.whl`, which does not fit",
        ),
    ],
)
def test_is_one_error(project: Checkout, code: str, message: str) -> None:
    lie(project, code)
    result = project.run("lock")
    assert result.code == 1
    assert message in result.stderr
    assert result.stderr.count("error:") == 1
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stderr
    assert not project.lock_path.exists()


def test_is_held_to_the_time(project: Checkout, tmp_path: Path) -> None:
    awake = tmp_path / "awake"
    awake.touch()
    lie(
        project,
        f"""
import time
def build_wheel(directory, *_):
    if not os.path.exists({str(awake)!r}):
        print("asleep")
        time.sleep(600)
    return write_wheel(directory)
""",
    )
    project.succeed("lock", "--timeout", "60")
    awake.unlink()
    result = project.run("install", "--timeout", "1", BUILDLOCK_CACHE_DIR=str(tmp_path / "empty"))
    assert result.code == 1
    assert (
        "`demo` could not be built: the build backend `house` did not finish `build_wheel` within 1 s" in result.stderr
    )
    assert "\n  asleep\n" in result.stderr
