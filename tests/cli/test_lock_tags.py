"""Which wheel each target gets of a lock for many: by its ABI, its libc, the age of its platform and its processor."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import uv

from buildlock.lockfile.reader import read_lockfile
from buildlock.lockfile.select import select
from buildlock.platforms import parse_platform
from buildlock.targets import make_target, parse_python
from index.offer import OfferedFile, offer_wheel
from index.server import IndexServer, serve
from support.command import Checkout, Result, hermetic, run_process

pytestmark = pytest.mark.slow

LINUX, MAC = "manylinux_2_28_x86_64", "macosx_11_0_arm64"
OFFERED = {
    # An extension for one ABI each; and one for the stable ABI, which no free-threaded Python has before 3.15.
    "versioned": {"1.0": [f"cp{abi}-{LINUX}" for abi in ("311-cp311", "313-cp313", "313-cp313t")]},
    "stable": {"1.0": [f"cp310-abi3-{LINUX}", f"cp313-cp313t-{LINUX}"]},
    "stable-alone": {"1.0": [f"cp310-abi3-{LINUX}"]},
    "too-stable": {"1.0": [f"cp39-abi3-{LINUX}"], "2.0": [f"cp312-abi3-{LINUX}"]},
    "pure-or-not": {"1.0": ["py3-none-any", f"cp313-cp313-{LINUX}"]},
    # The newer release asks for a newer libc.
    "libc": {
        "1.0": ["py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64", "py3-none-musllinux_1_1_x86_64"],
        "2.0": ["py3-none-manylinux_2_34_x86_64", "py3-none-musllinux_1_2_x86_64"],
    },
    "glibc-alone": {"1.0": ["py3-none-manylinux_2_17_x86_64"]},
    "mac": {
        "1.0": ["py3-none-macosx_10_9_universal2"],
        "2.0": ["py3-none-macosx_11_0_arm64", "py3-none-macosx_10_13_x86_64"],
        "3.0": ["py3-none-macosx_14_0_universal2"],
    },
    "mac-of-both": {"1.0": ["py3-none-macosx_10_9_universal2", "py3-none-macosx_11_0_arm64"]},
}


def offer() -> Iterator[OfferedFile]:
    for name, versions in OFFERED.items():
        for version, tags in versions.items():
            for tag in tags:
                yield offer_wheel(name=name, version=version, tag=tag)


@pytest.fixture(scope="module")
def tags_server() -> Iterator[IndexServer]:
    with serve({"simple": list(offer())}) as running:
        yield running


@pytest.fixture
def project(tags_server: IndexServer, tmp_path: Path) -> Checkout:
    root = tmp_path / "project"
    root.mkdir()
    return Checkout(root=root, environment=hermetic(tmp_path, {**tags_server.environment, "NO_PROXY": "127.0.0.1"}))


def lock(project: Checkout, name: str, pythons: list[str], platforms: list[str]) -> Result:
    project.pyproject.write_text(
        f'[build-system]\nrequires = ["{name}"]\nbuild-backend = "none"\n'
        f"[tool.buildlock]\npython = {pythons}\nplatforms = {platforms}\ndynamic-requires = []\n",
        encoding="utf-8",
    )
    return project.run("lock")


def served(project: Checkout, python: str, platform: str) -> str:
    """The one wheel that a target gets."""
    target = make_target(parse_python(python), parse_platform(platform))
    (file,) = select(read_lockfile(project.lock_path).variants["default"], target)
    assert file.filename is not None
    return file.filename


def picked_by_uv(project: Checkout, name: str, python: str, platform: str) -> str:
    """The version that uv picks for a target alone."""
    (project.root / "requirements.in").write_text(name, encoding="utf-8")
    options = ["--python-version", python, "--python-platform", platform, "--no-header", "--no-annotate", "--no-config"]
    command = [uv.find_uv_bin(), "pip", "compile", *options, "--only-binary", ":all:", "--no-cache"]
    command += ["--no-python-downloads", "requirements.in"]
    result = run_process(*command, cwd=project.root, environment=project.environment)
    assert result.code == 0, result
    return result.stdout.strip().partition("==")[2]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("versioned", {"3.11": "cp311-cp311", "3.13": "cp313-cp313", "3.13t": "cp313-cp313t"}),
        ("stable", {"3.11": "cp310-abi3", "3.13": "cp310-abi3", "3.13t": "cp313-cp313t"}),
        ("pure-or-not", {"3.11": "py3-none-any", "3.13": "cp313-cp313", "3.13t": "py3-none-any"}),
    ],
)
def test_each_abi_gets_its_own(project: Checkout, name: str, expected: dict[str, str]) -> None:
    """A free-threaded Python has the markers of the other one of its version: their tags tell them apart."""
    assert lock(project, name, list(expected), ["linux"]).code == 0
    for python, tag in expected.items():
        assert f"-1.0-{tag}" in served(project, python, "linux")
    (entry,) = project.locked()["packages"]
    assert "marker" not in entry
    assert len(entry["wheels"]) == len(set(expected.values()))


def test_the_stable_abi_is_not_for_free_threaded_pythons(project: Checkout) -> None:
    result = lock(project, "stable-alone", ["3.13", "3.13t"], ["linux"])
    assert result.code == 1
    assert "for CPython 3.13.0 (free-threaded) on manylinux_2_28_x86_64" in result.stderr
    assert "cp310-abi3-manylinux_2_28_x86_64" in result.stderr


def test_the_stable_abi_of_a_newer_python_is_not_for_an_older_one(project: Checkout) -> None:
    assert lock(project, "too-stable", ["3.11", "3.13"], ["linux"]).code == 0
    # One version for both, where there is one.
    for python in ("3.11", "3.13"):
        assert served(project, python, "linux") == f"too_stable-1.0-cp39-abi3-{LINUX}.whl"
    assert picked_by_uv(project, "too-stable", "3.11", "linux") == "1.0"
    project.lock_path.unlink()
    assert lock(project, "too-stable", ["3.12", "3.13"], ["linux"]).code == 0
    assert served(project, "3.12", "linux") == f"too_stable-2.0-cp312-abi3-{LINUX}.whl"


@pytest.mark.parametrize(
    ("platform", "wheel"),
    [
        ("x86_64-manylinux_2_17", "libc-1.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"),
        ("x86_64-manylinux_2_28", "libc-1.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"),
        ("x86_64-manylinux_2_36", "libc-2.0-py3-none-manylinux_2_34_x86_64.whl"),
        ("x86_64-unknown-linux-musl", "libc-2.0-py3-none-musllinux_1_2_x86_64.whl"),
        ("x86_64-musllinux_1_1", "libc-1.0-py3-none-musllinux_1_1_x86_64.whl"),
    ],
)
def test_a_libc_and_its_age(project: Checkout, platform: str, wheel: str) -> None:
    assert lock(project, "libc", ["3.12"], [platform]).code == 0
    assert served(project, "3.12", platform) == wheel
    assert [each["url"].rpartition("/")[2] for each in project.packages()["libc"]["wheels"]] == [wheel]
    if platform != "x86_64-musllinux_1_1":  # which uv cannot name
        assert picked_by_uv(project, "libc", "3.12", platform) in wheel


def test_glibc_and_musl_in_one_lock(project: Checkout) -> None:
    """Their markers are the same: they get the same version, each its own file."""
    platforms = ["x86_64-manylinux_2_17", "x86_64-manylinux_2_36", "x86_64-unknown-linux-musl"]
    assert lock(project, "libc", ["3.12"], platforms).code == 0
    assert len(project.locked()["environments"]) == 1
    assert [served(project, "3.12", platform).partition("_x86_64")[0] for platform in platforms] == [
        *("libc-1.0-py3-none-manylinux_2_17", "libc-1.0-py3-none-manylinux_2_17", "libc-1.0-py3-none-musllinux_1_1"),
    ]


def test_a_wheel_for_glibc_is_none_for_musl(project: Checkout) -> None:
    result = lock(project, "glibc-alone", ["3.12"], ["linux", "x86_64-unknown-linux-musl"])
    assert result.code == 1
    assert "on musllinux_1_2_x86_64" in result.stderr
    assert not project.lock_path.exists()


@pytest.mark.parametrize(
    ("platform", "wheel"),
    [
        ("aarch64-macosx_10_15", "mac-1.0-py3-none-macosx_10_9_universal2.whl"),
        ("aarch64-apple-darwin", "mac-2.0-py3-none-macosx_11_0_arm64.whl"),
        ("x86_64-macosx_10_12", "mac-1.0-py3-none-macosx_10_9_universal2.whl"),
        ("x86_64-apple-darwin", "mac-2.0-py3-none-macosx_10_13_x86_64.whl"),
        ("aarch64-macosx_14_0", "mac-3.0-py3-none-macosx_14_0_universal2.whl"),
    ],
)
def test_a_macos_and_its_age(project: Checkout, platform: str, wheel: str) -> None:
    assert lock(project, "mac", ["3.12"], [platform]).code == 0
    assert served(project, "3.12", platform) == wheel
    if "macosx" not in platform:  # uv names no others
        assert picked_by_uv(project, "mac", "3.12", platform) in wheel


def test_both_processors_of_macos_in_one_lock(project: Checkout) -> None:
    platforms = ["aarch64-apple-darwin", "x86_64-apple-darwin"]
    assert lock(project, "mac-of-both", ["3.12"], platforms).code == 0
    assert [served(project, "3.12", platform) for platform in platforms] == [
        # What is for one processor alone goes before what is for both.
        "mac_of_both-1.0-py3-none-macosx_11_0_arm64.whl",
        "mac_of_both-1.0-py3-none-macosx_10_9_universal2.whl",
    ]
    project.lock_path.unlink()
    assert lock(project, "mac", ["3.12"], [*platforms, "x86_64-macosx_10_12"]).code == 0
    assert {served(project, "3.12", platform) for platform in platforms} == {
        "mac-1.0-py3-none-macosx_10_9_universal2.whl"
    }
