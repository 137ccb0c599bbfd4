"""Values from a lock within sentences: between backticks, so that every rendering can tell them from our own words."""

import re
from collections.abc import Iterable, Iterator

from buildlock.text import present

_QUOTED = re.compile(r"`([^`]*)`")


def quote(value: object) -> str:
    """A value as a sentence holds it.

    >>> quote("1.0")
    '`1.0`'
    """
    return f"`{present(str(value)).replace('`', chr(39))}`"


def quote_all(values: Iterable[object]) -> str:
    return ", ".join(map(quote, values))


def split_quoted(sentence: str) -> Iterator[tuple[str, bool]]:
    """The parts of a sentence, and whether each is a value.

    >>> list(split_quoted("from `a`"))
    [('from ', False), ('a', True)]
    """
    for position, part in enumerate(_QUOTED.split(sentence)):
        if part:
            yield part, position % 2 == 1


def unquote(sentence: str) -> str:
    """A sentence for readers that tell values by other means, or not at all."""
    return "".join(part for part, _ in split_quoted(sentence))
