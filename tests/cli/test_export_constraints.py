"""`buildlock export --format constraints` and `uv`: what real frontends make of them."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import uv

from index.server import IndexServer
from projects import copy_project
from support.command import Checkout, hermetic, run_process

pytestmark = pytest.mark.slow

UV = uv.find_uv_bin()
PIP_WHEEL = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", "out")
BUILD = (sys.executable, "-m", "build", "--wheel", "--outdir", "out")
UV_BUILD = (UV, "build", "--no-config", "--wheel", "--out-dir", "out")
FILE = "constraints.cu124.txt"

# The command, its variables, and whether a package that the lock lacks is refused.
FRONTENDS = {
    "uv build": ((*UV_BUILD, "--build-constraint", FILE), {}, False),
    "uv build --require-hashes": ((*UV_BUILD, "--build-constraint", FILE, "--require-hashes"), {}, True),
    "uv build --no-index": ((*UV_BUILD, "--build-constraint", FILE, "--no-index"), {}, True),
    "UV_BUILD_CONSTRAINT": (UV_BUILD, {"UV_BUILD_CONSTRAINT": FILE}, False),
    "pip --build-constraint": ((*PIP_WHEEL, "--build-constraint", FILE, "."), {}, False),
    "pip --no-index": ((*PIP_WHEEL, "--build-constraint", FILE, "--no-index", "."), {}, True),
    "PIP_BUILD_CONSTRAINT": ((*PIP_WHEEL, "."), {"PIP_BUILD_CONSTRAINT": FILE}, False),
    "build, PIP_CONSTRAINT": (BUILD, {"PIP_CONSTRAINT": FILE}, False),
    "build, PIP_NO_INDEX": (BUILD, {"PIP_CONSTRAINT": FILE, "PIP_NO_INDEX": "1"}, True),
    "build --installer uv, UV_CONSTRAINT": ((*BUILD, "--installer", "uv"), {"UV_CONSTRAINT": FILE}, False),
}


@pytest.fixture(scope="module")
def exported(setuptools_server: IndexServer, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The seed's project with its lock and its constraints."""
    folder = tmp_path_factory.mktemp("exported")
    root = copy_project("seed", folder, setuptools_server.root)
    project = Checkout(root=root, environment=hermetic(folder, setuptools_server.environment))
    project.succeed("lock", "--quiet", "--variant", "cu124")
    project.succeed("export", "--variant", "cu124", "--format", "constraints", "--output", root)
    return project


@pytest.fixture
def seed(exported: Checkout, setuptools_server: IndexServer, tmp_path: Path) -> Checkout:
    """A copy of it, with caches of its own."""
    root = Path(shutil.copytree(exported.root, tmp_path / "project"))
    path = f"{Path(UV).parent}{os.pathsep}{exported.environment['PATH']}"
    own = {
        "PIP_INDEX_URL": setuptools_server.url(),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PATH": path,
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
    }
    return Checkout(root=root, environment={**hermetic(tmp_path, setuptools_server.environment), **own})


def ask(seed: Checkout) -> str:
    """What the wheel was compiled against."""
    (wheel,) = (seed.root / "out").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(seed.root / "unpacked")
    command = [sys.executable, "-c", "import seed_ext; print(seed_ext.built_against())"]
    return subprocess.run(command, cwd=seed.root / "unpacked", capture_output=True, text=True, check=True).stdout


def spoil(path: Path) -> None:
    """Expect another networkx, which torch requires."""
    text, count = re.subn(r"(networkx @ [^\n]*sha256=)[0-9a-f]{8}", r"\g<1>00000000", path.read_text())
    assert count == 1
    path.write_text(text)


@pytest.mark.parametrize("name", FRONTENDS)
def test_frontends_take_the_locked_files_and_no_others(seed: Checkout, name: str) -> None:
    command, variables, _ = FRONTENDS[name]
    built = run_process(*command, cwd=seed.root, environment={**seed.environment, **variables})
    assert built.code == 0
    assert ask(seed) == "2.4.0+cu124\n"
    for folder in ("out", "build"):
        shutil.rmtree(seed.root / folder, ignore_errors=True)
    spoil(seed.root / FILE)
    refused = run_process(*command, cwd=seed.root, environment={**seed.environment, **variables})
    assert refused.code != 0
    assert "hash" in (refused.stdout + refused.stderr).lower()


@pytest.mark.parametrize("name", FRONTENDS)
def test_what_is_not_locked(seed: Checkout, name: str) -> None:
    command, variables, refuses = FRONTENDS[name]
    path = seed.root / FILE
    path.write_text(re.sub(r"networkx @ [^\n]*\n", "", path.read_text()))
    done = run_process(*command, cwd=seed.root, environment={**seed.environment, **variables})
    assert (done.code != 0) is refuses


@pytest.mark.parametrize(
    ("command", "variable"),
    [((*PIP_WHEEL, "."), "PIP_CONSTRAINT"), ((*BUILD, "--installer", "uv"), "UV_BUILD_CONSTRAINT")],
    ids=["pip", "build --installer uv"],
)
def test_variables_that_do_not_reach_the_build(seed: Checkout, command: tuple[str, ...], variable: str) -> None:
    built = run_process(*command, cwd=seed.root, environment={**seed.environment, variable: FILE})
    assert built.code == 0
    # As the documentation warns: built against the default index's torch.
    assert ask(seed) == "2.4.0\n"


class TestUv:
    def write(self, seed: Checkout) -> None:
        text = re.sub(r' *"torch(audio|vision)==[^\n]*\n', "", seed.pyproject.read_text())
        seed.pyproject.write_text(text)
        seed.succeed("export", "--variant", "cu124", "--format", "uv", "--write")

    def sync(self, seed: Checkout) -> int:
        shutil.rmtree(seed.root / ".venv", ignore_errors=True)
        shutil.rmtree(seed.root / "build", ignore_errors=True)
        shutil.rmtree(seed.environment["UV_CACHE_DIR"], ignore_errors=True)
        return run_process(UV, "sync", "--extra", "cu124", cwd=seed.root, environment=seed.environment).code

    def test_uv_sync_takes_the_locked_files(self, seed: Checkout) -> None:
        self.write(seed)
        assert self.sync(seed) == 0
        python = seed.root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        asked: list[str | Path] = [python, "-c", "import seed_ext; print(seed_ext.built_against())"]
        assert run_process(*asked, cwd=seed.root, environment=seed.environment).stdout == "2.4.0+cu124\n"
        # Without a hash, as the documentation warns: uv.lock holds the URLs alone.
        spoil(seed.pyproject)
        assert self.sync(seed) == 0
        (seed.root / "uv.lock").unlink()
        assert self.sync(seed) != 0

    def test_check_keeps_it_in_step(self, seed: Checkout) -> None:
        before = seed.pyproject.read_text()
        seed.succeed("export", "--variant", "cu124", "--format", "uv", "--write")
        text = seed.pyproject.read_text()
        assert text.startswith(before[: before.index("[tool.uv]\n")])
        # What was written is no input of the lock that it was written from.
        seed.succeed("check")
        assert "Unchanged" in seed.succeed("export", "--variant", "cu124", "--format", "uv", "--write").stderr
        assert seed.pyproject.read_text() == text
        seed.succeed("lock", "--check", "--variant", "cu124")
        spoil(seed.pyproject)
        result = seed.run("check")
        assert result.code == 3
        assert (
            "pyproject.toml: the constraints of `cu124` are not those of the lock: "
            "run `buildlock export --format uv --write --variant cu124`\n"
        ) in result.stderr
        assert "hint: run `buildlock lock" not in result.stderr
        seed.lock_path.unlink()
        assert "have no lock to follow" in seed.run("check").stderr

    def test_constraints_of_the_users_own(self, seed: Checkout) -> None:
        seed.replace("[tool.uv]\n", '[tool.uv]\nbuild-constraint-dependencies = ["ninja<2"]\n')
        refused = seed.run("export", "--variant", "cu124", "--format", "uv", "--write", "--frozen")
        assert refused.code == 1
        assert "is there already, and is not buildlock's" in refused.stderr
        assert "[tool.buildlock] constraints" in refused.stderr


def test_files_for_all_variants(seed: Checkout) -> None:
    for to, name in (
        ("requirements", "requirements.cu124.txt"),
        ("pylock", "pylock.cu124.toml"),
        ("constraints", FILE),
        ("uv", "uv.cu124.toml"),
        ("cyclonedx", "cu124.cdx.json"),
    ):
        seed.succeed("export", "--all", "--format", to, "--output", seed.root / "locks")
        printed = seed.succeed("export", "--variant", "cu124", "--format", to).stdout
        assert (seed.root / "locks" / name).read_text() == printed


@pytest.mark.parametrize(
    "arguments",
    [
        ("--all",),
        ("--all", "--variant", "cu124", "--output", "x"),
        ("--write",),
        ("--format", "uv", "--write", "--output", "x"),
        ("--python", "3.12"),
        ("--format", "constraints", "--variant", "cu124", "--platform", "amiga"),
    ],
)
def test_wrong_usage(seed: Checkout, arguments: tuple[str, ...]) -> None:
    result = seed.run("export", *arguments)
    assert (result.code, result.stdout) == (2, "")


def test_the_matrix(seed: Checkout) -> None:
    text = seed.succeed("matrix").stdout
    assert text.startswith('{"include": [{"variant": "cu124", "python": "3.')
    assert text == seed.succeed("matrix", "--variant", "cu124", "--variant", "CU124").stdout
    refused = seed.run("matrix", "--variant", "cu118")
    assert refused.code == 1
    assert "hint: run `buildlock lock --variant cu118`" in refused.stderr
    assert "parallel:" in seed.succeed("matrix", "--format", "gitlab").stdout
    assert seed.succeed("matrix", "--format", "json").stdout.startswith("[\n")
