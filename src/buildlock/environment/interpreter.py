"""The interpreter that a build environment is made for: found, asked what it is, and checked."""

import json
import os
import re
import struct
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.tags import platform_tags
from packaging.version import InvalidVersion, Version

from buildlock.answers.looking import asking, find_command, is_file
from buildlock.environment.interpreter_facts import find_base_executable
from buildlock.errors import EnvironmentPreparationError, InterpreterNotFoundError
from buildlock.groups import kill_group
from buildlock.patterns import compile_pattern
from buildlock.targets import OLDEST, Target, abi_tag, current_target
from buildlock.values import dataclass

TIMEOUT = 30
"""Seconds that an interpreter has to say what it is."""

_ANSWER = "buildlock:"
_MAX_ANSWER = 1 << 20
_VERSION = compile_pattern(r"(?P<release>[0-9]{1,3}(\.[0-9]{1,4}){0,2})(?P<threaded>t?)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Interpreter:
    """A Python that environments are made from."""

    executable: Path
    """Absolute; never that of a virtual environment, but of the Python below it."""
    target: Target

    @property
    def bytecode_suffix(self) -> str:
        """What its bytecode ends with (PEP 3147)."""
        release = self.target.python.release
        return f".{self.target.environment['implementation_name']}-{release[0]}{release[1]}.pyc"


class _UnusableError(Exception):
    """Why a file is not an interpreter that can be used."""


def find_interpreter(request: str | None, environ: Mapping[str, str]) -> Interpreter:
    """Find the interpreter that the user asks for.

    Args:
        request: A version (`3.12`, `3.12.1`, `3.13t` for free threading), the name of a command, or a path; `None`
            for the Python that runs buildlock.
        environ: Where `PATH` is looked up.

    Raises:
        InterpreterNotFoundError: Nothing answers to the request; the message says what was looked at.
        EnvironmentPreparationError: What the user named is there and cannot be used.
    """
    if request is None:
        return _find_own()
    if version := _VERSION.fullmatch(request):
        return _find_version(request, version, environ)
    if os.sep in request or "/" in request:
        path = Path(os.path.abspath(Path(request).expanduser()))  # noqa: PTH100 - a link may be what makes it a venv
        if not is_file(path):
            raise InterpreterNotFoundError(
                f"there is no interpreter `{path}`",
                hint="name the interpreter itself, such as `bin/python` of that folder" if path.is_dir() else None,
            )
        candidates = [path]
    else:
        candidates = list(_search_path([request], environ))
        if not candidates:
            raise InterpreterNotFoundError(f"there is no command `{request}` on PATH")
    try:
        return _ask([str(candidates[0])], environ)
    except _UnusableError as error:
        raise EnvironmentPreparationError(f"`{candidates[0]}` cannot be used: {error}") from error


def _find_own() -> Interpreter:
    # Of a virtual environment, the Python below it: ours has packages that a build must not see.
    executable = find_base_executable()
    if not executable:
        raise EnvironmentPreparationError(
            "the Python that runs buildlock does not know its own executable", hint="pass `--python`"
        )
    return Interpreter(executable=Path(executable), target=current_target())


def _find_version(request: str, version: re.Match[str], environ: Mapping[str, str]) -> Interpreter:
    parts = version["release"].split(".")
    wanted = tuple(map(int, parts))
    if wanted < OLDEST[: len(wanted)]:
        raise InterpreterNotFoundError(f"Python {request} is too old: {'.'.join(map(str, OLDEST))} is the oldest")

    def fits(found: Interpreter) -> bool:
        threaded = found.target.abi.rstrip("d").endswith("t")
        return found.target.python.release[: len(wanted)] == wanted and threaded == bool(version["threaded"])

    own = _find_own()
    if fits(own):
        return own
    looked_at = [f"{own.executable}: it is {own.target}"]
    # The most precise name first: `python3.12`, `python3`, `python`.
    names = [f"python{'.'.join(parts[:count])}{version['threaded']}" for count in range(min(len(parts), 2), 0, -1)]
    commands = [[str(path)] for path in _search_path([*names, "python3", "python"], environ)]
    if os.name == "nt" and (launcher := find_command("py", environ.get("PATH"))):
        commands.append([launcher, f"-{'.'.join(parts[:2])}{version['threaded']}"])
    for command in commands:
        try:
            found = _ask(command, environ)
        except _UnusableError as error:
            # Shims that find no version behind them are on many a PATH.
            looked_at.append(f"{' '.join(command)}: {error}")
            continue
        if fits(found):
            return found
        looked_at.append(f"{' '.join(command)}: it is {found.target}")
    raise InterpreterNotFoundError(
        "\n".join([f"there is no Python {request}; looked at", *(f"  {line}" for line in looked_at)]),
        hint="pass the path of an interpreter",
    )


def _search_path(names: Sequence[str], environ: Mapping[str, str]) -> Iterator[Path]:
    """Every command of these names, in the order of PATH for each; one file once."""
    seen = set()
    # A relative folder would mean another interpreter in every working directory.
    folders = [folder for folder in environ.get("PATH", os.defpath).split(os.pathsep) if Path(folder).is_absolute()]
    for name in dict.fromkeys(names):
        for folder in folders:
            if (found := find_command(name, folder)) and found not in seen:
                seen.add(found)
                yield Path(found)


def _ask(command: Sequence[str], environ: Mapping[str, str]) -> Interpreter:
    """Run an interpreter once and read what it says of itself."""
    script = Path(__file__).with_name("interpreter_facts.py").read_text(encoding="utf-8")
    with asking(command[0]):
        output, status = _run([*command, "-I", "-S", "-c", script], environ)
    answer = next((line for line in output.splitlines() if line.startswith(_ANSWER)), None)
    if answer is None:
        said = output.strip().splitlines()[:1] or [f"exit code {status}"]
        raise _UnusableError(f"it is no interpreter, or a broken one: {said[0][:200]}")
    try:
        facts: dict[str, Any] = json.loads(answer.removeprefix(_ANSWER))
        environment = {str(key): str(value) for key, value in facts["environment"].items()}
        # A Python built from a checkout calls itself `3.14.0+`.
        if environment["python_full_version"].endswith("+"):
            environment["python_full_version"] += "local"
        python = Version(environment["python_full_version"])
        own = current_target().environment
        machine = (environment["sys_platform"], environment["platform_machine"], facts["bits"])
        own_machine = (own["sys_platform"], own["platform_machine"], struct.calcsize("P") * 8)
        target = Target(
            environment={**own, **environment},  # type: ignore[typeddict-item] # the same keys
            abi=abi_tag(environment["platform_python_implementation"].lower(), facts["config"]),
            platforms=tuple(platform_tags()),
        )
        executable = Path(facts["executable"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InvalidVersion) as error:
        raise _UnusableError(f"what it says of itself makes no sense: {str(error)[:300]}") from error
    if python.release[:2] < OLDEST:
        raise _UnusableError(f"Python {python} is older than {'.'.join(map(str, OLDEST))}")
    if machine != own_machine:
        theirs, ours = ("{} {} ({} bit)".format(*facts) for facts in (machine, own_machine))
        raise _UnusableError(f"it is for {theirs}, and buildlock runs on {ours}")
    if not executable.is_absolute():
        raise _UnusableError(f"it does not know its own path but says `{executable}`")
    return Interpreter(executable=executable, target=target)


def _run(command: Sequence[str], environ: Mapping[str, str]) -> tuple[str, int]:
    """The output and the exit status of a command, bounded in time and size."""
    # macOS tells a Python with this that it is another one.
    environment = {key: value for key, value in environ.items() if key != "__PYVENV_LAUNCHER__"}
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise _UnusableError(f"it cannot be run: {error}") from error
    assert process.stdout is not None
    expired = threading.Event()

    def stop() -> None:
        expired.set()
        kill_group(process)

    timer = threading.Timer(TIMEOUT, stop)
    timer.start()
    with process:
        try:
            output = process.stdout.read(_MAX_ANSWER)
        finally:
            timer.cancel()
            # Whatever it still prints or waits for, it has said what it had to.
            if len(output) == _MAX_ANSWER:
                kill_group(process)
    if expired.is_set():
        raise _UnusableError(f"it did not answer within {TIMEOUT} seconds")
    return output.decode("utf-8", "replace"), process.returncode
