"""The tools that a build will find, and what they say of themselves."""

import shutil
import sys
from pathlib import Path

import pytest
from packaging.version import Version

from buildlock.host.tools import MissingTool, Tool, find_tool, parse_version
from support.machine import make_command, make_gcc, make_nvcc

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the tools are shell scripts")

SAID = {
    "gcc (Debian 12.2.0-14+deb12u1) 12.2.0\nCopyright (C) 2022 Free Software Foundation, Inc.": "12.2.0",
    "gcc (GCC) 11.5.0 20240719 (Red Hat 11.5.0-2)": "11.5.0",
    "gcc (crosstool-NG 1.26.0.65_ecc5e41) 14.1.0": "14.1.0",
    "nvcc: NVIDIA (R) Cuda compiler driver\nCuda compilation tools, release 13.0, V13.0.88\nBuild x.1": "13.0.88",
    "Ubuntu clang version 14.0.0-1ubuntu1.1": "14.0.0",
    "cmake version 3.25.1\n\nCMake suite maintained by Kitware (kitware.com/cmake).": "3.25.1",
    "1.11.1.git.kitware.jobserver-1": "1.11.1",
    "HIP version: 6.1.40091-a8dbc0c19\nAMD clang version 17.0.0": "6.1.40091",
    "GNU ld (GNU Binutils for Debian) 2.40": "2.40",
    "rustc 1.75.0 (82e1608df 2023-12-21)": "1.75.0",
    "v20.11.0": "20.11.0",
}


@pytest.mark.parametrize("text", SAID)
def test_the_version_in_what_a_tool_says(text: str) -> None:
    assert parse_version(text) == Version(SAID[text])


@pytest.mark.parametrize("text", ["", "no version here", "12", "1." + "9" * 5000, "(1.2.3)"])
def test_what_says_no_version(text: str) -> None:
    assert parse_version(text) is None


class TestFind:
    def test_on_path(self, tmp_path: Path) -> None:
        gcc = make_gcc(tmp_path / "bin", "11.4.0")
        assert find_tool("gcc", {"PATH": str(tmp_path / "bin")}) == Tool(path=str(gcc), version=Version("11.4.0"))

    def test_nvcc_in_its_home_before_path(self, tmp_path: Path) -> None:
        make_nvcc(tmp_path / "bin", "13.0.88")
        nvcc = make_nvcc(tmp_path / "cuda" / "bin", "12.4.131")
        for variable in ("CUDA_HOME", "CUDA_PATH"):
            environ = {"PATH": str(tmp_path / "bin"), variable: str(tmp_path / "cuda")}
            assert find_tool("nvcc", environ) == Tool(path=str(nvcc), version=Version("12.4.131"))

    @pytest.mark.parametrize("value", ["gcc-9", "{bin}/gcc-9", "launcher gcc-9 -m64"])
    def test_the_compiler_of_the_variable(self, tmp_path: Path, value: str) -> None:
        folder = tmp_path / "bin"
        make_gcc(folder, "13.2.0")
        make_gcc(folder, "9.5.0", name="gcc-9")
        make_command(folder, "launcher", '"$@"')
        found = find_tool("gcc", {"PATH": str(folder), "CC": value.format(bin=folder)})
        assert isinstance(found, Tool)
        assert found.version == Version("9.5.0")

    def test_another_compiler_is_not_gcc(self, tmp_path: Path) -> None:
        folder = tmp_path / "bin"
        make_command(folder, "gcc", "echo 'Apple clang version 15.0.0 (clang-1500.3.9.4)'")
        found = find_tool("gcc", {"PATH": str(folder)})
        reason = f"is `{folder / 'gcc'}`, which is something else: Apple clang version 15.0.0 (clang-1500.3.9.4)"
        assert found == MissingTool(reason=reason)

    def test_says_where_it_was_looked_for(self, tmp_path: Path) -> None:
        environ = {"PATH": f"{tmp_path / 'bin'}:relative", "CUDA_HOME": str(tmp_path / "cuda")}
        looked = f"was not found; looked in `{tmp_path / 'cuda' / 'bin'}`, `{tmp_path / 'bin'}`"
        found = find_tool("nvcc", environ)
        if isinstance(found, MissingTool):  # else it is in the usual place of CUDA
            assert found == MissingTool(reason=f"{looked}, `/usr/local/cuda/bin`")
        assert find_tool("tool", {"PATH": str(tmp_path)}) == MissingTool(
            reason=f"was not found; looked in `{tmp_path}`"
        )

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ("gcc-99 -m64", "is `gcc-99 -m64` by CC, and there is no `gcc-99` on PATH"),
            ("'gcc", "is `'gcc` by CC, which is no command"),
            (" ", "is ` ` by CC, which is no command"),
        ],
    )
    def test_a_variable_that_leads_nowhere(self, tmp_path: Path, value: str, reason: str) -> None:
        assert find_tool("gcc", {"PATH": str(tmp_path), "CC": value}) == MissingTool(reason=reason)

    @pytest.mark.parametrize(
        ("script", "reason"),
        [("exit 3", "`--version` says nothing: it ended with exit code 3"), ("echo hello", "says no version: hello")],
    )
    def test_one_that_does_not_say(self, tmp_path: Path, script: str, reason: str) -> None:
        make_command(tmp_path, "tool", script)
        found = find_tool("tool", {"PATH": str(tmp_path)})
        assert isinstance(found, MissingTool)
        assert found.reason.endswith(reason)

    def test_the_real_ones(self) -> None:
        for name in ("gcc", "nvcc"):
            if path := shutil.which(name):
                found = find_tool(name, {"PATH": str(Path(path).parent)})
                assert isinstance(found, Tool)
                assert found.version > Version("4")
