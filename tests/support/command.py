"""`buildlock` as a user runs it: a process in a copied project, and what it did.

project = Checkout(root=copy_project("tiny", tmp_path, server.root), environment=hermetic(tmp_path))
result = project.run("lock")
assert result.code == 0, result
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from support.warm import can_run, run_warm, start_warm

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LINK_MODE = "UV_LINK_MODE"
"""Set by `nox -s link_modes`: the tests pass with each."""
through_links = pytest.mark.skipif(
    os.environ.get(LINK_MODE, "symlink") != "symlink", reason="environments are not made of links to folders"
)
_TOOLS = ("BUILDLOCK_", "PIP_", "UV_", "XDG_")
_OTHERS = frozenset(
    {
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "HTTP_TIMEOUT", "NETRC"),
        *("REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE", "SSL_CLIENT_CERT"),
        *("FORCE_COLOR", "NO_COLOR", "GITHUB_ACTIONS", "PY_COLORS", "TTY_COMPATIBLE"),
        *("PYTHONHASHSEED", "PYTHONPATH", "VIRTUAL_ENV"),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a process did."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkout:
    """A project of a test's own, and the environment variables that its commands run with."""

    root: Path
    environment: Mapping[str, str]

    @property
    def pyproject(self) -> Path:
        return self.root / "pyproject.toml"

    @property
    def lock_path(self) -> Path:
        return self.root / "build-lock.toml"

    @property
    def cache(self) -> Path:
        return Path(self.environment["BUILDLOCK_CACHE_DIR"])

    def run(self, *arguments: str | Path, **variables: str) -> Result:
        """Run a command in the project's folder, with these variables above its own."""
        words = list(map(str, arguments))
        environment = {**self.environment, **variables}
        # What Python itself reads as it starts is not read again.
        if not can_run() or any(name.startswith("PYTHON") for name in variables):
            return run_process(sys.executable, "-m", "buildlock", *words, cwd=self.root, environment=environment)
        return _show(["buildlock", *words], *run_warm(words, cwd=self.root, environment=environment))

    def succeed(self, *arguments: str | Path, **variables: str) -> Result:
        """Run a command that must succeed."""
        result = self.run(*arguments, **variables)
        assert result.code == 0, result
        return result

    def start(self, *arguments: str | Path, **variables: str) -> "Running":
        """Start a command, beside others."""
        folder = Path(tempfile.mkdtemp(prefix="running-", dir=self.root.parent))
        printed = folder / "stdout", folder / "stderr"
        environment = {**self.environment, **variables}
        process = start_warm(list(map(str, arguments)), cwd=self.root, environment=environment, printed=printed)
        return Running(process=process, printed=printed)

    def append(self, text: str) -> None:
        """Write TOML at the end of `pyproject.toml`."""
        with self.pyproject.open("a", encoding="utf-8") as file:
            file.write(f"\n{text}\n")

    def replace(self, old: str, new: str) -> None:
        """Change what `pyproject.toml` says; `old` must be in it once."""
        text = self.pyproject.read_text(encoding="utf-8")
        assert text.count(old) == 1
        self.pyproject.write_text(text.replace(old, new), encoding="utf-8")

    def locked(self, variant: str = "default") -> dict[str, Any]:
        """A variant in the lock, as TOML has it."""
        locked: dict[str, Any] = tomllib.loads(self.lock_path.read_text(encoding="utf-8"))["variants"][variant]
        return locked

    def packages(self, variant: str = "default") -> dict[str, dict[str, Any]]:
        """The locked packages by name."""
        return {package["name"]: package for package in self.locked(variant)["packages"]}

    def versions(self, variant: str = "default") -> dict[str, str]:
        """The locked versions by name."""
        return {name: package["version"] for name, package in self.packages(variant).items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """A process that was started."""

    process: BaseProcess
    printed: tuple[Path, Path]

    def wait(self) -> Result:
        """What it did when it has ended; the code of one that a signal ended is negative."""
        self.process.join()
        assert self.process.exitcode is not None
        out, err = (path.read_text(encoding="utf-8") if path.exists() else "" for path in self.printed)
        return _show(["buildlock"], self.process.exitcode, out, err)

    def kill(self) -> None:
        """End it at once, if it has not."""
        self.process.kill()

    def says(self, text: str) -> bool:
        """Whether it has written something to stderr."""
        return self.printed[1].exists() and text in self.printed[1].read_text(encoding="utf-8")


CopyProject: TypeAlias = Callable[[str], Checkout]
"""`checkout("tiny")`: a fixture project that nothing was done with."""
CopyLockedProject: TypeAlias = Callable[..., Checkout]
"""`locked("seed", "--variant", "cu124")`: one with its lock, made with these arguments."""


def run_process(*command: str | Path, cwd: Path, environment: Mapping[str, str]) -> Result:
    """Run a command; what it printed is shown where a test fails."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return _show([*map(str, command[1:])], done.returncode, done.stdout, done.stderr)


def _show(command: list[str], code: int, stdout: str, stderr: str) -> Result:
    print(f"$ {' '.join(command)}\n{stdout}{stderr}exit code {code}")  # noqa: T201 - pytest shows it
    return Result(code=code, stdout=stdout, stderr=stderr)


def hermetic(home: Path, index: Mapping[str, str]) -> dict[str, str]:
    """The machine's environment variables without what would change which files are found, or how it all looks.

    Args:
        home: Where the user's configuration and all caches are.
        index: The variables that name the indexes.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if (not name.upper().startswith(_TOOLS) and name.upper() not in _OTHERS) or name == LINK_MODE
    }
    homes = ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_CACHE_HOME")
    return {
        **kept,
        **dict.fromkeys(homes, str(home)),
        "BUILDLOCK_CACHE_DIR": str(home / "cache"),
        "PIP_CONFIG_FILE": os.devnull,
        "PYTHONUTF8": "1",
        **index,
    }
