"""What one target sees of a universe: what may be chosen in it, and what that needs. Each question is asked once."""

from collections.abc import Iterable, Sequence

from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.artifacts import Artifact, CoreMetadata, Listing, Release
from buildlock.errors import InvalidMetadataError
from buildlock.reporting import Noted, Reporter
from buildlock.resolver.evaluator import Evaluator, PassedOver, Reason
from buildlock.resolver.needs import Need, Needs, RequirementsByExtra, UnusableRequirementError
from buildlock.resolver.offers import Offers
from buildlock.resolver.request import ResolutionRequest, Universe
from buildlock.values import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A version of a package in one target, with the extras that are asked of it there."""

    name: NormalizedName
    version: Version
    index: str
    extras: frozenset[NormalizedName]
    artifact: Artifact = field(compare=False, repr=False)


class View:
    """One request and the universe that it is asked of.

    Args:
        request: What is asked.
        universe: Whom.
        report: Told of what is passed over.
        offers: Shared with the views of other targets.
    """

    def __init__(
        self, request: ResolutionRequest, universe: Universe, report: Reporter, offers: Offers | None = None
    ) -> None:
        self._request = request
        self._offers = offers or Offers()
        self.target = request.target
        self.likely = request.likely
        self.universe = universe
        self.needs = Needs(request)
        self.evaluator = Evaluator(request, self.needs)
        self.explored: dict[Candidate, tuple[Need, ...] | PassedOver] = {}
        """What each candidate looked at so far needs, or why it is out."""
        self._extras: dict[Candidate, frozenset[NormalizedName]] = {}
        self._report = report
        self._listings: dict[NormalizedName, Listing] = {}
        self._constraints: dict[NormalizedName, tuple[Need, ...]] = {}
        self._verdicts: dict[tuple[NormalizedName, str, Version], Artifact | PassedOver] = {}
        self._metadata: dict[tuple[NormalizedName, str, Version], CoreMetadata] = {}

    def dependencies(self, candidate: Candidate) -> tuple[Need, ...] | PassedOver:
        """What a candidate with its extras needs of other packages, or why its metadata rules it out."""
        if candidate not in self.explored:
            found = self.explored[candidate] = self._read_dependencies(candidate)
            if isinstance(found, PassedOver):
                self._note(candidate, found)
            else:
                self.universe.anticipate(sorted({need.name for need in found} - self._listings.keys()))
        return self.explored[candidate]

    def extras(self, candidate: Candidate) -> frozenset[NormalizedName]:
        """The extras that a candidate comes with: those that are asked of it, and those that it then asks of itself."""
        self.dependencies(candidate)
        return self._extras.get(candidate, candidate.extras)

    def metadata(self, candidate: Candidate) -> CoreMetadata:
        """The metadata of a candidate, asked once whatever its extras.

        Raises:
            InvalidMetadataError: As the universe raises it.
        """
        key = candidate.name, candidate.index, candidate.version
        if key not in self._metadata:
            self._metadata[key] = self.universe.metadata(candidate.artifact)
        return self._metadata[key]

    def listing(self, name: NormalizedName) -> Listing:
        """What the universe offers of `name`, best releases first."""
        if name not in self._listings:
            listing = self.universe.listing(name)
            pinned, prereleases = self._request.preferences.get(name), self._request.settings.prerelease == "allow"
            releases = self._offers.order(listing, pinned, prereleases=prereleases)
            self._listings[name] = Listing(name=name, releases=releases, asked=listing.asked)
        return self._listings[name]

    def fitting(self, name: NormalizedName, needs: Iterable[Need]) -> Sequence[Release]:
        """The releases whose version all `needs` and the constraints accept, best first, usable or not."""
        return self._offers.filter(self.listing(name).releases, (*needs, *self._find_constraints(name)))

    def fitting_at(self, name: NormalizedName, needs: Iterable[Need], version: Version) -> Sequence[Release]:
        """Those of one version."""
        # In each place a version is there once.
        unique = sum(answer.found for answer in self.listing(name).asked) == 1
        return self._offers.find(self.fitting(name, needs), version, unique=unique)

    def verdict(self, release: Release) -> Artifact | PassedOver:
        """The file to take of a release, or why it is passed over as its page describes it."""
        key = release.name, release.index, release.version
        if key not in self._verdicts:
            verdict = self._verdicts[key] = self.evaluator.evaluate(release)
            if isinstance(verdict, PassedOver):
                self._note(release, verdict)
        return self._verdicts[key]

    def choose(self, releases: Iterable[Release], extras: frozenset[NormalizedName]) -> Candidate | None:
        """The first of some releases that has a file for the target."""
        for release in releases:
            artifact = self.verdict(release)
            if isinstance(artifact, Artifact):
                return Candidate(
                    name=release.name, version=release.version, index=release.index, extras=extras, artifact=artifact
                )
        return None

    def _find_constraints(self, name: NormalizedName) -> tuple[Need, ...]:
        if name not in self._constraints:
            self._constraints[name] = self.needs.constraints(name)
        return self._constraints[name]

    def _read_dependencies(self, candidate: Candidate) -> tuple[Need, ...] | PassedOver:
        try:
            metadata = self.metadata(candidate)
            if metadata.requires_python is not None:
                against = self.evaluator.check_requires_python(metadata.requires_python)
                if against is not None:
                    return against
            return self._read_needs(candidate, metadata)
        except InvalidMetadataError as error:
            return PassedOver(reason=Reason.METADATA, text="its metadata is refused", details=(error.message,))
        except UnusableRequirementError as error:
            return PassedOver(reason=Reason.METADATA, text="a requirement of it is refused", details=(str(error),))

    def _read_needs(self, candidate: Candidate, metadata: CoreMetadata) -> tuple[Need, ...]:
        needs: dict[Need, None] = {}
        extras = ["", *sorted(candidate.extras)]
        requirements = RequirementsByExtra(metadata.requires_dist)
        for extra in extras:
            for need in self.needs.of(requirements.list_for(extra), extra):
                if need.name != candidate.name:
                    needs[need] = None
                elif need.accepts(candidate.version):
                    # `all = ["pkg[a]", "pkg[b]"]`: a package that asks itself for more extras.
                    extras += sorted(need.extras.difference(extras))
                else:
                    raise UnusableRequirementError(f"`{need}` excludes the version that requires it")
        self._extras[candidate] = frozenset(map(NormalizedName, extras[1:]))
        return tuple(needs)

    def _note(self, what: Candidate | Release, against: PassedOver) -> None:
        self._report(Noted(f"passed over `{what.name} {what.version}`: {against}"))
