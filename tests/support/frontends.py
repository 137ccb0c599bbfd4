"""Real frontends, building the seed's project from its lock: what was compiled, and in which environment.

Each is asked for a variant by one of the ways that it has, and answers with the torch that the extension says it was
compiled against.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import uv
from packaging.utils import canonicalize_name

from index.server import IndexServer
from projects import copy_project
from support.command import Result, hermetic, run_process

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Way: TypeAlias = Literal["-C", "variable", "extra"]
"""How a frontend is told the variant."""

UV = uv.find_uv_bin()
TORCH = {"cu118": "2.2.0+cu118", "cu124": "2.4.0+cu124"}
_VARIANTS = """
[tool.buildlock]
constraints = ["fsspec<2024.10"]

[tool.buildlock.variants.cu118]
requires = ["torch==2.2.0"]
"""
_RECORD = """
import importlib.metadata, json, os
with open(os.environ.get("BUILT_WITH", os.devnull), "w") as file:
    # Those that come later are hidden: setuptools has some of its own.
    found = [(each.metadata["Name"], each.version) for each in importlib.metadata.distributions()]
    json.dump(dict(reversed(found)), file)
"""
_ASK = "import seed_ext; print(seed_ext.built_against())"


class RefusedError(Exception):
    """The frontend did not build; the message is what it said."""


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """A copy of the seed's project with buildlock's backend and its lock, and an environment to install it into."""

    root: Path
    environment: Mapping[str, str]
    folder: Path
    python: Path = field(init=False)

    def __post_init__(self) -> None:
        scripts = "Scripts/python.exe" if os.name == "nt" else "bin/python"
        object.__setattr__(self, "python", self.folder / "venv" / scripts)

    def run(self, *command: str | Path, **variables: str) -> Result:
        """Run a frontend that must succeed.

        Raises:
            RefusedError: It did not.
        """
        record = {"BUILT_WITH": str(self.folder / "built_with.json"), "VIRTUAL_ENV": str(self.folder / "venv")}
        result = run_process(*command, cwd=self.root, environment={**self.environment, **record, **variables})
        if result.code:
            raise RefusedError(result.stdout + result.stderr)
        return result

    def uv(self, *arguments: str | Path, **variables: str) -> None:
        self.run(UV, *arguments, **variables)

    def pip(self, command: str, *arguments: str | Path, **variables: str) -> None:
        into = () if command == "wheel" else ("--python", self.python)
        self.run(sys.executable, "-m", "pip", *into, command, "--no-deps", *arguments, **variables)

    def make_venv(self) -> None:
        if not self.python.exists():
            self.uv("venv", "--quiet", "--no-project", self.folder / "venv")

    def ask_wheel(self, folder: Path) -> str:
        """What the wheel in `folder` was compiled against; the folder is emptied."""
        (wheel,) = folder.glob("*.whl")
        unpacked = self.folder / "unpacked"
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(unpacked)
        said = self.run(sys.executable, "-c", _ASK, PYTHONPATH=str(unpacked)).stdout.strip()
        shutil.rmtree(unpacked)
        shutil.rmtree(folder)
        return said

    def ask_installed(self, python: Path | None = None) -> str:
        return self.run(python or self.python, "-c", _ASK).stdout.strip()

    @property
    def built_with(self) -> dict[str, str]:
        """The distributions of the environment that was last built in."""
        found = json.loads((self.folder / "built_with.json").read_text())
        return {canonicalize_name(name): version for name, version in found.items()}

    @property
    def lock_path(self) -> Path:
        return self.root / "build-lock.toml"

    def locked(self, variant: str) -> dict[str, str]:
        packages = tomllib.loads(self.lock_path.read_text())["variants"][variant]["packages"]
        return {package["name"]: package["version"] for package in packages}


Build: TypeAlias = Callable[[Workshop, str, Way], str]


def _say(variant: str, way: Way) -> tuple[tuple[str, ...], dict[str, str]]:
    """The arguments and the variables that name a variant."""
    return (("-C", f"variant={variant}"), {}) if way == "-C" else ((), {"BUILDLOCK_VARIANT": variant})


def _uv_build(*options: str) -> Build:
    def build(workshop: Workshop, variant: str, way: Way) -> str:
        arguments, variables = _say(variant, way)
        out = workshop.folder / "out"
        workshop.uv("build", "--no-config", "--out-dir", out, *options, *arguments, **variables)
        return workshop.ask_wheel(out)

    return build


def _uv_sync(*options: str) -> Build:
    def build(workshop: Workshop, variant: str, _: Way) -> str:
        workshop.uv("sync", "--extra", variant, *options)
        return workshop.ask_installed(workshop.root / ".venv" / workshop.python.relative_to(workshop.folder / "venv"))

    return build


def _uv_pip(*options: str) -> Build:
    def build(workshop: Workshop, variant: str, way: Way) -> str:
        workshop.make_venv()
        arguments, variables = _say(variant, way)
        into = ("--python", workshop.python, "--no-config", "--no-deps")
        workshop.uv("pip", "install", *into, *options, *arguments, **variables)
        return workshop.ask_installed()

    return build


def _pip_wheel(workshop: Workshop, variant: str, way: Way) -> str:
    arguments, variables = _say(variant, way)
    out = workshop.folder / "out"
    workshop.pip("wheel", ".", "--wheel-dir", out, *arguments, **variables)
    return workshop.ask_wheel(out)


def _pip_install(*options: str) -> Build:
    def build(workshop: Workshop, variant: str, way: Way) -> str:
        workshop.make_venv()
        arguments, variables = _say(variant, way)
        workshop.pip("install", "--force-reinstall", *options, *arguments, **variables)
        return workshop.ask_installed()

    return build


def _pip_sdist(workshop: Workshop, variant: str, way: Way) -> str:
    out = workshop.folder / "sdist"
    if not out.exists():
        workshop.uv("build", "--no-config", "--sdist", "--out-dir", out, "-C", "variant=cu124")
    (sdist,) = out.glob("*.tar.gz")
    return _pip_install(str(sdist))(workshop, variant, way)


def _build(*options: str) -> Build:
    def build(workshop: Workshop, variant: str, way: Way) -> str:
        arguments, variables = _say(variant, way)
        out = workshop.folder / "out"
        path = f"{Path(UV).parent}{os.pathsep}{workshop.environment['PATH']}"
        workshop.run(sys.executable, "-m", "build", "--outdir", out, *options, *arguments, PATH=path, **variables)
        return workshop.ask_wheel(out)

    return build


FRONTENDS: Mapping[str, tuple[Build, tuple[Way, ...]]] = {
    "uv sync --extra": (_uv_sync(), ("extra",)),
    "uv sync --extra --no-editable": (_uv_sync("--no-editable"), ("extra",)),
    "uv build": (_uv_build(), ("-C", "variable")),
    "uv build --wheel": (_uv_build("--wheel"), ("-C", "variable")),
    "uv pip install .": (_uv_pip("."), ("-C", "variable")),
    "uv pip install -e .": (_uv_pip("-e", "."), ("-C", "variable")),
    "pip wheel .": (_pip_wheel, ("-C", "variable")),
    "pip install .": (_pip_install("."), ("-C", "variable")),
    "pip install -e .": (_pip_install("-e", "."), ("-C", "variable")),
    "pip install SDIST": (_pip_sdist, ("-C", "variable")),
    "python -m build": (_build(), ("-C", "variable")),
    "python -m build --installer uv": (_build("--installer", "uv"), ("-C", "variable")),
}
"""Each with the ways that it can be told a variant."""


def lock_seed(folder: Path, server: IndexServer) -> Path:
    """The seed's project with its lock and buildlock's backend."""
    root = copy_project("seed", folder, server.root)
    with (root / "pyproject.toml").open("a") as file:
        file.write(_VARIANTS)
    setup = root / "setup.py"
    setup.write_text(_RECORD + setup.read_text())
    environment = hermetic(folder, server.environment)
    for arguments in (("lock", "--all"), ("init", "--backend")):
        command = [sys.executable, "-m", "buildlock", *arguments]
        subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True)
    return root


def open_workshop(locked: Path, folder: Path, server: IndexServer) -> Workshop:
    """A copy of the locked project, with caches of its own."""
    index = {**server.environment, "PIP_INDEX_URL": server.url(), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    settings = {"UV_CACHE_DIR": str(folder / "uv"), "UV_PYTHON": sys.executable, "UV_PYTHON_DOWNLOADS": "never"}
    root = Path(shutil.copytree(locked, folder / "project"))
    return Workshop(
        root=root, folder=folder, environment=hermetic(folder, {**index, **settings, "UV_NO_PROGRESS": "1"})
    )


def check_torch(workshop: Workshop, build: Build, way: Way) -> None:
    """It is compiled against the locked torch, in the whole locked environment."""
    assert build(workshop, "cu124", way) == TORCH["cu124"]
    locked = workshop.locked("cu124")
    built_with = workshop.built_with
    assert {name: built_with.get(name) for name in locked} == locked


def check_hash(workshop: Workshop, build: Build, way: Way) -> None:
    """A file that is not the locked one is refused."""
    _replace(workshop, r"(networkx-3[^\n]*sha256 = \")([0-9a-f]{8})", r"\g<1>00000000")
    said = _refuse(workshop, build, way)
    assert re.search("hash", said, re.IGNORECASE)


def check_missing(workshop: Workshop, build: Build, way: Way) -> None:
    """What the lock does not hold is not taken from the index."""
    _replace(workshop, r'\[\[variants\.\w+\.packages\]\]\nname = "networkx"\n(?:[^\n]+\n)+\n', "")
    _replace(workshop, r'  \{ name = "networkx" \},\n', "")
    assert "`torch` requires `networkx`, which is not locked" in _refuse(workshop, build, way)


def check_switch(workshop: Workshop, build: Build, way: Way) -> None:
    """Nothing that was built for one variant serves another."""
    for variant in ("cu124", "cu118", "cu124", "cu118"):
        assert build(workshop, variant, way) == TORCH[variant]


CHECKS: Mapping[str, Callable[[Workshop, Build, Way], None]] = {
    "locked torch": check_torch,
    "wrong hash": check_hash,
    "missing package": check_missing,
    "switching": check_switch,
}


def _replace(workshop: Workshop, pattern: str, new: str) -> None:
    text, count = re.subn(pattern, new, workshop.lock_path.read_text())
    assert count
    workshop.lock_path.write_text(text)


def _refuse(workshop: Workshop, build: Build, way: Way) -> str:
    """What the frontend says where it must not build."""
    try:
        built = build(workshop, "cu124", way)
    except RefusedError as error:
        return str(error)
    raise AssertionError(f"it built against {built}")
