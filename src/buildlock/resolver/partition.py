"""Which targets share one version of a package."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TypeAlias

from packaging.utils import NormalizedName

from buildlock.targets import Target
from buildlock.values import dataclass, field

Block: TypeAlias = frozenset[int]
"""Targets by their position in the request."""


@dataclass(frozen=True, kw_only=True)
class Partition:
    """The targets in blocks, by package: all in one block where nothing else is said.

    Twins, targets that no marker of a lock tells apart (by glibc or musl, free-threaded or not), are never parted: a
    lock selects a package in all of them or in none.
    """

    targets: Sequence[Target] = field(repr=False)
    blocks: Mapping[NormalizedName, tuple[Block, ...]] = field(default_factory=dict)

    @cached_property
    def twins(self) -> tuple[Block, ...]:
        """The targets in classes of those that are alike to a marker, in the order of the targets."""
        classes: dict[str, list[int]] = {}
        for position, target in enumerate(self.targets):
            classes.setdefault(str(target.marker), []).append(position)
        return tuple(map(frozenset, classes.values()))

    def of(self, name: NormalizedName) -> tuple[Block, ...]:
        return self.blocks.get(name, (self._all,))

    def find_block(self, name: NormalizedName, target: int) -> int:
        """The number of the block that a target is in."""
        if name not in self.blocks:
            return 0
        return next(number for number, block in enumerate(self.of(name)) if target in block)

    def add_twins(self, targets: Block) -> Block:
        return frozenset().union(*(self._twins_of[target] for target in targets))

    @cached_property
    def _all(self) -> Block:
        return frozenset(range(len(self.targets)))

    @cached_property
    def _twins_of(self) -> Mapping[int, Block]:
        return {target: twins for twins in self.twins for target in twins}
