"""One lock of the real PyTorch for many targets, each compared with what `uv pip compile` picks for it alone."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import uv
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from buildlock.lockfile.reader import read_lockfile
from buildlock.lockfile.select import LockedArtifact, select
from buildlock.platforms import parse_platform
from buildlock.targets import make_target, parse_python

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "aarch64-apple-darwin", "x86_64-pc-windows-msvc")
TARGETS = tuple((python, platform) for python in PYTHONS for platform in PLATFORMS)
REQUIRES = {
    "newest": ["setuptools", "wheel", "ninja", "numpy", "packaging", "pybind11", "torch"],
    # The first of torch with wheels for all of these Pythons on all of these platforms.
    "pinned": ["setuptools<80", "wheel", "ninja", "numpy<2.3", "packaging", "pybind11<3", "torch==2.6.0"],
    # One torch for Python 3.12 and older, and another for 3.13, as authors of CUDA extensions wrote it then.
    "older": [
        "setuptools>=69.0.3,<76",
        "wheel",
        "ninja",
        "numpy",
        "packaging",
        "torch==2.4.0; python_version < '3.13'",
        "torch==2.6.0; python_version >= '3.13'",
    ],
}
HERMETIC = {
    key: value
    for key, value in os.environ.items()
    if not key.startswith(("PIP_", "UV_", "BUILDLOCK_")) or key in {"PIP_CERT", "UV_CACHE_DIR"}
}
Pins = Mapping[NormalizedName, tuple[str, frozenset[str]]]
"""By name the version, and the sha256 of the files that may be installed of it."""


@pytest.mark.heavy
@pytest.mark.parametrize("requires", REQUIRES.values(), ids=REQUIRES)
def test_each_target_gets_what_uv_picks_for_it_alone(requires: list[str], tmp_path: Path) -> None:
    ours = lock(requires, tmp_path)
    alone = {target: compile_with_uv(requires, target, tmp_path) for target in TARGETS}
    # uv picks the newest for each target, and the lock one for all where there is one. Told these, it picks the same.
    names = {name for pins in alone.values() for name in pins}
    differ = {name for name in names if len({pins[name][0] for pins in alone.values() if name in pins}) > 1}
    for target in TARGETS:
        agreed = [f"{name}=={version}" for name, (version, _) in ours[target].items() if name in differ]
        theirs = compile_with_uv([*requires, *agreed], target, tmp_path)
        assert {name: version for name, (version, _) in ours[target].items()} == {
            name: version for name, (version, _) in theirs.items()
        }
        for name, (_, hashes) in ours[target].items():
            assert hashes <= theirs[name][1]


def lock(requires: list[str], folder: Path) -> Mapping[tuple[str, str], Pins]:
    array = ", ".join(f'"{requirement}"' for requirement in requires)
    text = (
        f'[build-system]\nrequires = [{array}]\nbuild-backend = "none"\n'
        f"[tool.buildlock]\npython = {list(PYTHONS)}\nplatforms = {list(PLATFORMS)}\n"
    )
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "buildlock", "lock", "--no-dynamic", "--project", str(folder)]
    subprocess.run(command, env={**HERMETIC, "BUILDLOCK_CACHE_DIR": str(folder / "cache")}, check=True)
    environment = read_lockfile(folder / "build-lock.toml").variants["default"]
    selected = {}
    for python, platform in TARGETS:
        files = select(environment, make_target(parse_python(python), parse_platform(platform)))
        assert all(isinstance(file, LockedArtifact) for file in files)
        selected[python, platform] = {file.name: (str(file.version), frozenset([file.sha256 or ""])) for file in files}
    return selected


def compile_with_uv(requires: Sequence[str], target: tuple[str, str], folder: Path) -> Pins:
    source = folder / "requirements.in"
    source.write_text("\n".join(requires), encoding="utf-8")
    python, platform = target
    options = ["--quiet", "--no-header", "--no-annotate", "--no-config", "--generate-hashes", "--no-build"]
    options += ["--python-version", python, "--python-platform", platform, "--no-python-downloads"]
    command = [uv.find_uv_bin(), "pip", "compile", *options, str(source)]
    output = subprocess.run(command, env=HERMETIC, check=True, capture_output=True, text=True).stdout
    pins = {}
    for line in output.replace("\\\n", " ").splitlines():
        pin, *hashes = line.split(" --hash=sha256:")
        requirement = Requirement(pin)
        (version,) = requirement.specifier
        pins[canonicalize_name(requirement.name)] = (version.version, frozenset(each.strip() for each in hashes))
    return pins
