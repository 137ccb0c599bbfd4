"""What a resolver is asked and what it answers."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Protocol

from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.artifacts import Artifact, CoreMetadata, Listing
from buildlock.project.model import BuildRequirement, Settings
from buildlock.targets import Target
from buildlock.values import dataclass, field


class Universe(Protocol):
    """All packages there are, as far as the resolver can see.

    Its methods may raise `UnavailableError` and `IntegrityError`, which the resolver hands on: that an index is down
    is not that nothing fits.
    """

    def listing(self, name: NormalizedName) -> Listing:
        """What the indexes that may serve `name` offer of it; empty where none has it."""

    def metadata(self, artifact: Artifact) -> CoreMetadata:
        """What a file needs.

        Of an sdist it may have to be built, so it is asked only of one that is tried, in the target that needs it.

        Raises:
            InvalidMetadataError: It cannot be used; the resolver passes the candidate over.
        """

    def anticipate(self, names: Iterable[NormalizedName]) -> Mapping[NormalizedName, Future[Listing]]:
        """Be told that these will probably be listed next; return at once.

        Returns:
            For those whose listing is on its way, what `listing` is going to answer or raise.
        """

    def anticipate_metadata(self, artifact: Artifact) -> Future[CoreMetadata] | None:
        """Be told that the metadata of `artifact` will probably be asked for soon; return at once.

        An sdist may be downloaded for it, and is not to be built: it may never be tried.

        Returns:
            What `metadata` is going to answer or raise, if that is on its way.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolutionRequest:
    """What one build environment needs, on one target."""

    requirements: tuple[BuildRequirement, ...]
    constraints: tuple[BuildRequirement, ...] = ()
    overrides: tuple[BuildRequirement, ...] = ()
    target: Target
    settings: Settings = field(default_factory=Settings)
    preferences: Mapping[NormalizedName, Version] = field(default_factory=dict)
    """Existing pins: they come first where they still fit."""
    likely: frozenset[NormalizedName] = frozenset()
    """Packages that will probably be needed: what they are may be asked before it is known that they are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedPackage:
    """A version that was chosen, and the file of it that suits the target best."""

    name: NormalizedName
    version: Version
    index: str
    """The URL of the index that it comes from, without credentials."""
    artifact: Artifact
    requires: tuple[NormalizedName, ...]
    """Its direct dependencies in the target, those of `extras` included; sorted."""
    extras: frozenset[NormalizedName]
    """Those that are asked for and that it has."""
    missing_extras: frozenset[NormalizedName] = frozenset()
    """Those that are asked for and that it does not have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolution:
    """A closed set of packages."""

    packages: tuple[ResolvedPackage, ...]
    """Sorted by name; no name twice."""
