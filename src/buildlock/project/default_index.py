"""The default index where neither the project nor a setting names one: the one that the installed pip has."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from buildlock.answers.looking import explained, find_command, is_file, look_at_content, look_at_environment
from buildlock.project.faults import Faults
from buildlock.project.indexes import make_index
from buildlock.project.model import Index

_QUESTION = "from pip._internal.models import index; print(index.PyPI.simple_url); print(index.__file__)"
_TIMEOUT = 60
"""Seconds; an interpreter on a network drive may need some."""


def ask_pip(environ: Mapping[str, str]) -> Index | None:
    """The index that pip has built in, asked of the pip beside us, then of those on `PATH`; `None` without a pip.

    Linux distributions and companies ship a pip with another default, and uv and pip must not disagree with us on
    where packages come from by default: so it is asked for, not written here.
    """
    for python in dict.fromkeys(_interpreters(environ)):
        try:
            # Isolated: neither the project's folder nor PYTHONPATH may stand in for pip.
            look_at_environment()
            with explained():
                answer = subprocess.run(
                    [python, "-I", "-c", _QUESTION],
                    env=dict(environ),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    timeout=_TIMEOUT,
                    check=True,
                )
        except (OSError, ValueError, subprocess.SubprocessError):
            continue
        url, _, place = answer.stdout.decode(errors="replace").strip().partition("\n")
        if place:
            look_at_content(place.strip())
        # A pip whose internals have changed answers something else, or nothing: then it is as good as absent.
        index = make_index(url, folder=Path(), origin=f"pip of {python}", faults=Faults(), default=True)
        if index and url.startswith(("https://", "http://")):
            return index
    return None


def _interpreters(environ: Mapping[str, str]) -> Iterator[str]:
    yield sys.executable
    path = environ.get("PATH")
    if pip := find_command("pip", path):
        beside = Path(pip).with_name("python.exe" if sys.platform == "win32" else "python3")
        if is_file(beside):
            yield str(beside)
    for name in ("python3", "python"):
        if found := find_command(name, path):
            yield found
