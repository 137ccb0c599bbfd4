"""Which targets a project names: for buildlock, else for uv, else for cibuildwheel."""

import pytest

from unit.project.conftest import Faults, Read, Warnings

BUILD = "[build-system]\nrequires = ['torch']\n"


def names(read: Read, text: str, variant: str = "default") -> list[str]:
    return [str(name) for name in read(BUILD + text).inputs[variant].targets]


def test_none(read: Read) -> None:
    assert names(read, "[tool.uv]\nindex = []") == []


def test_the_product(read: Read) -> None:
    text = """[tool.buildlock]
python = ["3.11", "3.13t"]
platforms = ["linux", "macos"]
[tool.uv]
environments = "os_name == 'nt'"
"""
    assert names(read, text) == ["3.11 linux", "3.11 macos", "3.13t linux", "3.13t macos"]
    assert names(read, '[tool.buildlock]\npython = ["3.11"]') == ["3.11"]
    assert names(read, '[tool.buildlock]\nplatforms = ["windows"]') == ["windows"]


def test_a_variant_has_its_own(read: Read) -> None:
    text = """[tool.buildlock]
python = ["3.11"]
platforms = ["linux", "macos"]
[tool.buildlock.variants.cpu]
[tool.buildlock.variants.cu124]
platforms = ["linux"]
[tool.buildlock.variants.old]
python = ["3.9"]
"""
    assert names(read, text, "cpu") == ["3.11 linux", "3.11 macos"]
    assert names(read, text, "cu124") == ["3.11 linux"]
    assert names(read, text, "old") == ["3.9 linux", "3.9 macos"]


def test_faults(faults: Faults) -> None:
    message = faults(
        BUILD + '[tool.buildlock]\npython = ["3.7", "python3"]\nplatforms = ["linus", 3]\n'
        '[tool.buildlock.dynamic-requires]\nwheels = []\nwheel = ["a @ https://a.example/a"]'
    )
    for part in (
        "[tool.buildlock].python` has `3.7`, which is too old: 3.8 is the oldest",
        "[tool.buildlock].python` has `python3`, which is no version of Python such as",
        "[tool.buildlock].platforms` has `linus`, which names no platform",
        "[tool.buildlock].platforms[1]` must be a string, not an integer",
        "wheels` is not a known key; did you mean `wheel`?",
        "has `a` from a URL that leads to no wheel and no source archive",
    ):
        assert part in message


class TestUv:
    def test_systems_are_uvs_default_machines_with_this_python(self, read: Read) -> None:
        text = "[tool.uv]\nenvironments = [\"sys_platform == 'darwin'\", \"sys_platform == 'linux'\"]"
        assert names(read, text) == ["macos", "linux"]

    def test_machines_and_pythons(self, read: Read) -> None:
        text = """[project]
name = "demo"
requires-python = ">=3.11"
[tool.uv]
environments = ["platform_machine == 'aarch64' and platform_system == 'Linux' and python_version < '3.13'"]
required-environments = ["sys_platform == 'win32' and platform_machine == 'AMD64' and python_full_version >= '3.14'"]
"""
        assert names(read, text) == [
            "3.11 aarch64-unknown-linux-gnu",
            "3.12 aarch64-unknown-linux-gnu",
            "3.14 x86_64-pc-windows-msvc",
        ]

    def test_python_alone(self, read: Read) -> None:
        assert names(read, "[tool.uv]\nenvironments = \"python_version == '3.12'\"") == ["3.12"]

    @pytest.mark.parametrize("marker", ["sys_platform == 'emscripten'", "platform_release == '6'"])
    def test_what_cannot_be_derived_is_a_warning(self, warnings_of: Warnings, marker: str) -> None:
        (warning,) = warnings_of(f'{BUILD}[tool.uv]\nenvironments = ["{marker}"]')
        assert "describes no Python and platform known to buildlock" in warning

    @pytest.mark.parametrize("marker", ["extra == 'x'", "nonsense", "sys_platform"])
    def test_no_marker(self, faults: Faults, marker: str) -> None:
        assert "which is no marker of an environment" in faults(f'{BUILD}[tool.uv]\nenvironments = ["{marker}"]')


class TestCibuildwheel:
    def test_identifiers(self, read: Read) -> None:
        text = '[tool.cibuildwheel]\nbuild = "cp3{10,12}-* cp313-win_amd64"\nskip = ["*-musllinux*", "cp310-win*"]'
        assert names(read, text) == [
            "3.10 x86_64-manylinux_2_28",
            "3.10 aarch64-apple-darwin",
            "3.12 x86_64-manylinux_2_28",
            "3.12 aarch64-apple-darwin",
            "3.12 x86_64-pc-windows-msvc",
            "3.13 x86_64-pc-windows-msvc",
        ]

    def test_machines(self, read: Read) -> None:
        text = """[tool.cibuildwheel]
build = ["cp312-*"]
manylinux-aarch64-image = "manylinux_2_34"
[tool.cibuildwheel.linux]
archs = ["x86_64", "aarch64"]
manylinux-x86_64-image = "manylinux2014"
[tool.cibuildwheel.macos]
archs = "x86_64 universal2"
[tool.cibuildwheel.windows]
archs = ["ARM64", "x86"]
"""
        assert names(read, text) == [
            "3.12 x86_64-manylinux2014",
            "3.12 x86_64-musllinux_1_2",
            "3.12 aarch64-manylinux_2_34",
            "3.12 aarch64-musllinux_1_2",
            "3.12 x86_64-apple-darwin",
            "3.12 aarch64-apple-darwin",
            "3.12 aarch64-pc-windows-msvc",
            "3.12 i686-pc-windows-msvc",
        ]

    def test_the_projects_pythons_and_what_is_enabled(self, read: Read) -> None:
        text = """[project]
name = "demo"
requires-python = ">=3.12.4"
[tool.cibuildwheel]
skip = "*-macosx* *-musllinux* *-win*"
enable = ["cpython-freethreading"]
"""
        pythons = [name.partition(" ")[0] for name in names(read, text)]
        assert pythons == ["3.12", "3.13", "3.14", "3.13t", "3.14t"]
        assert "3.13t" not in str(names(read, text.replace("cpython-freethreading", "cpython-prerelease")))

    def test_nothing_is_selected_by_other_settings(self, read: Read) -> None:
        assert names(read, '[tool.cibuildwheel]\ntest-command = "pytest"') == []

    def test_nothing_that_is_known(self, warnings_of: Warnings) -> None:
        (warning,) = warnings_of(f'{BUILD}[tool.cibuildwheel]\nbuild = "cp27-*"')
        assert "selects no build that buildlock knows" in warning

    def test_other_interpreters(self, warnings_of: Warnings) -> None:
        text = f'{BUILD}[tool.cibuildwheel]\nbuild = "cp312-* pp310-*"\nenable = "pypy"'
        (warning,) = warnings_of(text)
        assert "buildlock locks for CPython alone" in warning

    def test_braces_without_end(self, read: Read) -> None:
        assert names(read, f'[tool.cibuildwheel]\nbuild = "cp312-win_amd64 {"{a,b}" * 200} {{{"{" * 100}"') == [
            "3.12 x86_64-pc-windows-msvc"
        ]
