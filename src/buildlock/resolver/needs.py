"""What is needed of a package: the requirements that hold in the target, overrides and constraints applied."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from packaging.markers import Marker, UndefinedEnvironmentName
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from buildlock.errors import InvalidProjectError
from buildlock.project.model import BuildRequirement
from buildlock.requirements import Condition, Requirements, read_condition
from buildlock.resolver.request import ResolutionRequest
from buildlock.targets import Target
from buildlock.values import dataclass, field


class UnusableRequirementError(ValueError):
    """A requirement that cannot be resolved, whoever wrote it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """A requirement that holds in the target."""

    name: NormalizedName
    specifier: SpecifierSet = field(compare=False)
    extras: frozenset[NormalizedName] = frozenset()
    origin: str | None = None
    """Where the user wrote it; `None` for what comes from a package's metadata."""
    versions: str = field(init=False, repr=False)
    """The specifier as text: packaging takes long to compare and to hash one."""
    pins: bool = field(init=False, compare=False, repr=False)
    """Whether it names one version."""
    bounds: bool = field(init=False, compare=False, repr=False)
    """Whether it is bounded above, otherwise than by that."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "versions", str(self.specifier))
        operators = {specifier.operator for specifier in self.specifier}
        object.__setattr__(self, "pins", not operators.isdisjoint({"==", "==="}))
        object.__setattr__(self, "bounds", not operators.isdisjoint({"<", "<=", "~="}))

    def accepts(self, version: Version) -> bool:
        """Whether `version` is in the specifier, pre-release or not: who may choose one is decided elsewhere."""
        # The check is the search's innermost step, and packaging takes a slow way for an empty specifier.
        return not self.specifier or self.specifier.contains(version, prereleases=True)

    def __str__(self) -> str:
        extras = f"[{','.join(sorted(self.extras))}]" if self.extras else ""
        return f"{self.name}{extras}{self.specifier}"


class Needs:
    """Reads requirements as the user's request wants them read."""

    def __init__(self, request: ResolutionRequest) -> None:
        self._target = request.target
        self._requirements = request.requirements
        self._constraints = _group_by_name(request.constraints)
        self._overrides = _group_by_name(request.overrides)

    @cached_property
    def roots(self) -> tuple[Need, ...]:
        """What the user requires, in an order that does not depend on the user's.

        Raises:
            InvalidProjectError: A requirement cannot be read.
        """
        needs: dict[Need, None] = {}
        for name, requirements in _group_by_name(self._requirements).items():
            needs.update(dict.fromkeys(self._read_all(self._overrides.get(name, requirements))))
        return tuple(sorted(needs, key=lambda need: (str(need), need.origin)))

    def constraints(self, name: NormalizedName) -> tuple[Need, ...]:
        """What binds `name` wherever it is needed.

        Raises:
            InvalidProjectError: A constraint on `name` has extras.
        """
        needs = self._read_all(self._constraints.get(name, ()))
        for need in needs:
            if need.extras:
                raise InvalidProjectError(
                    [f"the constraint `{need}` (from {need.origin}) has extras: a constraint limits versions only"]
                )
        return needs

    def written(self, name: NormalizedName) -> tuple[Need, ...]:
        """All that the user wrote about `name`."""
        direct = (need for need in self.roots if need.name == name)
        return (*direct, *self.constraints(name), *self._read_all(self._overrides.get(name, ())))

    def of(self, requirements: Iterable[Requirement], extra: str = "") -> Iterator[Need]:
        """What a package needs that has these requirements: without `extra` at all times, with it when it is asked for.

        Raises:
            UnusableRequirementError: A requirement that holds has a URL, or cannot be read.
        """
        for requirement in requirements:
            overrides = self._overrides.get(canonicalize_name(requirement.name))
            if overrides is None:
                need = _read(requirement, self._target, extra)
                if need is not None:
                    yield need
            # An override replaces its requirement whatever the marker says (uv's documentation, "Dependency
            # overrides"), except that it does not bring in an extra which nobody asked for.
            elif not _mentions_extra(requirement.marker) or _holds(requirement, self._target, extra):
                yield from self._read_all(overrides)

    def _read_all(self, requirements: Sequence[BuildRequirement]) -> tuple[Need, ...]:
        try:
            needs = [_read(each.requirement, self._target, origin=each.origin) for each in requirements]
        except UnusableRequirementError as error:
            raise InvalidProjectError([str(error)]) from error
        return tuple(need for need in needs if need is not None)


def _group_by_name(requirements: Sequence[BuildRequirement]) -> dict[NormalizedName, list[BuildRequirement]]:
    groups: dict[NormalizedName, list[BuildRequirement]] = {}
    for requirement in requirements:
        groups.setdefault(canonicalize_name(requirement.requirement.name), []).append(requirement)
    return groups


def _read(requirement: Requirement, target: Target, extra: str = "", origin: str | None = None) -> Need | None:
    """Read one requirement; `None` where its marker does not hold."""
    # Named without its URL, which may hold credentials.
    name = f"`{requirement.name}`" if origin is None else f"`{requirement.name}` (from {origin})"
    try:
        if not _holds(requirement, target, extra):
            return None
        # packaging parses versions when they are first compared, and then refuses numbers of thousands of digits.
        requirement.specifier.is_unsatisfiable()
    except ValueError as error:
        raise UnusableRequirementError(f"{name} cannot be read: {error}") from error
    # What the user wrote has a rule for its URL: there is but one version, the one that is there.
    if requirement.url is not None and origin is None:
        raise UnusableRequirementError(f"{name} is required by a URL, which only the project may do")
    return Need(
        name=canonicalize_name(requirement.name),
        specifier=requirement.specifier,
        extras=frozenset(canonicalize_name(name) for name in requirement.extras),
        origin=origin,
    )


def _holds(requirement: Requirement, target: Target, extra: str) -> bool:
    if requirement.marker is None:
        return True
    try:
        return target.satisfies(requirement.marker, extra)
    # `'x' in extras` is for lockfiles; a hundred brackets are evaluated deeper in the stack than they were parsed.
    except (UndefinedEnvironmentName, RecursionError, ValueError) as error:
        raise UnusableRequirementError(f"its marker `{requirement.marker}` has no meaning here") from error


def _mentions_extra(marker: Marker | None) -> bool:
    return marker is not None and "extra" in str(marker)


class RequirementsByExtra:
    """The requirements of a package, and which of them an extra can bring in."""

    def __init__(self, requirements: Sequence[Requirement]) -> None:
        self._requirements = requirements

    def list_for(self, extra: str) -> Sequence[Requirement]:
        """At least those that hold without an extra, where `extra` is empty; else that hold with it and not without."""
        return [self._requirements[position] for position, each in self._conditions if each.allows(extra)]

    @cached_property
    def _conditions(self) -> Sequence[tuple[int, Condition]]:
        known = self._requirements
        return list(enumerate(known.conditions if isinstance(known, Requirements) else map(read_condition, known)))
