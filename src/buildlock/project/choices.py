"""What one place says (`[tool.uv]`, a uv.toml, the environment …), and how the places are merged."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from packaging.utils import NormalizedName

from buildlock.project.cutoffs import Cutoff
from buildlock.project.model import BuildRequirement, Index, IndexStrategy, LinkMode, PrereleaseMode
from buildlock.project.network import Network, merge_networks
from buildlock.project.source_builds import SourceBuilds, merge_source_builds
from buildlock.values import dataclass, field

_Value = TypeVar("_Value")


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """What one place says; `None` and empty where it is silent."""

    indexes: tuple[Index, ...] = ()
    """In priority order, but for those with `default`."""
    extra_indexes: tuple[Index, ...] = ()
    """Those of `extra-index-url`: they come after the `indexes` of all places, as in uv."""
    find_links: tuple[str, ...] = ()
    no_index: bool | None = None
    index_strategy: IndexStrategy | None = None
    prerelease: PrereleaseMode | None = None
    exclude_newer: Cutoff | None = None
    exclude_newer_package: Mapping[NormalizedName, Cutoff] = field(default_factory=dict)
    no_binary: bool | None = None
    no_binary_package: frozenset[NormalizedName] = frozenset()
    no_build: bool | None = None
    no_build_package: frozenset[NormalizedName] = frozenset()
    link_mode: LinkMode | None = None
    constraints: tuple[BuildRequirement, ...] = ()
    overrides: tuple[BuildRequirement, ...] = ()
    source_builds: SourceBuilds = SourceBuilds()
    offline: bool | None = None
    network: Network = Network()
    unisolated: tuple[str, ...] = ()
    """Settings that would have something built without isolation."""
    unsupported: tuple[str, ...] = ()
    """Settings that change what is resolved or how it is downloaded, and that we cannot honour yet."""

    @property
    def all_indexes(self) -> tuple[Index, ...]:
        return (*self.indexes, *self.extra_indexes)

    @property
    def default_index(self) -> Index | None:
        return next((index for index in self.indexes if index.default), None)


def merge_choices(places: Sequence[Choices]) -> Choices:
    """Merge places, the weightiest first, as uv does: single values from the first that has one, lists joined."""

    def first(choose: Callable[[Choices], _Value | None]) -> _Value | None:
        return next((value for place in places if (value := choose(place)) is not None), None)

    packages: dict[NormalizedName, Cutoff] = {}
    for place in reversed(places):
        packages |= place.exclude_newer_package
    return Choices(
        indexes=tuple(index for place in places for index in place.indexes),
        extra_indexes=tuple(index for place in places for index in place.extra_indexes),
        find_links=tuple(dict.fromkeys(link for place in places for link in place.find_links)),
        no_index=first(lambda place: place.no_index),
        index_strategy=first(lambda place: place.index_strategy),
        prerelease=first(lambda place: place.prerelease),
        exclude_newer=first(lambda place: place.exclude_newer),
        exclude_newer_package=packages,
        no_binary=first(lambda place: place.no_binary),
        no_binary_package=frozenset().union(*(place.no_binary_package for place in places)),
        no_build=first(lambda place: place.no_build),
        no_build_package=frozenset().union(*(place.no_build_package for place in places)),
        link_mode=first(lambda place: place.link_mode),
        constraints=tuple(constraint for place in places for constraint in place.constraints),
        overrides=tuple(override for place in places for override in place.overrides),
        source_builds=merge_source_builds([place.source_builds for place in places]),
        offline=first(lambda place: place.offline),
        network=merge_networks([place.network for place in places]),
        unisolated=tuple(dict.fromkeys(setting for place in places for setting in place.unisolated)),
        unsupported=tuple(dict.fromkeys(setting for place in places for setting in place.unsupported)),
    )
