"""What uv and pip make of a wheel: each installs it alone into a fresh folder."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import uv

from support.wheel_forge import FILENAME

Outcome: TypeAlias = Literal["refused", "accepted", "left files behind", "wrote elsewhere", "broke down"]
OUTCOMES: tuple[Outcome, ...] = ("refused", "accepted", "left files behind", "wrote elsewhere", "broke down")
"""Refused is: said so, with nothing written. It broke down where it showed a traceback, or a signal ended it."""

_TIMEOUT = 120
_ENVIRON = {
    key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_", "PYTHON", "VIRTUAL_ENV"))
}
INSTALLERS: Mapping[str, Sequence[str]] = {
    "uv": (uv.find_uv_bin(), "pip", "install", "--no-config", "--no-cache", "--offline", "--no-deps", "--target"),
    "pip": (
        sys.executable,
        *("-m", "pip", "install", "--isolated", "--disable-pip-version-check", "--no-cache-dir"),
        *("--no-index", "--no-deps", "--no-compile", "--root-user-action=ignore", "--target"),
    ),
}


def install(installer: str, wheel: bytes) -> Outcome:
    """Let an installer have it, in a nest of folders where nothing else is."""
    with tempfile.TemporaryDirectory() as temporary:
        nest = Path(temporary, *"abcdefgh")
        target, scratch = nest / "target", Path(temporary, "scratch")
        path = Path(temporary, "offered", FILENAME)
        for folder in (target, scratch, path.parent):
            folder.mkdir(parents=True)
        path.write_bytes(wheel)
        command = [*INSTALLERS[installer], str(target), str(path)]
        if installer == "uv":
            command[3:3] = ["--python", sys.executable]
        environ = {**_ENVIRON, "HOME": str(scratch), "TMPDIR": str(scratch), "NO_COLOR": "1"}
        try:
            run = subprocess.run(
                command,
                cwd=nest,
                env=environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "broke down"
        if _find_strays(Path(temporary), target, scratch, path):
            return "wrote elsewhere"
        if run.returncode < 0 or b"Traceback (most recent call last)" in run.stderr or b"panicked" in run.stderr:
            return "broke down"
        if run.returncode == 0:
            return "accepted"
        # uv makes a lock of its own there.
        return "left files behind" if any(each.name != ".lock" for each in target.iterdir()) else "refused"


def _find_strays(top: Path, target: Path, scratch: Path, path: Path) -> list[Path]:
    """What is there beside what may be written to."""
    allowed = {target, scratch, path}
    return [
        each
        for each in top.rglob("*")
        if not any(place == each or place in each.parents or each in place.parents for place in allowed)
    ]
