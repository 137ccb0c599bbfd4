"""The tags and markers of platforms and Pythons that are not here."""

import pytest
from packaging.markers import default_environment
from packaging.tags import Tag

from buildlock.platforms import UnknownPlatformError, parse_platform
from buildlock.targets import Target, choose_names, make_target, parse_python
from buildlock.targets import TargetName as Name

# What uv's `--python-platform` takes; without Android, iOS and Pyodide.
LEVELS = ("manylinux2014", *(f"manylinux_2_{minor}" for minor in (17, 28, *range(31, 41))))
UVS = (
    *("windows", "linux", "macos", "x86_64-pc-windows-msvc", "aarch64-pc-windows-msvc", "i686-pc-windows-msvc"),
    *("x86_64-unknown-linux-gnu", "aarch64-apple-darwin", "x86_64-apple-darwin", "aarch64-unknown-linux-gnu"),
    *("aarch64-unknown-linux-musl", "x86_64-unknown-linux-musl", "riscv64-unknown-linux"),
    *(f"{machine}-{level}" for machine in ("x86_64", "aarch64") for level in LEVELS),
)


def target(python: str, platform: str) -> Target:
    return make_target(parse_python(python), parse_platform(platform))


@pytest.mark.parametrize("name", UVS)
def test_every_name_of_uv(name: str) -> None:
    made = target("3.12", name)
    assert made.environment.keys() == default_environment().keys()
    assert made.tags[-1] == Tag("py30", "none", "any")


@pytest.mark.parametrize(
    ("name", "machine", "first", "last"),
    [
        ("linux", "x86_64", "manylinux_2_28_x86_64", "linux_x86_64"),
        ("aarch64-manylinux2014", "aarch64", "manylinux_2_17_aarch64", "linux_aarch64"),
        ("x86_64-unknown-linux-musl", "x86_64", "musllinux_1_2_x86_64", "linux_x86_64"),
        ("x86_64-musllinux_1_1", "x86_64", "musllinux_1_1_x86_64", "linux_x86_64"),
        ("macos", "arm64", "macosx_13_0_arm64", "macosx_10_4_universal2"),
        ("aarch64-macosx_11_0", "arm64", "macosx_11_0_arm64", "macosx_10_4_universal2"),
        ("windows", "AMD64", "win_amd64", "win_amd64"),
        ("i686-pc-windows-msvc", "x86", "win32", "win32"),
        ("aarch64-pc-windows-msvc", "ARM64", "win_arm64", "win_arm64"),
    ],
)
def test_tags_from_the_best_to_the_last(name: str, machine: str, first: str, last: str) -> None:
    platform = parse_platform(name)
    assert (platform.markers["platform_machine"], platform.tags[0], platform.tags[-1]) == (machine, first, last)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "solaris",
            "x86_64",
            "x86_64-",
            "sparc-unknown-linux-gnu",
            "x86_64-manylinux_2_4",
            "x86_64-manylinux_3_0",
        ),
        *(
            "aarch64-manylinux_2_12",
            "x86_64-musllinux_2_0",
            "arm64-pc-windows-msvc",
            "wasm32-pyodide2024",
            "x86_64-gnu",
        ),
        *("Linux", "x86_64-manylinux_2_999", "aarch64-macosx_9_0"),
    ],
)
def test_no_platform(name: str) -> None:
    with pytest.raises(UnknownPlatformError, match="names no platform"):
        parse_platform(name)


def test_legacy_names_of_a_glibc_stand_beside_their_level() -> None:
    tags = parse_platform("x86_64-manylinux_2_17").tags
    assert tags.index("manylinux2014_x86_64") == tags.index("manylinux_2_17_x86_64") + 1
    assert {"manylinux2010_x86_64", "manylinux1_x86_64"} < {*tags}
    assert not [tag for tag in parse_platform("x86_64-unknown-linux-musl").tags if tag.startswith("manylinux")]


def test_macos_takes_both_halves_and_older_levels() -> None:
    tags = parse_platform("x86_64-apple-darwin").tags
    assert {"macosx_11_0_universal2", "macosx_10_9_x86_64", "macosx_10_9_intel"} < {*tags}
    assert "macosx_14_0_x86_64" not in tags


@pytest.mark.parametrize(
    ("python", "tag", "fits"),
    [
        ("3.12", "cp39-abi3-manylinux_2_17_x86_64", True),
        ("3.13t", "cp39-abi3-manylinux_2_17_x86_64", False),
        ("3.13t", "cp313-cp313t-manylinux_2_28_x86_64", True),
        ("3.13", "cp313-cp313t-manylinux_2_28_x86_64", False),
        ("3.13t", "py3-none-any", True),
        ("3.12", "cp312-cp312-manylinux_2_31_x86_64", False),
        ("3.12", "cp313-abi3-manylinux_2_17_x86_64", False),
    ],
)
def test_abis(python: str, tag: str, fits: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert (Tag(*tag.split("-")) in target(python, "linux").tags) is fits


@pytest.mark.parametrize(
    ("text", "why"),
    [
        *(("3", "is no version"), ("4.0", "is no version"), ("3.12.1.2", "is no version"), ("cp312", "is no version")),
        *(
            ("3.7", "is too old: 3.8"),
            ("3.12t", "does not exist"),
            ("٣.١٢", "is no version"),
            ("3.123", "is no version"),
        ),
    ],
)
def test_no_python(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_python(text)


def test_names_are_the_product() -> None:
    assert choose_names((), pythons=(), platforms=()) == ()
    assert choose_names((), pythons=("3.11",), platforms=()) == (Name(python="3.11"),)
    declared = choose_names((), pythons=("3.11", "3.12"), platforms=("linux", "macos"))
    assert [*map(str, declared)] == ["3.11 linux", "3.11 macos", "3.12 linux", "3.12 macos"]
    assert [*map(str, choose_names(declared, pythons=("3.13",), platforms=()))] == ["3.13 linux", "3.13 macos"]
    assert [*map(str, choose_names(declared, pythons=(), platforms=("windows",)))] == ["3.11 windows", "3.12 windows"]
