"""An empty virtual environment, and where things are in it."""

import json
import os
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path, PurePath

from buildlock.environment.interpreter import Interpreter
from buildlock.environment.steps import Step
from buildlock.environment.wheel import Scheme
from buildlock.errors import EnvironmentPreparationError
from buildlock.values import dataclass

_TIMEOUT = 120
"""Seconds."""
_ANSWER = "buildlock:"
_CREATE = """
import json, os, sys, sysconfig, venv

class Builder(venv.EnvBuilder):
    def setup_scripts(self, context):
        pass  # activation scripts hold the path that they are made at

Builder(symlinks=os.name != "nt").create(sys.argv[1])
scheme = "venv" if "venv" in sysconfig.get_scheme_names() else "nt" if os.name == "nt" else "posix_prefix"
roots = dict.fromkeys(("base", "platbase", "installed_base", "installed_platbase"), ".")
print("buildlock:" + json.dumps(sysconfig.get_paths(scheme, vars=roots)))
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Where things are in an environment, relative to its root, with `/`."""

    python: str
    scripts: str
    purelib: str
    platlib: str
    headers: str
    """Each distribution has a folder of its own name in it."""

    def locate(self, scheme: Scheme, name: str, path: str) -> str:
        """Where a file of the distribution `name` belongs."""
        match scheme:
            case "purelib":
                return f"{self.purelib}/{path}"
            case "platlib":
                return f"{self.platlib}/{path}"
            case "scripts":
                return f"{self.scripts}/{path}"
            case "headers":
                return f"{self.headers}/{name}/{path}"
            case "data":
                return path


def create_skeleton(root: Path, interpreter: Interpreter) -> Layout:
    """Make a virtual environment without any package, by the interpreter's own `venv`.

    Raises:
        EnvironmentPreparationError: The interpreter cannot.
    """
    command = [str(interpreter.executable), "-I", "-S", "-c", _CREATE, str(root)]
    try:
        process = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT,
            check=False,
            encoding="utf-8",
            errors="replace",
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise EnvironmentPreparationError(f"`{interpreter.executable}` cannot be run: {error}") from error
    answer = next((line for line in process.stdout.splitlines() if line.startswith(_ANSWER)), None)
    if process.returncode or answer is None:
        raise EnvironmentPreparationError(
            f"`{interpreter.executable}` cannot make a virtual environment:\n{process.stdout.strip()[-2000:]}",
            hint="on Debian and Ubuntu, `venv` is in the package `python3-venv`",
        )
    _forget_origin(root / "pyvenv.cfg")
    paths = {name: PurePath(path).as_posix() for name, path in json.loads(answer.removeprefix(_ANSWER)).items()}
    release = interpreter.target.python.release
    return Layout(
        python=f"{paths['scripts']}/{'python.exe' if os.name == 'nt' else 'python'}",
        scripts=paths["scripts"],
        purelib=paths["purelib"],
        platlib=paths["platlib"],
        # Not the `include` of the scheme, which is that of the Python below.
        headers=f"include/site/python{release[0]}.{release[1]}",
    )


def read_skeleton(root: Path) -> Sequence[Step]:
    """The steps that make the same once more.

    Raises:
        OSError: It cannot be read.
    """
    steps: list[Step] = []
    for folder, names, files in os.walk(root):
        for name in sorted([*names, *files]):
            path = Path(folder, name)
            place = path.relative_to(root).as_posix()
            if path.is_symlink():
                steps.append(("link", place, str(path.readlink())))
            elif path.is_dir():
                steps.append(("folder", place))
            else:
                steps.append(("content", place, path.read_bytes(), bool(path.stat().st_mode & stat.S_IXUSR)))
    return steps


def _forget_origin(configuration: Path) -> None:
    """Drop the command line from pyvenv.cfg: it holds the path that the environment is made at."""
    lines = configuration.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("command ")]
    configuration.write_text("".join(kept), encoding="utf-8")
