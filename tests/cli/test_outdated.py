"""`buildlock outdated`: what is newer than the lock, and what keeps it back."""

import json

import pytest

from index.server import IndexServer
from support.command import CopyLockedProject, CopyProject


def test_the_seed_is_held_by_its_pin(locked: CopyLockedProject, server: IndexServer) -> None:
    project = locked("seed", "--variant", "cu124", "--no-dynamic")
    before = project.lock_path.read_bytes()
    result = project.succeed("outdated", "--exit-code")
    lines = result.stdout.splitlines()
    assert lines[0] == "cu124"
    row = next(number for number, line in enumerate(lines) if line.split()[:1] == ["torch"])
    assert lines[row].split() == ["torch", "2.4.0+cu124", "2.4.0+cu124", "2.5.1+cu124"]
    assert lines[row + 1].strip() == "held by: torch==2.4.0 ([build-system].requires)"
    assert max(map(len, lines)) <= 80
    assert project.lock_path.read_bytes() == before
    # Whether there is a newer one the pages tell: no wheel is fetched for it.
    assert not [exchange for exchange in server.exchanges if exchange.path.endswith(".whl")]


def test_what_the_inputs_allow_is_exit_3(checkout: CopyProject) -> None:
    project = checkout("dynamic-requires")
    project.append('[tool.uv]\nconstraint-dependencies = ["filelock<3.16"]')
    project.succeed("lock")
    project.replace("filelock<3.16", "filelock<9")
    result = project.run("outdated", "--json", "--exit-code")
    assert result.code == 3
    (standing,) = json.loads(result.stdout)["outdated"]
    assert (standing["name"], standing["allowed"], standing["held"]) == ("filelock", "3.16.1", [])
    offline = project.succeed("outdated", "--offline")
    assert "filelock" in offline.stdout
    assert "hint: `buildlock lock --upgrade` takes what is allowed" in offline.stderr


@pytest.mark.slow
def test_what_sources_and_packages_from_elsewhere_are_built_in(checkout: CopyProject) -> None:
    project = checkout("sdist-requirement")
    project.append(
        '[tool.uv.extra-build-dependencies]\ntinysource = ["filelock<3.16"]\nzipped-source = ["filelock<3.16"]'
    )
    project.succeed("lock")
    project.succeed("lock", "--package", "zipped-source")
    value = json.loads(project.succeed("outdated", "--json").stdout)
    assert value["sections"] == ["default", "zipped-source 1.0 for default"]
    assert [(each["sections"], each["build"], each["name"], each["latest"]) for each in value["outdated"]] == [
        (["default"], "tinysource==1.0", "filelock", "3.16.1"),
        (["zipped-source 1.0 for default"], None, "filelock", "3.16.1"),
    ]
    (held,) = value["outdated"][0]["held"]
    assert [each["text"] for each in held["by"]] == [
        "`filelock<3.16` (pyproject.toml: [tool.uv.extra-build-dependencies].tinysource)"
    ]


def test_what_cannot_be_told(locked: CopyLockedProject) -> None:
    project = locked("seed", "--variant", "cu124", "--no-dynamic")
    result = project.run("outdated", "--python", "3.14", "--platform", "aarch64-manylinux_2_28")
    assert (result.code, result.stdout) == (1, "")
    assert "hint: name the targets with `--python` and `--platform`, as when it was locked" in result.stderr
    project.replace('extra = "cu124" },\n]', 'extra = "cu118" },\n]')
    result = project.run("outdated", "--variant", "cu118")
    assert result.code == 1
    assert "does not lock the variant `cu118`" in result.stderr
