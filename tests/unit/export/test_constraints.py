"""Constraints: each file with the marker of the targets that get it."""

import pytest
from packaging.pylock import PackageDirectory, PackageVcs
from packaging.requirements import Requirement

from buildlock.errors import LockfileError
from buildlock.export.constraints import export_constraints, list_constraints
from buildlock.export.served import list_served
from buildlock.lockfile.model import LockedEnvironment, LockedInputs
from support.locks import (
    FILES,
    LINUX_311,
    make_archive,
    make_direct,
    make_environment,
    make_package,
    make_source,
    make_wheel,
)

LINUX_312 = LINUX_311.replace("3.11", "3.12")
MAC_312 = "python_version == '3.12' and sys_platform == 'darwin' and platform_machine == 'arm64'"
TARGETS = ("3.11 x86_64-manylinux_2_28", "3.12 x86_64-manylinux_2_28", "3.12 aarch64-apple-darwin")
ENVIRONMENTS = [LINUX_311, LINUX_312, MAC_312]


def constrain(environment: LockedEnvironment, **asked: list[str]) -> list[str]:
    return list(list_constraints(list_served(environment, **asked)))


def sha256(filename: str) -> str:
    return make_wheel(filename).hashes["sha256"]


def test_several_targets_in_one_file() -> None:
    tags = ["cp311-cp311-manylinux_2_28_x86_64", "cp312-cp312-manylinux_2_28_x86_64", "cp312-cp312-macosx_11_0_arm64"]
    environment = make_environment(
        make_package("torch", "2.4.0+cu124", tags=tags[:2], marker="sys_platform == 'linux'"),
        make_package("torch", "2.4.0", tags=tags[2:], marker="sys_platform == 'darwin'"),
        make_package("wheel"),
        make_package("tomli", marker="python_version == '3.11'"),
        inputs=LockedInputs(targets=TARGETS),
        environments=ENVIRONMENTS,
    )
    lines = constrain(environment)
    names = ["tomli-1.0-py3-none-any", f"torch-2.4.0+cu124-{tags[0]}", f"torch-2.4.0+cu124-{tags[1]}"]
    names += [f"torch-2.4.0-{tags[2]}", "wheel-1.0-py3-none-any"]
    assert sorted(line.split(" ; ")[0] for line in lines) == sorted(
        f"{name.split('-')[0]} @ {FILES}/{name.replace('+', '%2B')}.whl#sha256={sha256(f'{name}.whl')}"
        for name in names
    )
    # Each target is given exactly what it gets.
    for served in list_served(environment):
        values = dict(served.target.environment)
        applied = [r for r in map(Requirement, lines) if r.marker is None or r.marker.evaluate(values)]  # type: ignore[arg-type]
        assert [r.name for r in applied] == [package.name for package in served.packages]
        for requirement, package in zip(applied, served.packages, strict=True):
            assert str(requirement.url).endswith(f"#sha256={package.sha256}")


def test_a_file_for_every_target_has_no_marker() -> None:
    environment = make_environment(
        make_package("wheel"), inputs=LockedInputs(targets=TARGETS), environments=ENVIRONMENTS
    )
    assert constrain(environment) == [
        f"wheel @ {FILES}/wheel-1.0-py3-none-any.whl#sha256={sha256('wheel-1.0-py3-none-any.whl')}"
    ]


@pytest.mark.parametrize(
    ("tags", "marker", "option"),
    [
        (["cp311-cp311-manylinux_2_28_x86_64", "cp311-cp311-musllinux_1_2_x86_64"], LINUX_311, "--platform"),
        (
            ["cp313-cp313-manylinux_2_28_x86_64", "cp313-cp313t-manylinux_2_28_x86_64"],
            LINUX_311.replace("3.11", "3.13"),
            "--python",
        ),
    ],
)
def test_what_no_marker_tells_apart(tags: list[str], marker: str, option: str) -> None:
    environment = make_environment(make_package("numpy", tags=tags), make_package("wheel"), environments=[marker])
    with pytest.raises(LockfileError, match=r"no marker tells these targets apart") as caught:
        constrain(environment)
    assert "  `numpy` for 3.1" in caught.value.message
    assert "`wheel`" not in caught.value.message
    assert caught.value.hint is not None
    assert option in caught.value.hint
    first, second = list_served(environment)
    asked = {"platforms": [second.platform]} if option == "--platform" else {"pythons": [second.python]}
    (line, _) = constrain(environment, **asked)
    assert sha256(f"numpy-1.0-{tags[1]}.whl") in line
    assert first.python == "3.11" or second.python == "3.13t"


def test_levels_of_glibc_that_the_project_names() -> None:
    tags = ["py3-none-manylinux_2_17_x86_64", "py3-none-manylinux_2_28_x86_64"]
    targets = ("3.11 x86_64-manylinux_2_17", "3.11 x86_64-manylinux_2_28")
    environment = make_environment(make_package("numpy", tags=tags), inputs=LockedInputs(targets=targets))
    with pytest.raises(LockfileError, match="no marker tells these targets apart"):
        constrain(environment)
    assert tags[0] in constrain(environment, platforms=["x86_64-manylinux_2_17"])[0]


def test_what_is_not_a_wheel() -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    environment = make_environment(
        make_source("alpha"),
        make_direct("beta", archive=make_archive("beta-1.0.tar.gz", subdirectory="my python")),
        make_direct("delta", directory=PackageDirectory(path="libs/delta", subdirectory="py")),
        make_direct("gamma", vcs=PackageVcs(type="git", url="https://git.example/gamma", commit_id=commit)),
        make_package("local", base="wheel house"),
        builds={f"{name}==1.0": make_environment() for name in ("alpha", "beta", "delta", "gamma")},
    )
    assert constrain(environment) == [
        f"alpha @ {FILES}/alpha-1.0.tar.gz#sha256={sha256('alpha-1.0.tar.gz')}",
        f"beta @ {FILES}/beta-1.0.tar.gz#sha256={sha256('beta-1.0.tar.gz')}&subdirectory=my%20python",
        "delta @ file:./libs/delta/py",
        f"gamma @ git+https://git.example/gamma@{commit}",
        f"local @ file:./wheel%20house/local-1.0-py3-none-any.whl#sha256={sha256('local-1.0-py3-none-any.whl')}",
    ]
    text = export_constraints(list_served(environment), variant="cpu")
    assert (
        "# Built from source, which pip and uv do in environments that are not locked: alpha, beta, delta, gamma"
        in (text.splitlines())
    )


def test_a_repository_without_a_url() -> None:
    vcs = PackageVcs(type="git", path="../gamma", commit_id="0" * 40)
    environment = make_environment(make_direct("gamma", vcs=vcs), builds={"gamma==1.0": make_environment()})
    with pytest.raises(LockfileError, match="no URL that is the same on every machine"):
        constrain(environment)


def test_what_pip_reads_otherwise() -> None:
    environment = make_environment(make_package("wheel", base=f"{FILES}/${{HOME}}"))
    with pytest.raises(LockfileError, match="sees a variable"):
        export_constraints(list_served(environment), variant="cpu")


def test_layout() -> None:
    environment = make_environment(make_package("wheel"))
    assert export_constraints(list_served(environment), variant="cpu") == (
        "# The build environment `cpu` of `build-lock.toml`, written by\n"
        "#   buildlock export --variant cpu --format constraints\n"
        "# It serves\n"
        "#   3.11 x86_64-unknown-linux-gnu\n"
        "\n"
        f"wheel @ {FILES}/wheel-1.0-py3-none-any.whl#sha256={sha256('wheel-1.0-py3-none-any.whl')}\n"
    )
