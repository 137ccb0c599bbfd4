"""Advisories for tests, written as sentences, as JSON gives them.

>>> make_advisory("EXAMPLE-2026-0001", make_affected("foo", introduced="0", fixed="2.0"))["affected"][0]["ranges"]
[{'type': 'ECOSYSTEM', 'events': [{'introduced': '0'}, {'fixed': '2.0'}]}]
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ID = "EXAMPLE-2026-0001"


def make_advisory(identifier: str, *affected: Any, **more: Any) -> dict[str, Any]:
    """An advisory; what `more` says stands in for what it would say itself."""
    return {
        "schema_version": "1.6.0",
        "id": identifier,
        "modified": "2026-01-31T12:00:00Z",
        "summary": "It does what it should not",
        "affected": list(affected),
        **more,
    }


def make_affected(
    name: str, *, versions: Sequence[str] = (), ecosystem: str = "PyPI", kind: str = "ECOSYSTEM", **events: str
) -> dict[str, Any]:
    """An entry of `affected`, with a range of the events in the order in which they are given, if there are any."""
    ranges = [{"type": kind, "events": [{key: version} for key, version in events.items()]}] if events else []
    return {"package": {"ecosystem": ecosystem, "name": name}, "versions": list(versions), "ranges": ranges}


def write_advisory(path: Path, advisory: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(advisory), encoding="utf-8")
    return path
