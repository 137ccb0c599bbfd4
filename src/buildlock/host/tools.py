"""The tools that a build will find on this machine, and their versions."""

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.version import Version

from buildlock.host.inquiry import ask, find_in, search_path
from buildlock.text import excerpt
from buildlock.values import dataclass

# Where setuptools, CMake and torch's extension builder look before and after PATH.
_COMPILER_VARIABLES = {"gcc": "CC", "g++": "CXX", "clang": "CC", "clang++": "CXX"}
_HOMES = {"nvcc": ("CUDA_HOME", "CUDA_PATH"), "hipcc": ("ROCM_HOME", "ROCM_PATH")}
_LAST_RESORTS = {"nvcc": ("/usr/local/cuda/bin",), "hipcc": ("/opt/rocm/bin",)}
# What a compiler's answer has and no other's: Apple's clang answers to `gcc`.
_IDENTITIES = {"gcc": "Free Software Foundation", "g++": "Free Software Foundation"}
_IDENTITIES |= {"clang": "clang version", "clang++": "clang version"}
_NVCC_VERSION = re.compile(r"release [0-9.]+, V(?P<version>[0-9]{1,4}(\.[0-9]{1,6}){1,3})", re.ASCII)
_VERSION = re.compile(r"(?<![\w.])v?(?P<version>[0-9]{1,6}(\.[0-9]{1,9}){1,3})(?![0-9])", re.ASCII)
_IN_PARENTHESES = re.compile(r"\([^()]*\)")
_MAX_LENGTH = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A tool that was found."""

    path: str
    version: Version


@dataclass(frozen=True, kw_only=True, slots=True)
class MissingTool:
    """A tool that cannot be used, and why: `was not found; looked in …`."""

    reason: str


def find_tool(name: str, environ: Mapping[str, str]) -> Tool | MissingTool:
    """Find a tool as a build would, and ask it for its version.

    Args:
        name: A command that knows `--version`: `nvcc`, `gcc`, `cmake`.
        environ: Those of the build. CC and CXX name gcc and clang, CUDA_HOME and CUDA_PATH the folder of nvcc,
            ROCM_HOME and ROCM_PATH that of hipcc; then PATH counts, then the usual place of CUDA and ROCm.
    """
    variable = _COMPILER_VARIABLES.get(name)
    if variable is not None and environ.get(variable):
        return _find_named(name, variable, environ)
    homes = [str(Path(environ[key], "bin")) for key in _HOMES.get(name, ()) if environ.get(key)]
    folders = (*homes, *search_path(environ), *_LAST_RESORTS.get(name, ()))
    path = find_in(name, folders)
    if path is None:
        looked = ", ".join(f"`{folder}`" for folder in folders) or "no folder"
        return MissingTool(reason=f"was not found; looked in {looked}")
    return _ask_version(name, [path], environ, shown=path)


def _find_named(name: str, variable: str, environ: Mapping[str, str]) -> Tool | MissingTool:
    """The compiler that CC or CXX names, with the arguments and the launcher that may be there too."""
    value = environ[variable]
    try:
        program, *arguments = shlex.split(value, posix=sys.platform != "win32")
    except ValueError:  # a quote that does not end, or blanks alone
        return MissingTool(reason=f"is `{excerpt(value)}` by {variable}, which is no command")
    path = find_in(program, search_path(environ))
    if path is None:
        return MissingTool(reason=f"is `{excerpt(value)}` by {variable}, and there is no `{excerpt(program)}` on PATH")
    return _ask_version(name, [path, *arguments], environ, shown=f"{excerpt(value)}, by {variable}")


def _ask_version(name: str, command: Sequence[str], environ: Mapping[str, str], *, shown: str) -> Tool | MissingTool:
    answer = ask([*command, "--version"], environ)
    if answer.failure:
        return MissingTool(reason=f"is `{shown}`, and `--version` says nothing: {answer.failure}")
    said = next((excerpt(line.strip()) for line in answer.lines if line.strip()), "nothing")
    text = "\n".join(answer.lines)
    if _IDENTITIES.get(name, "") not in text:
        return MissingTool(reason=f"is `{shown}`, which is something else: {said}")
    version = parse_version(text)
    if version is None:
        return MissingTool(reason=f"is `{shown}`, and `--version` says no version: {said}")
    return Tool(path=shown, version=version)


def parse_version(text: str) -> Version | None:
    """The version in what a tool answers to `--version`.

    >>> parse_version("gcc (Debian 12.2.0-14+deb12u1) 12.2.0")
    <Version('12.2.0')>
    """
    text = text[:_MAX_LENGTH]
    # What is in parentheses is the version of a package, or a date.
    match = _NVCC_VERSION.search(text) or _VERSION.search(_IN_PARENTHESES.sub("", text))
    return Version(match["version"]) if match else None
