"""How what is locked stands to what there is: packages that could move, and what keeps them."""

from collections.abc import Iterator, Mapping, Sequence

from packaging.markers import Marker
from packaging.pylock import Package
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.lockfile.origins import find_kind
from buildlock.lockfile.select import find_versions, is_for
from buildlock.resolver.outlook import Held, Outlook
from buildlock.resolver.request import Resolution
from buildlock.targets import Target
from buildlock.values import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A locked version, and what is newer."""

    name: NormalizedName
    locked: Version
    allowed: Version | None
    """What it would be without the pins of the lock; `None` where nothing would need it."""
    held: tuple[Held, ...]
    """Newer versions than `allowed`, the newest first, and what is against them."""
    build: str | None
    """The key of what the package is there to build; `None` where it is for what the section is for."""
    targets: tuple[str, ...]
    """That have this version; none if it is all of them."""

    @property
    def latest(self) -> Version:
        return self.held[0].version if self.held else self.allowed or self.locked

    @property
    def upgradable(self) -> bool:
        """Whether the inputs allow a newer version."""
        return self.allowed is not None and self.allowed > self.locked


@dataclass(frozen=True, kw_only=True, slots=True)
class Unasked:
    """A locked package that comes from no index, which could tell of newer versions."""

    name: NormalizedName
    kind: str
    """Of place that it comes from."""
    build: str | None
    """As of `Standing`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outdated:
    """What is newer than what a lock has; the same in several sections is said once."""

    sections: tuple[str, ...]
    """Those that were looked at."""
    standings: Mapping[Standing, Sequence[str]]
    """Of packages for which there is something newer, or which would move or go, each with its sections."""
    unasked: Mapping[Unasked, Sequence[str]]

    @property
    def upgradable(self) -> bool:
        """Whether the inputs allow a newer version of anything."""
        return any(standing.upgradable for standing in self.standings)


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """An environment as it is locked, and as it would be without the pins of the lock."""

    packages: Sequence[Package]
    environments: Sequence[Marker]
    """The targets that it is locked for."""
    targets: Sequence[Target]
    resolutions: Sequence[Resolution]
    """As many."""
    outlook: Outlook
    build: str | None = None
    """As of `Standing`."""

    def list_standings(self, only: NormalizedName | None = None) -> Iterator[Standing | Unasked]:
        """What there is to say of its packages, or of the one that is named, by name."""
        covered = [
            position
            for position, target in enumerate(self.targets)
            if any(is_for(marker, target) for marker in self.environments)
        ]
        locked = {position: find_versions(self.packages, self.targets[position]) for position in covered}
        kinds = {package.name: find_kind(package) for package in self.packages}
        for name in sorted(kinds if only is None else kinds.keys() & {only}):
            if kinds[name] not in {"index", "file"}:
                yield Unasked(name=name, kind=kinds[name], build=self.build)
                continue
            groups: dict[tuple[Version, Version | None], list[int]] = {}
            for position in covered:
                if name in locked[position]:
                    groups.setdefault((locked[position][name], self._find_allowed(name, position)), []).append(position)
            whole = len(groups) == 1
            for (version, allowed), positions in groups.items():
                held = self.outlook.list_held(name, allowed, positions) if allowed is not None else ()
                if held or allowed != version:
                    yield Standing(
                        name=name,
                        locked=version,
                        allowed=allowed,
                        held=held,
                        build=self.build,
                        targets=() if whole else tuple(str(self.targets[position]) for position in positions),
                    )

    def _find_allowed(self, name: NormalizedName, position: int) -> Version | None:
        return next((each.version for each in self.resolutions[position].packages if each.name == name), None)
