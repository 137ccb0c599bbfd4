"""From a solution for each target alone to one in which versions differ only where they must."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from packaging.utils import NormalizedName

from buildlock.resolver.partition import Partition
from buildlock.resolver.provider import Provider
from buildlock.resolver.search import Pins, UnsolvedError, search
from buildlock.resolver.view import View

_ROUNDS = (400,)
"""How long to try whether versions can agree: where it is that hard, they may differ."""


def bring_together(views: Sequence[View], pins: Pins, partition: Partition) -> tuple[Pins, Partition]:
    """Join the blocks of each package as long as there is a solution, what the user names first.

    Blocks that cannot be joined agree at least in their public version where they can: `2.5.1+cpu` for Linux goes
    with `2.5.1` for macOS.
    """
    named = {need.name for view in views for need in view.needs.roots}
    order = sorted(
        (name for name, blocks in partition.blocks.items() if len(blocks) > 1), key=lambda n: (n not in named, n)
    )
    for name in order:
        pins, partition = _join_blocks(name, views, pins, partition)
    agreed: dict[NormalizedName, str] = {}
    for name in order:
        versions = sorted({choice.version for choice in pins.values() if choice.name == name}, reverse=True)
        if len({version.public for version in versions}) == 1:
            agreed[name] = versions[0].public
            continue
        for public in dict.fromkeys(version.public for version in versions if not version.is_prerelease):
            attempt = _attempt(views, partition, {**agreed, name: public})
            if attempt is not None:
                pins, agreed = attempt, {**agreed, name: public}
                break
    return pins, partition


def _join_blocks(
    name: NormalizedName, views: Sequence[View], pins: Pins, partition: Partition
) -> tuple[Pins, Partition]:
    joined = True
    while joined:
        joined = False
        for one, other in combinations(partition.of(name), 2):
            blocks = tuple(block | other if block == one else block for block in partition.of(name) if block != other)
            candidate = Partition(targets=partition.targets, blocks={**partition.blocks, name: blocks})
            attempt = _attempt(views, candidate, {})
            if attempt is not None:
                pins, partition, joined = attempt, candidate, True
                break
    return pins, partition


def _attempt(views: Sequence[View], partition: Partition, agreed: Mapping[NormalizedName, str]) -> Pins | None:
    try:
        return search(Provider(views, partition, agreed=agreed), _ROUNDS)
    except UnsolvedError:
        return None
