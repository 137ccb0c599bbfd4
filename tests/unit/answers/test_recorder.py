"""What a command does while it is seen, and whether its answer is one that can be given again."""

import importlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest

from buildlock.answers import asking, recorder
from buildlock.answers.looking import asking as asking_program
from buildlock.answers.looking import explained, for_thread, look_at_top
from buildlock.answers.recorder import NETWORK, keep_answer
from buildlock.answers.replay import replay

ARGUMENTS = ("demo",)
posix = pytest.mark.skipif(os.name != "posix", reason="scripts as POSIX has them")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's; the cache is beside it."""
    monkeypatch.setattr(asking, "_INSTALLED", {Path(asking.SITE).name})
    monkeypatch.setattr(recorder, "_active", None)
    monkeypatch.setenv("BUILDLOCK_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def run(command: Callable[[], object], *, act: tuple[str, str] | None = None, despite: tuple[str, ...] = ()) -> bool:
    """Whether what a command says is remembered; what was remembered before is not."""
    shutil.rmtree(Path(os.environ["BUILDLOCK_CACHE_DIR"], "answers-v1"), ignore_errors=True)
    recorder.record(ARGUMENTS)
    command()
    sys.stderr.write("done\n")
    keep_answer(0, act=act, despite=despite)
    recorder.finish(0)
    return replay(ARGUMENTS, ARGUMENTS) == 0


def call(*command: str) -> None:
    subprocess.run(command, check=True)


def connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


def in_peace(command: Callable[[], object]) -> Callable[[], None]:
    def run_explained() -> None:
        with explained():
            command()

    return run_explained


def elsewhere(command: Callable[[], object]) -> Callable[[], None]:
    def run_in_thread() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(for_thread(command)).result()

    return run_in_thread


class TestObstacles:
    def test_nothing_is_none(self, folder: Path) -> None:
        assert run((folder / "absent").exists)

    def test_a_process(self) -> None:
        assert not run(lambda: call(sys.executable, "-c", ""))
        assert run(in_peace(lambda: call(sys.executable, "-c", "")))

    def test_a_server(self) -> None:
        assert not run(connect)
        assert run(connect, despite=(NETWORK,))

    def test_a_file_that_is_written(self, folder: Path) -> None:
        assert not run(lambda: (folder / "made").write_text("x"))
        assert not run((folder / "made").unlink)
        assert not run((folder / "made").mkdir)
        assert not run(lambda: os.chdir("/"))

    def test_other_threads_do_what_is_explained_where_they_are_asked(self, folder: Path) -> None:
        def change() -> None:
            (folder / "made").write_text("x")

        assert not run(elsewhere(change))
        assert run(in_peace(elsewhere(change)))

    def test_the_cache_is_no_part_of_an_answer(self, folder: Path) -> None:
        page = folder.parent / "cache" / "http-v1" / "page"
        page.parent.mkdir(parents=True)
        assert run(lambda: page.write_text("x"))
        page.write_text("y")
        assert replay(ARGUMENTS, ARGUMENTS) == 0
        beside = folder.parent / "cache" / "mine"
        assert not run(lambda: beside.write_text("x"))

    def test_a_large_file(self, folder: Path) -> None:
        with (folder / "large").open("wb") as file:
            file.truncate(9 << 20)
        assert not run((folder / "large").read_bytes)

    def test_many_files(self, folder: Path) -> None:
        def look() -> None:
            for number in range(1001):
                with suppress(FileNotFoundError):
                    (folder / str(number)).open("rb").close()

        assert not run(look)

    def test_much_output(self) -> None:
        assert not run(lambda: sys.stdout.write("x" * (1 << 19)))

    def test_another_end_than_was_said(self) -> None:
        """Ctrl-C, when all was done."""
        recorder.record(ARGUMENTS)
        keep_answer(0)
        recorder.finish(1)
        assert replay(ARGUMENTS, ARGUMENTS) is None

    @posix
    def test_what_is_before_two_dots_may_be_a_link(self, folder: Path) -> None:
        (folder / "inner" / "deep").mkdir(parents=True)
        (folder / "link").symlink_to("inner/deep")
        for name in ("limits", "inner/limits"):
            (folder / name).write_text("")
        assert run(lambda: open("link/../limits").close())  # noqa: PTH123
        (folder / "limits").write_text("ninja")
        assert replay(ARGUMENTS, ARGUMENTS) == 0
        (folder / "inner/limits").write_text("ninja")
        assert replay(ARGUMENTS, ARGUMENTS) is None

    def test_what_was_not_said_to_be_an_answer(self) -> None:
        recorder.record(ARGUMENTS)
        recorder.finish(0)
        assert replay(ARGUMENTS, ARGUMENTS) is None


class TestPrograms:
    @posix
    def test_an_interpreter_is_known_by_its_file(self, folder: Path) -> None:
        program = folder / "program"

        def ask() -> None:
            with asking_program(str(program)):
                subprocess.run([sys.executable, "-c", ""], check=True)

        program.write_bytes(b"\x7fELF")
        assert run(ask)
        os.utime(program, (1, 1))
        assert replay(ARGUMENTS, ARGUMENTS) is None
        program.write_text("#!/bin/sh\n")
        assert not run(ask)

    def test_the_top_of_a_folder(self, folder: Path) -> None:
        (folder / "inner").mkdir()
        (folder / "setup.py").write_text("")
        assert run(lambda: look_at_top(folder))
        (folder / "inner" / "file").write_text("")
        assert replay(ARGUMENTS, ARGUMENTS) == 0
        (folder / "setup.py").write_text("#")
        assert replay(ARGUMENTS, ARGUMENTS) is None


class TestConditions:
    """Such as an environment that has to be intact."""

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        asked: list[str] = []
        module = ModuleType("buildlock.demo")

        def act(note: str, arguments: list[str]) -> list[tuple[str, str]] | None:
            asked.append(note)
            if note == "gone":
                raise FileNotFoundError
            return [("e", f"{arguments[0]} again\n")] if note == "intact" else None

        module.__dict__["act"] = act
        for name in ("buildlock.demo", "demo"):
            monkeypatch.setitem(sys.modules, name, module)
        return asked

    @pytest.mark.parametrize(("argument", "holds"), [("intact", True), ("changed", False), ("gone", False)])
    def test_it_answers(self, asked: list[str], argument: str, *, holds: bool) -> None:
        assert run(lambda: None, act=("buildlock.demo:act", argument)) == holds
        assert asked == [argument]

    @pytest.mark.parametrize("function", ["demo:act", "buildlock.demo:other", "buildlock.nowhere:act", "", "::"])
    def test_nobody_else_is(self, asked: list[str], function: str) -> None:
        assert not run(lambda: None, act=(function, "intact"))
        assert not asked


class TestImports:
    """What a command is made of is known by what is installed, also where it is imported late."""

    @pytest.fixture(autouse=True)
    def module(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        path = tmp_path / "modules" / "late_module.py"
        path.parent.mkdir()
        path.write_text("value = 1\n")
        monkeypatch.syspath_prepend(path.parent)
        monkeypatch.delitem(sys.modules, "late_module", raising=False)
        monkeypatch.setattr(sys, "dont_write_bytecode", False)
        return path

    def test_they_are_no_part_of_an_answer(self, module: Path) -> None:
        assert run(lambda: importlib.import_module("late_module"))
        assert (module.parent / "__pycache__").exists()
        module.write_text("value = 2\n")
        assert replay(ARGUMENTS, ARGUMENTS) == 0

    def test_what_a_module_does_then_is(self, module: Path, folder: Path) -> None:
        (folder / "data.pyc").write_text("1")
        module.write_text(f"from pathlib import Path\nvalue = Path({str(folder)!r}, 'data.pyc').read_text()\n")
        assert run(lambda: importlib.import_module("late_module"))
        (folder / "data.pyc").write_text("2")
        assert replay(ARGUMENTS, ARGUMENTS) is None

    @pytest.mark.parametrize("name", ["late_module.py", "late_module.cpython-311.pyc", "__init__.py"])
    def test_files_are_known_by_who_reads_them_and_not_by_their_names(self, folder: Path, name: str) -> None:
        cache = folder / "__pycache__"
        cache.mkdir()
        (cache / name).write_text("1")
        assert run((cache / name).read_text)
        (cache / name).write_text("2")
        assert replay(ARGUMENTS, ARGUMENTS) is None
        assert run(lambda: sorted(cache.iterdir()))
        (cache / "other.pyc").touch()
        assert replay(ARGUMENTS, ARGUMENTS) is None


def test_what_is_heard_is_said_again(capsys: pytest.CaptureFixture[str]) -> None:
    def say() -> None:
        sys.stdout.write("data ")
        sys.stderr.write("talk ")
        sys.stdout.write("ä\n")

    assert run(say)
    assert capsys.readouterr() == ("data ä\n" * 2, "talk done\n" * 2)


def test_an_environment_that_is_not_installed_remembers_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_INSTALLED", {"site-packages"})
    assert not run(lambda: None)
    assert not (folder.parent / "cache").exists()
