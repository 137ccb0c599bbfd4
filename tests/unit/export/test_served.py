"""The targets that a lock serves, and what each gets."""

from dataclasses import replace

import pytest

from buildlock.errors import UncoveredTargetError, UsageError
from buildlock.export.served import list_served
from buildlock.lockfile.model import LockedEnvironment, LockedInputs
from support.locks import LINUX_311, make_environment, make_package

PYPY = f"implementation_name == 'pypy' and {LINUX_311}"
MAC_311 = "python_version == '3.11' and sys_platform == 'darwin' and platform_machine == 'arm64'"
WINDOWS_311 = "python_version == '3.11' and sys_platform == 'win32' and platform_machine == 'AMD64'"
GLIBC, MUSL = "3.11 x86_64-unknown-linux-gnu", "3.11 x86_64-unknown-linux-musl"
TORCH = ("cp311-cp311-manylinux_2_28_x86_64", "cp311-cp311-musllinux_1_2_x86_64")


def names(environment: LockedEnvironment, **asked: list[str]) -> list[str]:
    return list(map(str, list_served(environment, **asked)))


def test_those_that_the_project_names() -> None:
    named = ("3.11 aarch64-apple-darwin", "3.11 x86_64-manylinux_2_28", "3.11 x86_64-manylinux_2_17")
    tags = ["py3-none-manylinux_2_17_x86_64", "py3-none-manylinux_2_28_x86_64", "py3-none-macosx_11_0_arm64"]
    environment = make_environment(
        make_package("numpy", tags=tags), inputs=LockedInputs(targets=named), environments=[LINUX_311, MAC_311]
    )
    found = {str(each): each.packages[0].filename for each in list_served(environment)}
    assert found == {name: f"numpy-1.0-{tag}.whl" for name, tag in zip(sorted(named), sorted(tags), strict=True)}


@pytest.mark.parametrize(
    ("tags", "environments", "expected"),
    [
        (["py3-none-any"], [LINUX_311], [GLIBC]),
        (TORCH[:1], [LINUX_311], [GLIBC]),
        (TORCH[1:], [LINUX_311], [MUSL]),
        (TORCH, [LINUX_311], [GLIBC, MUSL]),
        (["py3-none-any"], [MAC_311], ["3.11 aarch64-apple-darwin"]),
        (["cp311-cp311-macosx_14_0_arm64"], [MAC_311], ["3.11 aarch64-apple-darwin"]),
        (["cp311-cp311-win_amd64"], [WINDOWS_311], ["3.11 x86_64-pc-windows-msvc"]),
        (["py3-none-any"], [LINUX_311.replace("3.11", "3.13")], ["3.13 x86_64-unknown-linux-gnu"]),
        (
            ["cp313-cp313t-manylinux_2_28_x86_64"],
            [LINUX_311.replace("3.11", "3.13")],
            ["3.13t x86_64-unknown-linux-gnu"],
        ),
        (["pp311-pypy311_pp73-manylinux_2_28_x86_64"], [PYPY], [GLIBC]),
    ],
)
def test_those_that_all_files_fit(tags: list[str], environments: list[str], expected: list[str]) -> None:
    assert names(make_environment(make_package("torch", tags=tags), environments=environments)) == expected


def test_runs_of_pythons() -> None:
    run = LINUX_311.replace("== '3.11'", ">= '3.9' and python_version <= '3.11'")
    environment = make_environment(make_package("wheel"), environments=[run])
    assert [each.python for each in list_served(environment)] == ["3.9", "3.10", "3.11"]
    assert names(environment, pythons=["3.10"]) == ["3.10 x86_64-unknown-linux-gnu"]


def test_a_platform_that_only_builds_what_has_a_wheel_is_not_meant() -> None:
    foo = make_package("foo", tags=["py3-none-manylinux_2_28_x86_64"], sdist=True)
    environment = make_environment(
        foo,
        environments=[LINUX_311, MAC_311],
        builds={"foo==1.0": make_environment(environments=[LINUX_311, MAC_311])},
    )
    assert names(environment) == ["3.11 aarch64-apple-darwin", GLIBC]


def test_what_is_asked_for() -> None:
    environment = make_environment(make_package("torch", tags=TORCH))
    assert names(environment, platforms=["x86_64-musllinux_1_2"]) == ["3.11 x86_64-musllinux_1_2"]
    with pytest.raises(UncoveredTargetError, match="no wheel that fits"):
        list_served(environment, platforms=["x86_64-manylinux_2_17"])
    with pytest.raises(UncoveredTargetError, match=r"does not cover 3\.12; it covers"):
        list_served(environment, pythons=["3.12"])
    with pytest.raises(UsageError, match="--python three"):
        list_served(environment, pythons=["three"])
    with pytest.raises(UsageError, match="--platform amiga"):
        list_served(environment, platforms=["amiga"])


def test_names_that_were_left_to_the_machine() -> None:
    environment = make_environment(make_package("torch", tags=TORCH))
    for targets in (("3.11",), ("x86_64-manylinux_2_28",), ("somewhere/python3",)):
        found = names(replace(environment, inputs=LockedInputs(targets=targets)))
        assert found[0].startswith("3.11 x86_64-")


def test_nothing_that_is_known() -> None:
    with pytest.raises(UncoveredTargetError, match="anything that buildlock knows"):
        list_served(make_environment(environments=["sys_platform == 'plan9'"]))
