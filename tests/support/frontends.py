"""Real frontends, building the seed's project from its lock: what was compiled, and in which environment.

Each is a row: a frontend, the way in which it is held to the lock, and how it is told the variant. It answers with the
torch that the extension says it was compiled against.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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

Way: TypeAlias = Literal["backend", "constraints", "run --frontend"]
"""What holds a frontend to the lock."""

UV = uv.find_uv_bin()
TORCH = {"cu118": "2.2.0+cu118", "cu124": "2.4.0+cu124"}
_VARIANTS = """
[tool.buildlock]
constraints = ["fsspec<2024.10"]

[tool.buildlock.variants.cu118]
requires = ["torch==2.2.0"]
"""
_PLAIN = """
[tool.buildlock]
constraints = ["fsspec<2024.10"]
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


class UnsupportedError(Exception):
    """buildlock did not start the frontend, which it could not hold to the lock."""


class NotHeldError(Exception):
    """The frontend built, and not what the lock says; the message is why, in a few words."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What is added to a command so that it builds a variant."""

    before: tuple[str | Path, ...] = ()
    arguments: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """A copy of the seed's project with buildlock's backend and its lock, and an environment to install it into."""

    root: Path
    environment: Mapping[str, str]
    folder: Path
    sdist: Path
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
        if result.code == 2 and "cannot be held to the lock" in result.stderr:
            raise UnsupportedError(result.stderr)
        if result.code:
            raise RefusedError(result.stdout + result.stderr)
        return result

    def build(self, said: Said, *command: str | Path) -> None:
        """Run a frontend that builds as it is `said`."""
        path = f"{Path(UV).parent}{os.pathsep}{self.environment['PATH']}"
        self.run(*said.before, *command, *said.arguments, **{"PATH": path, **said.variables})

    def make_venv(self) -> None:
        if not self.python.exists():
            self.run(UV, "venv", "--quiet", "--no-project", self.folder / "venv")

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

    def ask_installed(self, venv: Path | None = None) -> str:
        python = self.python.relative_to(self.folder / "venv")
        return self.run((venv or self.folder / "venv") / python, "-c", _ASK).stdout.strip()

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


Say: TypeAlias = Callable[[Workshop, str], Said]
Frontend: TypeAlias = Callable[[Workshop, Said], str]
"""Builds, and asks what was built."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One frontend, held to the lock in one way, told the variant in one way."""

    frontend: str
    way: Way
    by: str
    run: Frontend
    say: Say

    def build(self, workshop: Workshop, variant: str) -> str:
        return self.run(workshop, self.say(workshop, variant))

    def __str__(self) -> str:
        return f"{self.frontend}, {self.way}, {self.by}"


def _uv_build(*options: str) -> Frontend:
    def build(workshop: Workshop, said: Said) -> str:
        out = workshop.folder / "out"
        workshop.build(said, UV, "build", "--no-config", "--out-dir", out, *options)
        return workshop.ask_wheel(out)

    return build


def _uv_sync(*options: str) -> Frontend:
    def build(workshop: Workshop, said: Said) -> str:
        workshop.build(said, UV, "sync", *options)
        return workshop.ask_installed(workshop.root / ".venv")

    return build


def _uv_pip(*options: str) -> Frontend:
    def build(workshop: Workshop, said: Said) -> str:
        workshop.make_venv()
        into = ("--python", workshop.python, "--no-config", "--no-deps")
        workshop.build(said, UV, "pip", "install", *into, *options)
        return workshop.ask_installed()

    return build


def _pip_wheel(workshop: Workshop, said: Said) -> str:
    out = workshop.folder / "out"
    workshop.build(said, sys.executable, "-m", "pip", "wheel", "--no-deps", ".", "--wheel-dir", out)
    return workshop.ask_wheel(out)


def _pip_install(*options: str) -> Frontend:
    def build(workshop: Workshop, said: Said) -> str:
        workshop.make_venv()
        pip = (sys.executable, "-m", "pip", "--python", workshop.python)
        workshop.build(said, *pip, "install", "--no-deps", "--force-reinstall", *options)
        return workshop.ask_installed()

    return build


def _pip_sdist(workshop: Workshop, said: Said) -> str:
    """The sdist of the project as it was locked, with the lock that it now has."""
    unpacked = workshop.folder / "sdist"
    if not unpacked.exists():
        shutil.unpack_archive(workshop.sdist, unpacked)
        for lock in unpacked.glob("*/build-lock.toml"):
            shutil.copy(workshop.lock_path, lock)
    (source,) = unpacked.iterdir()
    sdist = shutil.make_archive(str(workshop.folder / source.name), "gztar", unpacked, source.name)
    return _pip_install(sdist)(workshop, said)


def _build(*options: str) -> Frontend:
    def build(workshop: Workshop, said: Said) -> str:
        out = workshop.folder / "out"
        workshop.build(said, sys.executable, "-m", "build", "--outdir", out, *options)
        return workshop.ask_wheel(out)

    return build


def _hatch(workshop: Workshop, said: Said) -> str:
    out = workshop.folder / "out"
    # Its uv would install into that Python.
    said = replace(said, variables={**said.variables, "UV_PYTHON": ""})
    workshop.build(said, sys.executable, "-m", "hatch", "build", "--target", "wheel", out)
    return workshop.ask_wheel(out)


def _tox(workshop: Workshop, said: Said) -> str:
    (workshop.root / "tox.ini").write_text(_TOX)
    workshop.build(said, sys.executable, "-m", "tox", "run", "-e", "py")
    return workshop.ask_installed(workshop.root / ".tox" / "py")


def _nox(workshop: Workshop, said: Said) -> str:
    (workshop.root / "noxfile.py").write_text(_NOX)
    workshop.build(said, sys.executable, "-m", "nox", "--session", "install")
    return workshop.ask_installed(workshop.root / ".nox" / "install")


def _by_setting(_: Workshop, variant: str) -> Said:
    return Said(arguments=("-C", f"variant={variant}"))


def _by_variable(_: Workshop, variant: str) -> Said:
    return Said(variables={"BUILDLOCK_VARIANT": variant})


def _by_variable_and_path(_: Workshop, variant: str) -> Said:
    return Said(variables={"BUILDLOCK_VARIANT": variant, "PYTHONPATH": "_buildlock"})


def _by_extra(_: Workshop, variant: str) -> Said:
    return Said(arguments=("--extra", variant))


def _by_run(*arguments: str) -> Say:
    def say(_: Workshop, variant: str) -> Said:
        more = tuple(each.format(variant=variant) for each in arguments)
        before = (sys.executable, "-m", "buildlock", "run", "--variant", variant, "--frontend", "--")
        return Said(before=before, arguments=more)

    return say


def _by_option(*more: str) -> Say:
    def say(workshop: Workshop, variant: str) -> Said:
        return Said(arguments=("--build-constraint", _export(workshop, variant), *more))

    return say


def _by_constraint(*names: str, **more: str) -> Say:
    def say(workshop: Workshop, variant: str) -> Said:
        return Said(variables=dict.fromkeys(names, _export(workshop, variant)) | more)

    return say


def _by_block(workshop: Workshop, variant: str) -> Said:
    workshop.run(*_EXPORT, "--variant", variant, "--format", "uv", "--write")
    return _by_extra(workshop, variant)


def _export(workshop: Workshop, variant: str) -> str:
    workshop.run(*_EXPORT, "--variant", variant, "--format", "constraints", "--output", workshop.folder)
    return str(workshop.folder / f"constraints.{variant}.txt")


_EXPORT = (sys.executable, "-m", "buildlock", "export", "--frozen")
_TOX = """
[testenv]
package = wheel
commands = python -c "import seed_ext"

[testenv:.pkg]
pass_env = BUILDLOCK_VARIANT, BUILT_WITH, PIP_*, UV_*
"""
_NOX = """
import nox

@nox.session
def install(session):
    session.install("--no-deps", ".")
"""
_SETTING, _VARIABLE = ("`-C variant=`", _by_setting), ("`BUILDLOCK_VARIANT`", _by_variable)
_WITH_PATH = ("`BUILDLOCK_VARIANT`, `PYTHONPATH=_buildlock`", _by_variable_and_path)
_EXTRA = ("the extra", _by_extra)
_OPTION = ("`--build-constraint`", _by_option())
_CLOSED_OPTION = ("`--build-constraint`, `--no-index`", _by_option("--no-index"))
_PIP = ("`PIP_CONSTRAINT`", _by_constraint("PIP_CONSTRAINT"))
_CLOSED_PIP = ("`PIP_CONSTRAINT`, `PIP_NO_INDEX`", _by_constraint("PIP_CONSTRAINT", PIP_NO_INDEX="1"))
_UV = ("`UV_CONSTRAINT`", _by_constraint("UV_CONSTRAINT"))
_CLOSED_UV = ("`UV_CONSTRAINT`, `UV_NO_INDEX`", _by_constraint("UV_CONSTRAINT", UV_NO_INDEX="1"))
_BUILD_PIP = ("`PIP_BUILD_CONSTRAINT`", _by_constraint("PIP_BUILD_CONSTRAINT"))
_BLOCK = ("`export --format uv --write`", _by_block)
_RUN, _RUN_EXTRA = ("`--variant`", _by_run()), ("`--variant`", _by_run("--extra", "{variant}"))

# Each frontend, and how it is told the variant: with the backend, with constraints, by `run --frontend`.
_FRONTENDS: Mapping[str, tuple[Frontend, Mapping[Way, Sequence[tuple[str, Say]]]]] = {
    "uv sync --extra": (_uv_sync(), {"backend": [_EXTRA], "constraints": [_BLOCK], "run --frontend": [_RUN_EXTRA]}),
    "uv sync --extra --no-editable": (
        _uv_sync("--no-editable"),
        {"backend": [_EXTRA], "constraints": [_BLOCK], "run --frontend": [_RUN_EXTRA]},
    ),
    **{
        name: (frontend, {"backend": [_SETTING, _VARIABLE], "constraints": constraints, "run --frontend": [_RUN]})
        for name, frontend, constraints in (
            ("uv build", _uv_build(), [_OPTION, _CLOSED_OPTION]),
            ("uv build --wheel", _uv_build("--wheel"), [_OPTION]),
            ("uv pip install .", _uv_pip("."), [_OPTION, _CLOSED_OPTION]),
            ("uv pip install -e .", _uv_pip("-e", "."), [_OPTION]),
            ("pip wheel .", _pip_wheel, [_OPTION, _CLOSED_OPTION]),
            ("pip install .", _pip_install("."), [_OPTION]),
            ("pip install -e .", _pip_install("-e", "."), [_OPTION]),
            ("pip install SDIST", _pip_sdist, [_OPTION]),
            ("python -m build", _build(), [_PIP, _CLOSED_PIP]),
            ("python -m build --installer uv", _build("--installer", "uv"), [_UV, _CLOSED_UV]),
        )
    },
    **{
        name: (frontend, {"backend": backend, "constraints": constraints, "run --frontend": [_RUN]})
        for name, frontend, backend, constraints in (
            ("hatch build", _hatch, [_VARIABLE, _WITH_PATH], [_UV, _CLOSED_UV]),
            ("tox run", _tox, [_VARIABLE], [_PIP, _CLOSED_PIP]),
            ("nox", _nox, [_VARIABLE], [_BUILD_PIP]),
        )
    },
}
ROWS = tuple(
    Row(frontend=name, way=way, by=by, run=frontend, say=say)
    for name, (frontend, ways) in _FRONTENDS.items()
    for way, tellings in ways.items()
    for by, say in tellings
)


def lock_seeds(folder: Path, server: IndexServer) -> Mapping[Way, Path]:
    """The seed's project with its lock, and how it looks for each way."""
    plain = _lock_seed(folder / "plain", server)
    return {"backend": _lock_seed(folder / "backend", server, _VARIANTS), "constraints": plain, "run --frontend": plain}


def _lock_seed(folder: Path, server: IndexServer, variants: str | None = None) -> Path:
    """The project, with buildlock's backend where there are `variants`, and its sdist beside it.

    Without the backend, the frontends read `[build-system]` itself, so it leaves the torch to the variants.
    """
    root = copy_project("seed", folder, server.root)
    pyproject, setup = root / "pyproject.toml", root / "setup.py"
    text = pyproject.read_text()
    pyproject.write_text(text + variants if variants else text.replace('"torch==2.4.0", "n', '"torch", "n') + _PLAIN)
    setup.write_text(_RECORD + setup.read_text())
    environment = hermetic(folder, server.environment)
    for arguments in (("lock", "--all"), ("init", "--backend"))[: 2 if variants else 1]:
        command = [sys.executable, "-m", "buildlock", *arguments]
        subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True)
    own = open_workshop(root, folder / "own", server)
    own.run(UV, "build", "--no-config", "--sdist", "--out-dir", folder / "sdist", "-C", "variant=cu124")
    return root


def open_workshop(locked: Path, folder: Path, server: IndexServer) -> Workshop:
    """A copy of the locked project, with caches of its own."""
    index = {**server.environment, "PIP_INDEX_URL": server.url(), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    settings = {"UV_CACHE_DIR": str(folder / "uv"), "UV_PYTHON": sys.executable, "UV_PYTHON_DOWNLOADS": "never"}
    root = Path(shutil.copytree(locked, folder / "project"))
    return Workshop(
        root=root,
        folder=folder,
        sdist=locked.parent / "sdist" / "seed_ext-0.1.0.tar.gz",
        environment=hermetic(folder, {**index, **settings, "UV_NO_PROGRESS": "1"}),
    )


def check_torch(workshop: Workshop, row: Row) -> None:
    """It is compiled against the locked torch, in the whole locked environment."""
    _see(row.build(workshop, "cu124"), TORCH["cu124"])
    locked, built_with = workshop.locked("cu124"), workshop.built_with
    for name, version in locked.items():
        _see(f"{name} {built_with.get(name)}", f"{name} {version}")


def check_hash(workshop: Workshop, row: Row) -> None:
    """A file that is not the locked one is refused."""
    _replace(workshop, r"(networkx-3[^\n]*sha256 = \")([0-9a-f]{8})", r"\g<1>00000000")
    _expect_refusal(workshop, row, "hash", "built all the same")


def check_missing(workshop: Workshop, row: Row) -> None:
    """What the lock does not hold is not taken from the index."""
    _replace(workshop, r'\[\[variants\.\w+\.packages\]\]\nname = "networkx"\n(?:[^\n]+\n)+\n', "")
    _replace(workshop, r'  \{ name = "networkx" \},\n', "")
    _expect_refusal(workshop, row, "networkx", "taken from the index")


def check_switch(workshop: Workshop, row: Row) -> None:
    """Nothing that was built for one variant serves another."""
    for variant in ("cu124", "cu118", "cu124", "cu118"):
        _see(row.build(workshop, variant), TORCH[variant], "stale")


CHECKS: Mapping[str, Callable[[Workshop, Row], None]] = {
    "locked torch": check_torch,
    "wrong hash": check_hash,
    "missing package": check_missing,
    "switching": check_switch,
}


def try_cell(workshop: Workshop, row: Row, check: str) -> str:
    """What the table says of a row."""
    try:
        CHECKS[check](workshop, row)
    except UnsupportedError:
        return "refused, use the backend"
    except RefusedError:
        return "**no**: nothing is built"
    except NotHeldError as error:
        return f"**no**: {error}"
    return "yes"


def _replace(workshop: Workshop, pattern: str, new: str) -> None:
    text, count = re.subn(pattern, new, workshop.lock_path.read_text())
    assert count
    workshop.lock_path.write_text(text)


def _see(found: str, wanted: str, why: str | None = None) -> None:
    if found != wanted:
        raise NotHeldError(why or found)


def _expect_refusal(workshop: Workshop, row: Row, reason: str, otherwise: str) -> None:
    try:
        row.build(workshop, "cu124")
    except RefusedError as error:
        if reason not in str(error).lower():
            raise
    else:
        raise NotHeldError(otherwise)
