"""The same requirements written for each tool: a project to be built, a project of uv's, a file of requirements."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BUILD_LIST = ("torch", "numpy", "setuptools", "wheel", "ninja", "cmake", "pybind11", "packaging", "scikit-build-core")
CPU_TORCH = "torch==2.13.0"
INSTALL_LIST = (CPU_TORCH, *BUILD_LIST[1:])


def write_project(folder: Path, requires: Sequence[str], more: str = "") -> Path:
    """A project whose build requires this; gives its folder. `more` is TOML that follows."""
    folder.mkdir(parents=True, exist_ok=True)
    text = (
        f'[build-system]\nrequires = {json.dumps(list(requires))}\nbuild-backend = "scikit_build_core.build"\n\n'
        f'[project]\nname = "demo"\nversion = "1.0"\n\n{more}'
    )
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def write_uv_project(folder: Path, requires: Sequence[str]) -> Path:
    """A project of uv's that depends on this, for this platform alone."""
    folder.mkdir(parents=True, exist_ok=True)
    text = (
        f'[project]\nname = "demo"\nversion = "1.0"\nrequires-python = "==3.11.*"\n'
        f"dependencies = {json.dumps(list(requires))}\n\n[tool.uv]\n"
        "environments = [\"sys_platform == 'linux' and platform_machine == 'x86_64'\"]\n"
    )
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def write_requirements(path: Path, requires: Sequence[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{requirement}\n" for requirement in requires), encoding="utf-8")
    return path


def read_locked(lock: Path, *, hashes: bool) -> list[str]:
    """The packages of the one variant of a lock, as lines for pip and uv."""
    (variant,) = tomllib.loads(lock.read_text(encoding="utf-8"))["variants"].values()
    return [_describe(package, hashes=hashes) for package in variant["packages"]]


def _describe(package: Mapping[str, object], *, hashes: bool) -> str:
    wheels = package["wheels"]
    assert isinstance(wheels, list)
    digests = [f"--hash=sha256:{wheel['hashes']['sha256']}" for wheel in wheels]
    return " ".join([f"{package['name']}=={package['version']}", *(digests if hashes else ())])
