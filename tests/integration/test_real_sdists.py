"""Real packages locked and built from source, each in its own environment; compared with what uv would build."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import uv
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from buildlock.lockfile.reader import read_lockfile

HERMETIC = {
    key: value
    for key, value in os.environ.items()
    if not key.startswith(("PIP_", "UV_", "BUILDLOCK_")) or key in {"PIP_CERT", "UV_CACHE_DIR"}
}
NAME_WHAT_IS_THERE = """
from importlib.metadata import distributions
print(*(f"{each.name}=={each.version}" for each in distributions()))
"""
EXTENSIONS = ["cffi", "greenlet", "markupsafe", "mmh3", "msgpack", "psutil", "simplejson", "ujson", "wrapt"]
BACKENDS = [
    "flit-core",
    "hatchling",
    "meson-python",
    "poetry-core",
    "scikit-build-core",
    "setuptools",
    "setuptools-scm",
]
OTHERS = [
    "antlr4-python3-runtime==4.9.3",  # never had a wheel
    "docopt",  # has no pyproject.toml
    "multidict",
    "pyyaml",  # has a backend of its own, in its tree, and so have the two around it
    "yarl",
    "python-dateutil",
    "rich",
    "wget==3.2",  # a zip
    "zope.interface",
]


@pytest.mark.heavy
@pytest.mark.parametrize("requirement", [*EXTENSIONS, *BACKENDS, *OTHERS])
def test_builds_what_uv_would_build(requirement: str, tmp_path: Path) -> None:
    name = canonicalize_name(Requirement(requirement).name)
    pins = lock([requirement], f'no-binary-package = ["{name}"]', tmp_path)
    assert pins == compile_with_uv([requirement], name, tmp_path)
    assert install(tmp_path) == pins


@pytest.mark.heavy
@pytest.mark.parametrize(
    "requires", [["flit-core"], ["setuptools"], ["wheel", "packaging", "pybind11", "hatchling"]], ids=" ".join
)
def test_nothing_but_sources(requires: list[str], tmp_path: Path) -> None:
    """Backends too are built from source, down to those that build themselves."""
    pins = lock(requires, "no-binary = true", tmp_path)
    assert pins == compile_with_uv(requires, ":all:", tmp_path)
    environment = read_lockfile(tmp_path / "build-lock.toml").variants["default"]
    for each in (environment, *environment.builds.values()):
        assert not any(package.wheels for package in each.packages)
    assert install(tmp_path) == pins


def lock(requires: Sequence[str], setting: str, folder: Path) -> dict[str, str]:
    array = ", ".join(f'"{requirement}"' for requirement in requires)
    text = (
        f'[build-system]\nrequires = [{array}]\nbuild-backend = "none"\n'
        f"[tool.buildlock]\ndynamic-requires = []\n[tool.uv]\n{setting}\n"
    )
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    run_buildlock("lock", folder)
    packages = read_lockfile(folder / "build-lock.toml").variants["default"].packages
    return {package.name: str(package.version) for package in packages}


def install(folder: Path) -> dict[str, str]:
    root = Path(run_buildlock("install", folder).strip())
    python = next(path for path in (root / "bin/python", root / "Scripts/python.exe") if path.exists())
    command = [str(python), "-I", "-c", NAME_WHAT_IS_THERE]
    there = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return {canonicalize_name(name): version for name, _, version in (each.partition("==") for each in there)}


def run_buildlock(command: str, folder: Path) -> str:
    environ = {**HERMETIC, "BUILDLOCK_CACHE_DIR": str(folder / "cache")}
    arguments = [sys.executable, "-m", "buildlock", command, "--project", str(folder)]
    return subprocess.run(arguments, env=environ, check=True, stdout=subprocess.PIPE, text=True).stdout


def compile_with_uv(requires: Sequence[str], no_binary: str, folder: Path) -> dict[str, str]:
    source = folder / "requirements.in"
    source.write_text("\n".join(requires), encoding="utf-8")
    options = ["--quiet", "--no-header", "--no-annotate", "--no-config", "--no-binary", no_binary]
    command = [uv.find_uv_bin(), "pip", "compile", *options, "--python", sys.executable, str(source)]
    output = subprocess.run(command, env=HERMETIC, check=True, capture_output=True, text=True).stdout
    pins = (line.split("==") for line in output.splitlines() if "==" in line)
    return {canonicalize_name(name): version.split()[0] for name, version in pins}
