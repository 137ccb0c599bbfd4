"""Which newer versions there are of what was chosen, and what keeps each of them from being chosen."""

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property

from packaging.requirements import Requirement
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.artifacts import Release
from buildlock.errors import BuildlockError
from buildlock.project.model import BuildRequirement
from buildlock.reporting import silence
from buildlock.resolver.brief import PINNED, describe_briefly, name_reason, name_source
from buildlock.resolver.evaluator import PassedOver, Reason
from buildlock.resolver.needs import Need
from buildlock.resolver.partition import Partition
from buildlock.resolver.provider import Provider
from buildlock.resolver.request import Resolution, ResolutionRequest, ResolvedPackage, Universe
from buildlock.resolver.search import UnsolvedError, collect, search
from buildlock.resolver.view import Candidate, View
from buildlock.values import dataclass, replace

_ROUNDS = (400,)
"""How long to search for what a version conflicts with."""
_MAX_HELD = 3
"""Versions that are told of one package."""
_MAX_LOWERED = 3
"""That are named of what a version would lower."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Obstacle:
    """What keeps a version from being chosen."""

    kind: str
    """`requirement`, `conflict`, `agreement`, `index`, `missing`, `unknown`, or the `Reason` why it is passed over."""
    text: str
    """In words; what comes from outside may be in it as it was written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A newer version that is not chosen, and everything that was found against it."""

    version: Version
    obstacles: tuple[Obstacle, ...]


class Outlook:
    """What lies beyond a solution.

    Args:
        requests: What was asked for each target.
        resolutions: As many: what it came to, without any preference for older versions.
        alone: Whether it is the source of one package, which was looked for by itself, whatever it requires.
    """

    def __init__(
        self,
        requests: Sequence[tuple[ResolutionRequest, Universe]],
        resolutions: Sequence[Resolution],
        *,
        alone: bool = False,
    ) -> None:
        self._requests = requests
        self._views = [View(request, universe, silence) for request, universe in requests]
        self._resolutions = resolutions
        self._alone = alone
        self._releases: dict[tuple[int, NormalizedName], dict[Version, list[Release]]] = {}

    def list_held(self, name: NormalizedName, base: Version, targets: Collection[int]) -> tuple[Held, ...]:
        """The newest version of a package above `base`, and older ones that less is against, down to one to use.

        Pre-releases are looked at where they are allowed, or `base` is one; yanked versions where all newer ones are.

        Args:
            name: The package.
            base: What these targets have, or would have.
            targets: By their position; one version is looked for that all of them can have.
        """
        releases = self._list_newer(name, base, targets)
        kept = [version for version, files in releases.items() if not all(release.yanked for release in files)] or list(
            releases
        )
        together = self._add_sharing(name, targets)
        held: list[Held] = []
        known: list[frozenset[str]] = []
        for version in kept:
            unmet = list(self._list_unmet(name, version, together))
            reasons = list(self._list_reasons(name, version, together))
            # Which Python each version needs may differ: what matters is that the Python is against it.
            against = frozenset([*(each.text for each in unmet), *(each.kind for each in reasons)])
            if not any(less <= against for less in known):
                known.append(against)
                obstacles = [*unmet, *reasons] or self._find_hidden(name, version, together)
                held.append(Held(version=version, obstacles=tuple(dict.fromkeys(obstacles))))
            if not reasons or len(held) == _MAX_HELD:
                break
        return tuple(held)

    def _list_newer(
        self, name: NormalizedName, base: Version, targets: Collection[int]
    ) -> dict[Version, list[Release]]:
        found: dict[Version, list[Release]] = {}
        # Not by the local part: `2.4.0+cu126` is another build of `2.4.0+cu124`, and no newer one.
        bound = Version(base.public)
        for target in targets:
            allowed = base.is_prerelease or self._requests[target][0].settings.prerelease == "allow"
            for release in self._views[target].listing(name).releases:
                version = release.version
                if (allowed or not version.is_prerelease) and Version(version.public) > bound:
                    found.setdefault(version, []).append(release)
        # Of several builds of a version the one that is of the same kind.
        order = sorted(found, key=lambda each: (Version(each.public), each.local == base.local, each), reverse=True)
        return {version: found[version] for version in order}

    def _find_usable(
        self, name: NormalizedName, version: Version, targets: Collection[int]
    ) -> dict[int, Candidate] | None:
        """What each target would get of a version; `None` where one gets nothing."""
        usable: dict[int, Candidate] = {}
        for target in targets:
            candidate = self._views[target].choose(self._list_releases(target, name, version), frozenset())
            if candidate is None:
                return None
            usable[target] = candidate
        return usable

    def _list_releases(self, target: int, name: NormalizedName, version: Version) -> Sequence[Release]:
        key = target, name
        if key not in self._releases:
            found = self._releases[key] = {}
            for release in self._views[target].listing(name).releases:
                found.setdefault(release.version, []).append(release)
        return self._releases[key].get(version, ())

    def _find_hidden(self, name: NormalizedName, version: Version, targets: Sequence[int]) -> list[Obstacle]:
        """What is against a version that no requirement excludes and that its page lets be used."""
        if self._alone:
            return []
        try:
            return list(self._list_refusals(name, version, targets)) or [self._search(name, version, targets)]
        except BuildlockError as error:
            # What was asked for is there; only this one is not explained.
            text = f"what it needs could not be learned: {error.message.splitlines()[0]}"
            return [Obstacle(kind="unknown", text=text)]

    def _add_sharing(self, name: NormalizedName, targets: Collection[int]) -> list[int]:
        """These targets, and those that have the same version of a package: it serves all of them."""
        versions = {chosen.version for target in targets if (chosen := self._chosen[target].get(name)) is not None}
        sharing = (t for t, chosen in enumerate(self._chosen) if name in chosen and chosen[name].version in versions)
        return sorted({*targets, *sharing})

    @cached_property
    def _chosen(self) -> list[dict[NormalizedName, ResolvedPackage]]:
        return [{package.name: package for package in resolution.packages} for resolution in self._resolutions]

    @cached_property
    def _needs(self) -> list[dict[NormalizedName, list[tuple[Need, str]]]]:
        """What is needed of each package in each target, and by whom."""
        return [self._gather_needs(target) for target in range(len(self._views))]

    def _gather_needs(self, target: int) -> dict[NormalizedName, list[tuple[Need, str]]]:
        view = self._views[target]
        needs: list[tuple[Need, Candidate | None]] = [(need, None) for need in view.needs.roots]
        for package in self._resolutions[target].packages:
            needs += [(need, None) for need in view.needs.constraints(package.name)]
            candidate = _to_candidate(package)
            dependencies = () if self._alone else view.dependencies(candidate)
            assert not isinstance(dependencies, PassedOver), "a chosen candidate has dependencies"
            needs += [(need, candidate) for need in dependencies]
        found: dict[NormalizedName, list[tuple[Need, str]]] = {}
        for need, parent in needs:
            found.setdefault(need.name, []).append((need, name_source(need, parent)))
        return found

    def _list_unmet(self, name: NormalizedName, version: Version, targets: Sequence[int]) -> Iterator[Obstacle]:
        """The requirements that exclude a version."""
        holding: dict[tuple[Need, str], list[int]] = {}
        for target in targets:
            for need, by in dict.fromkeys(self._needs[target].get(name, ())):
                if not need.accepts(version):
                    holding.setdefault((need, by), []).append(target)
        for (need, by), among in holding.items():
            where = "" if len(among) == len(targets) else f" on {', '.join(str(self._views[t].target) for t in among)}"
            yield Obstacle(kind="requirement", text=f"`{need}` {by}{where}")

    def _list_reasons(self, name: NormalizedName, version: Version, targets: Sequence[int]) -> Iterator[Obstacle]:
        """Why a version is passed over, as its page describes it."""
        for target in targets:
            view = self._views[target]
            releases = self._list_releases(target, name, version)
            if not releases:
                yield Obstacle(kind="missing", text=f"the index does not have it for {view.target}")
            verdicts = [view.verdict(release) for release in releases]
            if all(isinstance(verdict, PassedOver) for verdict in verdicts):
                yield from map(self._describe, (each for each in verdicts[:1] if isinstance(each, PassedOver)))

    def _list_refusals(self, name: NormalizedName, version: Version, targets: Sequence[int]) -> Iterator[Obstacle]:
        """Why a version is passed over, as its metadata has it."""
        usable = self._find_usable(name, version, targets) or {}
        for target, candidate in usable.items():
            needs = self._views[target].dependencies(candidate)
            if isinstance(needs, PassedOver):
                yield self._describe(needs)

    def _describe(self, against: PassedOver) -> Obstacle:
        if self._alone and against.reason is Reason.NO_BINARY:
            # That is what whoever looks for a source asks for.
            return Obstacle(kind="no-binary", text="it has wheels alone")
        kind = against.reason.name.lower().replace("_", "-")
        return Obstacle(kind=kind, text=name_reason(against))

    def _search(self, name: NormalizedName, version: Version, targets: Sequence[int]) -> Obstacle:
        """What a version would be in conflict with, or would lower, where nothing speaks against it by itself."""
        # Required, so that the rest cannot do without it; a constraint too, where an override says something else.
        pin = BuildRequirement(requirement=Requirement(f"{name}=={version}"), origin=PINNED)
        lowered: dict[str, None] = {}
        places: dict[str, None] = {}
        for target in targets:
            request, universe = self._requests[target]
            pinned = replace(
                request, requirements=(*request.requirements, pin), constraints=(*request.constraints, pin)
            )
            view = View(pinned, universe, silence)
            alone = Partition(targets=[view.target])
            try:
                pins = search(Provider([view], alone), _ROUNDS)
            except UnsolvedError as error:
                return Obstacle(kind="conflict", text=describe_briefly(error, view))
            (resolution,) = collect(pins, [view], alone)
            for package in resolution.packages:
                before = self._chosen[target].get(package.name)
                if before is not None and package.version < before.version:
                    lowered[f"`{package.name} {package.version}` in place of {before.version}"] = None
                elif before is not None and package.name == name and package.index != before.index:
                    places[f"`{before.index}` goes before `{package.index}`"] = None
        if lowered:
            return Obstacle(kind="conflict", text=f"it would take {' and '.join(list(lowered)[:_MAX_LOWERED])}")
        if places:
            return Obstacle(kind="index", text=" and ".join(places))
        if len(targets) > 1:
            return Obstacle(kind="agreement", text="the targets would no longer agree on one version of everything")
        return Obstacle(kind="conflict", text="another solution came first")


def _to_candidate(package: ResolvedPackage) -> Candidate:
    return Candidate(
        name=package.name,
        version=package.version,
        index=package.index,
        extras=package.extras | package.missing_extras,
        artifact=package.artifact,
    )
