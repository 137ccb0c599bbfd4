"""Editing a file of the user's: what is added stands between two comments, everything else keeps its bytes.

Taking the additions out again gives the file as it was, byte for byte. What a TOML file means after an edit is
compared with what it is to mean: a file that is laid out too unusually for this is refused, never spoiled.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, TypeAlias

from buildlock.values import dataclass

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MARK = "buildlock init --backend"
"""What the comments call who has added something."""
_HEADER = re.compile(r"[ \t]*\[(?!\[)(?P<key>[^\]\n]+)\][ \t]*(?:#.*)?")
_ANY_HEADER = re.compile(r"[ \t]*\[\[?[^\]\n]+\]\]?[ \t]*(?:#.*)?")
_ARRAY = re.compile(r"(?P<key>[ \t]*[A-Za-z0-9_.\"' \t-]+?[ \t]*=[ \t]*\[)")

Path: TypeAlias = tuple[str, ...]
"""The keys that lead to a table or a value."""


class EditError(ValueError):
    """The file is laid out so that the edit cannot be made; the message says which."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Table:
    """The lines of a table that has a header, by their offsets."""

    path: Path
    header: int
    """Where its header begins."""
    body: int
    end: int


def add_text(text: str, lines: Sequence[str], position: int | None = None, *, mark: str = MARK) -> str:
    """`text` with lines of its own, between two comments; at the end, or before the line that begins at `position`."""
    body = "\n".join([f"# >>> {mark}", *lines, f"# <<< {mark}"])
    if position is None:
        position = len(text)
    before, after = text[:position], text[position:]
    if not before:
        return f"{body}\n{after}"
    if not before.endswith("\n"):
        return f"{before}\n\n{body}{after}" if not after else f"{before}\n{body}\n{after}"
    return f"{before}\n{body}\n{after}"


def drop_additions(text: str, *, mark: str = MARK) -> str:
    """`text` as it was before anything was added.

    >>> drop_additions(add_text("[tool]", ["a = 1"]))
    '[tool]'
    """
    first, last = re.escape(f"# >>> {mark}"), re.escape(f"# <<< {mark}")
    body = rf"{first}\n(?:(?!{last})[^\n]*\n)*{last}"
    # A file that did not end with a line break has to get two of them before an addition, and none after it.
    addition = re.compile(rf"\n\n{body}\Z|\A{body}\n|\n{body}\n")
    while (shorter := addition.sub("", text, count=1)) != text:
        text = shorter
    return text


def add_to_array(text: str, path: Path, items: Sequence[str]) -> str:
    """A TOML file whose array `path` begins with these items, which are TOML already; the array may not be there yet.

    Raises:
        EditError: It is laid out so that this cannot be done.
    """
    expected = deepcopy(parse(text))
    added = parse(f"items = [{', '.join(items)}]")["items"]
    parent = _descend(expected, path[:-1])
    known = parent.get(path[-1], [])
    if not isinstance(known, list):
        raise EditError(f"`{'.'.join(path)}` is not an array")
    parent[path[-1]] = [*added, *known]
    lines = [f"  {item}," for item in items]
    if path[-1] in _descend(deepcopy(parse(text)), path[:-1]):
        position = _find_array(text, path)
        edited = None if position is None else add_text(text, lines, position)
    else:
        edited = add_values(text, path[:-1], [f"{format_path(path[-1:])} = [", *lines, "]"])
    return _confirm(edited, expected, path)


def add_table(text: str, path: Path, values: Mapping[str, str]) -> str:
    """A TOML file with these values, TOML already, in a table.

    Raises:
        EditError: It has one of them, or it is laid out so that this cannot be done.
    """
    expected = deepcopy(parse(text))
    table = _descend(expected, path)
    for key, value in values.items():
        if key in table:
            raise EditError(f"`{'.'.join((*path, key))}` is there already")
        table[key] = parse(f"value = {value}")["value"]
    lines = [f"{format_path((key,))} = {value}" for key, value in values.items()]
    return _confirm(add_values(text, path, lines), expected, path)


def add_values(text: str, path: Path, lines: Sequence[str]) -> str:
    """A TOML file with lines `key = value` in the table `path`, whose meaning the caller confirms.

    They go to the end of the table, or of the nearest one around it that has a header, or to the end of the file.
    """
    tables = {table.path: table for table in find_tables(text)}
    for length in range(len(path), 1, -1):
        if table := tables.get(path[:length]):
            prefix = "".join(f"{format_path((key,))}." for key in path[length:])
            first = [prefix + line if _starts_value(lines, number) else line for number, line in enumerate(lines)]
            return add_text(text, first, _end_of_content(text, table))
    return add_text(text, [f"[{format_path(path)}]", *lines])


def rename_table(text: str, old: Path, new: Path) -> str:
    """A TOML file with another header above the table `old`: `new` is `old` with something before it, or the reverse.

    Raises:
        EditError: The table has no header of its own, or has tables below it.
    """
    table = next((table for table in find_tables(text) if table.path == old), None)
    if table is None:
        raise EditError(f"`{'.'.join(old)}` is not written as a table with a header of its own")
    expected = deepcopy(parse(text))
    value = _descend(expected, old[:-1]).pop(old[-1])
    _descend(expected, new[:-1])[new[-1]] = value
    line = text[table.header : table.body]
    match = _HEADER.match(line)
    assert match is not None
    if len(new) > len(old):
        edited = line[: match.start("key")] + format_path(new[: -len(old)]) + "." + line[match.start("key") :].lstrip()
    else:
        prefix = format_path(old[: -len(new)]) + "."
        edited = line.replace(prefix, "", 1)
    return _confirm(text[: table.header] + edited + text[table.body :], expected, old, drop_empty=True)


def find_tables(text: str) -> Iterator[_Table]:
    """The tables that have a header, and no brackets twice; first that of the whole document, above all headers."""
    headers: list[tuple[Path | None, int, int]] = [((), 0, 0)]
    offset = 0
    for line in text.splitlines(keepends=True):
        if _ANY_HEADER.fullmatch(line.rstrip("\n")):
            headers.append((_read_header(line), offset, offset + len(line)))
        offset += len(line)
    ends = [*(start for _, start, _ in headers[1:]), len(text)]
    for (path, start, body), end in zip(headers, ends, strict=True):
        if path is not None:
            yield _Table(path=path, header=start, body=body, end=end)


def end_of_table(text: str, path: Path) -> int | None:
    """Where the last line of a table's content ends; `None` where it has no header."""
    table = next((table for table in find_tables(text) if table.path == path), None)
    return None if table is None else _end_of_content(text, table)


def parse(text: str) -> dict[str, Any]:
    """The meaning of a TOML file.

    Raises:
        EditError: It is none.
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise EditError(f"it is not TOML: {error}") from error


def find_table(document: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """The table at `path`; an empty one where there is none."""
    for key in path:
        inner = document.get(key)
        document = inner if isinstance(inner, dict) else {}
    return document


def format_path(path: Path) -> str:
    """The keys with dots between them, quoted where they have to be."""
    bare = re.compile(r"[A-Za-z0-9_-]+")
    return ".".join(
        key if bare.fullmatch(key) else '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"' for key in path
    )


def _read_header(line: str) -> Path | None:
    try:
        value: Any = tomllib.loads(line)
    except ValueError:
        return None
    path: list[str] = []
    while isinstance(value, dict) and len(value) == 1:
        key, value = next(iter(value.items()))
        path.append(key)
    return tuple(path) if value == {} else None


def _end_of_content(text: str, table: _Table) -> int:
    """After the last line that says something: the comments before the next header are the next table's."""
    end = offset = table.body
    for line in text[table.body : table.end].splitlines(keepends=True):
        offset += len(line)
        if (line.strip() and not line.lstrip().startswith("#")) or f"# <<< {MARK}" in line:
            end = offset
    return end


def _find_array(text: str, path: Path) -> int | None:
    """Where the first item of an array would begin."""
    for table in find_tables(text):
        if path[: len(table.path)] != table.path:
            continue
        offset = table.body
        for line in text[table.body : table.end].splitlines(keepends=True):
            match = _ARRAY.match(line)
            if match is not None and (*table.path, *_read_key(match["key"])) == path:
                return offset + match.end()
            offset += len(line)
    return None


def _read_key(text: str) -> Path:
    try:
        value: Any = tomllib.loads(f"{text}]")
    except ValueError:
        return ()
    path: list[str] = []
    while isinstance(value, dict) and len(value) == 1:
        key, value = next(iter(value.items()))
        path.append(key)
    return tuple(path)


def _starts_value(lines: Sequence[str], number: int) -> bool:
    """Whether a line begins `key = value`, and is not the inside or the end of an array."""
    return not lines[number].startswith((" ", "]"))


def _descend(table: dict[str, Any], path: Path) -> dict[str, Any]:
    for key in path:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise EditError(f"`{key}` in `{'.'.join(path)}` is not a table")
    return table


def _confirm(edited: str | None, expected: Mapping[str, Any], path: Path, *, drop_empty: bool = False) -> str:
    """The edited text, if it means what it is to mean."""
    if edited is not None:
        try:
            meant = parse(edited)
        except EditError:
            meant = None
        if meant == expected or (drop_empty and meant is not None and _prune(meant) == _prune(expected)):
            return edited
    raise EditError(f"`{'.'.join(path)}` is laid out so that nothing can be added to it")


def _prune(value: Any) -> Any:
    """Without tables that have nothing in them: renaming may leave such, or need none."""
    if not isinstance(value, dict):
        return value
    pruned = {key: _prune(each) for key, each in value.items()}
    return {key: each for key, each in pruned.items() if each != {}}
