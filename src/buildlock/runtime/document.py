"""A runtime lock's bytes, untrusted and large, as a table that is read with a place for every fault."""

from pathlib import Path

from buildlock.project.document import Document, Table, parse_toml, read_text
from buildlock.project.faults import Faults

MAX_SIZE = 16 << 20
"""Bytes. Locks of a thousand packages have about a tenth of it."""

_DOTS_BUDGET = 100_000_000
"""The squares of the dots of all lines, summed up, which is the time that `tomllib` takes for dotted keys: a few
seconds. A bound for each line would be in the way of uv's markers, which have hundreds."""


def read_runtime_document(path: Path, *, label: str, faults: Faults) -> Table:
    """The table that the whole file is.

    Raises:
        InvalidProjectError: It cannot be read, or is not TOML.
    """
    text = read_text(path, label=label, faults=faults, max_size=MAX_SIZE)
    data = None
    if text is not None and sum(line.count(".") ** 2 for line in text.split("\n")) > _DOTS_BUDGET:
        faults.add(label, "has too many dots in its lines")
    elif text is not None:
        data = parse_toml(text, label=label, faults=faults)
    faults.raise_collected()
    return Document(label=label, folder=path.parent, data=data or {}, positions={}).root_table(faults)
