"""`buildlock download` and builds without a network: exactly the locked files, and nothing else."""

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import uv

from index.faults import with_status, with_wrong_byte
from index.server import IndexServer
from support.command import Checkout, CopyLockedProject, CopyProject, Result, run_process

pytestmark = pytest.mark.slow

CU124 = ("--variant", "cu124", "--no-dynamic")


@pytest.fixture
def seed(locked: CopyLockedProject) -> Checkout:
    return locked("seed", *CU124)


@pytest.fixture
def tiny(locked: CopyLockedProject) -> Checkout:
    return locked("tiny", "--no-dynamic")


def list_hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def locked_hashes(project: Checkout, variant: str = "default") -> set[str]:
    packages = project.packages(variant).values()
    return {wheel["hashes"]["sha256"] for package in packages for wheel in package.get("wheels", ())}


class TestDownload:
    def test_exactly_the_locked_files(self, seed: Checkout, tmp_path: Path) -> None:
        result = seed.succeed("download", "--variant", "cu124", "-d", tmp_path / "wheels")
        assert set(list_hashes(tmp_path / "wheels").values()) == locked_hashes(seed, "cu124")
        paths = sorted((tmp_path / "wheels").iterdir())
        assert result.stdout.splitlines() == [str(path) for path in paths]
        assert f"{len(paths)} downloaded\n" in result.stderr

    def test_again(self, tiny: Checkout, tmp_path: Path, server: IndexServer) -> None:
        """What is right is kept, what is wrong is replaced, what is not ours is left alone."""
        folder = tmp_path / "wheels"
        tiny.succeed("download", "-d", folder)
        first, *_ = sorted(folder.iterdir())
        expected = list_hashes(folder)
        first.write_bytes(b"something else")
        (folder / "notes.txt").write_text("mine")
        server.exchanges.clear()
        result = tiny.succeed("download", "-d", folder, "--json")
        assert f"warning: `{first}` is another file than the locked one, and is replaced" in result.stderr
        states = {Path(each["path"]).name: each["state"] for each in json.loads(result.stdout)}
        assert states == {name: "replaced" if name == first.name else "kept" for name in expected}
        assert list_hashes(folder) == {**expected, "notes.txt": hashlib.sha256(b"mine").hexdigest()}
        assert len(server.exchanges) == 1

    def test_of_some_targets(self, checkout: CopyProject, tmp_path: Path) -> None:
        seed = checkout("seed")
        targets = ("--python", "3.11", "--python", "3.12", "--platform", "x86_64-manylinux_2_28")
        seed.succeed("lock", "--quiet", *CU124, *targets)
        seed.succeed("download", "--variant", "cu124", "-d", tmp_path / "all")
        chosen = ("--python", "3.12", "--platform", "x86_64-manylinux_2_28")
        seed.succeed("download", "--variant", "cu124", *chosen, "-d", tmp_path / "some")
        everything, some = list_hashes(tmp_path / "all"), list_hashes(tmp_path / "some")
        assert set(everything.values()) == locked_hashes(seed, "cu124")
        assert some.items() < everything.items()
        assert any(name.startswith("torch-") and "cp311" in name for name in everything)
        assert not any("cp311" in name for name in some)

    def test_a_target_that_is_not_locked(self, tiny: Checkout, tmp_path: Path) -> None:
        result = tiny.run("download", "--python", "3.10", "--platform", "windows", "-d", tmp_path / "wheels")
        assert result.code == 1
        assert "the lock does not cover" in result.stderr

    def test_sdists_and_what_they_are_built_in(self, checkout: CopyProject, tmp_path: Path) -> None:
        project = checkout("sdist-chain")
        project.succeed("lock", "--quiet")
        project.succeed("download", "-d", tmp_path / "files")
        text = project.lock_path.read_text()
        hashes = list_hashes(tmp_path / "files")
        assert all(sha256 in text for sha256 in hashes.values())
        assert text.count("sha256 = ") >= len(hashes)
        assert any(name.endswith(".tar.gz") for name in hashes)

    def test_one_wrong_byte(self, tiny: Checkout, server: IndexServer, tmp_path: Path) -> None:
        server.faults.append(with_wrong_byte("/tinybackend-1.0"))
        result = tiny.run("download", "-d", tmp_path / "wheels")
        assert result.code == 1
        assert "  expected sha256: " in result.stderr
        assert not list(tmp_path.glob("wheels/tinybackend*"))
        assert not list(tmp_path.glob("wheels/.*"))


class TestOffline:
    def test_everything_from_a_folder(self, seed: Checkout, server: IndexServer, tmp_path: Path) -> None:
        seed.succeed("download", "--variant", "cu124", "-d", tmp_path / "wheels")
        server.exchanges.clear()
        offline = ("--variant", "cu124", "--offline", "--find-links", tmp_path / "wheels")
        root = Path(seed.succeed("install", *offline).stdout.strip())
        assert list(root.glob("**/torch/version.py"))
        assert not server.exchanges

    def test_from_the_store(self, tiny: Checkout, server: IndexServer) -> None:
        tiny.succeed("install")
        shutil.rmtree(tiny.cache / "environments-v2")
        server.exchanges.clear()
        tiny.succeed("install", BUILDLOCK_OFFLINE="1")
        assert not server.exchanges

    def test_what_is_missing_is_named(self, seed: Checkout, server: IndexServer, tmp_path: Path) -> None:
        seed.succeed("download", "--variant", "cu124", "-d", tmp_path / "wheels")
        for missing in (*tmp_path.glob("wheels/torch-*"), *tmp_path.glob("wheels/sympy-*")):
            missing.unlink()
        (fsspec,) = tmp_path.glob("wheels/fsspec-*")
        fsspec.write_bytes(b"another")
        server.exchanges.clear()
        result = seed.run("install", "--variant", "cu124", "--offline", "--find-links", tmp_path / "wheels")
        assert result.code == 1
        named = [line.strip() for line in result.stderr.splitlines() if line.startswith("  ")]
        assert [name.partition("-")[0] for name in named] == ["fsspec", "sympy", "torch"]
        assert "buildlock download --variant cu124 -d DIR" in result.stderr
        assert not server.exchanges

    @pytest.mark.parametrize("way", ["BUILDLOCK_OFFLINE", "UV_OFFLINE", "[tool.uv]", "[tool.buildlock]"])
    def test_said_elsewhere(self, tiny: Checkout, server: IndexServer, way: str) -> None:
        if way.startswith("["):
            tiny.append(f"{way}\noffline = true")
            result = tiny.run("install")
        else:
            result = tiny.run("install", **{way: "1"})
        assert result.code == 1
        assert "this is offline" in result.stderr
        assert not server.exchanges

    def test_a_wrong_file_beside_a_network(self, tiny: Checkout, server: IndexServer, tmp_path: Path) -> None:
        """What is not the locked file counts for nothing."""
        tiny.succeed("download", "-d", tmp_path / "wheels")
        for path in (tmp_path / "wheels").iterdir():
            path.write_bytes(b"another")
        server.exchanges.clear()
        tiny.succeed("install", "--find-links", tmp_path / "wheels")
        assert server.exchanges

    def test_a_build_with_sources(self, checkout: CopyProject, server: IndexServer, tmp_path: Path) -> None:
        project = checkout("sdist-chain")
        project.succeed("lock", "--quiet")
        project.succeed("download", "-d", tmp_path / "files")
        server.exchanges.clear()
        offline = ("--offline", "--find-links", tmp_path / "files")
        cache = {"BUILDLOCK_CACHE_DIR": str(tmp_path / "fresh")}
        built = project.succeed("build", *offline, **cache)
        assert zipfile.is_zipfile(built.stdout.strip())
        assert not server.exchanges
        result = project.run("install", "--offline", BUILDLOCK_CACHE_DIR=str(tmp_path / "empty"))
        assert result.code == 1
        assert ".tar.gz\n" in result.stderr

    def test_in_a_namespace_without_network(self, tiny: Checkout, tmp_path: Path) -> None:
        command = ["unshare", "--user", "--map-root-user", "--net"]
        if (
            not shutil.which("unshare")
            or subprocess.run([*command, "true"], check=False, capture_output=True).returncode
        ):
            pytest.skip("this machine has no namespaces for its users")
        tiny.succeed("download", "-d", tmp_path / "wheels")
        offline = [sys.executable, "-m", "buildlock", "build", "--offline", "--find-links", str(tmp_path / "wheels")]
        done = subprocess.run([*command, *offline], cwd=tiny.root, env=dict(tiny.environment), check=True, stdout=-1)
        assert zipfile.is_zipfile(done.stdout.decode().strip())

    def test_the_network_is_down(self, tiny: Checkout, server: IndexServer, tmp_path: Path) -> None:
        tiny.succeed("download", "-d", tmp_path / "wheels")
        server.faults.append(with_status(500, "/"))
        tiny.succeed("install", "--find-links", tmp_path / "wheels")


PIP = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--wheel-dir", "out"]
BUILD = [sys.executable, "-m", "build", "--wheel", "--outdir", "out"]
LINKS = ["--no-index", "--find-links", "wheels"]


@pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="uv made this environment")
@pytest.mark.parametrize(
    "command",
    [
        pytest.param([*PIP, *LINKS], id="pip"),
        pytest.param(BUILD, id="build"),
        pytest.param([uv.find_uv_bin(), "build", "--wheel", "--out-dir", "out", *LINKS, "--no-config"], id="uv"),
    ],
)
class TestOtherFrontends:
    """What the documents say that builds without buildlock and without a network."""

    def build(self, tiny: Checkout, command: list[str]) -> Result:
        environment = {name: value for name, value in tiny.environment.items() if not name.startswith("UV_")}
        # Nothing answers there.
        variables = {"PIP_INDEX_URL": "http://127.0.0.1:1/simple", "UV_CACHE_DIR": str(tiny.cache / "uv")}
        if command is BUILD:
            variables |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tiny.root / "wheels")}
        return run_process(*command, cwd=tiny.root, environment={**environment, **variables})

    def test_from_the_folder(self, tiny: Checkout, command: list[str]) -> None:
        tiny.succeed("download", "-d", "wheels")
        result = self.build(tiny, command)
        assert result.code == 0, result
        assert list(tiny.root.glob("out/*.whl"))

    def test_not_from_elsewhere(self, tiny: Checkout, command: list[str]) -> None:
        tiny.succeed("download", "-d", "wheels")
        shutil.rmtree(tiny.root / "wheels")
        (tiny.root / "wheels").mkdir()
        assert self.build(tiny, command).code
