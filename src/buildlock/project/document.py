"""A TOML file of the user's, and its tables read with a place for every fault."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from buildlock.answers.looking import exists, is_file
from buildlock.project.faults import Faults, suggest
from buildlock.project.positions import Positions, locate_strings
from buildlock.values import dataclass, field

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_SIZE = 1 << 20
"""Bytes. No configuration that a person writes comes near it."""

MAX_DOTS = 500
"""In a line. `tomllib` takes time that is quadratic in the parts of a dotted key: hours for what `MAX_SIZE` admits."""

_Choice = TypeVar("_Choice", bound=str)


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A TOML file that was read."""

    label: str
    """As messages name it: `pyproject.toml`."""
    folder: Path
    """Where relative paths in it begin."""
    data: Mapping[str, object] = field(repr=False)
    positions: Positions = field(repr=False)

    def root_table(self, faults: Faults) -> "Table":
        return Table(self.data, document=self, faults=faults)

    def find_line(self, table: str, key: str, text: str) -> int | None:
        """The line where `[table]` has the string `text` under `key`; `None` unless there is exactly one candidate."""
        numbers = self.positions.get((table, key, text), ())
        return numbers[0] if len(numbers) == 1 else None


class Table:
    """A table of a document. Each getter returns the value, or notes a fault and returns what an absent key gives.

    >>> table.strings("find-links")
    ('./wheels',)
    """

    def __init__(
        self,
        values: Mapping[str, object],
        *,
        document: Document,
        faults: Faults,
        name: str = "",
        position: int | None = None,
    ) -> None:
        self.document = document
        self.faults = faults
        self.name = name
        self._values = values
        self._position = position

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def get(self, key: str) -> object:
        """The value as TOML gives it."""
        return self._values.get(key)

    def place(self, key: str | None = None) -> str:
        """File and key, for messages and origins."""
        header = f"[{self.name}]" if self.name else ""
        if self._position is not None:
            header += f"[{self._position}]"
        if key is not None:
            header += f".{key}" if header else key
        return f"{self.document.label}: {header}" if header else self.document.label

    def fault(self, key: str | None, what: str) -> None:
        self.faults.add(self.place(key), what)

    def string(self, key: str) -> str | None:
        value = self.get(key)
        if value is None or isinstance(value, str):
            return value
        self.fault(key, f"must be a string, not {describe_type(value)}")
        return None

    def boolean(self, key: str) -> bool | None:
        value = self.get(key)
        if value is None or isinstance(value, bool):
            return value
        self.fault(key, f"must be `true` or `false`, not {describe_type(value)}")
        return None

    def choice(self, key: str, choices: tuple[_Choice, ...]) -> _Choice | None:
        value = self.string(key)
        if value is None:
            return None
        for choice in choices:
            if choice == value:
                return choice
        allowed = ", ".join(f"`{choice}`" for choice in choices)
        self.fault(key, f"must be one of {allowed}, not `{value}`{suggest(value, choices)}")
        return None

    def strings(self, key: str) -> tuple[str, ...]:
        value = self.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.fault(key, f"must be a list of strings, not {describe_type(value)}")
            return ()
        for position, item in enumerate(value):
            if not isinstance(item, str):
                self.fault(f"{key}[{position}]", f"must be a string, not {describe_type(item)}")
        return tuple(item for item in value if isinstance(item, str))

    def table(self, key: str) -> "Table":
        """The table under `key`; an empty one where it is absent."""
        value = self.get(key)
        if value is not None and not isinstance(value, dict):
            self.fault(key, f"must be a table, not {describe_type(value)}")
        return self._child(key, value if isinstance(value, dict) else {})

    def tables(self, key: str) -> tuple["Table", ...]:
        """The tables of the array under `key`."""
        value = self.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.fault(key, f"must be an array of tables, not {describe_type(value)}")
            return ()
        for position, item in enumerate(value):
            if not isinstance(item, dict):
                self.fault(f"{key}[{position}]", f"must be a table, not {describe_type(item)}")
        return tuple(
            self._child(key, item, position=position) for position, item in enumerate(value) if isinstance(item, dict)
        )

    def _child(self, key: str, values: Mapping[str, object], *, position: int | None = None) -> "Table":
        name = f"{self.name}.{key}" if self.name else key
        return Table(values, document=self.document, faults=self.faults, name=name, position=position)

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Note a fault for every key that is not known."""
        known = tuple(known)
        for key in self:
            if key not in known:
                self.fault(key, f"is not a known key{suggest(key, known)}")


def read_document(path: Path, *, label: str, faults: Faults, blank: Callable[[str], str] = str) -> Document | None:
    """Read a TOML file; `None`, with the fault noted, where it is none.

    `blank` takes out of its text what is not to be read.
    """
    text = read_text(path, label=label, faults=faults)
    return None if text is None else _parse_document(blank(text), label=label, folder=path.parent, faults=faults)


def parse_document(content: bytes, *, label: str, faults: Faults) -> Document | None:
    """Read a TOML file that is no file of this machine; `None`, with the fault noted, where it is none."""
    text = _decode(content, label=label, faults=faults, max_size=MAX_SIZE)
    return None if text is None else _parse_document(text, label=label, folder=Path(), faults=faults)


def _parse_document(text: str, *, label: str, folder: Path, faults: Faults) -> Document | None:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > MAX_DOTS:
            faults.add(label, f"has more than {MAX_DOTS} dots in line {number}")
            return None
    data = parse_toml(text, label=label, faults=faults)
    return None if data is None else Document(label=label, folder=folder, data=data, positions=locate_strings(text))


def parse_toml(text: str, *, label: str, faults: Faults) -> Mapping[str, object] | None:
    """Read TOML whose dots were counted; `None`, with the fault noted, where it is none."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        faults.add(label, "is nested too deeply")
    except ValueError as error:  # TOMLDecodeError, and what `int` says of endless digits
        faults.add(label, f"is not valid TOML: {error}")
    return None


def read_text(path: Path, *, label: str, faults: Faults, max_size: int = MAX_SIZE) -> str | None:
    """Read a text file of the user's; `None`, with the fault noted, where it cannot be read."""
    try:
        # A pipe or device would block, or never end.
        if exists(path) and not is_file(path):
            faults.add(label, "is not a regular file")
            return None
        with path.open("rb") as file:
            content = file.read(max_size + 1)
    except (OSError, ValueError) as error:
        faults.add(label, f"cannot be read: {getattr(error, 'strerror', None) or error}")
        return None
    return _decode(content, label=label, faults=faults, max_size=max_size)


def _decode(content: bytes, *, label: str, faults: Faults, max_size: int) -> str | None:
    if len(content) > max_size:
        faults.add(label, f"is larger than {max_size} bytes")
        return None
    if content.startswith(b"\xef\xbb\xbf"):
        faults.add(label, "begins with a byte order mark: save it as UTF-8 without one")
        return None
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        faults.add(label, f"is not UTF-8: line {line} has the byte 0x{content[error.start]:02x}")
        return None


def describe_type(value: object) -> str:
    """The type of a TOML value in TOML's words."""
    names = {bool: "a boolean", int: "an integer", float: "a float", str: "a string", list: "an array", dict: "a table"}
    return names.get(type(value), "a date or time")
