"""What has no wheel for the target: locked with the environment that it is built in, built in it, and kept."""

import json
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from index.faults import with_wrong_byte
from index.server import IndexServer, serve
from index.universe import standard_universe
from projects import copy_project
from support.command import Checkout, CopyLockedProject, CopyProject, Result, hermetic, run_process

BUILT = "tinybackend: building the wheel of"
"""What the backend of most sources prints; `--verbose` shows it."""
SMALL = frozenset({"filelock", "tinybackend", "tinysource", "zipped-source"})
FOREIGN = ("--python", "3.12" if sys.version_info[:2] != (3, 12) else "3.13", "--platform", "aarch64-manylinux_2_28")


def check_out(trait: str, folder: Path, server: IndexServer) -> Checkout:
    root = copy_project(trait, folder, server.root)
    return Checkout(root=root, environment=hermetic(folder, server.environment))


def require(project: Checkout, requirement: str) -> None:
    """Let `tiny` have one more build requirement."""
    project.replace('["tinybackend"]', f'["tinybackend", "{requirement}"]')


def builds(project: Checkout, variant: str = "default") -> dict[str, dict[str, Any]]:
    """The locked environments of what is built, by `NAME==VERSION`."""
    found: dict[str, dict[str, Any]] = project.locked(variant)["builds"]
    return found


def versions(environment: Mapping[str, Any]) -> dict[str, str]:
    return {package["name"]: package["version"] for package in environment["packages"]}


def installed(result: Result) -> Path:
    (line,) = result.stdout.splitlines()
    return Path(line)


def ask(environment: Path, code: str, project: Checkout) -> str:
    """What code prints in an installed environment."""
    python = next(path for path in (environment / "bin/python", environment / "Scripts/python.exe") if path.exists())
    done = run_process(python, "-c", code, cwd=project.root, environment=project.environment)
    assert done.code == 0, done
    return done.stdout.strip()


def built_with(environment: Path, module: str) -> dict[str, str]:
    """The distributions that a package saw while it was built."""
    (record,) = environment.rglob(f"{module}/built_with.json")
    distributions: dict[str, str] = json.loads(record.read_text(encoding="utf-8"))["distributions"]
    return distributions


def assert_blames(result: Result, *parts: str) -> None:
    assert result.code == 1
    for part in parts:
        assert part in result.stderr
    # A backend's traceback may be shown; there is none of ours.
    assert "src/buildlock" not in result.stderr


class TestChain:
    """An sdist that is built with an sdist, which builds itself."""

    def test_every_environment_is_locked_with_hashes(self, locked: CopyLockedProject) -> None:
        project = locked("sdist-chain")
        assert project.versions() == {"filelock": "3.16.1", "needs-builder": "1.0", "tinybackend": "1.0"}
        entry = project.packages()["needs-builder"]
        assert entry["sdist"]["url"].endswith("/needs_builder-1.0.tar.gz")
        assert len(entry["sdist"]["hashes"]["sha256"]) == 64
        assert "wheels" not in entry
        assert list(builds(project)) == ["needs-builder==1.0", "sourcebuilder==1.0"]
        needs_builder, sourcebuilder = builds(project).values()
        assert needs_builder["inputs"] == {"requires": ["sourcebuilder"], "backend": "sourcebuilder"}
        assert versions(needs_builder) == {"sourcebuilder": "1.0"}
        assert "sdist" in needs_builder["packages"][0]
        assert not sourcebuilder.get("packages")
        assert project.run("check").code == 0

    def test_the_project_is_built_with_it(self, locked: CopyLockedProject) -> None:
        project = locked("sdist-chain")
        with zipfile.ZipFile(project.succeed("build").stdout.strip()) as wheel:
            record = json.loads(wheel.read("sdist_chain/built_with.json"))
        assert record["distributions"] == project.versions()

    def test_what_was_built_is_there_without_a_network(self, tmp_path: Path) -> None:
        with serve() as server:
            project = check_out("sdist-chain", tmp_path, server)
            project.succeed("lock")
            project.succeed("install", "--target", tmp_path / "first")
        result = project.succeed("install", "--verbose", "--target", tmp_path / "second")
        assert BUILT not in result.stderr
        assert built_with(tmp_path / "second", "needs_builder") == {"sourcebuilder": "1.0"}

    def test_it_is_built_in_exactly_what_is_locked_and_once(
        self, locked: CopyLockedProject, server: IndexServer
    ) -> None:
        project = locked("sdist-chain")
        result = project.succeed("install", "--verbose")
        assert f"{BUILT} sourcebuilder" in result.stderr
        assert f"{BUILT} needs-builder" in result.stderr
        environment = installed(result)
        assert built_with(environment, "needs_builder") == {"sourcebuilder": "1.0"}
        assert ask(environment, "import needs_builder as n; print(n.__version__)", project) == "1.0"
        assert not server.asked("/simple/")
        server.exchanges.clear()
        result = project.succeed("install", "--verbose", "--target", project.root.parent / "again")
        assert BUILT not in result.stderr
        assert not server.exchanges

    def test_locking_again_changes_and_builds_nothing(self, checkout: CopyProject) -> None:
        project = checkout("sdist-chain")
        project.succeed("lock")
        before = project.lock_path.read_bytes()
        result = project.succeed("lock", "--verbose")
        assert project.lock_path.read_bytes() == before
        assert "unchanged" in result.stderr
        assert BUILT not in result.stderr

    def test_it_is_locked_for_another_machine(self, checkout: CopyProject) -> None:
        """What it needs can be asked of its backend here alone, which is said."""
        project = checkout("sdist-chain")
        result = project.succeed("lock", *FOREIGN)
        assert "sdist" in project.packages()["needs-builder"]
        for environment in builds(project).values():
            (marker,) = environment["environments"]
            assert "aarch64" in marker
            assert FOREIGN[1] in marker
        assert versions(builds(project)["needs-builder==1.0"]) == {"sourcebuilder": "1.0"}
        warnings = [line for line in result.stderr.splitlines() if line.startswith("warning:")]
        assert any("needs-builder" in line for line in warnings)
        assert not any("sourcebuilder" in line.split("requires")[0] for line in warnings)
        assert project.run("install").code == 1


@pytest.mark.skipif(sys.platform == "darwin", reason="there is no CUDA for macOS")
def test_each_variant_builds_against_its_own_torch(setuptools_server: IndexServer, tmp_path: Path) -> None:
    project = check_out("sdist-variants", tmp_path, setuptools_server)
    project.succeed("lock", "--all")
    torches = {"cu118": "2.2.0+cu118", "cu124": "2.4.0+cu124"}
    compares = "import torch, torch_kernels; print(torch_kernels.built_against(), torch.__version__)"
    for variant, torch in torches.items():
        environment = builds(project, variant)["torch-kernels==0.3"]
        assert versions(environment)["torch"] == torch
        assert environment["inputs"]["requires"] == ["setuptools", "torch"]
        root = installed(project.succeed("install", "--variant", variant))
        assert ask(root, compares, project) == f"{torch} {torch}"
    # One extension for each, of the same source and the same name.
    first, second = (json.loads(path.read_text(encoding="utf-8")) for path in project.cache.rglob("built/*/kept.json"))
    assert first["filename"] == second["filename"]
    assert first["sha256"] != second["sha256"]
    # Both are kept: going back and forth builds and fetches nothing.
    setuptools_server.exchanges.clear()
    for number, variant in enumerate(["cu118", "cu124", "cu118"]):
        root = tmp_path / f"environment-{number}"
        result = project.succeed("install", "--verbose", "--variant", variant, "--target", root)
        assert "building 'torch_kernels._native'" not in result.stderr
        assert ask(root, compares, project) == f"{torches[variant]} {torches[variant]}"
    assert not setuptools_server.exchanges


def test_what_only_a_backend_can_tell_is_asked_and_locked(checkout: CopyProject) -> None:
    project = checkout("sdist-dynamic")
    project.succeed("lock")
    # One has its requirements from `prepare_metadata_for_build_wheel`, the other from its wheel.
    assert project.versions() == {
        "dynamic-source": "1.0",
        "filelock": "3.16.1",
        "no-prepare": "1.0",
        "tinybackend": "1.0",
        "typing-extensions": "4.12.2",
    }
    environment = builds(project)["dynamic-source==1.0"]
    assert environment["inputs"]["dynamic"] == {"wheel": ["markupsafe"]}
    assert versions(environment) == {"markupsafe": "3.0.2", "tinybackend": "1.0"}
    assert "dynamic" not in builds(project)["no-prepare==1.0"]["inputs"]
    root = installed(project.succeed("install"))
    assert built_with(root, "dynamic_source") == {"markupsafe": "3.0.2", "tinybackend": "1.0"}


def test_both_formats_of_sdists(locked: CopyLockedProject) -> None:
    project = locked("sdist-formats")
    suffixes = {name: project.packages()[name]["sdist"]["url"][-4:] for name in ("tinysource", "zipped-source")}
    assert suffixes == {"tinysource": "r.gz", "zipped-source": ".zip"}
    root = installed(project.succeed("install"))
    assert built_with(root, "zipped_source") == {"tinybackend": "1.0"}
    # It brings its backend in its own tree.
    assert built_with(root, "tinysource") == {}


def test_a_project_without_pyproject(setuptools_server: IndexServer, tmp_path: Path) -> None:
    """PEP 517: setuptools builds it, as ever."""
    project = check_out("sdist-legacy", tmp_path, setuptools_server)
    project.succeed("lock")
    environment = builds(project)["legacy-setup==0.1"]
    assert environment["inputs"]["backend"] == "setuptools.build_meta:__legacy__"
    assert "setuptools" in versions(environment)
    assert "filelock" in project.versions()
    root = installed(project.succeed("install"))
    assert ask(root, "import legacy_setup; print(legacy_setup.__version__)", project) == "0.1"


class TestWheelsAndSdists:
    def test_one_target_has_a_wheel_and_the_other_builds(self, checkout: CopyProject) -> None:
        project = checkout("sdist-half-wheeled")
        project.succeed("lock")
        (entry,) = [each for each in project.locked()["packages"] if each["name"] == "half-wheeled"]
        (wheel,) = entry["wheels"]
        assert entry["version"] == "2.0"
        assert "-cp311-" in wheel["url"]
        assert entry["sdist"]["url"].endswith("/half_wheeled-2.0.tar.gz")
        # Only one of the two targets builds it.
        (marker,) = builds(project)["half-wheeled==2.0"]["environments"]
        assert "3.12" in marker

    def test_this_machine_takes_what_fits(self, checkout: CopyProject) -> None:
        project = checkout("tiny")
        require(project, "half-wheeled")
        project.succeed("lock")
        entry = project.packages()["half-wheeled"]
        assert entry["version"] == "2.0"
        assert ("wheels" in entry) != ("sdist" in entry)
        root = installed(project.succeed("install"))
        assert ask(root, "import half_wheeled; print(half_wheeled.__version__)", project) == "2.0"

    def test_a_wheel_is_left_where_the_user_wants_it_built(self, checkout: CopyProject) -> None:
        project = checkout("tiny")
        require(project, "half-wheeled>=2")
        project.append('[tool.uv]\nno-binary-package = ["half-wheeled"]')
        project.succeed("lock")
        assert "wheels" not in project.packages()["half-wheeled"]
        root = installed(project.succeed("install"))
        assert built_with(root, "half_wheeled") == {"tinybackend": "1.0"}


class TestPlaces:
    def test_an_index_that_gives_no_hash(self, tmp_path: Path) -> None:
        """The file is downloaded and hashed, so that the lock holds a hash all the same."""
        files = [replace(file, hashed=False) for file in standard_universe()["simple"] if file.project in SMALL]
        with serve({"simple": files}) as server:
            project = check_out("sdist-formats", tmp_path, server)
            project.succeed("lock")
            sha256 = {file.filename: file.sha256 for file in files}
            for name, filename in {
                "tinysource": "tinysource-1.0.tar.gz",
                "zipped-source": "zipped_source-1.0.zip",
            }.items():
                assert project.packages()[name]["sdist"]["hashes"] == {"sha256": sha256[filename]}
            project.succeed("install")

    def test_a_folder(self, checkout: CopyProject) -> None:
        project = checkout("tiny")
        require(project, "zipped-source")
        links = project.root.parent / "links"
        links.mkdir()
        (file,) = [file for file in standard_universe()["simple"] if file.project == "zipped-source"]
        (links / file.filename).write_bytes(file.content)
        project.succeed("lock", "--find-links", links)
        entry = project.packages()["zipped-source"]
        assert "index" not in entry
        assert entry["sdist"]["path"] == f"../links/{file.filename}"
        assert entry["sdist"]["hashes"] == {"sha256": file.sha256}
        # The lock alone says where it is.
        root = installed(project.succeed("install"))
        assert built_with(root, "zipped_source") == {"tinybackend": "1.0"}


class TestRefusals:
    def test_an_sdist_that_is_not_the_locked_one(self, locked: CopyLockedProject) -> None:
        project = locked("sdist-requirement")
        sha256 = project.packages()["tinysource"]["sdist"]["hashes"]["sha256"]
        text = project.lock_path.read_text(encoding="utf-8")
        project.lock_path.write_text(text.replace(sha256, "0" * 64), encoding="utf-8")
        result = project.run("install", "--verbose")
        assert_blames(result, "tinysource-1.0.tar.gz", "sha256")
        assert BUILT not in result.stderr

    def test_an_sdist_that_changed_on_its_index(self, locked: CopyLockedProject, server: IndexServer) -> None:
        project = locked("sdist-requirement")
        server.faults.append(with_wrong_byte("tinysource-1.0.tar.gz"))
        result = project.run("install", "--verbose")
        assert_blames(result, "tinysource-1.0.tar.gz", "sha256")
        assert BUILT not in result.stderr
        assert not list(project.cache.glob("environments-v2/*"))

    def test_packages_that_are_built_with_each_other(self, checkout: CopyProject) -> None:
        project = checkout("sdist-cycle")
        result = project.run("lock")
        assert_blames(result, "cycle-a 1.0", "cycle-b 1.0")
        assert not project.lock_path.exists()

    @pytest.mark.parametrize(
        ("package", "built"), [("liar-name", "somebody_else-1.0"), ("liar-version", "liar_version-6.6")]
    )
    def test_a_source_that_builds_another_package(self, checkout: CopyProject, package: str, built: str) -> None:
        project = checkout("tiny")
        require(project, package)
        result = project.run("lock")
        assert_blames(result, f"`{package}", built)
        assert not project.lock_path.exists()

    def test_a_build_that_fails_shows_what_it_printed(self, checkout: CopyProject) -> None:
        project = checkout("tiny")
        require(project, "failing-build")
        # Its metadata is known without it.
        project.succeed("lock", "--no-dynamic")
        result = project.run("install")
        assert_blames(result, "`failing-build`", "looking for the compiler of 1970", "there is no such compiler")
        assert not list(project.cache.glob("environments-v2/*"))

    def test_a_user_who_wants_no_builds(self, locked: CopyLockedProject) -> None:
        project = locked("sdist-chain")
        result = project.run("install", "--no-build")
        assert_blames(result, "needs-builder", "`no-build`")

    def test_a_project_that_wants_no_builds(self, checkout: CopyProject) -> None:
        project = checkout("sdist-chain")
        project.append("[tool.uv]\nno-build = true")
        result = project.run("lock")
        assert_blames(result, "1.0: `no-build` excludes its sdist", "lift `no-build` for `needs-builder`")

    def test_a_lock_without_the_environment_of_a_source(self, locked: CopyLockedProject) -> None:
        project = locked("sdist-formats")
        text = project.lock_path.read_text(encoding="utf-8")
        start = text.index('[variants.default.builds."zipped-source==1.0"]')
        project.lock_path.write_text(text[:start], encoding="utf-8")
        assert_blames(project.run("install"), "zipped-source")
