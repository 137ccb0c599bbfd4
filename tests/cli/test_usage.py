"""`buildlock` itself: how it is called, and how it talks."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import buildlock
from support.command import Checkout, CopyProject, run_process

COMMANDS = ("lock", "install", "build", "check", "variants", "export")


def test_says_its_version(checkout: CopyProject) -> None:
    tiny = checkout("tiny")
    assert tiny.succeed("--version").stdout == f"buildlock {buildlock.__version__}\n"


def test_without_a_command_it_says_which_there_are(checkout: CopyProject) -> None:
    result = checkout("tiny").run()
    assert (result.code, result.stdout) == (2, "")
    assert all(f"\n  {command} " in result.stderr for command in COMMANDS)


def test_a_command_imports_no_other() -> None:
    program = "import sys; from buildlock.cli.app import make_app; make_app(['tree']); print(*sorted(sys.modules))"
    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "buildlock.cli.tree" in modules
    assert not {"buildlock.cli.lock", "buildlock.resolver.resolve", "resolvelib"} & set(modules)


def test_check_imports_nothing_that_asks_indexes() -> None:
    program = "import sys; from buildlock.cli.app import make_app; make_app(['check']); print(*sorted(sys.modules))"
    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    slow = {"urllib3", "http.client", "rich.progress", "resolvelib", "platformdirs"}
    assert not slow & set(modules)


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


def test_to_lock_what_is_kept_imports_little(checkout: CopyProject) -> None:
    """No command line, nothing that asks servers, looks for accelerators, builds or unpacks: that takes longer."""
    tiny = checkout("tiny")
    tiny.succeed("lock", "--no-dynamic")
    tiny.lock_path.unlink()
    program = (
        "import sys\n"
        "from buildlock.cli import main\n"
        "sys.argv[1:] = ['lock', '--no-dynamic', '--quiet']\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules)"
    )
    command = [sys.executable, "-c", program]
    environment = {**tiny.environment, "UV_OFFLINE": "1"}
    run = subprocess.run(command, cwd=tiny.root, env=environment, capture_output=True, text=True, check=True)
    assert tiny.lock_path.exists()
    imported = set(run.stdout.split())
    unwanted = {
        *("typer", "rich", "installer", "pyproject_hooks", "ssl", "socket", "http.client", "urllib.request", "email"),
        *("html.parser", "importlib.metadata", "zipfile", "configparser", "netrc", "difflib"),
        *("concurrent.futures.thread", "queue", "graphlib"),
    }
    assert sorted(unwanted & imported) == []
    ours = {name.removeprefix("buildlock.") for name in imported if name.startswith("buildlock.")}
    assert "workflows.lock" in ours
    assert not {name for name in ours if name.startswith("host.")}
    assert not ours & {
        *("frontend.backend", "frontend.process", "environment.store", "environment.isolated", "environment.wheel"),
        *("index.connections", "index.download", "index.git", "workflows.source_trees", "workflows.preparation"),
        *("index.wire", "index.encoding", "index.flat", "index.local", "index.keyring", "frontend.inherited"),
        *("resolver.agreement", "resolver.explain", "lockfile.conflicts", "workflows.parallel"),
        *("runtime.discovery", "runtime.installed", "runtime.marker_values", "workflows.runtime_builds"),
        *("cli.timings", "cli.progress"),
    }


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["check"], 1), (["nonsense"], 2)])
def test_ends_at_once_with_all_that_is_to_be_done(arguments: list[str], code: int, tmp_path: Path) -> None:
    program = (
        "import atexit, sys, threading\n"
        "class Kept:\n    def __del__(self):\n        print('taken apart')\n"
        "kept = Kept()\n"
        "atexit.register(print, 'done')\n"
        "from buildlock.cli import run_program\n"
        f"sys.argv[1:] = {arguments}\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "if {waits}:\n    threading.Thread(target=lambda: (threading.main_thread().join(), print('waited'))).start()\n"
        "run_program()\n"
    )
    for waits, last in ((False, "done"), (True, "taken apart")):
        command = [sys.executable, "-c", program.replace("{waits}", str(waits))]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert run.returncode == code
        assert run.stdout.splitlines()[-1] == last
        assert ("waited" in run.stdout) == waits


@pytest.mark.skipif(sys.platform == "win32", reason="limits are those of POSIX")
def test_a_module_that_cannot_be_loaded_is_one_clear_error(tmp_path: Path) -> None:
    program = (
        "import resource, sys\n"
        "from buildlock.cli import run_program\n"
        "sys.argv[1:] = ['variants']\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "run_program()\n"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith("error: buildlock cannot go on: Too many open files: `")
    assert run.stderr.endswith("/cli/app.py`\n\nhint: raise `ulimit -n`\n")


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


POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither these shells nor these devices")
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")


class TestBrokenStreams:
    """What becomes of data and talk that nobody can take."""

    @POSIX
    @pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
    def test_closed_by_the_caller(self, checkout: CopyProject, closed: str) -> None:
        tiny = checkout("tiny")
        for command in ("lock", "export"):
            assert _run_in_shell(tiny, f"{command} {closed}") == (0, None)

    @FULL
    def test_data_that_cannot_be_written(self, checkout: CopyProject) -> None:
        code, said = _run_in_shell(checkout("tiny"), "variants >/dev/full")
        assert (code, said) == (1, "error: stdout cannot be written: No space left on device")

    @FULL
    def test_talk_that_cannot_be_written(self, checkout: CopyProject) -> None:
        tiny = checkout("tiny")
        assert _run_in_shell(tiny, "lock 2>/dev/full") == (0, None)
        assert _run_in_shell(tiny, "build 2>/dev/full") == (0, None)
        assert _run_in_shell(tiny, "build --variant none 2>/dev/full") == (2, None)

    @POSIX
    def test_a_path_that_the_encoding_lacks(self, checkout: CopyProject) -> None:
        tiny = checkout("tiny")
        tiny.succeed("lock")
        built = tiny.run("build", "--out-dir", "für", PYTHONIOENCODING="ascii")
        assert built.stdout.endswith("/für/tiny-1.0-py3-none-any.whl\n")


def _run_in_shell(project: Checkout, command: str) -> tuple[int, str | None]:
    """Its exit code, and the last thing it said if that is an error."""
    shell = ["sh", "-c", f'"{sys.executable}" -m buildlock {command}']
    done = subprocess.run(
        shell, cwd=project.root, env=project.environment, capture_output=True, encoding="utf-8", check=False
    )
    said = done.stderr.strip()
    return done.returncode, said[said.index("error:") :] if "rror" in said else None


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
