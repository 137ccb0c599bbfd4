"""Reads command lines that leave nothing to say, as typer does: it takes a third of a short command to import that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any, Literal

from buildlock.cli.declared import Argument, Option

_READERS: Mapping[object, Callable[[str], object]] = {
    str | None: str,
    Path: Path,
    Path | None: Path,
    float | None: float,
    list[str] | None: str,
}
"""By the type of a parameter, how a value is read."""
_LISTS = frozenset({list[str] | None})
_HARMLESS = frozenset({"help", "metavar", "show_default"})
"""Settings that change nothing of what is read."""


class _NotPlainError(Exception):
    """That is typer's to read, or to refuse."""


def read_plainly(function: object, words: Sequence[str]) -> dict[str, Any] | None:
    """What typer would call the function of a command with, without what has its default.

    Args:
        function: Takes parameters that are declared.
        words: What follows the command's name.

    Returns:
        None: Typer has to read them: they may be wrong, or ask for help, or are written as few people do.
    """
    if not isinstance(function, FunctionType):
        return None  # commands of its own
    try:
        return _Reading(function).read(words)
    except (_NotPlainError, ValueError):
        return None


class _Reading:
    """What a command may be given."""

    def __init__(self, function: FunctionType) -> None:
        self._types: dict[str, Any] = {}
        self._options: dict[str, str] = {}
        self._places: list[str] = []
        for name, annotation in function.__annotations__.items():
            if name == "return":
                continue
            (declared,) = getattr(annotation, "__metadata__", (None,))
            if not isinstance(declared, Option) or not declared.settings.keys() <= _HARMLESS:
                raise _NotPlainError
            self._types[name] = annotation.__origin__
            if isinstance(declared, Argument):
                self._places.append(name)
            else:
                self._options |= dict.fromkeys(declared.names or (f"--{name.replace('_', '-')}",), name)
        if len(function.__defaults__ or ()) < len(self._types):
            raise _NotPlainError

    def read(self, words: Sequence[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        places, waiting = iter(self._places), iter(words)
        for word in waiting:
            option, equals, value = word.partition("=")
            if not word.startswith("-"):
                self._take(next(places, None), word, found)
            elif equals and option.startswith("--"):
                self._take(self._options.get(option), value, found)
            elif self._types.get(self._options.get(word, "")) is bool:
                found[self._options[word]] = True
            else:
                self._take(self._options.get(word), next(waiting, ""), found)
        return found

    def _take(self, name: str | None, value: str, found: dict[str, Any]) -> None:
        # What begins so may be meant for another option.
        if name is None or not value or value.startswith("-"):
            raise _NotPlainError
        kind = self._types[name]
        if kind in _LISTS:
            found.setdefault(name, []).append(value)
        elif kind in _READERS:
            found[name] = _READERS[kind](value)
        elif getattr(kind, "__origin__", None) is Literal and value in kind.__args__:
            found[name] = value
        else:
            raise _NotPlainError
