"""A target gets the files that were locked for it, or a message that says what is covered."""

import pytest

from buildlock.errors import InvalidLockError, UncoveredTargetError
from buildlock.lockfile.select import select
from support.locks import LINUX_311, make_cuda_environment, make_environment, make_package, make_target


def test_every_package_once_sorted() -> None:
    artifacts = select(make_cuda_environment("cu118", "2.2.0"), make_target())
    assert [artifact.name for artifact in artifacts] == [
        "filelock",
        "ninja",
        "numpy",
        "setuptools",
        "torch",
        "typing-extensions",
        "wheel",
    ]
    torch = artifacts[4]
    assert torch.filename == "torch-2.2.0+cu118-cp311-cp311-linux_x86_64.whl"
    assert torch.url == "https://download.pytorch.org/whl/cu118/torch-2.2.0%2Bcu118-cp311-cp311-linux_x86_64.whl"
    assert (str(torch.version), torch.path, torch.size) == ("2.2.0+cu118", None, 797269532)
    assert len(torch.sha256) == 64


def test_the_best_wheel_for_the_target() -> None:
    package = make_package(
        "numpy", tags=["py3-none-any", "cp311-cp311-linux_x86_64", "cp311-abi3-linux_x86_64", "cp311-cp311-win_amd64"]
    )
    [artifact] = select(make_environment(package), make_target())
    assert artifact.filename == "numpy-1.0-cp311-cp311-linux_x86_64.whl"


def test_local_files_have_a_path() -> None:
    [artifact] = select(make_environment(make_package("numpy", base="../wheels", size=None)), make_target())
    assert (artifact.url, artifact.path, artifact.size) == (None, "../wheels/numpy-1.0-py3-none-any.whl", None)


def test_markers_choose_between_versions() -> None:
    environment = make_environment(
        make_package("numpy", "1.0", marker="python_version < '3.11'"),
        make_package("numpy", "2.0", marker="python_version >= '3.11'"),
        make_package("colorama", "1.0", tags=["py3-none-win_amd64"], marker="sys_platform == 'win32'"),
        environments=["sys_platform == 'linux'"],
    )
    assert [str(artifact.version) for artifact in select(environment, make_target("3.10.2"))] == ["1.0"]
    assert [str(artifact.version) for artifact in select(environment, make_target("3.12.0"))] == ["2.0"]


def test_another_python_is_not_covered() -> None:
    with pytest.raises(UncoveredTargetError) as caught:
        select(make_cuda_environment("cu118", "2.2.0"), make_target("3.12.1"))
    assert caught.value.message == (
        f"the lock does not cover CPython 3.12.1 on manylinux_2_28_x86_64; it covers\n  {LINUX_311}"
    )
    assert caught.value.hint == "lock for it: `buildlock lock --python 3.12`"


@pytest.mark.parametrize(
    ("abi", "platforms"),
    [("cp311d", ["manylinux_2_28_x86_64"]), ("cp311", ["musllinux_1_2_x86_64"])],
    ids=["debug", "other-libc"],
)
def test_no_wheel_fits(abi: str, platforms: list[str]) -> None:
    target = make_target(abi=abi, platforms=platforms)
    package = make_package("numpy", tags=["cp311-cp311-manylinux_2_17_x86_64"])
    with pytest.raises(UncoveredTargetError) as caught:
        select(make_environment(package, make_package("wheel")), target)
    assert caught.value.message == (
        f"the lock holds no wheel that fits {target}:\n"
        "  `numpy` 1.0 has `numpy-1.0-cp311-cp311-manylinux_2_17_x86_64.whl`"
    )


def test_a_long_list_of_wheels_is_cut() -> None:
    package = make_package("numpy", tags=[f"cp3{minor}-cp3{minor}-win_amd64" for minor in range(10, 30)])
    with pytest.raises(UncoveredTargetError, match=r"cp319-win_amd64.whl`, and 10 more$"):
        select(make_environment(package), make_target())


def test_two_versions_for_one_target() -> None:
    environment = make_environment(
        make_package("numpy", "1.0", marker="python_version < '3.12'"),
        make_package("numpy", "2.0", marker="python_version > '3.10'"),
    )
    with pytest.raises(InvalidLockError, match="Multiple packages with the name 'numpy'"):
        select(environment, make_target())
