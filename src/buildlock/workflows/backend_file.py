"""The backend's file in a project's tree: a copy of `buildlock.backend` below a line that says what it is."""

import hashlib
import re
from importlib.resources import files
from pathlib import Path
from typing import Literal, TypeAlias

import buildlock
from buildlock.project.build_system import STAND_IN, STAND_IN_FOLDER

FileState: TypeAlias = Literal["current", "outdated", "edited", "missing"]

RELATIVE_PATH = f"{STAND_IN_FOLDER}/{STAND_IN}.py"
STAMP_PATH = f"{STAND_IN_FOLDER}/editable-variant"
"""Written by the backend; see `stamp` there."""
_HEADER = re.compile(r"# buildlock (?P<version>\S+), sha256 (?P<sha256>[0-9a-f]{64}) of the lines below this one")


def render_backend() -> str:
    """The content of the file, of this version of buildlock."""
    body = _read_body()
    return f"# buildlock {buildlock.__version__}, sha256 {_hash(body)} of the lines below this one\n{body}"


def judge_backend(root: Path) -> FileState:
    """Whether the file in a project is the one that this buildlock writes.

    Line ends do not count: a checkout may have changed them.
    """
    try:
        text = (root / RELATIVE_PATH).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "missing"
    header, _, body = text.partition("\n")
    match = _HEADER.fullmatch(header)
    if match is None or _hash(body) != match["sha256"]:
        return "edited"
    return "current" if body == _read_body() else "outdated"


def _read_body() -> str:
    return files(buildlock).joinpath("backend.py").read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
