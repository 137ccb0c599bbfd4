"""Which frontend a command is, and by which variables it is made to build from constraints alone."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Literal, TypeAlias

from buildlock.errors import UsageError
from buildlock.values import dataclass

Tool: TypeAlias = Literal["pip", "build", "uv", "hatch"]

SUPPORTED = "`pip install`, `pip wheel`, `python -m build`, `uv build` and `hatch build`"
_BACKEND = "`buildlock init --backend` makes the project build from the lock under every frontend"
_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*t?|py", re.ASCII)
_TOOLS: Mapping[str, Tool] = {"build": "build", "pyproject-build": "build", "uv": "uv", "hatch": "hatch"}
_PIP = re.compile(r"pip[0-9.]*", re.ASCII)
_VERBS: Mapping[Tool, frozenset[str]] = {
    "pip": frozenset({"install", "wheel", "download", "lock"}),
    "uv": frozenset({"build"}),
    "hatch": frozenset({"build"}),
}
_HINTS = {
    "tox": "build first, `buildlock build`, and test that: `tox run --installpkg dist/NAME.whl`",
    "nox": "call `buildlock run --frontend` in the session, where it builds",
    "cibuildwheel": "it builds in containers and for many Pythons, which variables do not reach",
    "uv": "Build by `buildlock run --frontend -- uv build` and install the wheel, or let"
    " `buildlock export --format uv --write` put the constraints into pyproject.toml, where `uv sync` reads them",
}
# What takes the isolation away, the constraints, or the variables that name them.
_DEFEATING: Mapping[Tool, frozenset[str]] = {
    "pip": frozenset({"--no-build-isolation", "--build-constraint", "--isolated"}),
    "build": frozenset({"--no-isolation", "-n"}),
    "uv": frozenset(
        {
            *(
                "--no-build-isolation",
                "--no-build-isolation-package",
                "--build-constraint",
                "--build-constraints",
                "-b",
            ),
            *("--no-verify-hashes", "--no-require-hashes"),
        }
    ),
    "hatch": frozenset(),
}
_DEFEATING_VARIABLES = frozenset(
    {
        *("PIP_NO_BUILD_ISOLATION", "PIP_ISOLATED", "PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT"),
        *("UV_NO_BUILD_ISOLATION", "UV_NO_BUILD_ISOLATION_PACKAGE", "UV_NO_VERIFY_HASHES"),
        *("UV_CONSTRAINT", "UV_BUILD_CONSTRAINT", "UV_OVERRIDE"),
    }
)
_EXTRAS = re.compile(r"\[([A-Za-z0-9._,\s-]+)\]$", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Frontend:
    """A command that builds."""

    tool: Tool
    launcher: tuple[str, ...]
    """What starts it, without its arguments: `python3.12 -m pip`."""
    arguments: tuple[str, ...]
    python: str | None
    """The interpreter that the command itself names, if it does."""

    @property
    def extras(self) -> tuple[str, ...]:
        """The extras that it is to install: those of `.[cu124]`."""
        found = (_EXTRAS.search(argument) for argument in self.arguments)
        return tuple(name.strip() for match in found if match for name in match[1].split(","))


def recognize(command: Sequence[str]) -> Frontend:
    """The frontend that a command is.

    Raises:
        UsageError: It is none that can be made to build from the lock by variables, or its arguments forbid it.
    """
    launcher, python = _split_launcher(command)
    name = launcher[-1] if len(launcher) > 1 else PurePath(launcher[0]).name.removesuffix(".exe")
    tool: Tool | None = "pip" if _PIP.fullmatch(name) else _TOOLS.get(name)
    arguments = tuple(command[len(launcher) :])
    if tool is None:
        if name in _HINTS:
            raise UsageError(f"`{name}` cannot be held to the lock by variables: {_HINTS[name]}", hint=_BACKEND)
        raise UsageError(f"`{name}` is no frontend that is known: there are {SUPPORTED}", hint=_BACKEND)
    words = [argument for argument in arguments if not argument.startswith("-")]
    # Those of pip may come after options that have values; no other word of its commands builds anything.
    if tool in _VERBS and not _VERBS[tool].intersection(words if tool == "pip" else words[:1]):
        shown = " ".join([name, *words[: 2 if words[:1] == ["pip"] else 1]])
        raise UsageError(
            f"`{shown}` cannot be held to the lock by variables; there are {SUPPORTED}"
            + (f".\n{_HINTS['uv']}" if tool == "uv" else ""),
            hint=_BACKEND,
        )
    for argument in arguments:
        if argument.partition("=")[0] in _DEFEATING[tool] or (tool == "uv" and re.match(r"-b[^-]", argument)):
            raise UsageError(
                f"with `{argument}`, `{name}` would not build from the lock alone",
                hint="`buildlock run -- COMMAND`, without `--frontend`, runs it in the locked environment",
            )
    return Frontend(tool=tool, launcher=launcher, arguments=arguments, python=python or _find_option(arguments, tool))


def constrain(frontend: Frontend, environ: Mapping[str, str], constraints: Path, scratch: Path) -> dict[str, str]:
    """The variables with which a frontend builds from constraints alone.

    The file names a wheel of this machine with its hash for each package, below `--no-index`. pip and `uv pip`, by
    which build and hatch install, heed that line in a file of constraints, for what they build in alone. uv itself
    does not when it builds, but with hashes required it takes nothing that has none, which is whatever the file does
    not name.

    Args:
        frontend: The command.
        environ: The user's variables.
        constraints: The file.
        scratch: A folder for this run alone.
    """
    kept = {key: value for key, value in environ.items() if key.upper() not in _DEFEATING_VARIABLES}
    path = constraints.as_posix()
    if frontend.tool == "uv":
        return {**kept, "UV_BUILD_CONSTRAINT": path, "UV_REQUIRE_HASHES": "1"}
    kept["PIP_BUILD_CONSTRAINT"] = path
    if frontend.tool == "pip":
        return kept
    kept |= {"PIP_CONSTRAINT": path, "UV_CONSTRAINT": path, "UV_BUILD_CONSTRAINT": path}
    # hatch keeps the environment that it builds in, and uses it again for whatever satisfies the requirements.
    return kept | ({"HATCH_DATA_DIR": str(scratch / "hatch")} if frontend.tool == "hatch" else {})


def _split_launcher(command: Sequence[str]) -> tuple[tuple[str, ...], str | None]:
    """What starts the tool, and the interpreter of `python -m`."""
    if _PYTHON.fullmatch(PurePath(command[0]).name.removesuffix(".exe").lower()) is None:
        return (command[0],), None
    for position, argument in enumerate(command[1:], start=1):
        if argument == "-m" and position + 1 < len(command):
            return tuple(command[: position + 2]), command[0]
        if not argument.startswith("-"):
            break
    raise UsageError(f"`{command[0]}` without `-m` is no frontend: there are {SUPPORTED}", hint=_BACKEND)


def _find_option(arguments: Sequence[str], tool: Tool) -> str | None:
    """The interpreter that an option names."""
    if tool not in {"pip", "uv"}:
        return None
    names = ("--python", "-p") if tool == "uv" else ("--python",)
    for position, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in names:
            return value if equals else next(iter(arguments[position + 1 : position + 2]), None)
    return None
