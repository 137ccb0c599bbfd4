"""What is found on a machine, by real libraries, files and commands."""

from pathlib import Path

import pytest
from packaging.version import Version

from buildlock.errors import UsageError
from buildlock.host.detection import Machine, detect_accelerators
from buildlock.host.nvidia import runs_cuda
from support.machine import make_command


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def describe(machine: Machine) -> list[tuple[str, tuple[int, ...], str]]:
    return [(each.kind, each.limit, each.where) for each in machine.accelerators]


@pytest.mark.parametrize(
    ("driver", "linux", "windows"),
    [
        ("580.65.06", (13,), (13,)),
        ("610.1", (13,), (13,)),
        ("579.99", (12,), (12,)),
        ("525.60.13", (12,), (11,)),
        ("527.41", (12,), (12,)),
        ("525.60.11", (11,), (11,)),
        ("470.82.01", (11,), (11,)),
        ("450.80.02", (11,), (10, 2)),
        ("450.51.06", (11, 0), (10, 2)),
        ("440.33", (10, 2), (10, 1)),
        ("390.46", (9, 1), (9, 0)),
        ("304.51", None, None),
    ],
)
def test_what_drivers_run(driver: str, linux: tuple[int, ...] | None, windows: tuple[int, ...] | None) -> None:
    """By NVIDIA's table of CUDA versions and the oldest drivers that run them."""
    assert runs_cuda(Version(driver), windows=False) == linux
    assert runs_cuda(Version(driver), windows=True) == windows


class TestNvidia:
    def test_by_its_management_library(self, bare: dict[str, str], tmp_path: Path) -> None:
        machine = detect_accelerators({**bare, "FAKE_NVIDIA_DRIVER": "550.54.14"}, root=tmp_path)
        assert describe(machine) == [("cuda", (12,), "NVML")]
        assert machine.accelerators[0].what == "NVIDIA driver 550.54.14, which runs CUDA up to 12.x"
        assert [missing.what for missing in machine.missing] == ["ROCm", "Intel GPU", "Apple GPU"]

    @pytest.mark.parametrize(
        "text",
        [
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  450.51.06  Sun Jul 19 20:02:54 UTC 2020\nGCC version:\n",
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  450.51.06  Release Build  (dvs@x)\n",
        ],
    )
    def test_by_its_kernel_module(self, bare: dict[str, str], tmp_path: Path, text: str) -> None:
        path = tmp_path / "proc/driver/nvidia/version"
        write(path, text)
        assert describe(detect_accelerators(bare, root=tmp_path)) == [("cuda", (11, 0), f"`{path}`")]

    def test_by_its_command(self, bare: dict[str, str], tmp_path: Path) -> None:
        make_command(tmp_path / "bin", "nvidia-smi", 'test "$1" = --query-gpu=driver_version && echo 580.65.06')
        assert describe(detect_accelerators(bare, root=tmp_path)) == [("cuda", (13,), "`nvidia-smi`")]

    @pytest.mark.parametrize(("cuda", "limit"), [("12040", (12,)), ("14020", (14,)), ("10010", (10, 1))])
    def test_by_the_library_of_cuda(
        self, bare: dict[str, str], tmp_path: Path, cuda: str, limit: tuple[int, ...]
    ) -> None:
        machine = detect_accelerators({**bare, "FAKE_CUDA": cuda}, root=tmp_path)
        assert describe(machine) == [("cuda", limit, "the CUDA driver library")]

    def test_a_crash_is_as_good_as_no_driver(self, bare: dict[str, str], tmp_path: Path) -> None:
        machine = detect_accelerators({**bare, "FAKE_NVIDIA_DRIVER": "!"}, root=tmp_path)
        assert machine.accelerators == ()
        assert "NVML: it ended by signal 6" in str(machine.missing[0])

    @pytest.mark.parametrize("version", ["1.0", "\x1b[31m", "9" * 70, "550.54.14; rm", ""])
    def test_nonsense_is_as_good_as_no_driver(self, bare: dict[str, str], tmp_path: Path, version: str) -> None:
        machine = detect_accelerators({**bare, "FAKE_NVIDIA_DRIVER": version}, root=tmp_path)
        assert machine.accelerators == ()

    def test_says_where_it_was_looked_for(self, bare: dict[str, str], tmp_path: Path) -> None:
        write(tmp_path / "proc/driver/nvidia/version", "who knows")
        smi = make_command(tmp_path / "bin", "nvidia-smi", "echo 'NVIDIA-SMI has failed'; exit 9")
        assert detect_accelerators(bare, root=tmp_path).missing[0].reasons == (
            "NVML: `nvmlInit_v2` failed with status 9",
            f"`{tmp_path / 'proc/driver/nvidia/version'}` says no version",
            f"`{smi}`: it ended with exit code 9: NVIDIA-SMI has failed",
            "the CUDA driver library: `cuInit` failed with status 100",
        )


class TestAmd:
    @pytest.mark.parametrize(("text", "limit"), [("6.2.4-120\n", (6, 2)), ("7.0.0", (7, 0)), ("5.7", (5, 7))])
    def test_by_its_version(self, bare: dict[str, str], tmp_path: Path, text: str, limit: tuple[int, ...]) -> None:
        path = tmp_path / "opt/rocm/.info/version"
        write(path, text)
        assert describe(detect_accelerators(bare, root=tmp_path)) == [("rocm", limit, f"`{path}`")]

    def test_where_the_user_has_it(self, bare: dict[str, str], tmp_path: Path) -> None:
        write(tmp_path / "opt/rocm/.info/version", "5.7.0")
        write(tmp_path / "mine/.info/version", "6.1.3")
        (found,) = detect_accelerators({**bare, "ROCM_PATH": str(tmp_path / "mine")}, root=tmp_path).accelerators
        assert found.limit == (6, 1)

    def test_by_its_command(self, bare: dict[str, str], tmp_path: Path) -> None:
        lines = "echo '  Device Type:             CPU'\nseq 100\necho '  Device Type:             GPU  '\nseq 100"
        rocminfo = make_command(tmp_path / "bin", "rocminfo", lines.replace("seq", "/usr/bin/seq"))
        assert describe(detect_accelerators(bare, root=tmp_path)) == [("rocm", (), "`rocminfo`")]
        rocminfo.write_text("#!/bin/sh\necho 'Device Type: CPU'\n", encoding="utf-8")
        machine = detect_accelerators(bare, root=tmp_path)
        assert machine.accelerators == ()
        assert "`rocminfo` lists no GPU" in machine.missing[1].reasons

    def test_by_its_driver(self, bare: dict[str, str], tmp_path: Path) -> None:
        nodes = tmp_path / "sys/class/kfd/kfd/topology/nodes"
        (tmp_path / "sys/module/amdgpu").mkdir(parents=True)
        write(nodes / "0/properties", "cpu_cores_count 16\ngfx_target_version 0\n")
        assert detect_accelerators(bare, root=tmp_path).accelerators == ()
        write(nodes / "1/properties", "cpu_cores_count 0\ngfx_target_version 90010\n")
        assert describe(detect_accelerators(bare, root=tmp_path)) == [("rocm", (), f"`{nodes}`")]


class TestIntel:
    def test_by_level_zero(self, bare: dict[str, str], tmp_path: Path) -> None:
        machine = detect_accelerators({**bare, "FAKE_INTEL_GPU": "1"}, root=tmp_path)
        assert describe(machine) == [("xpu", (), "Level Zero")]

    def test_by_the_command_of_sycl(self, bare: dict[str, str], tmp_path: Path) -> None:
        make_command(tmp_path / "bin", "sycl-ls", "echo '[opencl:cpu][opencl:0] Intel'; echo '[level_zero:gpu] Arc'")
        assert describe(detect_accelerators(bare, root=tmp_path)) == [("xpu", (), "`sycl-ls`")]


def test_several_are_found_in_their_order(bare: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path / "opt/rocm/.info/version", "6.1.0")
    environ = {**bare, "FAKE_INTEL_GPU": "1", "FAKE_NVIDIA_DRIVER": "580.65.06"}
    assert [each.kind for each in detect_accelerators(environ, root=tmp_path).accelerators] == ["cuda", "rocm", "xpu"]


class TestOverride:
    @pytest.mark.parametrize(
        ("value", "kind", "limit"), [("cu124", "cuda", (12, 4)), ("rocm6.1", "rocm", (6, 1)), ("cpu", "cpu", ())]
    )
    def test_stands_in_for_all(
        self, bare: dict[str, str], tmp_path: Path, value: str, kind: str, limit: tuple[int, ...]
    ) -> None:
        environ = {**bare, "FAKE_NVIDIA_DRIVER": "580.65.06", "BUILDLOCK_ACCELERATOR": value}
        machine = detect_accelerators(environ, root=tmp_path)
        assert describe(machine) == [(kind, limit, "`BUILDLOCK_ACCELERATOR`")]
        assert machine.missing == ()

    def test_is_an_accelerator(self) -> None:
        with pytest.raises(UsageError, match="`BUILDLOCK_ACCELERATOR` is `gpu`, which names no accelerator"):
            detect_accelerators({"BUILDLOCK_ACCELERATOR": "gpu"})
