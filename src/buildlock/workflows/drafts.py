"""Environments that are resolved, before what their packages are built in is locked; and which leads to which."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from packaging.pylock import Package

from buildlock.artifacts import Artifact
from buildlock.errors import BuildCycleError
from buildlock.lockfile.model import build_key
from buildlock.resolver.request import Resolution, ResolutionRequest, Universe
from buildlock.targets import Target
from buildlock.values import dataclass
from buildlock.workflows.sources import cycle_error

_MAX_BUILDS = 500
"""Packages of one variant that are built; this ends what has no end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Solution:
    """What was asked for an environment, for each of its targets, and what it came to."""

    requests: tuple[tuple[ResolutionRequest, Universe], ...]
    resolutions: tuple[Resolution, ...]

    @property
    def targets(self) -> tuple[Target, ...]:
        return tuple(request.target for request, _ in self.requests)

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft(Solution):
    """An environment's packages, before what they are built in is locked."""

    packages: tuple[Package, ...]


SolutionT = TypeVar("SolutionT", bound=Solution)


def solve_builds(
    first: SolutionT, solve: Callable[[str, Artifact, tuple[Target, ...]], SolutionT]
) -> Mapping[str, SolutionT]:
    """What all that an environment leads to is built in, to any depth, by `build_key`.

    Args:
        first: The environment.
        solve: Makes the environment that a source is built in for some targets; called again where they are more.

    Raises:
        BuildCycleError: A package is needed to build itself.
        BuildlockError: As of `solve`.
    """
    solutions = {"": first}
    wanted: dict[str, tuple[Artifact, tuple[Target, ...]]] = {}
    pending = [""]
    while pending:
        for key, (artifact, targets) in solutions[pending.pop()].sources.items():
            known, before = wanted.get(key, (artifact, ()))
            if known.url != artifact.url:
                raise BuildCycleError(f"`{key}` comes from two sources: `{known.url}` and `{artifact.url}`")
            together = _unite(before, targets)
            if len(together) == len(before):
                continue
            wanted[key] = artifact, together
            if len(wanted) > _MAX_BUILDS:
                raise BuildCycleError(f"more than {_MAX_BUILDS} packages would have to be built")
            solutions[key] = solve(key, artifact, together)
            pending.append(key)
    reached = _reach(solutions)
    return {key: solution for key, solution in solutions.items() if key in reached}


def _unite(before: Sequence[Target], more: Sequence[Target]) -> tuple[Target, ...]:
    return tuple(dict.fromkeys((*before, *more)))


def _reach(solutions: Mapping[str, Solution]) -> set[str]:
    """The keys that the solution `""` leads to.

    Raises:
        BuildCycleError: One of them leads to itself.
    """
    reached: set[str] = set()
    trail: list[str] = []
    pending = [iter(solutions[""].sources)]
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
            pending.append(iter(solutions[key].sources))
    return reached
