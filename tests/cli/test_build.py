"""`buildlock build`: the project's files, built in the locked environment and in no other."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from index.faults import with_wrong_byte
from index.server import IndexServer
from support.command import Checkout, CopyLockedProject, CopyProject

CU118 = ("--variant", "cu118", "--no-dynamic")


@pytest.fixture
def tiny(locked: CopyLockedProject) -> Checkout:
    return locked("tiny", "--no-dynamic")


def read_record(wheel: Path) -> dict[str, Any]:
    """What tinybackend says of the build, in the wheel that it built."""
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (path for path in archive.namelist() if path.endswith("/built_with.json"))
        record: dict[str, Any] = json.loads(archive.read(path))
    return record


def list_dist(project: Checkout) -> list[str]:
    folder = project.root / "dist"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def add_to_backend(project: Checkout, code: str) -> None:
    with (project.root / "backend" / "house_backend.py").open("a", encoding="utf-8") as file:
        file.write(f"\n\n{code}\n")


class TestProducts:
    def test_a_wheel_by_default(self, tiny: Checkout) -> None:
        result = tiny.succeed("build")
        wheel = tiny.root / "dist" / "tiny-1.0-py3-none-any.whl"
        assert result.stdout == f"{wheel}\n"
        # What the backend prints is talk, on stderr.
        assert "  tinybackend: building the wheel of tiny\n" in result.stderr
        assert result.stderr.endswith("Built tiny-1.0-py3-none-any.whl for default\n")
        assert list_dist(tiny) == [wheel.name]
        with zipfile.ZipFile(wheel) as archive:
            assert archive.testzip() is None
            assert "tiny/__init__.py" in archive.namelist()

    def test_several(self, tiny: Checkout) -> None:
        result = tiny.succeed("build", "--wheel", "--sdist")
        names = [Path(line).name for line in result.stdout.splitlines()]
        assert sorted(names) == list_dist(tiny) == ["tiny-1.0-py3-none-any.whl", "tiny-1.0.tar.gz"]

    def test_an_editable_into_a_folder_of_choice(self, tiny: Checkout, tmp_path: Path) -> None:
        result = tiny.succeed("build", "--editable", "--out-dir", "../out/here")
        wheel = tmp_path / "out" / "here" / "tiny-1.0-py3-none-any.whl"
        assert result.stdout == f"{wheel}\n"
        assert not list_dist(tiny)
        with zipfile.ZipFile(wheel) as archive:
            assert "_editable_tiny.pth" in archive.namelist()

    def test_a_wheel_and_an_editable_may_have_one_name(self, tiny: Checkout) -> None:
        result = tiny.run("build", "--wheel", "--editable")
        assert result.code == 2
        assert "`--wheel` and `--editable` exclude each other\n" in result.stderr

    def test_as_json(self, tiny: Checkout) -> None:
        (facts,) = json.loads(tiny.succeed("build", "--json").stdout)
        assert facts == {
            "variant": "default",
            "product": "wheel",
            "path": str(tiny.root / "dist" / "tiny-1.0-py3-none-any.whl"),
            "environment": {"tinybackend": "1.0"},
        }


class TestEnvironment:
    def test_is_exactly_what_is_locked(self, locked: CopyLockedProject, tmp_path: Path) -> None:
        project = locked("buildlock-tables", *CU118)
        stray = tmp_path / "stray" / "stray-1.0.dist-info"
        stray.mkdir(parents=True)
        (stray / "METADATA").write_text("Metadata-Version: 2.1\nName: stray\nVersion: 1.0\n", encoding="utf-8")
        result = project.succeed("build", "--variant", "cu118", PYTHONPATH=str(stray.parent))
        record = read_record(Path(result.stdout.strip()))
        assert record["distributions"] == project.versions("cu118")
        assert record["distributions"]["torch"] == "2.2.0+cu118"
        assert "for cu118 against torch 2.2.0+cu118\n" in result.stderr

    def test_has_the_variants_variables(self, locked: CopyLockedProject) -> None:
        project = locked("buildlock-tables", *CU118)
        result = project.succeed("build", "--variant", "cu118", TORCH_CUDA_ARCH_LIST="the user's")
        assert read_record(Path(result.stdout.strip()))["environment"] == {"TORCH_CUDA_ARCH_LIST": "8.0;9.0"}

    def test_has_the_users_variables_without_those_of_indexes(self, tiny: Checkout, server: IndexServer) -> None:
        names = ["CFLAGS", "UV_DEFAULT_INDEX", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "PYTHONPATH"]
        description = {"name": "tiny", "version": "1.0", "environment": names}
        (tiny.root / "tiny.json").write_text(json.dumps(description), encoding="utf-8")
        secret = server.url().replace("http://", "http://ada:hunter2@")
        result = tiny.succeed("build", CFLAGS="-O1", PIP_INDEX_URL=secret, UV_DEFAULT_INDEX=secret)
        record = read_record(Path(result.stdout.strip()))
        assert record["environment"] == {**dict.fromkeys(names), "CFLAGS": "-O1"}
        assert "hunter2" not in result.stderr

    def test_asks_for_the_locked_files_alone_and_is_gone_afterwards(self, tiny: Checkout, server: IndexServer) -> None:
        tiny.succeed("build")
        (wheel,) = tiny.packages()["tinybackend"]["wheels"]
        assert [server.root + exchange.path for exchange in server.exchanges] == [wheel["url"]]
        assert not list(tiny.cache.glob("**/pyvenv.cfg"))

    def test_its_files_come_as_the_link_mode_says(self, locked: CopyLockedProject) -> None:
        project = locked("in-tree-backend", "--no-dynamic")
        add_to_backend(
            project,
            "import os, sys\n"
            "own = os.path.realpath(tinybackend.__file__).startswith(os.path.realpath(sys.prefix))\n"
            "print('its own' if own else 'linked')",
        )
        for mode, found in (("symlink", "  linked\n"), ("copy", "  its own\n")):
            assert found in project.succeed("build", "--link-mode", mode).stderr
        assert project.run("build", "--link-mode", "nonsense").code == 2

    def test_what_a_build_writes_into_it_does_not_reach_the_next(self, locked: CopyLockedProject) -> None:
        project = locked("in-tree-backend", "--no-dynamic")
        add_to_backend(
            project,
            "import pathlib\n\n"
            "def build_wheel(*arguments, **options):\n"
            "    built = tinybackend.build_wheel(*arguments, **options)\n"
            "    pathlib.Path(tinybackend.__file__).write_text('raise SystemExit(9)')\n"
            "    return built",
        )
        project.succeed("build")
        project.succeed("build")

    def test_refuses_one_wrong_byte(self, tiny: Checkout, server: IndexServer) -> None:
        server.faults.append(with_wrong_byte("/tinybackend-1.0"))
        result = tiny.run("build")
        assert result.code == 1
        assert "does not match its hash" in result.stderr
        assert not list_dist(tiny)

    def test_is_of_a_fresh_lock(self, tiny: Checkout) -> None:
        tiny.replace('"tinybackend"]', '"tinybackend", "filelock"]')
        result = tiny.run("build")
        assert result.code == 3
        assert "  - the build requirement `filelock` was added\n" in result.stderr
        tiny.succeed("build", "--frozen")


class TestConfigSettings:
    def test_reach_the_backend(self, tiny: Checkout) -> None:
        pairs = ("-C", "debug=1", "-C", "define=A=1", "--config-setting", "define=B=2", "-C", "empty=")
        record = read_record(Path(tiny.succeed("build", *pairs).stdout.strip()))
        assert record["config_settings"] == {"debug": "1", "define": ["A=1", "B=2"], "empty": ""}

    @pytest.mark.parametrize("pair", ["debug", "=1", ""])
    def test_are_pairs(self, tiny: Checkout, pair: str) -> None:
        result = tiny.run("build", "-C", pair)
        assert result.code == 2
        assert f"`-C {pair}` is not KEY=VALUE" in result.stderr


class TestDynamicRequirements:
    def test_are_there_where_they_were_locked(self, checkout: CopyProject) -> None:
        project = checkout("dynamic-requires")
        project.succeed("lock")
        result = project.succeed("build", "--wheel")
        assert read_record(Path(result.stdout.strip()))["distributions"] == project.versions()

    def test_are_refused_where_they_were_not(self, locked: CopyLockedProject) -> None:
        project = locked("dynamic-requires", "--no-dynamic")
        result = project.run("build", "--editable")
        assert result.code == 1
        assert "to build the editable of `default` the backend requires what the lock does not hold:\n" in result.stderr
        assert "  - `typing-extensions>=4.8`: not in the lock\n" in result.stderr
        assert "  - `filelock`: not in the lock\n" in result.stderr
        assert "hint: run `buildlock lock --variant default`" in result.stderr
        assert not list_dist(project)
        # What needs none of them is built.
        project.succeed("build", "--sdist")

    def test_are_refused_in_another_version(self, checkout: CopyProject) -> None:
        project = checkout("dynamic-requires")
        project.succeed("lock")
        tiny = project.root / "tiny.json"
        tiny.write_text(tiny.read_text(encoding="utf-8").replace(">=4.8", ">=99"), encoding="utf-8")
        result = project.run("build")
        assert result.code == 1
        assert "  - `typing-extensions>=99`: the lock has 4.12.2\n" in result.stderr


class TestFailure:
    def test_of_the_backend_leaves_nothing(self, locked: CopyLockedProject) -> None:
        project = locked("in-tree-backend", "--no-dynamic")
        add_to_backend(
            project,
            "def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):\n"
            "    print('compiling', flush=True)\n"
            "    open(f'{wheel_directory}/half-1.0-py3-none-any.whl', 'w').write('PK')\n"
            "    raise RuntimeError('the compiler is on fire')",
        )
        result = project.run("build")
        assert result.code == 1
        assert "  compiling\n" in result.stderr
        assert "the build backend `house_backend` failed in `build_wheel`" in result.stderr
        # Its output was streamed: it is not said twice.
        assert result.stderr.count("RuntimeError: the compiler is on fire") == 1
        assert result.stdout == ""
        assert not list_dist(project)
        assert not list(project.cache.glob("**/pyvenv.cfg"))

    def test_of_the_backend_is_told_even_where_all_else_is_quiet(self, locked: CopyLockedProject) -> None:
        project = locked("in-tree-backend", "--no-dynamic")
        add_to_backend(project, "def build_sdist(sdist_directory, config_settings=None):\n    raise ValueError('dry')")
        result = project.run("build", "--sdist", "--quiet")
        assert result.code == 1
        assert result.stderr.count("ValueError: dry") == 1

    def test_a_product_that_is_not_there(self, locked: CopyLockedProject) -> None:
        project = locked("in-tree-backend", "--no-dynamic")
        add_to_backend(project, "def build_sdist(sdist_directory, config_settings=None):\n    return 'a-1.tar.gz'")
        result = project.run("build", "--sdist")
        assert result.code == 1
        assert "a-1.tar.gz" in result.stderr
        assert not list_dist(project)

    def test_a_backend_without_that_hook(self, locked: CopyLockedProject) -> None:
        """It has `build_wheel` and `build_sdist` alone, which is all that PEP 517 demands."""
        result = locked("in-tree-backend", "--no-dynamic").run("build", "--editable")
        assert result.code == 1
        assert "`house_backend`" in result.stderr
        assert "editable" in result.stderr

    def test_before_keeps_what_was_built_before(self, locked: CopyLockedProject) -> None:
        project = locked("in-tree-backend", "--no-dynamic")
        wheel = Path(project.succeed("build").stdout.strip())
        before = wheel.read_bytes()
        add_to_backend(project, "def build_wheel(*arguments, **options):\n    raise RuntimeError('not again')")
        assert project.run("build").code == 1
        assert wheel.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
class TestSignals:
    @pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
    def test_one_that_ends_us_ends_the_backend_and_leaves_nothing(self, hanging: Checkout, name: str) -> None:
        number = signal.Signals[name]
        if signal.getsignal(number) == signal.SIG_IGN:
            pytest.skip(f"{name} is ignored here, as under `nohup`")
        assert end_by(hanging, number) == 128 + number
        assert not is_running(hanging)
        assert list_dist(hanging) == []
        assert list((hanging.cache / "store-v2" / "scratch").iterdir()) == []

    def test_what_a_killed_build_left_the_next_one_clears_away(self, hanging: Checkout) -> None:
        assert end_by(hanging, signal.SIGKILL) == -signal.SIGKILL
        assert list_dist(hanging) != []
        os.kill(int((hanging.root / "pid").read_text()), signal.SIGKILL)
        (hanging.root / "go").touch()
        hanging.succeed("build")
        assert list_dist(hanging) == ["in_tree_backend-1.0-py3-none-any.whl"]

    @pytest.fixture
    def hanging(self, locked: CopyLockedProject) -> Checkout:
        """A project whose backend writes `pid`, and builds no sooner than there is a file `go`."""
        project = locked("in-tree-backend")
        add_to_backend(
            project,
            "import os, pathlib, time\n"
            "_build_wheel = build_wheel\n"
            "def build_wheel(*arguments):\n"
            "    pathlib.Path('pid.new').write_text(str(os.getpid()))\n"
            "    os.rename('pid.new', 'pid')\n"
            "    while not os.path.exists('go'):\n"
            "        time.sleep(0.01)\n"
            "    return _build_wheel(*arguments)",
        )
        return project


def end_by(project: Checkout, number: int) -> int:
    """Send a signal to a build whose backend runs; its exit code."""
    command = [sys.executable, "-m", "buildlock", "build"]
    process = subprocess.Popen(command, cwd=project.root, env=project.environment, stderr=subprocess.DEVNULL)
    while not (project.root / "pid").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    return process.wait()


def is_running(project: Checkout) -> bool:
    try:
        os.kill(int((project.root / "pid").read_text()), 0)
    except ProcessLookupError:
        return False
    return True
