"""`buildlock export`: other tools take it, and refuse what is not locked."""

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
import uv
from packaging.pylock import Pylock

from index.faults import with_wrong_byte
from index.server import IndexServer
from support.command import Checkout, CopyLockedProject, CopyProject, Result, run_process

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CU124 = ("--variant", "cu124", "--no-dynamic")
ASK = "import importlib.metadata as m; print(*sorted(f'{d.name}=={d.version}' for d in m.distributions()), sep='\\n')"


@pytest.fixture
def seed(locked: CopyLockedProject) -> Checkout:
    return locked("seed", *CU124)


@pytest.fixture(scope="module")
def pip(tmp_path_factory: pytest.TempPathFactory) -> Sequence[str | Path]:
    """A pip: that of the tests' environment, or one of its own where uv made that environment."""
    python = Path(sys.executable)
    if find_spec("pip") is None:
        folder = tmp_path_factory.mktemp("pip")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = find_python(folder)
    return [python, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir"]


def find_python(environment: Path) -> Path:
    return next(path for path in (environment / "bin/python", environment / "Scripts/python.exe") if path.exists())


def make_empty_environment(folder: Path) -> Path:
    """The Python of a virtual environment without pip."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return find_python(folder)


class TestRequirements:
    def install(self, seed: Checkout, pip: Sequence[str | Path], python: Path, text: str) -> Result:
        requirements = seed.root / "requirements.txt"
        requirements.write_text(text, encoding="utf-8")
        command = [*pip, "--python", python, "install", "--require-hashes", "--requirement", requirements]
        environment = {name: value for name, value in seed.environment.items() if not name.startswith("UV_")}
        return run_process(*command, cwd=seed.root, environment=environment)

    def test_pip_installs_exactly_what_is_locked(
        self, seed: Checkout, pip: Sequence[str | Path], tmp_path: Path, server: IndexServer
    ) -> None:
        exported = seed.succeed("export", "--variant", "cu124", "--format", "requirements")
        assert not server.exchanges
        assert exported.stderr == ""
        python = make_empty_environment(tmp_path / "empty")
        installed = self.install(seed, pip, python, exported.stdout)
        assert installed.code == 0, installed
        found = run_process(python, "-I", "-c", ASK, cwd=seed.root, environment=seed.environment).stdout
        pins = {f"{name}=={version}" for name, version in seed.versions("cu124").items()}
        assert set(found.split()) == pins
        # A requirement for every line that is one, with a hash; the indexes on top, as options.
        lines = [line for line in exported.stdout.splitlines() if line and not line.startswith("#")]
        assert lines[:2] == [f"--index-url {server.url()}", f"--extra-index-url {server.url('cu124')}"]
        assert {line.removesuffix(" \\") for line in lines[2::2]} == pins
        assert all(line.startswith("    --hash=sha256:") for line in lines[3::2])

    def test_pip_refuses_another_hash(self, seed: Checkout, pip: Sequence[str | Path], tmp_path: Path) -> None:
        text = seed.succeed("export", "--variant", "cu124").stdout
        sha256 = seed.packages("cu124")["torch"]["wheels"][0]["hashes"]["sha256"]
        refused = self.install(seed, pip, make_empty_environment(tmp_path / "empty"), text.replace(sha256, "0" * 64))
        assert refused.code != 0
        assert "THESE PACKAGES DO NOT MATCH THE HASHES" in refused.stderr

    def test_pip_refuses_another_file(
        self, seed: Checkout, pip: Sequence[str | Path], tmp_path: Path, server: IndexServer
    ) -> None:
        text = seed.succeed("export", "--variant", "cu124").stdout
        server.faults.append(with_wrong_byte("/torch-2.4.0"))
        refused = self.install(seed, pip, make_empty_environment(tmp_path / "empty"), text)
        assert refused.code != 0
        assert "THESE PACKAGES DO NOT MATCH THE HASHES" in refused.stderr


class TestPylock:
    def test_is_a_valid_one(self, seed: Checkout) -> None:
        exported = seed.succeed("export", "--variant", "cu124", "--format", "pylock")
        pylock = Pylock.from_dict(tomllib.loads(exported.stdout))
        pylock.validate()
        assert {package.name: str(package.version) for package in pylock.packages} == seed.versions("cu124")
        chosen = {package.name: artifact for package, artifact in pylock.select()}
        assert chosen.keys() == seed.versions("cu124").keys()

    def test_uv_installs_exactly_what_is_locked(self, seed: Checkout, tmp_path: Path) -> None:
        pylock = seed.root / "pylock.cu124.toml"
        pylock.write_text(seed.succeed("export", "--variant", "cu124", "--format", "pylock").stdout, encoding="utf-8")
        python = make_empty_environment(tmp_path / "empty")
        command = [str(uv.find_uv_bin()), "pip", "sync", "--no-config", "--python", str(python), str(pylock)]
        synced = run_process(*command, cwd=seed.root, environment=seed.environment)
        assert synced.code == 0, synced
        found = run_process(python, "-I", "-c", ASK, cwd=seed.root, environment=seed.environment).stdout
        assert set(found.split()) == {f"{name}=={version}" for name, version in seed.versions("cu124").items()}


@pytest.mark.parametrize("to", ["pylock", "requirements"])
@pytest.mark.parametrize("tool", ["uv", "pip"])
def test_several_targets_and_sources(
    checkout: CopyProject, server: IndexServer, pip: Sequence[str | Path], to: str, tool: str
) -> None:
    project = checkout("sdist-chain")
    other = "3.13" if sys.version_info[:2] != (3, 13) else "3.12"
    own = "{}.{}".format(*sys.version_info)
    targets = ("--python", own, "--python", other, "--platform", "linux", "--platform", "macos")
    project.succeed("lock", "--quiet", *targets)
    project.succeed("export", "--all", "--format", to, "--output", project.root)
    name = {"pylock": "pylock.default.toml", "requirements": "requirements.default.txt"}[to]
    python = make_empty_environment(project.root / "empty")
    commands: dict[str, list[str | Path]] = {
        "uv": [str(uv.find_uv_bin()), "pip", "install", "--no-config", "--python", python],
        "pip": [*pip, "--python", python, "install"],
    }
    # The export names the index, but what a source is built in is resolved by the tool.
    environment = {**project.environment, "PIP_INDEX_URL": server.url()}
    done = run_process(*commands[tool], "-r", name, cwd=project.root, environment=environment)
    assert done.code == 0
    found = run_process(python, "-I", "-c", ASK, cwd=project.root, environment=environment).stdout
    assert set(found.split()) == {f"{name}=={version}" for name, version in project.versions().items()}


def test_a_stale_lock(seed: Checkout) -> None:
    seed.replace('"numpy", "ninja"]', '"numpy"]')
    result = seed.run("export", "--variant", "cu124")
    assert (result.code, result.stdout) == (3, "")
    assert "  - the build requirement `ninja` was removed\n" in result.stderr
    assert seed.succeed("export", "--variant", "cu124", "--frozen").stdout


def test_a_variant_that_is_not_locked(seed: Checkout) -> None:
    result = seed.run("export", "--variant", "cu118")
    assert (result.code, result.stdout) == (1, "")
    assert "hint: run `buildlock lock --variant cu118`\n" in result.stderr
