"""`buildlock run`: the user's command in the locked environment, and frontends that build from the lock."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import uv

from index.server import IndexServer
from projects import copy_project
from support.command import Checkout, CopyLockedProject, hermetic

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="signals and exec are those of POSIX"),
    pytest.mark.slow,
]

ASK = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
VARIANTS = """
[tool.buildlock]
constraints = ["fsspec<2024.10"]

[tool.buildlock.variants.cu124.environment]
TORCH_CUDA_ARCH_LIST = "9.0"
"""
ASK_FOR_MORE = """
import setuptools
_setup = setuptools.setup
setuptools.setup = lambda **given: _setup(**given, setup_requires=["tinybackend"])
"""
RECORD = """
import importlib.metadata, json, os
with open(os.environ.get("BUILT_WITH", os.devnull), "w") as file:
    json.dump(dict(reversed([(d.metadata["Name"], d.version) for d in importlib.metadata.distributions()])), file)
"""


@pytest.fixture
def tiny(locked: CopyLockedProject) -> Checkout:
    return locked("tiny", "--no-dynamic")


class TestCommand:
    def test_sees_the_locked_packages(self, tiny: Checkout) -> None:
        result = tiny.succeed("run", "--quiet", "--", "python", "-c", ASK, PYTHONPATH="/else", VIRTUAL_ENV="/else")
        assert json.loads(result.stdout) == tiny.versions()
        root = tiny.succeed("run", "-q", "--", "sh", "-c", 'echo "$VIRTUAL_ENV"').stdout.strip()
        assert root == tiny.succeed("install", "-q").stdout.strip()

    def test_its_exit_code_and_arguments_are_its_own(self, tiny: Checkout) -> None:
        script = "import sys; print(sys.argv[1:]); sys.exit(37)"
        result = tiny.run("run", "-q", "python", "-c", script, "--variant", "x y", "--", "-q")
        assert (result.code, result.stdout) == (37, "['--variant', 'x y', '--', '-q']\n")

    def test_a_signal_is_its_own(self, tiny: Checkout) -> None:
        tiny.succeed("install", "-q")
        wait = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done"
        with start(tiny, "run", "-q", "--", "sh", "-c", wait) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 9

    def test_stdin_is_its_own(self, tiny: Checkout) -> None:
        command = [sys.executable, "-m", "buildlock", "run", "-q", "--", "cat"]
        done = subprocess.run(
            command, cwd=tiny.root, env=dict(tiny.environment), input=b"\x00\xff", check=True, capture_output=True
        )
        assert done.stdout == b"\x00\xff"

    def test_a_closed_pipe_ends_it(self, tiny: Checkout) -> None:
        """Python ignores SIGPIPE; the command must not."""
        command = [sys.executable, "-m", "buildlock", "run", "-q", "--", "sh", "-c", "kill -PIPE $$; exit 3"]
        done = subprocess.run(command, cwd=tiny.root, env=dict(tiny.environment), check=False)
        assert done.returncode == -signal.SIGPIPE

    @pytest.mark.parametrize("name", ["no-such-command", "./no-such-file", "./pyproject.toml"])
    def test_no_such_command(self, tiny: Checkout, name: str) -> None:
        result = tiny.run("run", "--", name)
        assert result.code == 127
        assert f"`{name}`" in result.stderr

    def test_without_a_command(self, tiny: Checkout) -> None:
        assert tiny.run("run").code == 2

    def test_what_it_writes_does_not_reach_the_next(self, tiny: Checkout) -> None:
        write = "import sysconfig, pathlib; pathlib.Path(sysconfig.get_path('purelib'), 'new.py').write_text('')"
        tiny.succeed("run", "--", "python", "-c", write)
        result = tiny.run("run", "--", "python", "-c", "import new")
        assert result.code == 1
        assert "No module named 'new'" in result.stderr

    def test_one_that_runs_keeps_its_environment(self, tiny: Checkout) -> None:
        """It has changed its environment: nobody else gets that one, and nobody takes it away."""
        write = (
            "import pathlib, sys, sysconfig, os; p = pathlib.Path(sysconfig.get_path('purelib'), 'new.py');"
            " p.write_text(''); print('ready', flush=True); sys.stdin.read(); print(p.exists())"
        )
        with start(tiny, "run", "-q", "--", "python", "-c", write) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            assert process.stdout.readline() == b"ready\n"
            assert "No module named 'new'" in tiny.run("run", "--", "python", "-c", "import new").stderr
            tiny.succeed("install")
            process.stdin.close()
            assert process.stdout.read() == b"True\n"
            assert process.wait(30) == 0


def start(project: Checkout, *arguments: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "buildlock", *arguments]
    return subprocess.Popen(
        command, cwd=project.root, env=dict(project.environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


@pytest.fixture(scope="module")
def locked_seed(tmp_path_factory: pytest.TempPathFactory, setuptools_server: IndexServer) -> Path:
    """The seed's project, locked from an index with the real setuptools; its builds say what they are built with."""
    folder = tmp_path_factory.mktemp("seed")
    root = copy_project("seed", folder, setuptools_server.root)
    with (root / "pyproject.toml").open("a") as file:
        file.write(VARIANTS)
    text = (root / "pyproject.toml").read_text()
    (root / "pyproject.toml").write_text(text.replace('"torch==2.4.0", "numpy"', '"torch", "numpy"'))
    (root / "setup.py").write_text(RECORD + (root / "setup.py").read_text())
    project = Checkout(root=root, environment=hermetic(folder, setuptools_server.environment))
    project.succeed("lock", "--all", "--no-dynamic")
    return root


@pytest.fixture
def seed(locked_seed: Path, setuptools_server: IndexServer, tmp_path: Path) -> Checkout:
    root = Path(shutil.copytree(locked_seed, tmp_path / "seed"))
    index = {
        **setuptools_server.environment,
        "PIP_INDEX_URL": setuptools_server.url(),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "BUILT_WITH": str(tmp_path / "built_with.json"),
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "PATH": f"{Path(uv.find_uv_bin()).parent}{os.pathsep}{os.environ['PATH']}",
    }
    return Checkout(root=root, environment=hermetic(tmp_path, index))


PIP = (sys.executable, "-m", "pip", "wheel", "--no-deps", ".", "--wheel-dir", "out")
BUILD = (sys.executable, "-m", "build", "--wheel", "--outdir", "out")
FRONTENDS = {
    "pip": PIP,
    "build": BUILD,
    "build --installer uv": (*BUILD, "--installer", "uv"),
    "uv": ("uv", "build", "--wheel", "--out-dir", "out"),
}
needs_pip = pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="uv made this environment")


@needs_pip
@pytest.mark.parametrize("command", FRONTENDS.values(), ids=FRONTENDS)
class TestFrontend:
    def test_builds_in_the_locked_environment(self, seed: Checkout, command: tuple[str, ...], tmp_path: Path) -> None:
        for variant in ("cu118", "cu124"):
            seed.succeed("run", "--variant", variant, "--frontend", "--", *command)
            (wheel,) = (seed.root / "out").glob("*.whl")
            assert ask_wheel(wheel) == seed.versions(variant)["torch"]
            found = json.loads((tmp_path / "built_with.json").read_text())
            built_with = {name.lower().replace("_", "-"): version for name, version in found.items()}
            assert {name: built_with.get(name) for name in seed.versions(variant)} == seed.versions(variant)
            wheel.unlink()

    def test_takes_nothing_that_is_not_locked(self, seed: Checkout, command: tuple[str, ...]) -> None:
        """What the backend's hook asks for is on the index, and not in the lock."""
        setup = seed.root / "setup.py"
        setup.write_text(ASK_FOR_MORE + setup.read_text())
        result = seed.run("run", "--variant", "cu124", "--frontend", "--", *command)
        assert result.code not in {0, 3}
        assert "tinybackend" in result.stdout + result.stderr
        assert not list(seed.root.glob("out/*.whl"))

    def test_takes_nothing_that_another_wrote(self, seed: Checkout, command: tuple[str, ...]) -> None:
        """A wheel of the cache that was changed is fetched again, and where the lock wants another it is refused."""
        text = seed.lock_path.read_text()
        (wheel,) = seed.packages("cu124")["networkx"]["wheels"]
        seed.lock_path.write_text(text.replace(wheel["hashes"]["sha256"], "0" * 64))
        result = seed.run("run", "--variant", "cu124", "--frontend", "--", *command)
        assert result.code == 1
        assert "does not match its hash" in result.stderr


def ask_wheel(wheel: Path) -> str:
    folder = wheel.parent.parent / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    ask = [sys.executable, "-c", "import seed_ext; print(seed_ext.built_against())"]
    said = subprocess.run(ask, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
    shutil.rmtree(folder)
    return said


def test_a_project_with_a_backend_of_ours(tiny: Checkout) -> None:
    """It holds any frontend to the lock by itself."""
    tiny.succeed("init", "--backend")
    result = tiny.succeed("run", "--frontend", "--", "sh", "-c", 'echo "$BUILDLOCK_VARIANT"')
    assert result.stdout == "default\n"


class TestRefusal:
    @pytest.mark.parametrize(
        ("command", "said"),
        [
            ("uv sync --extra cu124", "`uv sync` cannot be held to the lock"),
            ("uv pip install .", "`uv pip install` cannot be held to the lock"),
            ("uv run python", "`uv run` cannot be held to the lock"),
            ("tox run", "`tox run --installpkg dist/NAME.whl`"),
            ("nox", "`nox` cannot be held to the lock"),
            ("cibuildwheel", "containers"),
            ("poetry build", "`poetry` is no frontend that is known"),
            ("python setup.py bdist_wheel", "without `-m` is no frontend"),
            ("python -m tox", "`tox` cannot be held to the lock"),
            ("python -m build --no-isolation", "with `--no-isolation`"),
            ("uv build --no-build-isolation", "with `--no-build-isolation`"),
            ("uv build --build-constraint=mine.txt", "with `--build-constraint=mine.txt`"),
            ("uv build -bmine.txt", "with `-bmine.txt`"),
            ("hatch run build", "`hatch run` cannot be held to the lock"),
            ("pip --isolated install .", "with `--isolated`"),
        ],
    )
    def test_rather_than_building_unlocked(self, tiny: Checkout, command: str, said: str) -> None:
        result = tiny.run("run", "--frontend", "--", *command.split())
        assert result.code == 2
        assert said in result.stderr
        assert "hint: " in result.stderr

    def test_a_variant_that_replaces_what_the_frontend_reads(self, seed: Checkout) -> None:
        seed.replace('"torch", "numpy"', '"torch==2.4.0", "numpy"')
        result = seed.run("run", "--variant", "cu118", "--frozen", "--frontend", "--", "uv", "build")
        assert result.code == 2
        assert "`torch==2.4.0`: the lock has 2.2.0+cu118" in result.stderr

    @needs_pip
    def test_the_extra_of_another_variant(self, seed: Checkout) -> None:
        command = (sys.executable, "-m", "pip", "wheel", "--no-deps", ".[cu118]")
        result = seed.run("run", "--variant", "cu124", "--frontend", "--", *command)
        assert result.code == 2
        assert "the extra of the variant `cu118`" in result.stderr

    def test_an_old_pip(self, tiny: Checkout, tmp_path: Path) -> None:
        pip = tmp_path / "pip"
        pip.write_text("#!/bin/sh\necho 'pip 24.0 from somewhere (python 3.11)'\n")
        pip.chmod(0o755)
        result = tiny.run("run", "--frontend", "--", str(pip), "install", ".")
        assert result.code == 2
        assert "since pip 25.3" in result.stderr
