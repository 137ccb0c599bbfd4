"""Finding interpreters, and what is no interpreter."""

import json
import os
import sys
import venv
from pathlib import Path

import pytest

from buildlock.environment import interpreter
from buildlock.environment.interpreter import find_interpreter
from buildlock.errors import EnvironmentPreparationError, InterpreterNotFoundError
from buildlock.targets import current_target

OWN = f"{sys.version_info[0]}.{sys.version_info[1]}"
posix = pytest.mark.skipif(os.name != "posix", reason="the commands are shell scripts")


def command(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def python_command(folder: Path, name: str) -> Path:
    return command(folder, name, f'exec "{sys.executable}" "$@"')


def fake(folder: Path, name: str, answer: str) -> Path:
    (folder / "answer").write_text(answer)
    return command(folder, name, f'/bin/cat "{folder}/answer"')


def test_by_default_it_is_the_python_below_our_own() -> None:
    found = find_interpreter(None, {})
    assert found.target.tags == current_target().tags
    assert found.executable.is_absolute()
    # Not that of the virtual environment that runs the tests.
    assert Path(sys.prefix) not in found.executable.parents or sys.prefix == sys.base_prefix


@pytest.mark.parametrize("request_", [OWN, str(sys.version_info[0]), ".".join(map(str, sys.version_info[:3]))])
def test_our_own_version_needs_no_search(request_: str) -> None:
    assert find_interpreter(request_, {"PATH": ""}) == find_interpreter(None, {})


@pytest.mark.parametrize("symlinks", [True, False])
def test_a_path_to_a_virtual_environment_is_the_python_below_it(tmp_path: Path, *, symlinks: bool) -> None:
    venv.create(tmp_path / "venv", symlinks=symlinks and os.name == "posix")
    python = tmp_path / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    found = find_interpreter(str(python), os.environ)
    assert found.executable.exists()
    assert tmp_path not in found.executable.parents
    assert found.target.abi == current_target().abi
    assert found.target.tags == current_target().tags
    assert dict(found.target.environment) == dict(current_target().environment)


@posix
def test_a_command_is_looked_up_on_path(tmp_path: Path) -> None:
    python_command(tmp_path / "bin", "mypython")
    assert find_interpreter("mypython", {"PATH": str(tmp_path / "bin")}) == find_interpreter(None, {})


def test_a_missing_command_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InterpreterNotFoundError, match="no command `mypython` on PATH"):
        find_interpreter("mypython", {"PATH": str(tmp_path)})


def test_a_missing_path_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InterpreterNotFoundError, match="there is no interpreter") as caught:
        find_interpreter(str(tmp_path), {})
    assert caught.value.hint == "name the interpreter itself, such as `bin/python` of that folder"


@posix
def test_a_version_that_is_not_there_tells_what_was_looked_at(tmp_path: Path) -> None:
    command(tmp_path / "shims", "python3.99", "echo 'pyenv: python3.99: command not found' >&2; exit 127")
    python_command(tmp_path / "bin", "python3")
    path = os.pathsep.join(["relative", str(tmp_path / "shims"), str(tmp_path / "bin")])
    with pytest.raises(InterpreterNotFoundError) as caught:
        find_interpreter("3.99", {"PATH": path})
    lines = caught.value.message.splitlines()
    assert lines[0] == "there is no Python 3.99; looked at"
    assert lines[2].endswith(
        "shims/python3.99: it is no interpreter, or a broken one: pyenv: python3.99: command not found"
    )
    assert lines[3].endswith(f"bin/python3: it is {current_target()}")


@posix
@pytest.mark.parametrize("threaded", ["", "t"])
def test_a_broken_shim_is_passed_over(tmp_path: Path, threaded: str) -> None:
    answer = foreign_answer("3.99.1", gil_disabled=bool(threaded))
    command(tmp_path / "shims", f"python3.99{threaded}", "exit 127")
    (tmp_path / "bin").mkdir()
    fake(tmp_path / "bin", f"python3.99{threaded}", answer)
    path = os.pathsep.join([str(tmp_path / "shims"), str(tmp_path / "bin")])
    found = find_interpreter(f"3.99{threaded}", {"PATH": path})
    assert found.executable == Path("/pythons/python3.99")
    assert found.target.abi == f"cp399{threaded}"
    with pytest.raises(InterpreterNotFoundError):
        find_interpreter("3.99" if threaded else "3.99t", {"PATH": path})


def foreign_answer(version: str, *, gil_disabled: bool = False, bits: int | None = None, **environment: str) -> str:
    short = ".".join(version.split(".")[:2])
    facts = {
        "executable": f"/pythons/python{short}",
        "bits": bits or sys.maxsize.bit_length() + 1,
        "config": {"py_version_nodot": short.replace(".", ""), "Py_GIL_DISABLED": gil_disabled},
        "environment": dict(current_target().environment)
        | {"python_version": short, "python_full_version": version, "implementation_version": version}
        | environment,
    }
    return "buildlock:" + json.dumps(facts)


@posix
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "no interpreter, or a broken one: exit code 0"),
        ("hello", "a broken one: hello"),
        ("buildlock:", "makes no sense"),
        ("buildlock:[]", "makes no sense"),
        ("buildlock:{}", "makes no sense"),
        ("buildlock:" + "[" * 100_000, "makes no sense"),
        ('buildlock:{"environment": {"python_full_version": "x"}}', "makes no sense"),
        (foreign_answer("3.6.1"), "Python 3.6.1 is older than 3.8"),
        (foreign_answer("3.99.0", bits=16), r"\(16 bit\), and buildlock runs on"),
        (foreign_answer("3.99.0", sys_platform="plan9"), "it is for plan9"),
        (foreign_answer("3.99.0").replace("/pythons/", ""), "does not know its own path"),
    ],
)
def test_what_is_no_usable_interpreter_is_refused(tmp_path: Path, answer: str, reason: str) -> None:
    with pytest.raises(EnvironmentPreparationError, match=reason):
        find_interpreter(str(fake(tmp_path, "python", answer)), os.environ)


@posix
def test_a_python_from_a_checkout_is_accepted(tmp_path: Path) -> None:
    found = find_interpreter(str(fake(tmp_path, "python", foreign_answer("3.99.0+"))), os.environ)
    assert str(found.target.python) == "3.99.0+local"


@posix
def test_an_interpreter_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "TIMEOUT", 0.2)
    with pytest.raises(EnvironmentPreparationError, match="did not answer within"):
        find_interpreter(str(command(tmp_path, "python", "sleep 600")), os.environ)


@posix
def test_an_interpreter_that_prints_forever_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentPreparationError, match="a broken one: y"):
        find_interpreter(str(command(tmp_path, "python", "yes")), os.environ)


@posix
def test_a_file_that_is_not_executable_is_refused(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("x")
    with pytest.raises(EnvironmentPreparationError, match="cannot be run"):
        find_interpreter(str(tmp_path / "python"), os.environ)


@pytest.mark.parametrize("request_", ["3.7", "2", "2.7.18", "3.0"])
def test_an_old_version_is_refused_at_once(request_: str) -> None:
    with pytest.raises(InterpreterNotFoundError, match=r"too old: 3\.8 is the oldest"):
        find_interpreter(request_, os.environ)
