"""TOML text as the lock writer lays it out: keys, strings, arrays, inline tables."""

from collections.abc import Iterable, Mapping

from buildlock.patterns import compile_pattern

LINE_LENGTH = 120

_BARE_KEY = compile_pattern(r"[A-Za-z0-9_-]+")
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def format_string(value: str) -> str:
    r"""A basic string. What does not show on a screen is escaped: a reviewer must see what is there.

    >>> print(format_string('a "b"'))
    "a \"b\""
    """
    plain = value.isprintable() and '"' not in value and "\\" not in value
    return f'"{value if plain else "".join(map(_escape, value))}"'


def format_key(name: str) -> str:
    """A key, quoted where it has to be.

    >>> format_key("cu124"), format_key("rocm6.1")
    ('cu124', '"rocm6.1"')
    """
    return name if _BARE_KEY.fullmatch(name) else format_string(name)


def format_array(key: str, elements: Iterable[str], *, split: bool = False) -> str:
    """`key = [...]` of elements that are TOML already: on one line if it fits, else one element a line.

    Args:
        key: TOML already.
        elements: TOML already.
        split: One element a line in any case.
    """
    elements = list(elements)
    line = f"{key} = [{', '.join(elements)}]"
    if not elements or (len(line) <= LINE_LENGTH and not split):
        return line
    return "\n".join([f"{key} = [", *(f"  {element}," for element in elements), "]"])


def format_inline_table(items: Mapping[str, str]) -> str:
    """`{ key = value }` of values that are TOML already."""
    return "{ " + ", ".join(f"{format_key(key)} = {value}" for key, value in items.items()) + " }"


def _escape(character: str) -> str:
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"  # noqa: PLR2004
