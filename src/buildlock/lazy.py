"""Sequences that are worked out as far as they are looked at: best first, a resolver looks at few of thousands."""

from collections.abc import Iterable, Iterator, Sequence
from threading import Lock
from typing import TypeVar, overload

_Item_co = TypeVar("_Item_co", covariant=True)


class LazyList(Sequence[_Item_co]):
    """What an iterable yields, each asked for once; safe to share among threads.

    Where it raises, so does whoever looks that far, again and again: what comes after is not known.
    """

    def __init__(self, items: Iterable[_Item_co]) -> None:
        self._rest = iter(items)
        self._known: list[_Item_co] = []
        self._error: Exception | None = None
        self._lock = Lock()

    def __iter__(self) -> Iterator[_Item_co]:
        position = 0
        while position < len(self._known) or self._reach(position):
            yield self._known[position]
            position += 1

    def _reach(self, position: int | None) -> bool:
        """Whether there is an item at a position, which is known then; `None` is behind the last one."""
        with self._lock:
            while position is None or position >= len(self._known):
                if self._error is not None:
                    raise self._error
                try:
                    self._known.append(next(self._rest))
                except StopIteration:
                    return False
                except Exception as error:
                    self._error = error
                    raise
            return True

    def __bool__(self) -> bool:
        return self._reach(0)

    def __len__(self) -> int:
        self._reach(None)
        return len(self._known)

    @overload
    def __getitem__(self, index: int) -> _Item_co: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[_Item_co]: ...
    def __getitem__(self, index: int | slice) -> _Item_co | Sequence[_Item_co]:
        self._reach(None)
        return self._known[index]

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]
