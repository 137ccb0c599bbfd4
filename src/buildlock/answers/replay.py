"""To answer as the last time, where nothing changed that the answer was made from; without slow imports."""

from __future__ import annotations

import os
import sys

from buildlock.answers.asking import make_key
from buildlock.answers.records import find_folder, mark_used, read_record
from buildlock.answers.sights import TooLargeError, digest_sights

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildlock.answers.records import Record


def replay(asked: Sequence[str], arguments: Sequence[str]) -> int | None:
    """Say again what was said the last time, and return the exit code; `None` if the command has to be run.

    Args:
        asked: The arguments that the answer depends on.
        arguments: Those of the command line.
    """
    folder, key = find_folder(os.environ), make_key(asked)
    if folder is None or key is None:
        return None
    record = read_record(folder, key)
    output = None if record is None else _answer(record, arguments)
    if record is None or output is None:
        return None
    try:
        for letter, text in output:
            stream = sys.stdout if letter == "o" else sys.stderr
            stream.write(text)
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return None  # the command knows what to do then
    mark_used(folder, key)
    return record.code


def _answer(record: Record, arguments: Sequence[str]) -> Sequence[tuple[str, str]] | None:
    """What is to be said; `None` where that is not known any more."""
    try:
        if digest_sights(record.sights) != record.seen:
            return None
    except (TooLargeError, KeyError):
        return None
    if record.act is None:
        return record.output
    function, note = record.act
    module, _, name = function.partition(":")
    if not module.startswith("buildlock."):
        return None
    try:
        __import__(module)
        answer: Sequence[tuple[str, str]] | None = getattr(sys.modules[module], name)(note, arguments)
    except (OSError, ValueError, ImportError, AttributeError):
        return None
    return answer
