"""Environments that are resolved, before what their packages are built in is locked; and which leads to which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packaging.pylock import Package

from buildlock.artifacts import Artifact
from buildlock.lockfile.model import build_key
from buildlock.resolver.request import Resolution
from buildlock.targets import Target
from buildlock.workflows.sources import cycle_error


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """An environment's packages, before what they are built in is locked."""

    packages: tuple[Package, ...]
    resolutions: tuple[Resolution, ...]
    targets: tuple[Target, ...]

    @property
    def sources(self) -> Mapping[str, tuple[Artifact, tuple[Target, ...]]]:
        """What has to be built, by its key, and for which targets."""
        found: dict[str, tuple[Artifact, list[Target]]] = {}
        for target, resolution in zip(self.targets, self.resolutions, strict=True):
            for package in resolution.packages:
                if package.artifact.kind == "sdist":
                    key = build_key(package.name, package.version)
                    found.setdefault(key, (package.artifact, []))[1].append(target)
        return {key: (artifact, tuple(targets)) for key, (artifact, targets) in found.items()}


def unite(before: Sequence[Target], more: Sequence[Target]) -> tuple[Target, ...]:
    return tuple(dict.fromkeys((*before, *more)))


def reach(drafts: Mapping[str, Draft]) -> set[str]:
    """The keys that the draft `""` leads to.

    Raises:
        BuildCycleError: One of them leads to itself.
    """
    reached: set[str] = set()
    trail: list[str] = []
    pending = [iter(drafts[""].sources)]
    while pending:
        key = next(pending[-1], None)
        if key is None:
            pending.pop()
            if trail:
                reached.add(trail.pop())
        elif key in trail:
            raise cycle_error([*trail, key])
        elif key not in reached:
            trail.append(key)
            pending.append(iter(drafts[key].sources))
    return reached
