"""The backend takes the wheels that packaging takes, in the same order, on this and on other machines."""

import os
import platform
import re
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from packaging.tags import sys_tags

from buildlock import backend
from buildlock.platforms import parse_platform
from buildlock.targets import make_target, parse_python
from support.old_pythons import PYTHONS, ask


def test_here() -> None:
    assert list(backend.Machine().tags) == list(dict.fromkeys(map(str, sys_tags())))


@pytest.mark.parametrize("python", PYTHONS)
def test_on_every_interpreter_of_this_machine(python: str) -> None:
    said = ask(python)
    assert said["tags"][0].startswith(f"cp3{said['version'][1]}-")
    assert said["markers"]["python_version"] == f"3.{said['version'][1]}"
    assert list(said["read"].values()) == [
        ["build-system", "dependency-groups", "project", "tool"],
        ["lock-version", "variants"],
    ]
    if said["packaging"] is None:
        assert said["version"] < (3, 9)  # no longer supported by packaging
    else:
        assert said["tags"] == said["packaging"]


LINUX = {"platform": "linux", "system": "Linux", "os": "posix"}
MACOS = {"platform": "darwin", "system": "Darwin", "os": "posix"}
WINDOWS = {"platform": "win32", "system": "Windows", "os": "nt"}
MACHINES: dict[str, dict[str, Any]] = {
    "x86_64-manylinux_2_28": {**LINUX, "config": "linux-x86_64", "glibc": (2, 28), "machine": "x86_64"},
    "x86_64-manylinux_2_5": {**LINUX, "config": "linux-x86_64", "glibc": (2, 5), "machine": "x86_64"},
    "aarch64-manylinux_2_31": {**LINUX, "config": "linux-aarch64", "glibc": (2, 31), "machine": "aarch64"},
    "ppc64le-manylinux_2_17": {**LINUX, "config": "linux-ppc64le", "glibc": (2, 17), "machine": "ppc64le"},
    "x86_64-unknown-linux-musl": {**LINUX, "config": "linux-x86_64", "musl": (1, 2), "machine": "x86_64"},
    "aarch64-musllinux_1_1": {**LINUX, "config": "linux-aarch64", "musl": (1, 1), "machine": "aarch64"},
    "aarch64-macosx_14_0": {**MACOS, "mac": "14.5", "machine": "arm64"},
    "aarch64-macosx_11_0": {**MACOS, "mac": "11.0.1", "machine": "arm64"},
    "x86_64-macosx_13_0": {**MACOS, "mac": "13.6", "machine": "x86_64"},
    "x86_64-macosx_10_9": {**MACOS, "mac": "10.9.5", "machine": "x86_64"},
    "x86_64-pc-windows-msvc": {**WINDOWS, "config": "win-amd64", "machine": "AMD64"},
    "aarch64-pc-windows-msvc": {**WINDOWS, "config": "win-arm64", "machine": "ARM64"},
    "i686-pc-windows-msvc": {**WINDOWS, "config": "win32", "machine": "x86"},
}


def pretend(monkeypatch: pytest.MonkeyPatch, python: str, machine: dict[str, Any]) -> backend.Machine:
    """The machine as the backend would see it there."""
    name = parse_python(python)
    info = (*name.release, "final", 0)
    implementation = SimpleNamespace(name="cpython", version=info)
    monkeypatch.setattr(
        backend,
        "sys",
        SimpleNamespace(
            version_info=info, implementation=implementation, platform=machine["platform"], executable=sys.executable
        ),
    )
    full = ".".join(map(str, name.release))
    monkeypatch.setattr(
        backend,
        "platform",
        SimpleNamespace(
            **{
                **{key: getattr(platform, key) for key in ("release", "version")},
                "system": lambda: machine["system"],
                "machine": lambda: machine["machine"],
                "mac_ver": lambda: (machine.get("mac"), ("", "", ""), machine["machine"]),
                "python_version": lambda: full,
                "python_version_tuple": lambda: tuple(full.split(".")),
                "python_implementation": lambda: "CPython",
            }
        ),
    )
    config = {"Py_GIL_DISABLED": name.threaded, "Py_DEBUG": 0}
    monkeypatch.setattr(
        backend,
        "sysconfig",
        SimpleNamespace(get_platform=lambda: machine.get("config"), get_config_var=config.get),
    )
    monkeypatch.setattr(backend, "read_glibc", lambda: machine.get("glibc", (0, 0)))
    monkeypatch.setattr(backend, "read_musl", lambda _: machine.get("musl", (0, -1)))
    monkeypatch.setattr(os, "name", machine["os"])
    made = backend.Machine()
    monkeypatch.undo()
    return made


@pytest.mark.parametrize("python", ["3.8", "3.12.4", "3.13t"])
@pytest.mark.parametrize("named", MACHINES)
def test_elsewhere(monkeypatch: pytest.MonkeyPatch, named: str, python: str) -> None:
    machine = pretend(monkeypatch, python, MACHINES[named])
    target = make_target(parse_python(python), parse_platform(named))
    # A target keeps the tag of what was built on the very machine for the last, where packaging puts it first.
    expected = [str(tag) for tag in target.tags]
    assert set(machine.tags) == set(expected)
    native = re.compile("-linux_")
    assert [tag for tag in machine.tags if not native.search(tag)] == [
        tag for tag in expected if not native.search(tag)
    ]
    decided = {
        key: value for key, value in target.environment.items() if not key.startswith(("platform_r", "platform_v"))
    }
    assert {key: machine.markers[key] for key in decided} == decided


def test_the_loader_of_musl_says_its_version(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = tmp_path / "ld-musl-x86_64.so.1"
    loader.write_text(
        "#!/bin/sh\nprintf 'musl libc (x86_64)\\nVersion 1.2.4\\nDynamic Program Loader\\n' >&2\nexit 1\n"
    )
    loader.chmod(0o755)
    elf = backend.read_elf()
    assert "ld-" in elf.loader or not elf.bits
    assert backend.read_musl(elf._replace(loader=str(loader))) == (1, 2)
    assert backend.read_musl(elf._replace(loader="")) == (0, -1)
    (tmp_path / "python").write_bytes(b"\x7fELF\x02")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert backend.read_elf() == backend.Elf(0, 0, 0, 0, "")


def test_32_bit_arm_and_x86_need_the_right_interpreter() -> None:
    hard = backend.Elf(1, 1, 40, 0x05000400, "")
    assert backend.fits_glibc(["armv7l"], hard)
    assert not backend.fits_glibc(["armv7l"], hard._replace(flags=0x05000200))
    assert backend.fits_glibc(["i686"], backend.Elf(1, 1, 3, 0, ""))
    assert not backend.fits_glibc(["i686"], backend.Elf(2, 1, 62, 0, ""))


def test_a_distribution_may_say_that_it_is_no_manylinux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "read_glibc", lambda: (2, 20))
    module = SimpleNamespace(manylinux_compatible=lambda _, minor, __: minor < 18)
    monkeypatch.setitem(sys.modules, "_manylinux", module)
    tags = list(backend.list_manylinux("x86_64"))
    assert tags[:2] == ["manylinux_2_17_x86_64", "manylinux2014_x86_64"]
