"""Going ahead of the search: what a first guess needs is asked for all at once, and is there when it is decided.

A search decides one thing after the other, and would wait for each page and for each metadata file in turn. What is
guessed here decides nothing: the same is chosen whatever arrives first, and whatever is wrong is told by the search.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from packaging.utils import NormalizedName

from buildlock.errors import BuildlockError
from buildlock.resolver.evaluator import PassedOver
from buildlock.resolver.needs import Need
from buildlock.resolver.view import Candidate, View

if TYPE_CHECKING:
    from queue import SimpleQueue

_MOST_PACKAGES = 2000
"""Looked at in one target; a universe may have no end."""

_Key: TypeAlias = tuple[int, NormalizedName]
"""A package in a target."""


def look_ahead(views: Sequence[View]) -> None:
    """Have everything fetched that is needed if in each target the best that fits is chosen of each package.

    Returns when that is there, or when it turns out that what the user requires cannot be met.

    Raises:
        InvalidProjectError: What the user wrote cannot be used.
    """
    _Scout(views).run()


class _Scout:
    def __init__(self, views: Sequence[View]) -> None:
        self._views = views
        self._ready: deque[Callable[[], None]] = deque()
        self._awaited = 0
        self._hopeless = False
        self._needs: dict[_Key, list[Need]] = {}
        self._listed: set[_Key] = set()
        self._guesses: dict[_Key, Candidate] = {}

    def run(self) -> None:
        for target, view in enumerate(self._views):
            self._require(target, view.needs.roots)
            self._expect(target, view.likely)
        while (self._ready or self._awaited) and not self._hopeless:
            if self._ready:
                go_on = self._ready.popleft()
            else:
                go_on = self._arrived.get()
                self._awaited -= 1
            go_on()

    @cached_property
    def _arrived(self) -> "SimpleQueue[Callable[[], None]]":
        from queue import SimpleQueue  # noqa: PLC0415 - where all is kept nothing is awaited

        return SimpleQueue()

    def _expect(self, target: int, names: Iterable[NormalizedName]) -> None:
        """Look at what will probably be needed, whatever it will have to meet."""
        new = [name for name in sorted(names) if (target, name) not in self._needs]
        self._needs.update(((target, name), []) for name in new)
        self._ask(target, new)

    def _ask(self, target: int, names: Iterable[NormalizedName]) -> None:
        if len(self._needs) > _MOST_PACKAGES * len(self._views):
            return
        for name, listing in self._views[target].universe.anticipate(names).items():
            self._await(listing, lambda key=(target, name): self._list(key))  # type: ignore[misc]

    def _await(self, future: "Future[Any]", go_on: Callable[[], None]) -> None:
        if future.done():
            self._ready.append(go_on)
            return
        self._awaited += 1
        arrived = self._arrived
        future.add_done_callback(lambda _: arrived.put(go_on))

    def _require(self, target: int, needs: Iterable[Need]) -> None:
        new: dict[NormalizedName, None] = {}
        for need in needs:
            key = target, need.name
            if key not in self._needs:
                new[need.name] = None
                self._needs[key] = []
            if need not in self._needs[key]:
                self._needs[key].append(need)
                if key in self._listed:
                    self._guess(key)
        self._ask(target, new)

    def _list(self, key: _Key) -> None:
        self._listed.add(key)
        self._guess(key)

    def _guess(self, key: _Key) -> None:
        """Ask for the metadata of the best candidate, so far as is known what it has to meet."""
        target = key[0]
        try:
            candidate = self._choose(key)
        except BuildlockError:
            return
        if candidate is None:
            # What the user requires, and nothing that was guessed, cannot be met.
            self._hopeless |= bool(self._needs[key]) and all(need.origin is not None for need in self._needs[key])
        elif candidate != self._guesses.get(key):
            self._guesses[key] = candidate
            metadata = self._views[target].universe.anticipate_metadata(candidate.artifact)
            if metadata is not None:
                self._await(metadata, lambda: self._explore(target, candidate))

    def _choose(self, key: _Key) -> Candidate | None:
        target, name = key
        view, needs = self._views[target], self._needs[key]
        return view.choose(view.fitting(name, needs), frozenset().union(*(need.extras for need in needs)))

    def _explore(self, target: int, candidate: Candidate) -> None:
        try:
            needs = self._views[target].dependencies(candidate)
        except BuildlockError:
            return
        if not isinstance(needs, PassedOver):
            self._require(target, needs)
