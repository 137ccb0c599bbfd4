"""`buildlock` itself: how it is called, and how it talks."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import buildlock
from support.command import CopyProject, run_process

COMMANDS = ("lock", "install", "build", "check", "variants", "export")


def test_says_its_version(checkout: CopyProject) -> None:
    tiny = checkout("tiny")
    assert tiny.succeed("--version").stdout == f"buildlock {buildlock.__version__}\n"


def test_without_a_command_it_says_which_there_are(checkout: CopyProject) -> None:
    result = checkout("tiny").run()
    assert (result.code, result.stdout) == (2, "")
    assert all(f"\n  {command} " in result.stderr for command in COMMANDS)


def test_help_is_data(checkout: CopyProject) -> None:
    tiny = checkout("tiny")
    for arguments in (("--help",), ("lock", "-h")):
        result = tiny.succeed(*arguments)
        assert result.stdout.startswith("Usage: buildlock")
        assert result.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("frobnicate",), "frobnicate"),
        (("lock", "--frobnicate"), "--frobnicate"),
        (("lock", "now"), "now"),
        (("lock", "--variant"), "--variant"),
        (("export", "--format", "xml"), "'requirements', 'pylock'"),
        (("check", "--project", "nowhere"), "`--project nowhere` is not a folder"),
        (("check", "--project", "pyproject.toml"), "`--project pyproject.toml` is not a folder"),
    ],
)
def test_wrong_usage(checkout: CopyProject, arguments: tuple[str, ...], said: str) -> None:
    result = checkout("tiny").run(*arguments)
    assert (result.code, result.stdout) == (2, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_works_on_a_project_elsewhere(checkout: CopyProject, tmp_path: Path) -> None:
    tiny = checkout("tiny")
    command = [sys.executable, "-m", "buildlock", "check", "--project", "tiny"]
    assert run_process(*command, cwd=tmp_path, environment=tiny.environment).code == 3


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are text")
def test_works_on_a_project_whose_path_is_no_text(checkout: CopyProject, tmp_path: Path) -> None:
    tiny = checkout("tiny")
    elsewhere = tiny.root.rename(tmp_path / os.fsdecode(b"tin\xff"))
    for command in ("lock", "check", "install", "build"):
        process = [sys.executable, "-m", "buildlock", command, "--quiet", "--project", elsewhere]
        subprocess.run(process, cwd=tmp_path, env=tiny.environment, stdout=subprocess.DEVNULL, check=True)


def test_quiet_says_nothing_where_nothing_is_wrong(checkout: CopyProject) -> None:
    tiny = checkout("tiny")
    for command in (("lock",), ("check",), ("install",), ("build",)):
        assert tiny.succeed(*command, "--quiet").stderr == ""


def test_verbose_says_every_step(checkout: CopyProject) -> None:
    tiny = checkout("tiny")
    result = tiny.succeed("lock", "-v")
    assert "/simple/tinybackend/`\n" in result.stderr
    assert "asking the backend for its dynamic requirements\n" in result.stderr


def test_colour_and_progress_are_for_terminals(checkout: CopyProject) -> None:
    tiny = checkout("tiny")
    for command in ("lock", "build"):
        result = tiny.succeed(command, TERM="xterm-256color", COLORTERM="truecolor")
        assert "\x1b" not in result.stdout + result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color_is_honoured(checkout: CopyProject, variables: dict[str, str], *, coloured: bool) -> None:
    tiny = checkout("tiny")
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "buildlock", "install"]
    environment = {**tiny.environment, "TERM": "xterm-256color", **variables}
    subprocess.run(command, cwd=tiny.root, env=environment, stderr=theirs, check=False)
    os.close(theirs)
    said = os.read(ours, 4096)
    os.close(ours)
    assert b"there is no `" in said
    # Bold is no colour, and neither is what hides the cursor.
    assert bool(re.search(rb"\x1b\[[0-9;]*3[0-9]m", said)) == coloured


class TestBrokenProject:
    def test_all_faults_at_once(self, checkout: CopyProject) -> None:
        tiny = checkout("tiny")
        tiny.append('[tool.buildlock]\ndefault-varaint = "cpu"\npython = 3')
        result = tiny.run("check")
        assert result.code == 1
        assert "faults" in result.stderr
        assert "`default-variant`" in result.stderr

    def test_not_toml(self, checkout: CopyProject) -> None:
        tiny = checkout("tiny")
        tiny.append("requires = [")
        result = tiny.run("check")
        assert result.code == 1
        assert "pyproject.toml" in result.stderr
        assert "Traceback" not in result.stderr
