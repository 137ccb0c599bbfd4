"""Asking a program one question: its answer is bounded in time and size, and its failure is an answer too."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from buildlock.errors import EnvironmentPreparationError
from buildlock.frontend.process import run_process
from buildlock.reporting import Event, Printed
from buildlock.text import excerpt
from buildlock.values import dataclass

TIMEOUT = 10.0
"""Seconds; drivers wake a sleeping GPU to answer."""
_MAX_LINES = 5000


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a program said."""

    lines: tuple[str, ...]
    failure: str | None
    """Why it is no answer: `it ended with exit code 9: …`."""


def ask(command: Sequence[str], environ: Mapping[str, str], *, timeout: float = TIMEOUT) -> Answer:
    """Run `command` to its end, or to the end of our patience; it may crash as it likes."""
    lines: list[str] = []

    def collect(event: Event) -> None:
        if isinstance(event, Printed) and len(lines) < _MAX_LINES:
            lines.append(event.line)

    try:
        ended = run_process(command, directory=None, environ=environ, report=collect, timeout=timeout)
    except EnvironmentPreparationError as error:
        return Answer(lines=(), failure=error.message)
    failure = None
    if ended.returncode is None:
        failure = f"it did not answer within {timeout:g} seconds"
    elif ended.returncode != 0:
        how = f"by signal {-ended.returncode}" if ended.returncode < 0 else f"with exit code {ended.returncode}"
        said = next((excerpt(line.strip()) for line in lines if line.strip()), "")
        failure = f"it ended {how}: {said}".rstrip(": ")
    return Answer(lines=tuple(lines), failure=failure)


def find_command(name: str, environ: Mapping[str, str]) -> str | None:
    """The command of this name on PATH."""
    return find_in(name, search_path(environ))


def search_path(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The folders of PATH; a relative one would mean another program in every working directory."""
    folders = environ.get("PATH", os.defpath).split(os.pathsep)
    return tuple(dict.fromkeys(folder for folder in folders if Path(folder).is_absolute()))


def find_in(name: str, folders: Sequence[str]) -> str | None:
    """The command of this name in the first of these folders that has it; a path is what it is."""
    return shutil.which(name, path=os.pathsep.join(folders))
