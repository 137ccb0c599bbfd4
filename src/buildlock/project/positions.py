"""Where in the text of a TOML file a string stands, for messages: TOML parsers do not say."""

from collections import defaultdict
from collections.abc import Mapping
from typing import TypeAlias

from buildlock.patterns import compile_pattern

Positions: TypeAlias = Mapping[tuple[str, str, str], tuple[int, ...]]
"""Table, key and string, to the lines (from one) where it seems to stand."""

_HEADER = compile_pattern(r"\s*\[([A-Za-z0-9_.\-\s]+)\]\s*(#.*)?")
_OTHER_HEADER = compile_pattern(r"\s*\[\[.*\]\]\s*(#.*)?")
_ASSIGNMENT = compile_pattern(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*=""")
_STRING = compile_pattern(r""""([^"\\]*)"|'([^']*)'""")


def locate_strings(text: str) -> Positions:
    r"""Find the strings of a TOML text that is laid out as people do it: a header, `key = [`, the strings.

    Other layouts are legal: whoever asks for a string trusts the answer only where there is exactly one.

    >>> locate_strings('[build-system]\nrequires = [\n  "torch",\n]')
    {('build-system', 'requires', 'torch'): (3,)}
    """
    found: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    table = key = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.fullmatch(line):
            table, key = ".".join(part.strip() for part in header[1].split(".")), ""
        elif _OTHER_HEADER.fullmatch(line):
            table = key = ""
        elif assignment := _ASSIGNMENT.match(line):
            key = next(group for group in assignment.groups() if group is not None)
        if table and key:
            for string in _STRING.finditer(line):
                found[table, key, string[1] if string[1] is not None else string[2]].append(number)
    return {place: tuple(numbers) for place, numbers in found.items()}
