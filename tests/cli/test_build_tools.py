"""`[tool.buildlock.variants.NAME.host]`: the tools of this machine are checked before anything is compiled."""

import json
import sys
from pathlib import Path

import pytest

from support.command import Checkout, CopyLockedProject
from support.machine import make_gcc, make_nvcc, prepend_path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the tools are shell scripts")

CU118 = ("--variant", "cu118")
HOST = "[tool.buildlock.variants.cu118.host]\n"
SETTLED = "environment = { TORCH_CUDA_ARCH_LIST"


@pytest.fixture
def project(locked: CopyLockedProject) -> Checkout:
    return locked("buildlock-tables", *CU118, "--no-dynamic")


def set_home(project: Checkout, folder: Path) -> None:
    """Let the variant say which CUDA it is built with."""
    project.replace(SETTLED, f"environment = {{ CUDA_HOME = '{folder}', TORCH_CUDA_ARCH_LIST")


class TestHost:
    def test_tools_that_will_do(self, project: Checkout, tmp_path: Path) -> None:
        tools = tmp_path / "tools"
        make_nvcc(tools, "11.8.89")
        make_gcc(tools, "11.4.0")
        project.append(HOST + 'nvcc = ">=11.8,<11.9"\ngcc = "<12"')
        result = project.succeed("build", *CU118, "--verbose", PATH=prepend_path(tools), CUDA_HOME="", CC="")
        assert f"nvcc is 11.8.89 ({tools / 'nvcc'}), as `<11.9,>=11.8` asks for\n" in result.stderr
        assert "warning:" not in result.stderr

    def test_all_that_will_not_do_are_told(self, project: Checkout, tmp_path: Path) -> None:
        tools = tmp_path / "tools"
        make_nvcc(tools, "12.4.131")
        make_gcc(tools, "13.2.0")
        project.append(HOST + 'nvcc = ">=11.8,<11.9"\ngcc = "<12"\nno-such-tool = ">=1"\ncmake = ""')
        result = project.run("build", *CU118, PATH=str(tools), CUDA_HOME="", CUDA_PATH="", CC="")
        assert result.code == 1
        assert "error: this machine does not have what `[tool.buildlock.variants.cu118.host]` asks" in result.stderr
        assert f"  - `nvcc` is 12.4.131 (`{tools / 'nvcc'}`), and `<11.9,>=11.8` is asked for\n" in result.stderr
        assert f"  - `gcc` is 13.2.0 (`{tools / 'gcc'}`), and `<12` is asked for\n" in result.stderr
        assert "  - `no-such-tool` was not found; looked in `" in result.stderr
        assert f"`{tools}`\n" in result.stderr
        assert "tinybackend:" not in result.stderr  # no hook was called
        assert not (project.root / "dist").exists()

    def test_the_variants_variables_lead_to_them(self, project: Checkout, tmp_path: Path) -> None:
        make_nvcc(tmp_path / "tools", "13.0.88")
        make_nvcc(tmp_path / "cuda" / "bin", "11.8.89")
        set_home(project, tmp_path / "cuda")
        project.append(HOST + 'nvcc = "==11.8.*"')
        project.succeed("build", *CU118, PATH=prepend_path(tmp_path / "tools"), CUDA_HOME="/elsewhere")

    def test_an_sdist_needs_none(self, project: Checkout) -> None:
        project.append(HOST + 'no-such-tool = ""')
        project.succeed("build", *CU118, "--sdist")
        assert project.run("build", *CU118, "--editable").code == 1

    def test_other_variants_need_none(self, locked: CopyLockedProject) -> None:
        project = locked("buildlock-tables", "--variant", "cpu", "--no-dynamic")
        project.append(HOST + 'no-such-tool = ""')
        project.succeed("build", "--variant", "cpu")

    def test_they_are_no_input_of_the_lock(self, project: Checkout) -> None:
        project.append(HOST + 'nvcc = ">=99"')
        assert project.run("check", *CU118).code == 0


class TestTorch:
    """Nothing is said of nvcc, and the locked torch is built for CUDA 11.8."""

    WARNING = "warning: the locked torch 2.2.0+cu118 is built for CUDA 11.8, and nvcc is 12.4.131"

    def test_another_major_version_is_warned_of_before_the_build(self, project: Checkout, tmp_path: Path) -> None:
        make_nvcc(tmp_path / "tools", "12.4.131")
        environ = {"PATH": prepend_path(tmp_path / "tools"), "CUDA_HOME": ""}
        said = project.succeed("build", *CU118, **environ).stderr
        assert f"{self.WARNING} (`{tmp_path / 'tools' / 'nvcc'}`)" in said
        assert said.index("warning:") < said.index("tinybackend:")
        assert "hint: set CUDA_HOME, in `environment` of `[tool.buildlock.variants.cu118]`, to the folder" in said
        assert "warning:" not in project.succeed("build", *CU118, "--sdist", **environ).stderr

    def test_another_minor_version_is_fine(self, project: Checkout, tmp_path: Path) -> None:
        make_nvcc(tmp_path / "cuda" / "bin", "11.2.67")
        set_home(project, tmp_path / "cuda")
        assert "warning:" not in project.succeed("build", *CU118).stderr

    def test_the_variants_word_counts_above_the_rule(self, project: Checkout, tmp_path: Path) -> None:
        make_nvcc(tmp_path / "cuda" / "bin", "12.4.131")
        set_home(project, tmp_path / "cuda")
        project.append(HOST + 'nvcc = ">=12"')
        assert "warning:" not in project.succeed("build", *CU118).stderr

    def test_a_torch_for_the_cpu_goes_with_any(self, locked: CopyLockedProject, tmp_path: Path) -> None:
        project = locked("buildlock-tables", "--variant", "cpu", "--no-dynamic")
        make_nvcc(tmp_path / "tools", "12.4.131")
        result = project.succeed("build", "--variant", "cpu", "--json", PATH=prepend_path(tmp_path / "tools"))
        assert json.loads(result.stdout)[0]["environment"]["torch"] == "2.4.0+cpu"
        assert "warning:" not in result.stderr
