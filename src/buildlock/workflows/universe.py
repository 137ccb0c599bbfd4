"""The indexes as the resolver sees them: the joint between what is fetched and what is decided."""

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future

from packaging.markers import Environment
from packaging.pylock import Package
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.artifacts import Artifact, CoreMetadata, Listing, Release
from buildlock.errors import InvalidProjectError
from buildlock.index.assignment import assign
from buildlock.index.catalogue import Catalogue
from buildlock.metadata.reader import MetadataReader
from buildlock.project.model import BuildInputs
from buildlock.resolver.request import Universe
from buildlock.values import dataclass, replace
from buildlock.workflows.sources import Sources


@dataclass(frozen=True, slots=True)
class IndexUniverse:
    """Listings from the catalogue, metadata from the reader or, of what is built, from its source.

    All of these are shared by all targets.
    """

    catalogue: Catalogue
    reader: MetadataReader
    sources: Sources
    inputs: BuildInputs
    """Those of the environment that is resolved: they may have direct sources that those of the catalogue lack."""
    environment: Environment
    """The target's marker values, which decide the sources that apply."""

    def listing(self, name: NormalizedName) -> Listing:
        if name in self.inputs.sources and (origin := assign(name, self.inputs, self.environment).origin):
            return self.sources.list_origin(name, origin)
        return self.catalogue.listing(name, self.environment)

    def metadata(self, artifact: Artifact) -> CoreMetadata:
        if artifact.kind == "sdist":
            return self.sources.metadata(self.sources.subject_of(artifact))
        return self.reader.read(artifact)

    def anticipate(self, names: Iterable[NormalizedName]) -> Mapping[NormalizedName, Future[Listing]]:
        direct = {name for name, rules in self.inputs.sources.items() if any(rule.direct for rule in rules)}
        return self.catalogue.anticipate(sorted(set(names) - direct), self.environment)

    def anticipate_metadata(self, artifact: Artifact) -> Future[CoreMetadata] | None:
        # Of a source nothing is known that would be worth fetching it for.
        return self.reader.anticipate(artifact) if artifact.kind == "wheel" else None


def list_likely(locked: Iterable[Package], inputs: BuildInputs, environment: Environment) -> frozenset[NormalizedName]:
    """What a lock has of indexes that would be asked for it again, if it is needed again.

    An index that has not served a package is not told its name before it is known to be needed.
    """
    return frozenset(package.name for package in locked if _is_from(package, inputs, environment))


def _is_from(package: Package, inputs: BuildInputs, environment: Environment) -> bool:
    try:
        indexes = assign(package.name, inputs, environment).indexes
    except InvalidProjectError:
        return False  # whoever needs it is told
    return package.index in {index.location for index in indexes}


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

    def anticipate(self, names: Iterable[NormalizedName]) -> Mapping[NormalizedName, Future[Listing]]:
        return self.universe.anticipate(names)

    def anticipate_metadata(self, artifact: Artifact) -> Future[CoreMetadata] | None:
        return self.universe.anticipate_metadata(artifact)

    def _narrow(self, release: Release) -> Release:
        names = self.wanted.get((release.name, release.version), ())
        kept = tuple(artifact for artifact in release.artifacts if artifact.filename in names) if names else ()
        return replace(release, artifacts=kept) if kept else release
