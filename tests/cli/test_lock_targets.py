"""`buildlock lock` for several Pythons and platforms: one lock, which serves each as if it were alone."""

import os
from pathlib import Path

import pytest
import uv

from buildlock.lockfile.reader import read_lockfile
from buildlock.lockfile.select import select
from buildlock.platforms import parse_platform
from buildlock.targets import make_target, parse_python
from index.server import IndexServer
from support.command import Checkout, CopyProject, run_process

pytestmark = pytest.mark.slow

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-unknown-linux-gnu", "aarch64-apple-darwin", "x86_64-pc-windows-msvc")
LINUX, ARM, _, WINDOWS = PLATFORMS
# ROCm is on Linux x86_64 alone, no CUDA is on macOS.
SERVED = {"cpu": PLATFORMS, "cu118": (LINUX, ARM, WINDOWS), "cu124": (LINUX, ARM, WINDOWS), "rocm6.1": (LINUX,)}

# uv's sources are for what is required directly.
ROCM = ", \"pytorch-triton-rocm; python_version < '3.13'\""


def select_versions(project: Checkout, variant: str, python: str, platform: str) -> dict[str, str]:
    """What a target gets of the lock."""
    target = make_target(parse_python(python), parse_platform(platform))
    artifacts = select(read_lockfile(project.lock_path).variants[variant], target)
    return {artifact.name: str(artifact.version) for artifact in artifacts}


@pytest.fixture
def torch_project(checkout: CopyProject, server: IndexServer) -> Checkout:
    """A project whose torch comes from the index of each accelerator."""
    project = checkout("tiny")
    names = {variant: variant.replace(".", "-") for variant in SERVED}
    project.replace('requires = ["tinybackend"]', 'requires = ["tinybackend", "torch==2.4.0"]')
    sources = ", ".join(f'{{ index = "{names[variant]}", variant = "{variant}" }}' for variant in SERVED)
    lines = [f"[tool.buildlock]\npython = {list(PYTHONS)}\nplatforms = {list(PLATFORMS)}"]
    triton = '{ index = "rocm6-1", variant = "rocm6.1" }'
    lines += [f"[tool.buildlock.sources]\ntorch = [{sources}]\npytorch-triton-rocm = {triton}"]
    for variant, platforms in SERVED.items():
        lines.append(f'[tool.buildlock.variants."{variant}"]\nplatforms = {list(platforms)}')
        url = server.url(variant)
        lines.append(f'[[tool.buildlock.index]]\nname = "{names[variant]}"\nurl = "{url}"\nexplicit = true')
    project.append("\n".join(lines))
    return project


def test_every_accelerator_for_every_target_as_uv_resolves_each_alone(
    torch_project: Checkout, server: IndexServer, tmp_path: Path
) -> None:
    torch_project.succeed("lock", "--all", "--no-dynamic")
    assert len({exchange.path for exchange in server.asked("/simple/sympy/")}) == 1
    # What is the newest for one Python need not suit them all: versions agree where they can.
    agreed = {"networkx"}
    for variant, platforms in SERVED.items():
        pyproject = tmp_path / variant / "pyproject.toml"
        pyproject.parent.mkdir()
        pyproject.write_text(
            '[project]\nname = "same"\nversion = "1"\nrequires-python = ">=3.10"\n'
            f'dependencies = ["tinybackend", "torch==2.4.0"{ROCM if variant == "rocm6.1" else ""}]\n'
            '[tool.uv.sources]\ntorch = { index = "accelerator" }\npytorch-triton-rocm = { index = "accelerator" }\n'
            f'[[tool.uv.index]]\nname = "accelerator"\nurl = "{server.url(variant)}"\nexplicit = true\n',
            encoding="utf-8",
        )
        for python in PYTHONS:
            for platform in platforms:
                options = ["--python-version", python, "--python-platform", platform, "--no-header", "--no-annotate"]
                command = [
                    uv.find_uv_bin(),
                    "pip",
                    "compile",
                    *options,
                    "--no-build",
                    "-q",
                    "--no-python-downloads",
                    str(pyproject),
                ]
                result = run_process(*command, cwd=tmp_path, environment=torch_project.environment)
                assert result.code == 0, result
                theirs = dict(line.split("==") for line in result.stdout.splitlines() if "==" in line)
                ours = select_versions(torch_project, variant, python, platform)
                assert ours.keys() == theirs.keys()
                assert {n: v for n, v in ours.items() if theirs[n] != v}.keys() <= agreed, (variant, python, platform)
                assert ours["networkx"] == "3.4.2"


def test_exactly_what_the_targets_use(torch_project: Checkout) -> None:
    torch_project.succeed("lock", "--variant", "cpu", "--no-dynamic")
    entries = [each for each in torch_project.locked("cpu")["packages"] if each["name"] == "torch"]
    assert {each["version"]: each["marker"] for each in entries} == {
        "2.4.0": "platform_machine == 'aarch64' or sys_platform == 'darwin'",
        "2.4.0+cpu": "platform_machine == 'x86_64' or sys_platform == 'win32'",
    }
    assert [len(each["wheels"]) for each in entries] == [8, 8]
    assert len(torch_project.locked("cpu")["environments"]) == len(PLATFORMS)


def test_locking_again_changes_nothing(torch_project: Checkout) -> None:
    torch_project.succeed("lock", "--variant", "cpu", "--no-dynamic")
    before = torch_project.lock_path.read_bytes()
    result = torch_project.succeed("lock", "--variant", "cpu", "--no-dynamic")
    assert torch_project.lock_path.read_bytes() == before
    assert result.stderr.startswith("Locked cpu: ")
    assert "unchanged" in result.stderr


def test_dependencies_name_the_version_where_there_are_several(torch_project: Checkout) -> None:
    torch_project.replace('"torch==2.4.0"', '"torchvision", "torch==2.4.0"')
    torch_project.succeed("lock", "--variant", "cpu", "--no-dynamic")
    (torchvision,) = [each for each in torch_project.locked("cpu")["packages"] if each["name"] == "torchvision"]
    assert torchvision["dependencies"] == [
        {"name": "numpy"},
        {"name": "torch", "version": "2.4.0"},
        {"name": "torch", "version": "2.4.0+cpu"},
    ]


def test_one_page_and_one_metadata_file_once(torch_project: Checkout, server: IndexServer) -> None:
    torch_project.succeed("lock", "--variant", "cu118", "--no-dynamic")
    paths = [exchange.path for exchange in server.exchanges if "range" not in {*map(str.lower, exchange.headers)}]
    pages = [path for path in paths if path.endswith((".metadata", "/"))]
    assert sorted(pages) == sorted(set(pages))


def test_a_target_that_has_no_solution_is_named(torch_project: Checkout) -> None:
    result = torch_project.run("lock", "--variant", "cu124", "--platform", "linux", "--platform", "macos")
    assert result.code == 1
    assert "error: for CPython 3.10.0 on macosx_13_0_arm64: no solution for the build requirements: " in result.stderr
    assert not torch_project.lock_path.exists()


def test_the_command_line_goes_before_the_project(torch_project: Checkout) -> None:
    options = ("--python", "3.12", "--python", "3.13t", "--platform", "linux")
    torch_project.succeed("lock", "--variant", "cpu", "--no-dynamic", "--python", "3.12", "--platform", "linux")
    assert torch_project.locked("cpu")["environments"] == [
        "python_version == '3.12' and sys_platform == 'linux' and platform_machine == 'x86_64'"
    ]
    result = torch_project.run("check", "--variant", "cpu")
    assert result.code == 3
    assert "the target `3.10 aarch64-apple-darwin` was added" in result.stderr
    result = torch_project.run("lock", "--variant", "cpu", "--no-dynamic", *options)
    assert result.code == 1
    assert "for CPython 3.13.0 (free-threaded) on manylinux_2_28_x86_64" in result.stderr


def test_check_knows_the_targets(torch_project: Checkout) -> None:
    torch_project.succeed("lock", "--variant", "cpu", "--no-dynamic")
    torch_project.succeed("check", "--variant", "cpu")
    torch_project.replace(f"python = {list(PYTHONS)}", 'python = ["3.10", "3.11", "3.12"]')
    result = torch_project.run("check", "--variant", "cpu")
    assert result.code == 3
    assert "  - the target `3.13 aarch64-apple-darwin` was removed\n" in result.stderr


def test_another_target_is_told_what_is_covered(torch_project: Checkout) -> None:
    torch_project.succeed("lock", "--variant", "cpu", "--no-dynamic", "--platform", "windows", "--python", "3.12")
    result = torch_project.run("install", "--variant", "cpu", "--frozen")
    assert result.code == 1
    assert "python_version == '3.12' and sys_platform == 'win32' and platform_machine == 'AMD64'\n" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--platform", "solaris"], "`solaris` names no platform"),
        (["--platform", "linux", "--python", "python3"], "`python3` is no version of Python"),
        (["--platform", "linux", "--python", "3.12", "--python", "3.12.4"], "cannot be two targets of one lock"),
    ],
)
def test_no_targets(checkout: CopyProject, arguments: list[str], said: str) -> None:
    result = checkout("tiny").run("lock", *arguments)
    assert result.code == 2
    assert said in result.stderr


class TestDynamicRequirements:
    """The backend can be asked here alone."""

    LOCALLY = "was asked on CPython 3."

    def test_its_answer_is_for_every_target(self, checkout: CopyProject) -> None:
        project = checkout("dynamic-requires")
        result = project.succeed("lock", "--python", "3.8", "--python", "3.13", "--platform", "windows")
        assert result.stderr.count("warning: ") == 1
        assert self.LOCALLY in result.stderr
        assert "hint: if it depends on the target, declare it: `dynamic-requires`" in result.stderr
        assert select_versions(project, "default", "3.13", "windows").keys() > {"filelock", "typing-extensions"}

    def test_declared_it_is_not_asked(self, checkout: CopyProject) -> None:
        project = checkout("dynamic-requires")
        project.append("[tool.buildlock.dynamic-requires]\nwheel = [\"filelock; sys_platform == 'win32'\"]")
        result = project.succeed("lock", "--python", "3.12", "--platform", "windows", "--platform", "linux")
        assert "warning" not in result.stderr
        assert project.locked()["inputs"]["dynamic"] == {"wheel": ["filelock; sys_platform == 'win32'"]}
        assert "filelock" in select_versions(project, "default", "3.12", "windows")
        assert "filelock" not in select_versions(project, "default", "3.12", "linux")
        project.succeed("check")
        project.replace("filelock; sys", "filelock>=3; sys")
        result = project.run("check")
        assert result.code == 3
        assert "the dynamic requirement of the wheel `filelock; sys_platform == 'win32'` is now `filelock>=3" in (
            result.stderr
        )

    def test_a_list_is_for_every_product(self, checkout: CopyProject) -> None:
        project = checkout("dynamic-requires")
        project.append('[tool.buildlock]\ndynamic-requires = ["filelock"]')
        project.succeed("lock")
        assert project.locked()["inputs"]["dynamic"] == {
            "editable": ["filelock"],
            "sdist": ["filelock"],
            "wheel": ["filelock"],
        }

    def test_declared_that_there_are_none(self, checkout: CopyProject) -> None:
        project = checkout("dynamic-requires")
        project.append("[tool.buildlock]\ndynamic-requires = []")
        project.succeed("lock")
        assert project.versions() == {"tinybackend": "1.0"}


def test_the_lock_installs_here(checkout: CopyProject) -> None:
    project = checkout("group-variant")
    arguments = [option for python in PYTHONS for option in ("--python", python)]
    project.succeed(
        "lock", "--variant", "cpu", "--no-dynamic", *arguments, "--platform", "macos", "--platform", "linux"
    )
    result = project.run("install", "--variant", "cpu")
    machine = os.uname() if hasattr(os, "uname") else None
    if machine is not None and (machine.sysname, machine.machine) == ("Linux", "x86_64"):
        assert result.code == 0
