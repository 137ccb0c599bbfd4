"""What a row of the table is: an operation, and what each tool does for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from benchmarks.bench import Bench
from benchmarks.measuring import Step

Prepare: TypeAlias = Callable[[Bench, Path], Sequence[Step]]
"""Makes ready in a folder what a run needs, unmeasured, and gives the steps to measure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A tool in a row."""

    name: str
    shown: str
    """The commands that are measured, as the page shows them."""
    prepare: Prepare
    rounds: int | None = None
    """Fewer rounds than the row has, for who takes long."""
    rehearsed: bool = True
    """Run once before the rounds; what needs it not, and takes long, is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    name: str
    title: str
    contenders: Callable[["Bench"], Sequence[Contender]]
    """Sets up what the runs share (caches, locks), and gives the tools. The first is buildlock, the second the peer."""
    goal: float | None = None
    """What the ratio of buildlock to its peer is to be at most."""
    rounds: int = 5
    delay: int = 0
    """Milliseconds of a round trip to the mirror."""
    needs: Literal["", "fast", "reflinks", "real", "cuda"] = ""
    """What it is not measured without: buildlock's extra, a file system that can share what files hold, an option."""

    @property
    def mirrored(self) -> bool:
        """Whether it asks the mirror alone, which counts."""
        return self.needs != "real"
