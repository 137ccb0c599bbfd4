"""The indexes as the resolver sees them: the joint between what is fetched and what is decided."""

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.utils import NormalizedName

from buildlock.artifacts import Artifact, CoreMetadata, Listing
from buildlock.index.catalogue import Catalogue
from buildlock.metadata.reader import MetadataReader


@dataclass(frozen=True, slots=True)
class IndexUniverse:
    """Listings from the catalogue, metadata from the reader."""

    catalogue: Catalogue
    reader: MetadataReader

    def listing(self, name: NormalizedName) -> Listing:
        return self.catalogue.listing(name)

    def metadata(self, artifact: Artifact) -> CoreMetadata:
        return self.reader.read(artifact)

    def anticipate(self, names: Iterable[NormalizedName]) -> None:
        self.catalogue.anticipate(names)

    def anticipate_metadata(self, artifact: Artifact) -> None:
        self.reader.anticipate([artifact])
