"""Packages that are not the project's: locked with what they are built in, and built from that."""

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import uv

from index.server import IndexServer
from projects import copy_project
from support.command import Checkout, CopyProject, hermetic, run_process

pytestmark = pytest.mark.slow

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TORCHES = {"cu118": "2.2.0+cu118", "cu124": "2.4.0+cu124"}
COMPILES = "building 'torch_kernels._native'"
BOTH = ("--variant", "cu118", "--variant", "cu124")


@pytest.fixture
def kernels(setuptools_server: IndexServer, tmp_path: Path) -> Checkout:
    """A project that needs torch-kernels, which is built with the real setuptools."""
    setuptools_server.exchanges.clear()
    root = copy_project("outside-package", tmp_path, setuptools_server.root)
    return Checkout(root=root, environment=hermetic(tmp_path, setuptools_server.environment))


@pytest.fixture
def uv_lock(kernels: Checkout) -> Path:
    """The project's uv.lock."""
    run_uv(kernels, "lock")
    return kernels.root / "uv.lock"


def run_uv(project: Checkout, *arguments: str) -> None:
    command = [uv.find_uv_bin(), "--no-config", "--no-progress", *arguments, "--python", sys.executable]
    variables = {"UV_CACHE_DIR": str(project.root.parent / "uv-cache"), "UV_PYTHON_DOWNLOADS": "never"}
    result = run_process(*command, cwd=project.root, environment={**project.environment, **variables})
    assert result.code == 0, result


@pytest.fixture
def tiny(checkout: CopyProject) -> Checkout:
    """A project that is built with the fixtures' own backend."""
    return checkout("tiny")


def sections(project: Checkout) -> dict[str, dict[str, Any]]:
    """The locked packages from elsewhere, by name and variant."""
    found: dict[str, dict[str, Any]] = tomllib.loads(project.lock_path.read_text(encoding="utf-8")).get("packages", {})
    return found


def section(project: Checkout, name: str, variant: str = "default") -> dict[str, Any]:
    found: dict[str, Any] = sections(project)[name][variant]
    return found


def versions(environment: dict[str, Any]) -> dict[str, str]:
    return {package["name"]: package["version"] for package in environment.get("packages", [])}


def built_with(wheel: str) -> dict[str, Any]:
    """What a package that tinybackend built saw."""
    with zipfile.ZipFile(wheel.strip()) as archive:
        (record,) = (name for name in archive.namelist() if name.endswith("built_with.json"))
        found: dict[str, Any] = json.loads(archive.read(record))
    return found


@pytest.mark.skipif(sys.platform == "darwin", reason="there is no CUDA for macOS")
def test_each_variant_builds_against_its_own_torch(kernels: Checkout, setuptools_server: IndexServer) -> None:
    result = kernels.succeed("lock", "--package", "torch-kernels==0.3", *BOTH)
    assert "Locked torch-kernels 0.3 for cu118: " in result.stderr
    assert "variants" not in tomllib.loads(kernels.lock_path.read_text(encoding="utf-8"))
    for variant, torch in TORCHES.items():
        locked = section(kernels, "torch-kernels", variant)
        assert locked["source"]["sdist"]["url"].endswith("/torch_kernels-0.3.tar.gz")
        assert versions(locked)["torch"] == torch
        assert locked["inputs"]["requires"] == ["setuptools", "torch"]
        # What the package says itself is not added to it.
        assert "extra-requires" not in locked["inputs"]
        assert locked["inputs"]["indexes"]["torch"] == [setuptools_server.url(variant)]
    assert kernels.run("check").code == 0

    wheels = {}
    for variant, torch in TORCHES.items():
        out = kernels.root / "wheels" / variant
        result = kernels.succeed("build", "torch-kernels", "--variant", variant, "--out-dir", out)
        assert f"against torch {torch}" in result.stderr
        assert COMPILES in result.stderr
        (wheels[variant],) = out.iterdir()
        assert result.stdout == f"{wheels[variant]}\n"
    extensions = {}
    for variant, wheel in wheels.items():
        with zipfile.ZipFile(wheel) as archive:
            (native,) = (name for name in archive.namelist() if "_native" in name and not name.endswith(".c"))
            extensions[variant] = archive.read(native)
    for variant, torch in TORCHES.items():
        assert torch.encode() in extensions[variant]

    # Both are kept: neither a compiler nor an index is asked again.
    setuptools_server.exchanges.clear()
    for variant in TORCHES:
        result = kernels.succeed("build", "torch-kernels", "--variant", variant, "--out-dir", kernels.root / variant)
        assert result.stderr.startswith("Found torch_kernels-0.3-")
        assert ", built before\n" in result.stderr
        assert Path(result.stdout.strip()).read_bytes() == wheels[variant].read_bytes()
    assert not setuptools_server.exchanges
    result = kernels.succeed("build", "torch-kernels", "--variant", "cu124", "--rebuild")
    assert COMPILES in result.stderr
    assert result.stderr.splitlines()[-1].startswith("Built torch_kernels-0.3-")


class TestLocking:
    def test_the_newest_source_is_taken_and_kept(self, tiny: Checkout) -> None:
        # The newest version that has an sdist; there is a wheel too.
        tiny.succeed("lock", "--package", "Half.Wheeled")
        assert section(tiny, "half-wheeled")["source"]["version"] == "2.0"
        before = tiny.lock_path.read_bytes()
        assert "unchanged" in tiny.succeed("lock", "--package", "half-wheeled").stderr
        assert tiny.lock_path.read_bytes() == before
        assert tiny.run("lock", "--package", "half-wheeled", "--check").code == 0

    def test_the_project_keeps_its_bytes(self, tiny: Checkout) -> None:
        tiny.succeed("lock")
        before = tiny.lock_path.read_text(encoding="utf-8")
        tiny.succeed("lock", "--package", "zipped-source")
        after = tiny.lock_path.read_text(encoding="utf-8")
        assert after.startswith(before)
        tiny.succeed("lock")
        assert tiny.lock_path.read_text(encoding="utf-8") == after
        tiny.succeed("lock", "--drop-package", "zipped-source")
        assert tiny.lock_path.read_text(encoding="utf-8") == before

    def test_configured_ones_are_locked_with_their_variant(self, tiny: Checkout) -> None:
        tiny.append('[tool.buildlock.packages]\nzipped-source = { version = "==1.0", requires = ["filelock<3.16"] }')
        result = tiny.succeed("lock")
        assert "Locked default: " in result.stderr
        assert "Locked zipped-source 1.0 for default: " in result.stderr
        locked = section(tiny, "zipped-source")
        assert locked["inputs"]["extra-requires"] == ["filelock<3.16"]
        assert versions(locked)["filelock"] == "3.15.4"
        assert tiny.run("check").code == 0
        assert tiny.run("lock", "--check").code == 0
        wheel = tiny.succeed("build", "zipped-source").stdout
        assert built_with(wheel)["distributions"] == versions(locked)

    def test_a_configured_one_by_its_name(self, tiny: Checkout) -> None:
        tiny.append('[tool.buildlock.packages]\nhalf-wheeled = ">=2"')
        tiny.succeed("lock", "--package", "half-wheeled")
        assert list(sections(tiny)) == ["half-wheeled"]
        result = tiny.run("lock", "--package", "half-wheeled==2.0")
        assert result.code == 2
        assert "[tool.buildlock.packages].half-wheeled says which version" in result.stderr

    def test_one_of_some_variants(self, kernels: Checkout) -> None:
        kernels.append('[tool.buildlock.packages]\nzipped-source = { version = "", variants = ["cu124"] }')
        kernels.succeed("lock", "--all", "--package", "zipped-source")
        assert list(sections(kernels)["zipped-source"]) == ["cu124"]
        result = kernels.run("lock", "--package", "zipped-source", "--variant", "cu118")
        assert result.code == 2
        assert "for `cu124` alone, not for `cu118`" in result.stderr

    def test_one_from_a_url(self, tiny: Checkout) -> None:
        tiny.succeed("lock", "--package", "zipped-source")
        url = section(tiny, "zipped-source")["source"]["sdist"]["url"]
        tiny.succeed("lock", "--package", f"zipped-source @ {url}")
        assert section(tiny, "zipped-source")["source"]["archive"]["url"] == url
        assert tiny.run("check").code == 0
        assert built_with(tiny.succeed("build", "zipped-source").stdout)["distributions"] == {"tinybackend": "1.0"}

    def test_one_with_a_source_of_the_project(self, tiny: Checkout) -> None:
        tiny.succeed("lock", "--package", "zipped-source")
        url = section(tiny, "zipped-source")["source"]["sdist"]["url"]
        tiny.append(f'[tool.uv.sources]\nzipped-source = {{ url = "{url}" }}')
        assert f"  - `zipped-source` has a source now: `{url}`\n" in tiny.run("check").stderr
        tiny.succeed("lock", "--package", "zipped-source")
        locked = section(tiny, "zipped-source")
        assert locked["source"]["archive"]["url"] == url
        assert locked["inputs"]["indexes"] == {"zipped-source": [url]}
        assert tiny.run("check").code == 0
        folder = tiny.root / "zipped-source"
        folder.mkdir()
        (folder / "pyproject.toml").write_text('[project]\nname = "zipped-source"\nversion = "1.0"\n', encoding="utf-8")
        tiny.replace(f'{{ url = "{url}" }}', '{ path = "zipped-source" }')
        result = tiny.run("lock", "--package", "zipped-source")
        assert result.code == 1
        assert "`zipped-source` comes from a folder: only an sdist" in result.stderr

    def test_for_another_machine(self, tiny: Checkout) -> None:
        foreign = "3.12" if sys.version_info[:2] != (3, 12) else "3.13"
        tiny.succeed("lock", "--package", "zipped-source", "--python", foreign, "--platform", "aarch64-manylinux_2_28")
        (marker,) = section(tiny, "zipped-source")["environments"]
        assert "aarch64" in marker
        result = tiny.run("build", "zipped-source")
        assert result.code == 1
        assert "the lock does not cover" in result.stderr

    def test_without_asking_its_backend(self, kernels: Checkout) -> None:
        kernels.succeed("lock", "--package", "dynamic-source", "--variant", "cu124", "--no-dynamic")
        assert "dynamic" not in section(kernels, "dynamic-source", "cu124")["inputs"]
        result = kernels.run("build", "dynamic-source", "--variant", "cu124")
        assert result.code == 1
        assert "`markupsafe`: not in the lock" in result.stderr
        assert "run `buildlock lock --package dynamic-source --variant cu124`" in result.stderr
        kernels.succeed("lock", "--package", "dynamic-source", "--variant", "cu124")
        kernels.succeed("build", "dynamic-source", "--variant", "cu124")

    def test_all_drops_what_there_is_no_more(self, kernels: Checkout) -> None:
        kernels.succeed("lock", "--package", "zipped-source", *BOTH)
        kernels.append('[tool.buildlock.packages]\nzipped-source = { version = "", variants = ["cu124"] }')
        result = kernels.run("check")
        assert result.code == 3
        assert "zipped-source for cu118: locked, and the project does not have it" in result.stderr
        assert "hint: run `buildlock lock --all`" in result.stderr
        # It drops what there is no more, and would lock the project too, which says nothing of its build.
        result = kernels.succeed("lock", "--all", "--no-dynamic")
        assert "Dropped zipped-source for cu118\n" in result.stderr
        assert list(sections(kernels)["zipped-source"]) == ["cu124"]
        assert kernels.run("check").code == 0

    @pytest.mark.parametrize(
        ("package", "code", "message"),
        [
            ("zipped-source[extra]", 2, "has an extra or a marker"),
            ("zipped-source==", 2, "`--package` has `zipped-source==`, which is not a requirement"),
            ("zipped-source==9", 1, "no index offers a version of `zipped-source==9`"),
            ("no-such-package", 1, "no index offers a version of `no-such-package`"),
            ("filelock", 1, "  filelock 3.16.1: it has wheels alone\n"),
            ("cycle-a", 1, "cycle-a 1.0"),
            ("failing-build @ ftp://files.example/failing-build-1.0.tar.gz", 2, "from a URL that"),
        ],
    )
    def test_what_cannot_be_locked(self, tiny: Checkout, package: str, code: int, message: str) -> None:
        result = tiny.run("lock", "--package", package)
        assert result.code == code
        assert message in result.stderr
        assert "Traceback" not in result.stderr
        assert not tiny.lock_path.exists()

    def test_no_build_excludes_it(self, tiny: Checkout) -> None:
        result = tiny.run("lock", "--package", "zipped-source", "--no-build-package", "zipped-source")
        assert result.code == 1
        assert "`no-build-package` excludes its sdist" in result.stderr

    def test_json(self, tiny: Checkout) -> None:
        answer = json.loads(tiny.succeed("lock", "--package", "zipped-source", "--json").stdout)
        (package,) = answer["packages"]
        assert (package["name"], package["version"], package["variant"]) == ("zipped-source", "1.0", "default")
        assert answer["variants"] == []
        answer = json.loads(tiny.succeed("check", "--json").stdout)
        assert [each["state"] for each in answer["packages"]] == ["fresh"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--drop-package", "tinysource"), "`--drop-package tinysource`: it is not locked"),
            (("--drop-package", "zipped-source"), "[tool.buildlock.packages].zipped-source says to lock it"),
            (("--package", "tinysource", "--package", "tinysource==1"), "`--package` names `tinysource` twice"),
        ],
    )
    def test_wrong_usage(self, tiny: Checkout, arguments: tuple[str, ...], message: str) -> None:
        tiny.append('[tool.buildlock.packages]\nzipped-source = "==1.0"')
        result = tiny.run("lock", *arguments)
        assert result.code == 2
        assert message in result.stderr


class TestStale:
    def test_what_is_added_to_a_build(self, tiny: Checkout) -> None:
        tiny.succeed("lock", "--package", "zipped-source")
        tiny.append('[tool.uv.extra-build-dependencies]\nzipped-source = ["filelock"]')
        moved = "zipped-source for default: stale\n  - the build requirement `filelock` was added\n"
        result = tiny.run("check")
        assert (result.code, result.stderr.partition(moved)[1]) == (3, moved)
        assert "hint: run `buildlock lock --package zipped-source --variant default`" in result.stderr
        result = tiny.run("build", "zipped-source")
        assert result.code == 3
        assert "the build requirement `filelock` was added" in result.stderr
        assert built_with(tiny.succeed("build", "zipped-source", "--frozen").stdout)["distributions"] == {
            "tinybackend": "1.0"
        }
        tiny.succeed("lock", "--package", "zipped-source")
        assert tiny.run("check").code == 0
        tiny.replace('zipped-source = ["filelock"]', "zipped-source = []")
        assert "the build requirement `filelock` was removed" in tiny.run("check").stderr

    def test_what_is_added_to_the_build_of_a_build_requirement(self, tiny: Checkout) -> None:
        tiny.replace('["tinybackend"]', '["tinybackend", "zipped-source"]')
        tiny.succeed("lock")
        tiny.append('[tool.uv.extra-build-dependencies]\nzipped-source = ["filelock"]')
        result = tiny.run("check")
        assert result.code == 3
        assert "  - zipped-source's build: the build requirement `filelock` was added\n" in result.stderr
        tiny.succeed("lock")
        build = tiny.locked()["builds"]["zipped-source==1.0"]
        assert build["inputs"]["extra-requires"] == ["filelock"]
        assert tiny.run("check").code == 0

    def test_another_version_is_configured(self, tiny: Checkout) -> None:
        tiny.append('[tool.buildlock.packages]\nzipped-source = "==1.0"')
        tiny.succeed("lock")
        tiny.replace('zipped-source = "==1.0"', 'zipped-source = ">=2"')
        assert "`zipped-source` is to be `>=2` now, and 1.0 is locked" in tiny.run("check").stderr

    def test_one_is_configured_and_not_locked(self, tiny: Checkout) -> None:
        tiny.succeed("lock")
        tiny.append('[tool.buildlock.packages]\nzipped-source = "==1.0"')
        result = tiny.run("check")
        assert result.code == 3
        assert "zipped-source for default: not locked" in result.stderr


class TestBuild:
    def test_config_settings_are_part_of_the_key(self, tiny: Checkout) -> None:
        tiny.succeed("lock", "--package", "zipped-source")
        tiny.succeed("build", "zipped-source")
        assert "Found " in tiny.succeed("build", "zipped-source").stderr
        assert "Built " in tiny.succeed("build", "zipped-source", "-C", "level=3").stderr
        answer = json.loads(tiny.succeed("build", "zipped-source", "-C", "level=3", "--json").stdout)
        assert answer["reused"]
        assert answer["environment"] == {"tinybackend": "1.0"}

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            (("zipped-source", "--sdist"), 2, "`--sdist`: of `zipped-source` only a wheel is built"),
            (("zipped-source", "--editable"), 2, "only a wheel is built"),
            (("--rebuild",), 2, "`--rebuild` is for a package that is named"),
            (("no such",), 2, "`no such` is not the name of a package"),
            (("tinysource",), 1, "does not lock the package `tinysource` for the variant `default`"),
            (("zipped-source", "--no-build"), 1, "`zipped-source==1.0` would have to be built from source"),
        ],
    )
    def test_what_cannot_be_built(self, tiny: Checkout, arguments: tuple[str, ...], code: int, message: str) -> None:
        tiny.succeed("lock", "--package", "zipped-source")
        result = tiny.run("build", *arguments)
        assert (result.code, result.stdout) == (code, "")
        assert message in result.stderr

    def test_one_that_fails(self, tiny: Checkout) -> None:
        tiny.succeed("lock", "--package", "failing-build")
        result = tiny.run("build", "failing-build")
        assert result.code == 1
        assert "`failing-build` could not be built" in result.stderr
        assert not (tiny.root / "dist").exists()

    def test_variables_that_are_passed_are_part_of_the_key(self, tiny: Checkout) -> None:
        tiny.succeed("lock", "--package", "zipped-source")
        tiny.succeed("build", "zipped-source")
        assert "Found " in tiny.succeed("build", "zipped-source", OPS_LEVEL="3").stderr
        tiny.append('[tool.buildlock]\npass-environment = ["OPS_*"]')
        assert "Found " in tiny.succeed("build", "zipped-source").stderr
        assert "Built " in tiny.succeed("build", "zipped-source", OPS_LEVEL="3").stderr
        assert "Built " in tiny.succeed("build", "zipped-source", OPS_LEVEL="4").stderr
        assert "Found " in tiny.succeed("build", "zipped-source", OPS_LEVEL="3").stderr

    def test_export(self, tiny: Checkout) -> None:
        tiny.succeed("lock", "--package", "zipped-source")
        text = tiny.succeed("export", "--package", "zipped-source").stdout
        assert text.startswith("# The build environment `zipped-source` for `default` of `build-lock.toml`")
        assert "buildlock export --package zipped-source --variant default" in text
        assert "tinybackend==1.0" in text


@pytest.mark.skipif(sys.platform == "darwin", reason="there is no CUDA for macOS")
class TestRuntimeLock:
    """`--runtime-lock`, with locks that uv wrote."""

    def test_what_uv_would_build_is_locked_and_built(self, kernels: Checkout, uv_lock: Path) -> None:
        result = kernels.succeed("lock", "--all", "--runtime-lock", uv_lock)
        assert "Locked torch-kernels 0.3 for cu118: " in result.stderr
        assert ", torch as in uv.lock\n" in result.stderr
        for variant, torch in TORCHES.items():
            locked = section(kernels, "torch-kernels", variant)
            assert versions(locked)["torch"] == torch
            assert locked["inputs"]["match-runtime"] == {"uv.lock": [f"torch=={torch}"]}
            sdist = locked["source"]["sdist"]
            assert f'url = "{sdist["url"]}", hash = "sha256:{sdist["hashes"]["sha256"]}"' in uv_lock.read_text()
        assert list(sections(kernels)) == ["torch-kernels"]
        assert kernels.run("check").code == 0
        assert kernels.run("lock", "--all", "--runtime-lock", uv_lock, "--check").code == 0
        result = kernels.succeed("build", "torch-kernels", "--variant", "cu124")
        assert "against torch 2.4.0+cu124" in result.stderr

        # The runtime moves on, and the build with it.
        kernels.replace('"torch==2.4.0"', '"torch==2.5.1"')
        run_uv(kernels, "lock")
        drift = "  - torch-kernels's build has torch 2.4.0+cu124, uv.lock now installs 2.5.1+cu124 for extra cu124\n"
        result = kernels.run("check")
        assert result.code == 3
        assert drift in result.stderr
        assert "torch-kernels for cu118: fresh" in result.stderr
        result = kernels.run("build", "torch-kernels", "--variant", "cu124")
        assert (result.code, result.stdout) == (3, "")
        kernels.succeed("lock", "--all", "--runtime-lock", uv_lock)
        assert versions(section(kernels, "torch-kernels", "cu124"))["torch"] == "2.5.1+cu124"
        assert "Built " in kernels.succeed("build", "torch-kernels", "--variant", "cu124").stderr

    def test_another_file_on_the_index(self, kernels: Checkout, uv_lock: Path) -> None:
        text = uv_lock.read_text(encoding="utf-8")
        start = text.index("sha256:", text.index("torch_kernels-0.3.tar.gz"))
        uv_lock.write_text(text[: start + 7] + "0" * 64 + text[start + 71 :], encoding="utf-8")
        result = kernels.run("lock", "--all", "--runtime-lock", uv_lock)
        assert result.code == 1
        assert "torch_kernels-0.3.tar.gz` with sha256 0000" in result.stderr
        assert "and the variant's index offers" in result.stderr
        assert not kernels.lock_path.exists()

    def test_an_exported_lock(self, kernels: Checkout, uv_lock: Path) -> None:
        run_uv(kernels, "export", "--quiet", "--format", "pylock.toml", "--extra", "cu124", "-o", "pylock.cu124.toml")
        uv_lock.unlink()
        kernels.succeed("lock", "--variant", "cu124", "--runtime-lock", "pylock.cu124.toml")
        locked = section(kernels, "torch-kernels", "cu124")
        assert locked["inputs"]["match-runtime"] == {"pylock.cu124.toml": ["torch==2.4.0+cu124"]}
        assert kernels.run("check").code == 0

    def test_nothing_to_build(self, kernels: Checkout, uv_lock: Path) -> None:
        kernels.replace('dependencies = ["torch-kernels"]', "dependencies = []")
        run_uv(kernels, "lock")
        result = kernels.succeed("lock", "--all", "--runtime-lock", uv_lock)
        assert result.stderr == "uv.lock installs nothing that has to be built\n"
        assert not kernels.lock_path.exists()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--runtime-lock", "no/uv.lock"), "there is no file"),
            (("--runtime-lock", "pyproject.toml"), "is neither a `uv.lock` nor a `pylock.toml`"),
            (("--runtime-lock", "uv.lock", "--package", "torch-kernels"), "exclude each other"),
        ],
    )
    def test_wrong_usage(self, kernels: Checkout, arguments: tuple[str, ...], message: str) -> None:
        result = kernels.run("lock", "--variant", "cu124", *arguments)
        assert result.code == 2
        assert message in result.stderr
