"""The indexes as the resolver sees them: the joint between what is fetched and what is decided."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from packaging.markers import Environment
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.artifacts import Artifact, CoreMetadata, Listing, Release
from buildlock.index.catalogue import Catalogue
from buildlock.metadata.reader import MetadataReader
from buildlock.resolver.request import Universe


@dataclass(frozen=True, slots=True)
class IndexUniverse:
    """Listings from the catalogue, metadata from the reader: both are shared by all targets."""

    catalogue: Catalogue
    reader: MetadataReader
    environment: Environment
    """The target's marker values, which decide the sources that apply."""

    def listing(self, name: NormalizedName) -> Listing:
        return self.catalogue.listing(name, self.environment)

    def metadata(self, artifact: Artifact) -> CoreMetadata:
        return self.reader.read(artifact)

    def anticipate(self, names: Iterable[NormalizedName]) -> None:
        self.catalogue.anticipate(names, self.environment)

    def anticipate_metadata(self, artifact: Artifact) -> None:
        self.reader.anticipate([artifact])


@dataclass(frozen=True, slots=True)
class NarrowedUniverse:
    """A universe that hides all but the wanted files of a release, where it has one of them."""

    universe: Universe
    wanted: Mapping[tuple[NormalizedName, Version], Collection[str]]
    """File names."""

    def listing(self, name: NormalizedName) -> Listing:
        listing = self.universe.listing(name)
        return replace(listing, releases=tuple(map(self._narrow, listing.releases)))

    def metadata(self, artifact: Artifact) -> CoreMetadata:
        return self.universe.metadata(artifact)

    def anticipate(self, names: Iterable[NormalizedName]) -> None:
        self.universe.anticipate(names)

    def anticipate_metadata(self, artifact: Artifact) -> None:
        self.universe.anticipate_metadata(artifact)

    def _narrow(self, release: Release) -> Release:
        names = self.wanted.get((release.name, release.version), ())
        kept = tuple(artifact for artifact in release.artifacts if artifact.filename in names)
        return replace(release, artifacts=kept) if kept else release
