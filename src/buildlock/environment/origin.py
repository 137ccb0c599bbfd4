"""What an environment was made from, as its marker has it."""

import json
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

from buildlock.environment.marker import read_marker
from buildlock.environment.skeleton import Layout
from buildlock.values import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """What an environment was made from."""

    identity: str
    """A digest of it."""
    layout: Layout
    entries: tuple[str, ...]
    """The folders of the store that it has links into."""

    def write(self) -> bytes:
        """A line, as the marker has it."""
        return json.dumps(asdict(self)).encode()


def list_linked(environment: Path) -> Collection[Path]:
    """The wheels that an environment links to; none where it is not one of ours, or gone."""
    try:
        return {Path(entry) for entry in read_origin(read_marker(str(environment)).origin).entries}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ()


def read_origin(line: bytes) -> Origin:
    """What a marker says that an environment was made from.

    Raises:
        ValueError, KeyError, TypeError, RecursionError: It is not one that we wrote.
    """
    origin: dict[str, Any] = json.loads(line)
    if not isinstance(origin, dict) or origin.keys() != {"identity", "layout", "entries"}:
        raise ValueError("its marker is not ours")
    if not all(isinstance(entry, str) for entry in origin["entries"]):
        raise ValueError("its marker is not ours")
    return Origin(identity=origin["identity"], layout=Layout(**origin["layout"]), entries=tuple(origin["entries"]))
