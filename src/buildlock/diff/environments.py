"""What differs between two environments: package by package, each as the targets get it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from packaging.pylock import Package
from packaging.utils import NormalizedName

from buildlock.diff.chains import Chains
from buildlock.diff.known import Known
from buildlock.diff.model import Finding, Place
from buildlock.diff.packages import Entry, compare_entries, describe_new
from buildlock.diff.quoting import quote, quote_all
from buildlock.diff.sections import Section
from buildlock.lockfile.model import LockedEnvironment, find_key, is_source
from buildlock.lockfile.seen_targets import SeenTarget, label_targets, see_targets
from buildlock.values import dataclass, replace

_FOLLOWERS = ("version-raised", "pin-lowered", "package-added", "package-removed")
_RUNTIMES = ("nvidia-", "cuda-", "triton", "pytorch-triton")
"""What the names of packages begin with that a torch comes with, each in the version that it names."""


@dataclass(frozen=True)
class EnvironmentPair:
    """An environment before and after, each with the section of the lock that it is in."""

    old: LockedEnvironment
    new: LockedEnvironment
    old_section: Section
    new_section: Section
    place: Place
    known: Known

    def compare(self) -> Iterator[Finding]:
        """The findings of all packages; those that a torch explains say so."""
        findings = [finding for name in self._names for finding in self._compare(name)]
        yield from _explain(findings, self._chains)

    @property
    def _names(self) -> Sequence[NormalizedName]:
        return sorted(self._before.keys() | self._after.keys())

    @cached_property
    def _before(self) -> Mapping[NormalizedName, list[Package]]:
        return group_by_name(self.old.packages)

    @cached_property
    def _after(self) -> Mapping[NormalizedName, list[Package]]:
        return group_by_name(self.new.packages)

    @cached_property
    def _chains(self) -> Chains:
        return Chains(self.new)

    @cached_property
    def _old_chains(self) -> Chains:
        return Chains(self.old)

    @cached_property
    def _targets(self) -> tuple[SeenTarget, ...]:
        """Those of both; where they have none in common, those of the new one."""
        old, new = see_targets(self.old.environments), see_targets(self.new.environments)
        return tuple(target for target in new if target in old) or new

    def _compare(self, name: NormalizedName) -> Iterator[Finding]:
        before, after = self._before.get(name, []), self._after.get(name, [])
        if before == after and not any(map(is_source, after)):
            return
        for (old, new), targets in self._pair(before, after).items():
            everywhere = len(targets) in {0, len(self._targets)}
            labels = () if everywhere else tuple(target.label for target in targets)
            yield from self._compare_pair(
                old and Entry(package=before[old[0]], built=old[1], siblings=before),
                new and self._enter(after[new[0]], built=new[1], siblings=after),
                replace(self.place, targets=labels),
            )

    def _enter(self, package: Package, *, built: bool, siblings: Sequence[Package]) -> Entry:
        size = self.new_section.count_build(package)
        return Entry(package=package, built=built, siblings=siblings, build_size=size)

    def _pair(
        self, before: Sequence[Package], after: Sequence[Package]
    ) -> dict[tuple[tuple[int, bool] | None, tuple[int, bool] | None], list[SeenTarget]]:
        """Which entry takes the place of which, for which targets: entries by position, and whether they are built."""
        pairs: dict[tuple[tuple[int, bool] | None, tuple[int, bool] | None], list[SeenTarget]] = {}
        for target in self._targets:
            old = _choose(before, target, self.old_section.list_built(target))
            new = _choose(after, target, self.new_section.list_built(target))
            if old is not None or new is not None:
                pairs.setdefault((old, new), []).append(target)
        # What no target of both gets: for a target that was added or dropped, or beyond those that are looked at.
        gone = [i for i in range(len(before)) if not any(old and old[0] == i for old, _ in pairs)]
        come = [i for i in range(len(after)) if not any(new and new[0] == i for _, new in pairs)]
        for i in come:
            same = next((j for j in gone if before[j].version == after[i].version), None)
            if same is not None:
                gone.remove(same)
            was = (same, is_source(before[same]) and not before[same].wheels) if same is not None else None
            pairs[was, (i, is_source(after[i]) and not after[i].wheels)] = []
        for j in gone:
            pairs[(j, False), None] = []
        return pairs

    def _compare_pair(self, before: Entry | None, after: Entry | None, place: Place) -> Iterator[Finding]:
        if after is None:
            if before is not None:
                yield self._describe_removed(before, place)
            return
        name = after.package.name
        if before is None:
            yield from self._describe_added(after, place)
        else:
            for finding in compare_entries(before, after, place, self.known):
                yield replace(finding, chain=self._chains.find(name))

    def _describe_added(self, entry: Entry, place: Place) -> Iterator[Finding]:
        name, chain = entry.package.name, self._chains.find(entry.package.name)
        asked = name in self._chains.roots and self.place.build is None
        known = asked or self.old_section.is_known(name)
        origin = entry.package.index
        message = quote(entry.version) + (f" from {quote(origin)}" if origin is not None else "")
        yield Finding(
            code="package-added" if known else "new-package",
            packages=(name,),
            message=message,
            after=str(entry.version),
            places=(place,),
            chain=chain,
        )
        for finding in describe_new(entry, place, self.known):
            yield replace(finding, chain=chain)
        # A package that moves to another environment of its section comes from where it came from.
        usual = self.old_section.list_indexes(name)
        if usual and origin is not None and origin not in usual and not self._before.get(name):
            yield Finding(
                code="index-moved",
                packages=(name,),
                message=f"from {quote_all(sorted(usual))} to {quote(origin)}",
                before=", ".join(sorted(usual)),
                after=origin,
                places=(place,),
                chain=chain,
            )

    def _describe_removed(self, entry: Entry, place: Place) -> Finding:
        name = entry.package.name
        return Finding(
            code="package-removed",
            packages=(name,),
            message=quote(entry.version),
            before=str(entry.version),
            places=(place,),
            chain=self._old_chains.find(name),
        )


def compare_targets(old: LockedEnvironment, new: LockedEnvironment, place: Place) -> Iterator[Finding]:
    """The targets that came and went."""
    before, after = label_targets(old), label_targets(new)
    for label in before:
        if label not in after:
            yield Finding(code="target-dropped", message=quote(label), before=label, places=(place,))
    for label in after:
        if label not in before:
            yield Finding(code="target-added", message=quote(label), after=label, places=(place,))


def group_by_name(packages: Sequence[Package]) -> dict[NormalizedName, list[Package]]:
    groups: dict[NormalizedName, list[Package]] = {}
    for package in packages:
        groups.setdefault(package.name, []).append(package)
    return groups


def _choose(entries: Sequence[Package], target: SeenTarget, built: frozenset[str]) -> tuple[int, bool] | None:
    for position, entry in enumerate(entries):
        if target.needs(entry.marker):
            return position, is_source(entry) and (not entry.wheels or find_key(entry) in built)
    return None


def _explain(findings: Sequence[Finding], chains: Chains) -> Iterator[Finding]:
    """The same findings; of the runtime libraries of a torch that moved, each says that it follows."""
    moved = {finding.packages[0] for finding in findings if finding.code in {"version-raised", "pin-lowered"}}
    torch = next((name for name in moved if name == "torch"), None)
    for finding in findings:
        name = finding.packages[0]
        comes_with = torch is not None and name.startswith(_RUNTIMES)
        if (
            comes_with
            and finding.code in _FOLLOWERS
            and (finding.code == "package-removed" or chains.leads_through(name, "torch"))
        ):
            yield replace(finding, follows=torch)
        else:
            yield finding
