"""The default index where neither the project nor a setting names one: the one that the installed pip has."""

import os
import site
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from buildlock.answers.looking import explained, find_command, is_file, look_at_content, look_at_environment
from buildlock.project.faults import Faults
from buildlock.project.indexes import make_index
from buildlock.project.model import Index

_QUESTION = "from pip._internal.models import index; print(index.PyPI.simple_url); print(index.__file__)"
_MODULE = ("pip", "_internal", "models", "index.py")
_TIMEOUT = 60
"""Seconds; an interpreter on a network drive may need some."""


def ask_pip(environ: Mapping[str, str]) -> Index | None:
    """The index that pip has built in, asked of the pip beside us, then of those on `PATH`; `None` without a pip.

    Linux distributions and companies ship a pip with another default, and uv and pip must not disagree with us on
    where packages come from by default: so it is asked for, not written here.
    """
    for python in dict.fromkeys(_interpreters(environ)):
        own = python == sys.executable and is_file(Path(python))
        url, place = (_read_own() if own else None) or _ask(python, environ)
        if place:
            look_at_content(place)
        # A pip whose internals have changed answers something else, or nothing: then it is as good as absent.
        index = make_index(url, folder=Path(), origin=f"pip of {python}", faults=Faults(), default=True)
        if index and url.startswith(("https://", "http://")):
            return index
    return None


def _read_own() -> tuple[str, str] | None:
    """What the pip beside us has built in, and in which file; `None` where that cannot be read without running it.

    Only the folders that this interpreter itself has for packages are looked into: neither the project's folder nor
    PYTHONPATH may stand in for pip. Its one module is run here, as all of the packages beside it are: to start an
    interpreter for it takes longer than an index takes to answer.
    """
    for folder in site.getsitepackages():
        place = os.path.join(folder, *_MODULE)  # noqa: PTH118 - few are there
        if not is_file(Path(place)):
            continue
        with explained():
            spec = spec_from_file_location("buildlock_pip_index", place)
            if spec is None or spec.loader is None:
                return None
            module = module_from_spec(spec)
            try:
                spec.loader.exec_module(module)
                return str(module.PyPI.simple_url), place
            except Exception:  # noqa: BLE001 - it is not ours: whoever runs all of it may have more luck
                return None
    return None


def _ask(python: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """The same of the pip of an interpreter; nothing where it has none."""
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
        return "", ""
    url, _, place = answer.stdout.decode(errors="replace").strip().partition("\n")
    return url, place.strip()


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
