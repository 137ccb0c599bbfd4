"""What the core tells whoever watches: events with a meaning, no looks.

A workflow is handed a `Reporter` and calls it; the command line turns the events into lines and bars, a test
collects them in a list. Reporters are called from several threads.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

from buildlock.values import dataclass

Phase: TypeAlias = Literal[
    "reading the project",
    "pages and metadata",
    "resolution",
    "downloads",
    "unpacking",
    "environment",
    "backend",
    "writing",
    "waiting",
]
"""What a thread is busy with. `waiting` is for others, and what that time was for is what they do in it."""


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


@dataclass(frozen=True, slots=True)
class Asked:
    """A request was sent: `Noted`, and counted."""

    message: str


@dataclass(frozen=True, slots=True)
class Received:
    """Some of the body of an answer came."""

    size: int
    """Bytes on the wire."""


@dataclass(frozen=True, slots=True)
class Entered:
    """The thread that tells it begins a phase, within the one that it may be in."""

    phase: Phase


@dataclass(frozen=True, slots=True)
class Left:
    """The same thread ended the phase that it began last."""

    phase: Phase


Event: TypeAlias = Warned | Noted | Began | Transferred | Printed | Asked | Received | Entered | Left
Reporter: TypeAlias = Callable[[Event], None]


def silence(_event: Event) -> None:
    """The reporter for those who do not watch."""


@contextmanager
def phase(report: Reporter, name: Phase) -> Iterator[None]:
    """Tell that this thread is busy with something while the block runs."""
    report(Entered(name))
    try:
        yield
    finally:
        report(Left(name))
