"""`default-variant = "auto"` and `buildlock variants --detect`: the variant that fits the machine, and why."""

import json
import sys
from pathlib import Path

import pytest

from support.command import Checkout, CopyLockedProject, CopyProject
from support.machine import compile_drivers, make_command, prepend_path

AUTO = '[tool.buildlock]\ndefault-variant = "auto"'


@pytest.fixture
def seed(checkout: CopyProject) -> Checkout:
    project = checkout("seed")
    project.append(AUTO)
    return project


@pytest.fixture
def tables(locked: CopyLockedProject) -> Checkout:
    """With its variants cpu and cu118 locked."""
    project = locked("buildlock-tables", "--all", "--no-dynamic")
    project.replace('default-variant = "cpu"', 'default-variant = "auto"')
    return project


class TestAuto:
    @pytest.mark.parametrize(
        ("accelerator", "variant"), [("cu118", "cu118"), ("cuda12", "cu118"), ("cu117", "cpu"), ("rocm6.1", "cpu")]
    )
    def test_is_the_newest_that_fits(self, tables: Checkout, accelerator: str, variant: str) -> None:
        result = tables.succeed("export", BUILDLOCK_ACCELERATOR=accelerator)
        assert f"The build environment `{variant}`" in result.stdout

    def test_asks_the_driver(self, seed: Checkout, tmp_path: Path) -> None:
        if sys.platform != "linux":
            pytest.skip("the libraries of drivers are found by LD_LIBRARY_PATH")
        result = seed.run("lock", "--no-dynamic", **compile_drivers(tmp_path), FAKE_NVIDIA_DRIVER="535.183.01")
        assert "Locked cu124" in result.stderr

    def test_explains_itself_where_asked(self, seed: Checkout) -> None:
        result = seed.run("export", "--verbose", BUILDLOCK_ACCELERATOR="cu118")
        assert "found CUDA 11.8 (`BUILDLOCK_ACCELERATOR`)\n" in result.stderr
        assert "cu124 does not fit: it needs CUDA 12.4, and there is CUDA 11.8\n" in result.stderr
        assert "so the variant is cu118\n" in result.stderr
        assert "found" not in seed.run("export", BUILDLOCK_ACCELERATOR="cu118").stderr

    def test_says_why_none_fits(self, seed: Checkout) -> None:
        result = seed.run("install", BUILDLOCK_ACCELERATOR="cpu")
        assert result.code == 2
        assert "error: `default-variant` is `auto`, and no variant of the project fits this machine:\n" in result.stderr
        assert "  - cu118 does not fit: it needs CUDA 11.8, and none was found\n" in result.stderr
        assert "hint: pass `--variant NAME`, or set `BUILDLOCK_VARIANT` or `BUILDLOCK_ACCELERATOR`\n" in result.stderr

    def test_is_not_asked_where_a_variant_is_named(self, tables: Checkout) -> None:
        environ = {"BUILDLOCK_ACCELERATOR": "nonsense"}
        named = tables.succeed("export", "--variant", "cu118", **environ)
        assert named.stdout == tables.succeed("export", BUILDLOCK_VARIANT="cu118", **environ).stdout
        tables.succeed("check", **environ)
        tables.succeed("variants", **environ)

    def test_is_not_asked_where_there_is_no_choice(self, checkout: CopyProject) -> None:
        project = checkout("tiny")
        project.append(AUTO)
        project.succeed("lock", "--no-dynamic", BUILDLOCK_ACCELERATOR="nonsense")

    def test_an_accelerator_that_is_none(self, seed: Checkout) -> None:
        result = seed.run("export", BUILDLOCK_ACCELERATOR="geforce")
        assert result.code == 2
        assert "error: `BUILDLOCK_ACCELERATOR` is `geforce`, which names no accelerator\n" in result.stderr


class TestDetect:
    def test_as_text(self, checkout: CopyProject) -> None:
        result = checkout("buildlock-tables").succeed("variants", "--detect", BUILDLOCK_ACCELERATOR="cu121")
        assert result.stdout == (
            "found CUDA 12.1 (`BUILDLOCK_ACCELERATOR`)\n"
            "\n"
            "cpu    fits    it needs no accelerator\n"
            "cu118  chosen  it needs CUDA 11.8, and there is CUDA 12.1\n"
        )

    def test_as_json(self, checkout: CopyProject) -> None:
        result = checkout("buildlock-tables").succeed("variants", "--detect", "--json", BUILDLOCK_ACCELERATOR="rocm6.1")
        assert json.loads(result.stdout) == {
            "variant": "cpu",
            "found": [{"kind": "rocm", "runs": "6.1", "what": "ROCm 6.1", "where": "`BUILDLOCK_ACCELERATOR`"}],
            "missing": [],
            "variants": [
                {"name": "cpu", "fits": True, "why": "it needs no accelerator"},
                {"name": "cu118", "fits": False, "why": "it needs CUDA 11.8, and none was found"},
            ],
        }

    @pytest.mark.skipif(sys.platform != "linux", reason="the libraries of drivers are found by LD_LIBRARY_PATH")
    def test_of_a_machine_where_everything_fails(self, checkout: CopyProject, tmp_path: Path) -> None:
        smi = make_command(tmp_path / "bin", "nvidia-smi", "echo 'it is broken'; kill -9 $$")
        environ = {**compile_drivers(tmp_path), "FAKE_NVIDIA_DRIVER": "!", "PATH": prepend_path(tmp_path / "bin")}
        result = checkout("buildlock-tables").succeed("variants", "--detect", **environ)
        assert "found no NVIDIA driver\n  NVML: it ended by signal 6\n" in result.stdout
        assert f"  `{smi}`: it ended by signal 9: it is broken\n" in result.stdout
        assert "cpu    chosen  it needs no accelerator\n" in result.stdout
