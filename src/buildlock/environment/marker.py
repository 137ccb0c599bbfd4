"""What an environment was made from, and what the file system says of its files: `.buildlock.json` in it."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from buildlock.environment.contents import list_files
from buildlock.environment.skeleton import Layout

MARKER = ".buildlock.json"

Observed: TypeAlias = Mapping[str, list[int]]
"""By relative path: size, times of change, mode and inode."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Marker:
    """What an environment of ours says of itself."""

    identity: str
    """A digest of what it was made from."""
    layout: Layout
    files: Observed


def read_marker(root: Path) -> Marker:
    """The marker of an environment of ours.

    Raises:
        OSError: There is none, or it is a link.
        ValueError, KeyError, TypeError, RecursionError: It is not one that we wrote.
    """
    for path in (root, root / MARKER):
        if path.is_symlink():
            raise OSError(f"`{path}` is a link")
    marker: dict[str, Any] = json.loads((root / MARKER).read_text(encoding="utf-8"))
    if not isinstance(marker, dict) or marker.keys() != {"identity", "layout", "files"}:
        raise ValueError(f"`{root / MARKER}` is not ours")
    return Marker(identity=marker["identity"], layout=Layout(**marker["layout"]), files=marker["files"])


def write_marker(root: Path, marker: Marker) -> None:
    """Write it, whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    text = {"identity": marker.identity, "layout": asdict(marker.layout), "files": dict(marker.files)}
    unfinished = root / f"{MARKER}.unfinished"
    unfinished.write_text(json.dumps(text), encoding="utf-8")
    unfinished.replace(root / MARKER)


def observe_files(root: Path) -> dict[str, list[int]]:
    """What the file system says of every file in an environment, but the marker.

    Raises:
        OSError: One cannot be looked at.
        RecursionError: It is nested too deep.
    """
    observed = {os.path.relpath(path, root): _observe(path) for path in list_files(root)}
    observed.pop(MARKER, None)
    return observed


def describe_marker(root: Path) -> str:
    """What the file system says of the marker itself, to be kept elsewhere; empty where there is none."""
    if root.is_symlink():
        return ""
    try:
        return " ".join(map(str, _observe(str(root / MARKER))))
    except OSError:
        return ""


def is_bytecode(path: str) -> bool:
    """Whether Python wrote a file for itself, which is no damage; who is to run it is another question."""
    return path.endswith(".pyc") and os.path.basename(os.path.dirname(path)) == "__pycache__"  # noqa: PTH119, PTH120 - called ten thousand times


def _observe(path: str) -> list[int]:
    status = os.lstat(path)
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode, status.st_ino]
