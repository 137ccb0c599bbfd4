"""What the core tells whoever watches: events with a meaning, no looks.

A workflow is handed a `Reporter` and calls it; the command line turns the events into lines and bars, a test
collects them in a list. Reporters are called from several threads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Warned:
    """Something the user should know that does not stop the work."""

    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """A step taken, for `--verbose`: a request sent, a candidate passed over, a cache entry used."""

    message: str


@dataclass(frozen=True, slots=True)
class Began:
    """A phase that a user waits for: `Resolving cu124`, `Preparing the environment`."""

    phase: str


@dataclass(frozen=True, slots=True)
class Transferred:
    """A download advanced. `done == total` ends it; `total` is `None` where the size is unknown until then."""

    filename: str
    done: int
    """Bytes so far."""
    total: int | None
    """Bytes in all."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A line that the backend printed."""

    line: str


Event: TypeAlias = Warned | Noted | Began | Transferred | Printed
Reporter: TypeAlias = Callable[[Event], None]


def silence(_event: Event) -> None:
    """The reporter for those who do not watch."""
