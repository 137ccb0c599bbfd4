"""The requirements of a package, and under which extras each of them can hold: a package can have hundreds of both."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from threading import Lock
from typing import overload

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from buildlock.errors import InvalidMetadataError
from buildlock.patterns import compile_pattern
from buildlock.values import dataclass

_EXTRA = compile_pattern(r'extra == "([^"]*)"')
"""As packaging writes it."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What can be said of a marker by its text alone: it takes long to parse one, and to evaluate it."""

    without: bool
    """Whether it can hold where no extra is asked for."""
    extras: frozenset[str] | None
    """The extras which it can depend on; `None` where that may be any."""

    def allows(self, extra: str) -> bool:
        """Whether it can hold with an extra because of that, or without one where that is empty."""
        return (self.extras is None or extra in self.extras) if extra else self.without


UNCONDITIONAL = Condition(without=True, extras=frozenset())


_PARSING = Lock()
_read_marker = lru_cache(maxsize=1024)(Marker)


@lru_cache(maxsize=4096)
def read_requirement(text: str) -> Requirement:
    """As packaging reads it; not to be changed, as there is one value of it for all who ask, and one of each marker.

    Raises:
        ValueError: It is none.
    """
    head, separator, marker = text.partition(";")
    # packaging reads the strings of markers with `ast`, and Python 3.11 counts the depth of that for all threads
    # together: two at a time are a `SystemError`.
    with _PARSING:
        if not separator or "@" in head:
            return Requirement(text)
        requirement = Requirement(head)
        requirement.marker = _read_marker(marker.strip(" \t"))
        return requirement


def read_condition(requirement: Requirement) -> Condition:
    """What the marker of a requirement says of extras.

    >>> read_condition(Requirement("foo ; python_version < '3.12' and extra == 'Cuda_12'"))
    Condition(without=False, extras=frozenset({'cuda-12'}))
    """
    marker = str(requirement.marker or "")
    if "extra" not in marker:
        return UNCONDITIONAL
    names = _EXTRA.findall(marker)
    plain = len(names) == marker.count("extra")
    # What is joined by `and` alone holds only where all of it does.
    without = not all(names) or not names or " or " in marker
    return Condition(without, frozenset(map(canonicalize_name, names)) if plain else None)


class Requirements(Sequence[Requirement]):
    """Requirements as they were written, parsed when they are looked at: most are of extras that nobody asks for.

    Args:
        texts: Each is a requirement that can be parsed.
        conditions: As many: what `read_condition` says of each; by default it is asked.
        parsed: What the texts are, where that is known.
    """

    def __init__(
        self,
        texts: Sequence[str],
        conditions: Sequence[Condition] | None = None,
        parsed: Iterable[Requirement] = (),
    ) -> None:
        self.texts = texts
        self._conditions = conditions
        self._parsed = dict(enumerate(parsed))

    @property
    def conditions(self) -> Sequence[Condition]:
        """What is known of the marker of each without looking at it."""
        if self._conditions is None:
            self._conditions = [read_condition(requirement) for requirement in self]
        return self._conditions

    def __len__(self) -> int:
        return len(self.texts)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    @overload
    def __getitem__(self, index: int) -> Requirement: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Requirement, ...]: ...
    def __getitem__(self, index: int | slice) -> Requirement | tuple[Requirement, ...]:
        if isinstance(index, slice):
            return tuple(self[each] for each in range(len(self))[index])
        if index not in self._parsed:
            try:
                self._parsed[index] = read_requirement(self.texts[index])
            except (ValueError, RecursionError) as error:
                raise InvalidMetadataError("what was kept of its metadata is damaged") from error
        return self._parsed[index]
