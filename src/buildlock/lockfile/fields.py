"""Reading untrusted TOML values: each fault is noted with the path of its key, and the reading goes on."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from buildlock.lockfile.toml_text import format_key
from buildlock.text import mask_credentials
from buildlock.values import dataclass, field

T = TypeVar("T")

MAX_TEXT = 4096
"""Longer than any name, URL or marker of the real world; no number in it reaches Python's limit on digits, 4300."""

_KINDS = {str: "a string", bool: "a boolean", int: "an integer", float: "a float", list: "an array", dict: "a table"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A TOML table and where it is. A key that was never asked for is unknown: a fault once `close` is called.

    >>> faults: list[str] = []
    >>> table = Table(values={"size": "big", "sise": 3}, path="wheels[0]", faults=faults)
    >>> table.integer("size")
    >>> table.close()
    >>> faults
    ['`wheels[0].size` is a string, not an integer', '`wheels[0].sise` is an unknown key']
    """

    values: Mapping[str, Any]
    path: str
    faults: list[str]
    asked: set[str] = field(default_factory=set)

    def locate(self, key: str) -> str:
        """The path of a key of this table."""
        return f"{self.path}.{format_key(key)}" if self.path else format_key(key)

    def fault(self, key: str, fault: str) -> None:
        self.faults.append(f"{show(self.locate(key))} {fault}")

    def require(self, key: str) -> None:
        """Note a fault where the key is missing."""
        if key not in self.values:
            self.fault(key, "is missing")

    def text(self, key: str, parse: Callable[[str], T]) -> T | None:
        """A string of one line as `parse` takes it; `None` where there is none or it is refused.

        `parse` raises `ValueError` with the end of a sentence that begins with the value: `is not a version`.
        """
        value = self._get(key, str)
        return None if value is None else self._parse(self.locate(key), value, parse)

    def texts(self, key: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """An array of strings as `parse` takes them; those that are refused are left out."""
        parsed = []
        for path, value in self._elements(key, str):
            element = self._parse(path, value, parse)
            if element is not None:
                parsed.append(element)
        return tuple(parsed)

    def check_key(self, key: str, parse: Callable[[str], object]) -> bool:
        """Whether `parse` takes a key that the user chooses; a fault where it does not."""
        try:
            parse(key)
        except ValueError as error:
            self.faults.append(f"{show(self.path)}: {show(key)} {error}")
            return False
        return True

    def integer(self, key: str) -> int | None:
        value: int | None = self._get(key, int)
        return value

    def boolean(self, key: str) -> bool | None:
        value: bool | None = self._get(key, bool)
        return value

    def table(self, key: str) -> "Table | None":
        value = self._get(key, dict)
        return None if value is None else Table(values=value, path=self.locate(key), faults=self.faults)

    def tables(self, key: str) -> Iterator["Table"]:
        """The tables of an array."""
        for path, value in self._elements(key, dict):
            yield Table(values=value, path=path, faults=self.faults)

    def close(self) -> None:
        for key in self.values:
            if key not in self.asked:
                self.fault(key, "is an unknown key")

    def _elements(self, key: str, kind: type) -> Iterator[tuple[str, Any]]:
        for position, value in enumerate(self._get(key, list) or ()):
            path = f"{self.locate(key)}[{position}]"
            if self._check_kind(path, value, kind):
                yield path, value

    def _get(self, key: str, kind: type) -> Any:
        self.asked.add(key)
        if key not in self.values or not self._check_kind(self.locate(key), self.values[key], kind):
            return None
        return self.values[key]

    def _check_kind(self, path: str, value: object, kind: type) -> bool:
        # `bool` is a subclass of `int`; TOML tells them apart.
        if type(value) is kind:
            return True
        self.faults.append(f"{show(path)} is {_KINDS.get(type(value), 'a date or time')}, not {_KINDS[kind]}")
        return False

    def _parse(self, path: str, value: str, parse: Callable[[str], T]) -> T | None:
        if len(value) > MAX_TEXT:
            self.faults.append(f"{show(path)} has {len(value)} characters: at most {MAX_TEXT} are read")
            return None
        if not value.isprintable():
            self.faults.append(f"{show(path)}: {show(value)} has characters that do not show")
            return None
        try:
            return parse(value)
        except ValueError as error:
            self.faults.append(f"{show(path)}: {show(value)} {error}")
            return None


def show(value: str) -> str:
    """An untrusted string for a message: bounded, on one line, nothing invisible, no credentials.

    >>> show("https://user:secret@host.example/")
    '`https://***@host.example/`'
    """
    shown = mask_credentials(value)
    shown = shown if len(shown) <= 200 else f"{shown[:200]}…"  # noqa: PLR2004
    return f"`{shown}`" if shown.isprintable() and "`" not in shown else repr(shown)
