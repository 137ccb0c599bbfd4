"""Bytecode that a command left in an environment which others get."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from buildlock.environment.bytecode import renew_bytecode
from buildlock.environment.interpreter import Interpreter, find_interpreter
from buildlock.environment.isolated import BuildEnvironment, create_environment, open_environment
from buildlock.environment.store import Store
from buildlock.reporting import silence
from support.wheel_forge import make_wheel

IDENTITY = "a" * 64
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
PLANT = """
import importlib.util, pathlib, py_compile, sys
evil = pathlib.Path(sys.argv[1], "evil.py")
evil.write_text("name = 'evil'")
py_compile.compile(
    str(evil), cfile=sys.argv[2], doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
)
"""


@pytest.fixture(scope="module")
def interpreter() -> Interpreter:
    return find_interpreter(None, os.environ)


@pytest.fixture
def environment(interpreter: Interpreter, tmp_path: Path) -> BuildEnvironment:
    filename, content = make_wheel()
    store = Store(tmp_path / "store", silence)
    with store.scratch() as scratch:
        archive = scratch / filename
        archive.write_bytes(content)
        wheel = store.add(archive, sha256=hashlib.sha256(content).hexdigest(), filename=filename)
    return create_environment(tmp_path / "environment", interpreter, [wheel], identity=IDENTITY, report=silence)


def run(environment: BuildEnvironment, *arguments: str | Path) -> str:
    command = [environment.python, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=CLEAN).stdout


def bytecode_of(environment: BuildEnvironment) -> Path:
    tell = "import importlib.util, sys; print(importlib.util.cache_from_source(sys.argv[1]))"
    return Path(run(environment, "-c", tell, environment.site_packages / "demo.py").strip())


def test_what_was_imported_is_compiled_by_us(environment: BuildEnvironment, interpreter: Interpreter) -> None:
    run(environment, "-c", "import demo")
    written = bytecode_of(environment).stat().st_ctime_ns
    renew_bytecode(environment.root, IDENTITY, interpreter)
    assert open_environment(environment.root, IDENTITY) == environment
    assert bytecode_of(environment).stat().st_ctime_ns != written
    run(environment, "-c", "import demo")
    assert open_environment(environment.root, IDENTITY) == environment


def test_what_was_planted_does_not_run(environment: BuildEnvironment, interpreter: Interpreter, tmp_path: Path) -> None:
    honest = run(environment, "-c", "import demo; print(vars(demo).get('name'))")
    run(environment, "-c", PLANT, tmp_path, bytecode_of(environment))
    assert run(environment, "-c", "import demo; print(vars(demo).get('name'))") == "evil\n" != honest
    assert open_environment(environment.root, IDENTITY) is None
    renew_bytecode(environment.root, IDENTITY, interpreter)
    assert open_environment(environment.root, IDENTITY) == environment
    assert run(environment, "-c", "import demo; print(vars(demo).get('name'))") == honest


def test_what_stands_for_no_source_goes(environment: BuildEnvironment, interpreter: Interpreter) -> None:
    folder = bytecode_of(environment).parent
    folder.mkdir(exist_ok=True)
    names = ["gone.cpython-311.pyc", ".pyc", "demo.pyc", "demo.a.b.c.pyc", "\udcff.pyc"]
    for name in names:
        (folder / name).write_bytes(b"")
    (folder / "link.cpython-311.pyc").symlink_to(environment.site_packages / "demo.py")
    renew_bytecode(environment.root, IDENTITY, interpreter)
    assert open_environment(environment.root, IDENTITY) == environment
    assert {path.name for path in folder.iterdir()} <= {bytecode_of(environment).name}
    assert (environment.site_packages / "demo.py").is_file()


@pytest.mark.parametrize("name", ["evil.pth", "demo.pyc", "__pycache__/demo.py"])
def test_other_changes_are_left_to_be_found(environment: BuildEnvironment, interpreter: Interpreter, name: str) -> None:
    path = environment.site_packages / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    run(environment, "-c", "import demo")
    renew_bytecode(environment.root, IDENTITY, interpreter)
    assert path.exists()
    assert open_environment(environment.root, IDENTITY) is None


def test_a_folder_of_bytecode_that_is_a_link_is_not_followed(
    environment: BuildEnvironment, interpreter: Interpreter, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "demo.cpython-311.pyc").write_bytes(b"mine")
    (environment.site_packages / "__pycache__").symlink_to(elsewhere)
    renew_bytecode(environment.root, IDENTITY, interpreter)
    assert (elsewhere / "demo.cpython-311.pyc").read_bytes() == b"mine"
    assert open_environment(environment.root, IDENTITY) is None
