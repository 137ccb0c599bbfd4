"""A lockfile that a merge left with conflict markers, as the two files that it was merged from."""

import re

from buildlock.errors import InvalidLockError
from buildlock.patterns import compile_pattern
from buildlock.values import dataclass

_MARKER = compile_pattern(rb"(<{7}|\|{7}|={7}|>{7})(?: (.*))?\r?\n?", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One side of a merge."""

    label: str
    """As the markers name it: `HEAD`, a branch, a commit; empty where they do not."""
    content: bytes


def split_conflicts(content: bytes, where: str) -> tuple[Side, Side] | None:
    r"""Our side and theirs, of what git merged line by line; `None` where there are no markers.

    >>> ours, theirs = split_conflicts(b"<<<<<<< HEAD\na\n=======\nb\n>>>>>>> topic\n", "x")
    >>> ours, theirs
    (Side(label='HEAD', content=b'a\n'), Side(label='topic', content=b'b\n'))

    Raises:
        InvalidLockError: The markers are not as git writes them.
    """
    sides: tuple[list[bytes], list[bytes]] = ([], [])
    labels = ["", ""]
    state, found = b"", False
    for number, line in enumerate(content.splitlines(keepends=True), start=1):
        match = _MARKER.fullmatch(line)
        # A line of equals signs is a marker within a conflict alone.
        if match is None or (not state and match[1] == b"=" * 7):
            for position, side in enumerate(sides):
                if state in {b"", (b"<" * 7, b"=" * 7)[position]}:
                    side.append(line)
            continue
        if match[1] not in _FOLLOWING[state]:
            raise InvalidLockError(where, [f"line {number} is a conflict marker out of its place"])
        label = (match[2] or b"").decode("utf-8", "replace").strip()
        if match[1] == b"<" * 7:
            labels[0] = label
        elif match[1] == b">" * 7:
            labels[1] = label
        state, found = b"" if match[1] == b">" * 7 else match[1], True
    if state:
        raise InvalidLockError(where, ["a conflict of a merge has no end"])
    if not found:
        return None
    ours, theirs = (Side(label=label, content=b"".join(side)) for label, side in zip(labels, sides, strict=True))
    return ours, theirs


_FOLLOWING = {
    b"": {b"<" * 7},
    b"<" * 7: {b"|" * 7, b"=" * 7},
    b"|" * 7: {b"=" * 7},
    b"=" * 7: {b">" * 7},
}
"""Which marker comes after which."""
