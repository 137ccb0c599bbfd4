"""The block that `export --format uv --write` puts into pyproject.toml: lines of ours between two comments.

Everything else keeps its bytes. What the file means afterwards is compared with what it is to mean: one that is laid
out too unusually is refused, never spoiled. Whoever reads the project looks past the block: it follows from the lock,
and the lock must not follow from it.
"""

import re
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from buildlock.patterns import compile_pattern
from buildlock.values import dataclass

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KEY = "build-constraint-dependencies"
_COMMAND = "buildlock export --format uv"
_FIRST, _LAST = f"# >>> written by {_COMMAND}", f"# <<< written by {_COMMAND}"
_BLOCK = compile_pattern(
    rf"^{re.escape(_FIRST)}(?P<options>[^\r\n]*)\r?\n"
    rf"(?P<body>(?:(?!{re.escape(_LAST)})[^\n]*\n)*)"
    rf"{re.escape(_LAST)}[ \t]*(?:\r?\n|\Z)",
    re.MULTILINE,
)
_HEADER = compile_pattern(r"^[ \t]*\[[ \t]*tool[ \t]*\.[ \t]*uv[ \t]*\][ \t]*(?:#[^\n]*)?\n", re.MULTILINE)
_OPTIONS = ("variant", "python", "platform")


class BlockError(ValueError):
    """The block cannot be written, or is not as it was written; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockOptions:
    """What the constraints of a block are those of."""

    variant: str
    pythons: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()

    def __str__(self) -> str:
        return shlex.join(
            [
                *("--variant", self.variant),
                *(word for python in self.pythons for word in ("--python", python)),
                *(word for platform in self.platforms for word in ("--platform", platform)),
            ]
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A block as it is in a file."""

    options: BlockOptions
    constraints: tuple[str, ...]


def format_value(constraints: Sequence[str]) -> str:
    """The key and its array, one constraint a line."""
    return "\n".join([f"{KEY} = [", *(f"  {_quote(text)}," for text in constraints), "]"]) + "\n"


def write_block(text: str, options: BlockOptions, constraints: Sequence[str]) -> str:
    """The text of a pyproject.toml with the block, in place of the one that it has.

    Raises:
        BlockError: It is not TOML, has the key already, or is laid out so that the block cannot be added.
    """
    windows = "\r\n" in text
    text = text.replace("\r\n", "\n")
    bare = blank_block(text)
    expected = _parse(bare)
    table = _find_table(expected)
    if KEY in table:
        raise BlockError(f"`[tool.uv].{KEY}` is there already, and is not buildlock's")
    table[KEY] = list(constraints)
    value = f"{_FIRST} {options}\n%s{format_value(constraints)}{_LAST}\n"
    if match := _BLOCK.search(text):
        head = "[tool.uv]\n" if _HEADER.match(match["body"]) else ""
        edited = text[: match.start()] + value.replace("%s", head, 1) + text[match.end() :]
    elif header := _HEADER.search(text):
        edited = text[: header.end()] + value.replace("%s", "", 1) + text[header.end() :]
    else:
        gap = "" if not text or text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
        edited = text + gap + value.replace("%s", "[tool.uv]\n", 1)
    try:
        same = _parse(edited) == expected
    except BlockError:
        same = False
    if not same:
        raise BlockError(f"`[tool.uv]` is laid out so that `{KEY}` cannot be added to it")
    return edited.replace("\n", "\r\n") if windows else edited


def read_block(text: str) -> Block | None:
    """The block of a pyproject.toml; `None` where it has none.

    Raises:
        BlockError: It is not as it was written.
    """
    match = _BLOCK.search(text)
    if match is None:
        if _FIRST in text:
            raise BlockError(f"`{_FIRST}` has no `{_LAST}` after it")
        return None
    try:
        words = shlex.split(match["options"])
        table = _find_table(_parse(match["body"].replace("\r\n", "\n")))
    except ValueError as error:
        raise BlockError(f"the block that `{_COMMAND}` wrote is no longer TOML") from error
    # Below a header of the file's own, the key stands alone in the block.
    values = table.get(KEY, _parse(match["body"]).get(KEY, []))
    said: dict[str, list[str]] = {name: [] for name in _OPTIONS}
    for option, value in zip(words[::2], words[1::2], strict=False):
        said.setdefault(option.removeprefix("--"), []).append(value)
    if len(said["variant"]) != 1 or len(said) != len(_OPTIONS) or len(words) % 2:
        raise BlockError(f"`{_FIRST}{match['options']}` does not say of which variant")
    texts = tuple(map(str, values)) if isinstance(values, list) else ()
    options = BlockOptions(variant=said["variant"][0], pythons=tuple(said["python"]), platforms=tuple(said["platform"]))
    return Block(options=options, constraints=texts)


def blank_block(text: str) -> str:
    r"""`text` with empty lines for the block: every other line keeps its number.

    >>> blank_block(write_block("[tool.uv]\n", BlockOptions(variant="cpu"), [])).strip()
    '[tool.uv]'
    """
    return _BLOCK.sub(lambda match: "\n" * match[0].count("\n"), text)


def _parse(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BlockError(f"it is not TOML: {error}") from error


def _find_table(document: dict[str, Any]) -> dict[str, Any]:
    table = document
    for key in ("tool", "uv"):
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            raise BlockError(f"`{key}` is not a table")
        table = inner
    return table


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
