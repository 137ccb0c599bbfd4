"""`match-runtime` and `pin-runtime`: the build and what uv installs, with runtime locks that uv wrote."""

import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
import uv

from buildlock.lockfile.reader import read_lockfile
from buildlock.lockfile.select import LockedArtifact, select
from buildlock.platforms import parse_platform
from buildlock.targets import make_target, parse_python
from index.server import IndexServer
from support.command import Checkout, CopyLockedProject, CopyProject, Result, run_process

pytestmark = pytest.mark.slow

Uv: TypeAlias = Callable[..., Result]

LOCK = ("lock", "--variant", "cu124", "--no-dynamic")
DRIFT = "build has torch 2.4.0+cu124, uv.lock now installs 2.5.1+cu124 for extra cu124"
UPGRADE = ("lock", "--upgrade-package", "torch")
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "x86_64-pc-windows-msvc")


@pytest.fixture
def run_uv(tmp_path: Path) -> Uv:
    """Run uv in a project: `run_uv(seed, "lock")`."""

    def run(project: Checkout, *arguments: str) -> Result:
        command = [uv.find_uv_bin(), "--no-config", "--no-progress", *arguments, "--python", sys.executable]
        variables = {"UV_CACHE_DIR": str(tmp_path / "uv-cache"), "UV_PYTHON_DOWNLOADS": "never"}
        result = run_process(*command, cwd=project.root, environment={**project.environment, **variables})
        assert result.code == 0, result
        return result

    return run


@pytest.fixture
def seed(checkout: CopyProject, run_uv: Uv) -> Checkout:
    """The seed's project with loose pins, its uv.lock with torch 2.4.0 for cu124, and torch to be matched."""
    project = checkout("seed")
    project.replace('"torch==2.4.0",\n  "torchaudio==2.4.0",\n  "torchvision==0.1.6",', '"torch<2.5",')
    project.replace('"torch==2.4.0", "numpy"', '"torch", "numpy"')
    project.append('[tool.buildlock]\nmatch-runtime = ["torch"]')
    run_uv(project, "lock")
    project.replace('"torch<2.5"', '"torch"')
    run_uv(project, "lock")
    return project


def edit(path: Path, pattern: str, new: str) -> None:
    text, times = re.subn(pattern, new, path.read_text(encoding="utf-8"))
    assert times
    path.write_text(text, encoding="utf-8")


class TestUvLock:
    def test_takes_the_very_file(self, seed: Checkout, server: IndexServer) -> None:
        result = seed.succeed(*LOCK)
        assert " packages, torch as in uv.lock\n" in result.stderr
        torch = seed.packages("cu124")["torch"]
        assert (torch["version"], torch["index"]) == ("2.4.0+cu124", server.url("cu124"))
        (wheel,) = torch["wheels"]
        line = f'{{ url = "{wheel["url"]}", hash = "sha256:{wheel["hashes"]["sha256"]}"'
        assert line in (seed.root / "uv.lock").read_text(encoding="utf-8")
        assert seed.locked("cu124")["inputs"]["match-runtime"] == {"uv.lock": ["torch==2.4.0+cu124"]}
        assert seed.run("check", "--variant", "cu124").code == 0
        assert seed.run(*LOCK, "--check").code == 0

    def test_each_conflicting_extra_has_its_own(self, seed: Checkout) -> None:
        seed.succeed("lock", "--variant", "cu118", "--no-dynamic")
        # The index and uv.lock have no hash of it: the URL is the same.
        assert seed.locked("cu118")["inputs"]["match-runtime"] == {"uv.lock": ["torch==2.2.0+cu118"]}
        assert seed.versions("cu118")["torch"] == "2.2.0+cu118"
        assert seed.run("check", "--variant", "cu118").code == 0

    @pytest.mark.parametrize("verb", ["install", "build", "export"])
    def test_after_an_upgrade_of_the_runtime(self, seed: Checkout, run_uv: Uv, verb: str) -> None:
        seed.succeed(*LOCK)
        run_uv(seed, *UPGRADE)
        result = seed.run("check", "--variant", "cu124")
        assert result.code == 3
        assert result.stderr == f"cu124: stale\n  - {DRIFT}\n\nhint: run `buildlock lock --variant cu124`\n"
        result = seed.run(verb, "--variant", "cu124")
        assert (result.code, result.stdout) == (3, "")
        assert f"  - {DRIFT}\n" in result.stderr
        seed.succeed(*LOCK)
        assert seed.versions("cu124")["torch"] == "2.5.1+cu124"
        assert seed.run("check", "--variant", "cu124").code == 0

    def test_groups_that_conflict(self, checkout: CopyProject, run_uv: Uv) -> None:
        project = checkout("group-variant")
        project.append('[tool.buildlock]\nmatch-runtime = ["torch"]\n[tool.buildlock.variants.cpu]\nmatch-runtime = []')
        run_uv(project, "lock")
        project.succeed("lock", "--all")
        assert project.locked("cu124")["inputs"]["match-runtime"] == {"uv.lock": ["torch==2.5.1+cu124"]}
        # The variant has its own say.
        assert "match-runtime" not in project.locked("cpu")["inputs"]
        project.succeed("build", "--variant", "cu124")

    def test_a_dependency_of_a_build_requirement(self, seed: Checkout) -> None:
        seed.replace('match-runtime = ["torch"]', 'match-runtime = ["torch", "Sympy"]')
        edit(seed.root / "uv.lock", r"sympy(\W+version = \W|-)1\.13\.[13]", r"sympy\g<1>1.12")
        result = seed.run(*LOCK)
        assert result.code == 1
        assert "`uv.lock` installs `sympy` 1.12 from" in result.stderr
        edit(seed.root / "uv.lock", r'(sympy-1\.12-py3-none-any\.whl.*), hash = "[^"]*"', r"\1")
        seed.succeed(*LOCK)
        assert seed.versions("cu124")["sympy"] == "1.12"

    def test_another_file_under_the_same_name(self, seed: Checkout) -> None:
        seed.succeed(*LOCK)
        locked = seed.lock_path.read_bytes()
        edit(seed.root / "uv.lock", r"(torch-2\.4\.0%2Bcu124[^}]*sha256:)\w{4}", r"\g<1>0000")
        result = seed.run("check", "--variant", "cu124")
        assert result.code == 3
        assert "build has torch 2.4.0+cu124 from `torch-2.4.0+cu124-" in result.stderr
        assert "uv.lock now installs it with 0000" in result.stderr
        result = seed.run(*LOCK)
        assert result.code == 1
        assert "with sha256 0000" in result.stderr
        assert "and the build's index offers" in result.stderr
        assert seed.lock_path.read_bytes() == locked

    def test_no_version_serves_both(self, seed: Checkout) -> None:
        seed.replace('"torch", "numpy"', '"torch==2.5.1", "numpy"')
        result = seed.run(*LOCK)
        assert result.code == 1
        assert "  torch==2.4.0+cu124  uv.lock for extra cu124\n" in result.stderr
        assert result.stderr.endswith('  [tool.buildlock.variants.cu124]\n  requires = ["torch"]\n')

    def test_a_lock_that_does_not_install_it(self, seed: Checkout, server: IndexServer) -> None:
        seed.replace('match-runtime = ["torch"]', 'match-runtime = ["ninja"]')
        server.exchanges.clear()
        result = seed.run(*LOCK)
        assert result.code == 1
        assert "error: `uv.lock` does not install `ninja` for extra cu124, and the build of `cu124`" in result.stderr
        assert not server.exchanges

    def test_what_the_build_does_not_use(self, seed: Checkout) -> None:
        seed.replace('match-runtime = ["torch"]', 'match-runtime = ["torch", "toch"]')
        assert "`match-runtime` names `toch`, which the build of `cu124` does not use" in seed.succeed(*LOCK).stderr

    @pytest.mark.parametrize("text", ["version = 1\n\xff", "version = 99", 'version = 1\npackage = "torch"'])
    def test_one_that_cannot_be_read(self, seed: Checkout, text: str) -> None:
        seed.succeed(*LOCK)
        (seed.root / "uv.lock").write_bytes(text.encode("latin-1"))
        for command in (LOCK, ("check",), ("install", "--variant", "cu124")):
            result = seed.run(*command)
            assert result.code == 1
            assert result.stderr.startswith("error: the project's configuration is invalid: `uv.lock")
            assert "Traceback" not in result.stderr
        # Who uses the lock as it is asks nobody else.
        assert seed.run("export", "--variant", "cu124", "--frozen").code == 0


class TestManyTargets:
    """What uv.lock installs on each of them, whichever of them this machine is."""

    @pytest.fixture
    def many(self, seed: Checkout, run_uv: Uv) -> Checkout:
        seed.replace("[tool.buildlock]", f"[tool.buildlock]\npython = {list(PYTHONS)}\nplatforms = {list(PLATFORMS)}")
        # Without it uv locks from the Python on that runs this.
        seed.replace("[project]\n", f'[project]\nrequires-python = ">={PYTHONS[0]}"\n')
        run_uv(seed, "lock")
        return seed

    @staticmethod
    def torches(project: Checkout, variant: str) -> dict[tuple[str, str], LockedArtifact]:
        """The file of torch that each target gets."""
        environment = read_lockfile(project.lock_path).variants[variant]
        found = {}
        for python in PYTHONS:
            for platform in PLATFORMS:
                files = select(environment, make_target(parse_python(python), parse_platform(platform)))
                (torch,) = (file for file in files if file.name == "torch")
                assert isinstance(torch, LockedArtifact)
                found[python, platform] = torch
        return found

    @pytest.mark.parametrize(("variant", "version"), [("cu118", "2.2.0+cu118"), ("cu124", "2.4.0+cu124")])
    def test_the_very_file_for_each(self, many: Checkout, variant: str, version: str) -> None:
        many.succeed("lock", "--variant", variant, "--no-dynamic")
        text = (many.root / "uv.lock").read_text(encoding="utf-8")
        torches = self.torches(many, variant)
        assert {str(torch.version) for torch in torches.values()} == {version}
        assert len({torch.filename for torch in torches.values()}) == len(PYTHONS) * len(PLATFORMS)
        for torch in torches.values():
            # Where the index has a hash, uv.lock has it too.
            hashed = f', hash = "sha256:{torch.sha256}"' if variant == "cu124" else ""
            assert f'{{ url = "{torch.url}"{hashed}' in text
        assert many.run("check", "--variant", variant).code == 0

    def test_after_an_upgrade_of_the_runtime(self, many: Checkout, run_uv: Uv) -> None:
        many.succeed(*LOCK)
        before = many.lock_path.read_bytes()
        run_uv(many, *UPGRADE)
        result = many.run("check", "--variant", "cu124")
        assert result.code == 3
        assert DRIFT in result.stderr
        many.succeed(*LOCK)
        assert many.run("check", "--variant", "cu124").code == 0
        assert many.lock_path.read_bytes() != before
        for (_, platform), torch in self.torches(many, "cu124").items():
            # On Linux aarch64 the index has this one without a local version.
            assert str(torch.version) == ("2.5.1" if platform.startswith("aarch64") else "2.5.1+cu124")

    def test_the_version_where_the_runtime_has_no_file_of_the_target(self, many: Checkout, run_uv: Uv) -> None:
        many.replace("[tool.uv]\n", "[tool.uv]\nenvironments = [\"sys_platform == 'linux'\"]\n")
        run_uv(many, "lock")
        assert "win_amd64" not in (many.root / "uv.lock").read_text(encoding="utf-8")
        many.succeed(*LOCK)
        assert {str(torch.version) for torch in self.torches(many, "cu124").values()} == {"2.4.0+cu124"}
        assert many.run("check", "--variant", "cu124").code == 0


class TestWithoutUvLock:
    def test_what_the_extra_pins_binds(self, seed: Checkout) -> None:
        (seed.root / "uv.lock").unlink()
        seed.succeed(*LOCK)
        assert seed.versions("cu124")["torch"] == "2.5.1+cu124"
        assert "match-runtime" not in seed.locked("cu124")["inputs"]
        assert seed.run("check", "--variant", "cu124").code == 0

    def test_a_runtime_lock_appears_and_goes(self, seed: Checkout) -> None:
        uv_lock = seed.root / "uv.lock"
        text = uv_lock.read_bytes()
        uv_lock.unlink()
        seed.succeed(*LOCK)
        uv_lock.write_bytes(text)
        assert "build has torch 2.5.1+cu124, uv.lock now installs 2.4.0+cu124" in seed.run("check").stderr
        seed.succeed(*LOCK)
        uv_lock.unlink()
        result = seed.run("check")
        assert result.code == 3
        assert "`torch` is no longer matched with the runtime: it was, with uv.lock" in result.stderr

    def test_pylock_of_the_variant(self, seed: Checkout, run_uv: Uv) -> None:
        export = ("export", "--quiet", "--format", "pylock.toml", "--extra")
        run_uv(seed, *export, "cu124", "--output-file", "pylock.cu124.toml")
        run_uv(seed, *export, "cu118", "--output-file", "pylock.toml")
        (seed.root / "uv.lock").unlink()
        seed.succeed(*LOCK)
        assert seed.locked("cu124")["inputs"]["match-runtime"] == {"pylock.cu124.toml": ["torch==2.4.0+cu124"]}
        assert seed.run("check", "--variant", "cu124").code == 0
        seed.succeed("lock", "--variant", "cu118", "--no-dynamic")
        assert seed.locked("cu118")["inputs"]["match-runtime"] == {"pylock.toml": ["torch==2.2.0+cu118"]}

    def test_pylock_without_the_extra(self, seed: Checkout, run_uv: Uv) -> None:
        run_uv(seed, "export", "--quiet", "--format", "pylock.toml", "--output-file", "pylock.toml")
        (seed.root / "uv.lock").unlink()
        result = seed.run(*LOCK)
        assert result.code == 1
        assert "`pylock.toml` does not install `torch` for extra cu124" in result.stderr
        assert "uv export --format pylock.toml --extra cu124 -o pylock.cu124.toml" in result.stderr


class TestRuntimeEnvironment:
    def test_an_environment_that_uv_made(self, seed: Checkout, run_uv: Uv, server: IndexServer) -> None:
        run_uv(seed, "venv", "runtime")
        install = (uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--index", server.url("cu124"))
        place = ("--python", "runtime", "--cache-dir", "cache")
        installed = run_process(*install, *place, "torch==2.4.0", cwd=seed.root, environment=seed.environment)
        assert installed.code == 0
        (seed.root / "uv.lock").unlink()
        seed.succeed(*LOCK, "--runtime-environment", "runtime")
        assert seed.versions("cu124")["torch"] == "2.4.0+cu124"
        matched = seed.locked("cu124")["inputs"]["match-runtime"]
        assert matched == {"--runtime-environment": ["torch==2.4.0+cu124"]}
        # It cannot be asked again, and need not be there.
        assert seed.run("check", "--variant", "cu124").code == 0

    def test_a_runtime_lock_has_its_say_later(self, seed: Checkout, run_uv: Uv) -> None:
        (seed.root / "runtime/lib/python3.12/site-packages/torch-2.5.1+cu124.dist-info").mkdir(parents=True)
        seed.succeed(*LOCK, "--runtime-environment", "runtime")
        result = seed.run("check", "--variant", "cu124")
        assert result.code == 3
        assert "build has torch 2.5.1+cu124, uv.lock now installs 2.4.0+cu124 for extra cu124" in result.stderr
        run_uv(seed, *UPGRADE)
        assert seed.run("check", "--variant", "cu124").code == 0

    def test_what_is_no_environment(self, seed: Checkout) -> None:
        result = seed.run(*LOCK, "--runtime-environment", "src")
        assert result.code == 1
        assert "is not an environment: it has no `site-packages`" in result.stderr

    def test_nothing_to_match(self, checkout: CopyProject) -> None:
        result = checkout("tiny").run("lock", "--runtime-environment", "src")
        assert result.code == 2
        assert "`--runtime-environment` has nothing to match" in result.stderr


class TestPinRuntime:
    @pytest.mark.parametrize(
        ("said", "required"),
        [
            ('pin-runtime = ["Torch", "filelock"]', ["filelock==3.16.*", "torch==2.5.*"]),
            ('pin-runtime = { torch = "exact" }', ["torch==2.5.1+cu124"]),
        ],
    )
    def test_a_wheel_requires_what_it_was_built_against(
        self, locked: CopyLockedProject, said: str, required: list[str]
    ) -> None:
        project = locked("group-variant", "--variant", "cu124")
        project.append(f"[tool.buildlock]\n{said}")
        wheel = Path(project.succeed("build", "--variant", "cu124").stdout.strip())
        with zipfile.ZipFile(wheel) as archive:
            metadata = archive.read("group_variant-1.0.dist-info/METADATA").decode()
        assert [line for line in metadata.splitlines() if line.startswith("Requires-Dist")] == [
            f"Requires-Dist: {each}" for each in required
        ]
        editable = Path(project.succeed("build", "--variant", "cu124", "--editable").stdout.strip())
        with zipfile.ZipFile(editable) as archive:
            assert f"Requires-Dist: {required[0]}" in archive.read("group_variant-1.0.dist-info/METADATA").decode()
        project.succeed("build", "--variant", "cu124", "--sdist")

    def test_what_is_not_in_the_environment(self, locked: CopyLockedProject) -> None:
        project = locked("group-variant", "--variant", "cu124")
        project.append('[tool.buildlock]\npin-runtime = ["jax"]')
        result = project.run("build", "--variant", "cu124")
        assert result.code == 1
        assert "`pin-runtime` names `jax`, which is not locked for the variant `cu124`" in result.stderr
        assert not (project.root / "dist").exists()

    def test_dependencies_that_contradict_it(self, locked: CopyLockedProject) -> None:
        project = locked("group-variant", "--variant", "cu124")
        (project.root / "tiny.json").write_text(
            '{"name": "group-variant", "version": "1.0", "dependencies": ["torch<2.5"]}', encoding="utf-8"
        )
        project.append('[tool.buildlock]\npin-runtime = ["torch"]')
        result = project.run("build", "--variant", "cu124")
        assert result.code == 1
        assert "requires `torch<2.5`, and was built against what is `torch==2.5.*`" in result.stderr
        assert not (project.root / "dist").exists()
