"""Lines of talk, and how they look on a stream: as `rich` would show them, which takes longer to import than to run."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing takes long to import
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import TextIO, TypeAlias

    from buildlock.reporting import Transferred

    Piece: TypeAlias = str | tuple[str, str]

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_LOOKS = frozenset(_CODES)
_COLOURLESS = frozenset({"bold", "dim"})
_DUMB = frozenset({"dumb", "unknown"})
_CONTROLS = dict.fromkeys(map(ord, "\a\b\v\f\r"))
"""What would move the cursor, or ring."""

_WORTH_A_BAR = 1 << 18
"""Bytes; what is smaller is there before anyone could read its name."""


class Line:
    """Text in pieces, some with looks: `Line("Locked ", ("cpu", "bold"))`. It may have several lines."""

    __slots__ = ("pieces",)

    def __init__(self, *pieces: Piece) -> None:
        self.pieces = [(piece, "") if isinstance(piece, str) else piece for piece in pieces]

    def append(self, text: str, looks: str = "") -> Line:
        self.pieces.append((text, looks))
        return self

    @property
    def plain(self) -> str:
        return "".join([text for text, _ in self.pieces])

    def render(self, known: Collection[str]) -> str:
        """The text with the escape codes of those looks that a stream can show."""
        return "".join([_wrap(text.translate(_CONTROLS), looks, known) for text, looks in self.pieces])


def _wrap(text: str, looks: str, known: Collection[str]) -> str:
    codes = ";".join([_CODES[each] for each in looks.split() if each in known])
    if not codes:
        return text
    return "\n".join([f"\x1b[{codes}m{line}\x1b[0m" if line else "" for line in text.split("\n")])


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody looks at it, or wants it to be as if."""
    compatible, forced = os.environ.get("TTY_COMPATIBLE"), os.environ.get("FORCE_COLOR")
    if compatible in {"0", "1"}:
        return compatible == "1"
    if forced is not None:
        return forced != ""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False  # it is closed


def find_looks(stream: TextIO | None) -> Collection[str]:
    """What it can show."""
    if not is_terminal(stream) or os.environ.get("TERM", "").lower() in _DUMB:
        return ()
    return _COLOURLESS if os.environ.get("NO_COLOR") else _LOOKS


def is_worth_a_bar(event: Transferred) -> bool:
    """Whether a download takes long enough to be shown."""
    return max(event.done, event.total or 0) >= _WORTH_A_BAR
