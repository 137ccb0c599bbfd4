"""A target gets the files that were locked for it, or a message that says what is covered."""

from dataclasses import replace

import pytest
from packaging.pylock import Package
from packaging.utils import NormalizedName

from buildlock.errors import InvalidLockError, UncoveredTargetError
from buildlock.lockfile.model import LockedEnvironment
from buildlock.lockfile.reader import parse_lockfile, read_lockfile
from buildlock.lockfile.select import Locked, LockedArtifact, LockedSource, select, select_packages, select_source
from buildlock.lockfile.writer import write_variant
from support.locks import (
    LINUX_311,
    LOCKS,
    make_archive,
    make_cuda_environment,
    make_direct,
    make_environment,
    make_package,
    make_source,
    make_target,
)

SOURCES = read_lockfile(LOCKS / "valid" / "sources.toml")
LINUX_312 = LINUX_311.replace("3.11", "3.12")
ANY_LINUX = "sys_platform == 'linux'"


def find(selected: tuple[Locked, ...], name: str) -> Locked:
    [found] = [each for each in selected if each.name == name]
    return found


def source_of(selected: tuple[Locked, ...], name: str) -> LockedSource:
    found = find(selected, name)
    assert isinstance(found, LockedSource)
    return found


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
    assert isinstance(torch, LockedArtifact)
    assert torch.filename == "torch-2.2.0+cu118-cp311-cp311-linux_x86_64.whl"
    assert torch.url == "https://download.pytorch.org/whl/cu118/torch-2.2.0%2Bcu118-cp311-cp311-linux_x86_64.whl"
    assert (str(torch.version), torch.path, torch.size) == ("2.2.0+cu118", None, 797269532)
    assert len(torch.sha256) == 64


def test_the_best_wheel_for_the_target() -> None:
    package = make_package(
        "numpy", tags=["py3-none-any", "cp311-cp311-linux_x86_64", "cp311-abi3-linux_x86_64", "cp311-cp311-win_amd64"]
    )
    [artifact] = select(make_environment(package), make_target())
    assert isinstance(artifact, LockedArtifact)
    assert artifact.filename == "numpy-1.0-cp311-cp311-linux_x86_64.whl"


def test_local_files_have_a_path() -> None:
    [artifact] = select(make_environment(make_package("numpy", base="../wheels", size=None)), make_target())
    assert isinstance(artifact, LockedArtifact)
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


def test_each_kind_of_source() -> None:
    selected = select(SOURCES.environment("cpu"), make_target("3.12.1"))
    assert [each.name for each in selected] == [
        "bar",
        "baz",
        "half-wheeled",
        "local",
        "near",
        "ready",
        "vendored",
        "wheel",
    ]
    commit = "0123456789abcdef0123456789abcdef01234567"
    bar = source_of(selected, "bar")
    assert (bar.origin, bar.filename, bar.url, bar.subdirectory) == (
        "sdist",
        "bar-main.zip",
        "https://files.example/archive/bar-main.zip",
        "python",
    )
    assert (len(bar.sha256 or ""), bar.key) == (64, "bar==2.0")
    baz = source_of(selected, "baz")
    assert (baz.origin, baz.url, baz.path, baz.commit, baz.subdirectory, baz.sha256) == (
        "vcs",
        "ssh://git@git.example/team/baz",
        None,
        commit,
        "py",
        None,
    )
    near = source_of(selected, "near")
    assert (near.origin, near.url, near.path, near.requires) == ("vcs", None, "../near.git", ())
    local = source_of(selected, "local")
    assert (local.origin, local.path, local.subdirectory, local.url) == ("directory", "libs/local", "core", None)
    assert len(local.sha256 or "") == 64
    vendored = source_of(selected, "vendored")
    assert (vendored.origin, vendored.filename, vendored.path, vendored.size) == (
        "sdist",
        "vendored-3.0.tar.gz",
        "vendor/vendored-3.0.tar.gz",
        1000,
    )
    ready = find(selected, "ready")
    assert isinstance(ready, LockedArtifact)
    assert (ready.filename, ready.path) == ("ready-1.0-py3-none-any.whl", "../wheels/ready-1.0-py3-none-any.whl")


def test_what_a_source_is_built_in_comes_with_it() -> None:
    selected = select(SOURCES.environment("cpu"), make_target("3.12.1"))
    half = source_of(selected, "half-wheeled")
    assert [each.name for each in half.requires] == ["source-builder", "wheel"]
    builder = source_of(half.requires, "source-builder")
    assert [(each.name, type(each)) for each in builder.requires] == [("setuptools", LockedArtifact)]
    # The one that `baz` is built with is the same.
    assert source_of(source_of(selected, "baz").requires, "source-builder").requires is builder.requires


def test_a_wheel_that_fits_goes_before_the_sdist() -> None:
    selected = select(SOURCES.environment("cpu"), make_target("3.11.4"))
    half = find(selected, "half-wheeled")
    assert isinstance(half, LockedArtifact)
    assert half.filename == "half_wheeled-2.0-cp311-cp311-linux_x86_64.whl"


def test_packages_have_the_one_file_that_the_target_gets() -> None:
    for python, wheels, sdists in (("3.11.4", 1, 0), ("3.12.1", 0, 1)):
        packages: dict[str, Package] = {
            each.name: each for each in select_packages(SOURCES.environment("cpu"), make_target(python))
        }
        half = packages["half-wheeled"]
        assert (len(half.wheels or ()), half.sdist is not None) == (wheels, bool(sdists))
        assert packages["baz"] == next(each for each in SOURCES.environment("cpu").packages if each.name == "baz")
        assert packages["ready"].archive is not None


def test_a_package_from_elsewhere() -> None:
    flash = select_source(SOURCES.packages[NormalizedName("flash-attn")]["cu124"], make_target())
    assert (flash.key, flash.filename) == ("flash-attn==2.8.3", "flash_attn-2.8.3.tar.gz")
    assert [str(each.version) for each in flash.requires] == ["75.6.0", "2.4.0+cu124"]


def test_a_build_that_is_not_locked_for_the_target() -> None:
    environment = make_environment(
        make_package("foo", tags=["cp311-cp311-linux_x86_64"], sdist=True),
        environments=[ANY_LINUX],
        builds={"foo==1.0": make_environment(environments=[LINUX_312])},
    )
    assert select(environment, make_target("3.12.1"))
    with pytest.raises(UncoveredTargetError) as caught:
        select(environment, make_target("3.13.1"))
    assert caught.value.message == (
        "`foo` 1.0 has to be built for CPython 3.13.1 on manylinux_2_28_x86_64, and the lock does not cover that; "
        f"it covers\n  {LINUX_312}"
    )


def test_a_wheel_of_no_index_has_to_fit() -> None:
    package = make_direct("foo", archive=make_archive("foo-1.0-cp311-cp311-win_amd64.whl"))
    with pytest.raises(UncoveredTargetError) as caught:
        select(make_environment(package), make_target())
    assert caught.value.message.endswith("\n  `foo` 1.0 has `foo-1.0-cp311-cp311-win_amd64.whl`")


def test_shared_builds_are_selected_once() -> None:
    """Each of 60 layers needs both of the next: 2 to the 60th ways lead to the last."""
    target = make_target()

    def layer(number: int) -> list[str]:
        return [f"{side}{number}" for side in "ab"]

    def make(names: list[str]) -> LockedEnvironment:
        return make_environment(*(make_source(name) for name in names))

    builds = {f"{name}==1.0": make(layer(number + 1)) for number in range(60) for name in layer(number)}
    builds |= {f"{name}==1.0": make([]) for name in layer(60)}
    section = replace(make(layer(0)), builds=builds)
    text = write_variant(None, "cpu", section)
    [one, other] = select(parse_lockfile(text.encode(), "build-lock.toml").environment("cpu"), target)
    assert isinstance(one, LockedSource)
    assert isinstance(other, LockedSource)
    assert one.requires == other.requires
    assert len({one, other, *one.requires}) == 4
    assert len(repr(one)) < 1000
