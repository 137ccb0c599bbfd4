"""The resolvelib provider: requirements and candidates by the name of their package."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName
from packaging.version import Version
from resolvelib import AbstractProvider
from resolvelib.structs import RequirementInformation

from buildlock.artifacts import Artifact, CoreMetadata, Listing, Release
from buildlock.errors import InvalidMetadataError
from buildlock.reporting import Noted, Reporter
from buildlock.resolver.evaluator import Evaluator, PassedOver, Reason
from buildlock.resolver.needs import Need, Needs, UnusableRequirementError
from buildlock.resolver.request import ResolutionRequest, Universe


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A version of a package with the extras that are asked of it.

    One package is one identifier, so two requests for different extras meet in one candidate with both.
    """

    name: NormalizedName
    version: Version
    index: str
    extras: frozenset[NormalizedName]
    artifact: Artifact = field(compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A need that nothing meets: the one dependency of a candidate whose metadata rules it out."""

    name: NormalizedName


Requirement: TypeAlias = Need | Refusal
Cause: TypeAlias = RequirementInformation[Requirement, Candidate]


class Provider(AbstractProvider[Requirement, Candidate, NormalizedName]):
    """Answers resolvelib's questions out of a universe, remembering every answer."""

    def __init__(self, request: ResolutionRequest, universe: Universe, report: Reporter) -> None:
        self.needs = Needs(request)
        self.evaluator = Evaluator(request, self.needs)
        self.explored: dict[Candidate, tuple[Need, ...] | PassedOver] = {}
        """What each candidate looked at so far needs, or why it is out."""
        self.culprits: Counter[NormalizedName] = Counter()
        """How often each package was in the way of one chosen after it, in searches that took too long."""
        self._universe = universe
        self._report = report
        self._root_names = frozenset(need.name for need in self.needs.roots)
        self._listings: dict[NormalizedName, Listing] = {}
        self._fitting: dict[tuple[NormalizedName, frozenset[SpecifierSet]], tuple[Release, ...]] = {}
        self._verdicts: dict[tuple[NormalizedName, str, Version], Artifact | PassedOver] = {}
        self._metadata: dict[tuple[NormalizedName, str, Version], CoreMetadata] = {}
        universe.anticipate(sorted(self._root_names))

    def identify(self, requirement_or_candidate: Requirement | Candidate) -> NormalizedName:
        return requirement_or_candidate.name

    def narrow_requirement_selection(
        self,
        identifiers: Iterable[NormalizedName],
        resolutions: Mapping[NormalizedName, Candidate],  # noqa: ARG002 - resolvelib's signature
        candidates: Mapping[NormalizedName, Iterator[Candidate]],  # noqa: ARG002
        information: Mapping[NormalizedName, Iterator[Cause]],  # noqa: ARG002
        backtrack_causes: Sequence[Cause],
    ) -> Iterable[NormalizedName]:
        """Settle first what conflicted last: nothing chosen before it can help."""
        conflicting = {cause.requirement.name for cause in backtrack_causes}
        conflicting |= {cause.parent.name for cause in backtrack_causes if cause.parent is not None}
        identifiers = list(identifiers)
        return [name for name in identifiers if name in conflicting] or identifiers

    def get_preference(
        self,
        identifier: NormalizedName,
        resolutions: Mapping[NormalizedName, Candidate],  # noqa: ARG002
        candidates: Mapping[NormalizedName, Iterator[Candidate]],  # noqa: ARG002
        information: Mapping[NormalizedName, Iterator[Cause]],
        backtrack_causes: Sequence[Cause],  # noqa: ARG002
    ) -> tuple[bool, int, bool, bool, NormalizedName]:
        """Pinned packages first, troublemakers last, then what the user names and what is bounded above.

        By name in the end, so that the order does not depend on the user's.
        """
        operators = {
            specifier.operator
            for cause in information[identifier]
            if isinstance(cause.requirement, Need)
            for specifier in cause.requirement.specifier
        }
        return (
            operators.isdisjoint({"==", "==="}),
            self.culprits[identifier],
            identifier not in self._root_names,
            operators.isdisjoint({"<", "<=", "~="}),
            identifier,
        )

    def find_matches(
        self,
        identifier: NormalizedName,
        requirements: Mapping[NormalizedName, Iterator[Requirement]],
        incompatibilities: Mapping[NormalizedName, Iterator[Candidate]],
    ) -> Callable[[], Iterator[Candidate]]:
        """Candidates, best first, each made when it is asked for."""
        wanted = list(requirements[identifier])
        needs = [requirement for requirement in wanted if isinstance(requirement, Need)]
        refused = len(needs) < len(wanted)
        extras = frozenset[NormalizedName]().union(*(need.extras for need in needs))
        releases = () if refused else self.fitting(identifier, needs)
        # What fails with some extras fails with more of them.
        excluded = {
            (candidate.index, candidate.version)
            for candidate in incompatibilities[identifier]
            if candidate.extras <= extras
        }

        def make_candidates() -> Iterator[Candidate]:
            for release in releases:
                if (release.index, release.version) in excluded:
                    continue
                artifact = self.verdict(release)
                if isinstance(artifact, Artifact):
                    yield Candidate(
                        name=identifier,
                        version=release.version,
                        index=release.index,
                        extras=extras,
                        artifact=artifact,
                    )

        # resolvelib looks at the first one at once, to know whether there is any, and tries it later: meanwhile the
        # metadata of all that are required together can be on its way.
        best = next(make_candidates(), None)
        if best is not None:
            self._universe.anticipate_metadata(best.artifact)
        return make_candidates

    def is_satisfied_by(self, requirement: Requirement, candidate: Candidate) -> bool:
        return (
            isinstance(requirement, Need)
            and requirement.extras <= candidate.extras
            and requirement.accepts(candidate.version)
        )

    def get_dependencies(self, candidate: Candidate) -> Sequence[Requirement]:
        found = self.dependencies(candidate)
        return [Refusal(name=candidate.name)] if isinstance(found, PassedOver) else found

    def dependencies(self, candidate: Candidate) -> tuple[Need, ...] | PassedOver:
        """What a candidate with its extras needs of other packages, or why its metadata rules it out."""
        if candidate not in self.explored:
            found = self.explored[candidate] = self._read_dependencies(candidate)
            if isinstance(found, PassedOver):
                self._note(candidate, found)
            else:
                self._universe.anticipate(sorted({need.name for need in found} - self._listings.keys()))
        return self.explored[candidate]

    def metadata(self, candidate: Candidate) -> CoreMetadata:
        """The metadata of a candidate, asked once whatever its extras.

        Raises:
            InvalidMetadataError: As the universe raises it.
        """
        key = candidate.name, candidate.index, candidate.version
        if key not in self._metadata:
            self._metadata[key] = self._universe.metadata(candidate.artifact)
        return self._metadata[key]

    def listing(self, name: NormalizedName) -> Listing:
        """What the universe offers of `name`, best releases first."""
        if name not in self._listings:
            listing = self._universe.listing(name)
            releases = tuple(sorted(listing.releases, key=self.evaluator.rank))
            self._listings[name] = Listing(name=name, releases=releases, asked=listing.asked)
        return self._listings[name]

    def fitting(self, name: NormalizedName, needs: Iterable[Need]) -> tuple[Release, ...]:
        """The releases whose version all `needs` and the constraints accept, best first, usable or not."""
        key = name, frozenset(need.specifier for need in (*needs, *self.needs.constraints(name)))
        if key not in self._fitting:
            self._fitting[key] = tuple(
                release
                for release in self.listing(name).releases
                if all(specifier.contains(release.version, prereleases=True) for specifier in key[1])
            )
        return self._fitting[key]

    def verdict(self, release: Release) -> Artifact | PassedOver:
        """The file to take of a release, or why it is passed over as its page describes it."""
        key = release.name, release.index, release.version
        if key not in self._verdicts:
            verdict = self._verdicts[key] = self.evaluator.evaluate(release)
            if isinstance(verdict, PassedOver):
                self._note(release, verdict)
        return self._verdicts[key]

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
        for extra in extras:
            for need in self.needs.of(metadata, extra):
                if need.name != candidate.name:
                    needs[need] = None
                elif need.accepts(candidate.version):
                    # `all = ["pkg[a]", "pkg[b]"]`: a package that asks itself for more extras.
                    extras += sorted(need.extras.difference(extras))
                else:
                    raise UnusableRequirementError(f"`{need}` excludes the version that requires it")
        return tuple(needs)

    def _note(self, what: Candidate | Release, against: PassedOver) -> None:
        self._report(Noted(f"passed over `{what.name} {what.version}`: {against}"))
