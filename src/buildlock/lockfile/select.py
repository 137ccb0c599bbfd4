"""Which locked files a target gets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, cast

from packaging.markers import Marker
from packaging.pylock import Package, PackageWheel, PylockSelectError
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.artifacts import wheel_tags
from buildlock.errors import InvalidLockError, UncoveredTargetError
from buildlock.lockfile.model import FILENAME, LockedEnvironment, build_key, format_marker
from buildlock.targets import Target

SHOWN_WHEELS = 10

SourceKind: TypeAlias = Literal["sdist", "vcs", "directory"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedArtifact:
    """One file to install. It has either a `url` or a `path`, relative to the lockfile's folder."""

    name: NormalizedName
    version: Version
    filename: str
    url: str | None
    path: str | None
    size: int | None
    """Bytes."""
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedSource:
    """A package that has to be built before it is installed."""

    name: NormalizedName
    version: Version
    origin: SourceKind
    url: str | None
    """Of the file or the repository; where it is local there is a `path` instead."""
    path: str | None
    """Relative to the lockfile's folder."""
    filename: str | None
    """Of an sdist."""
    size: int | None
    """Bytes of an sdist."""
    sha256: str | None
    """Of an sdist the file's; of a folder that of its content; `None` for a commit, which names its content."""
    commit: str | None
    subdirectory: str | None
    """Where the project is in it; an sdist of an index has it at its top."""
    requires: tuple["Locked", ...] = field(repr=False)
    """The environment that it is built in: closed, sorted by name."""

    @property
    def key(self) -> str:
        """What its environment is found by in the lock."""
        return build_key(self.name, self.version)


Locked: TypeAlias = LockedArtifact | LockedSource


def select(environment: LockedEnvironment, target: Target) -> tuple[LockedArtifact, ...]:
    """The files that `target` gets, sorted by package name.

    Selection is PEP 751's ("Installation"), done by `packaging.pylock`.

    Raises:
        UncoveredTargetError: The lock was not made for this target.
        InvalidLockError: Two versions of one package are locked for it.
    """
    if not any(is_for(marker, target) for marker in environment.environments):
        raise _describe_uncovered(environment, target)
    try:
        selected = list(environment.pylock().select(environment=target.environment, tags=target.tags))
    except PylockSelectError as error:
        if unfit := [package for package in environment.packages if not _has_wheel(package, target)]:
            raise _describe_unfit(environment, unfit, target) from error
        raise InvalidLockError(FILENAME, [str(error)], hint="run `buildlock lock` to write it anew") from error
    return tuple(_describe_artifact(package, wheel) for package, wheel in selected if isinstance(wheel, PackageWheel))


def select_packages(environment: LockedEnvironment, target: Target) -> tuple[Package, ...]:
    """The packages that `target` gets, each with the one wheel that it gets of it.

    Raises:
        UncoveredTargetError, InvalidLockError: As of `select`.
    """
    chosen = {(artifact.name, artifact.version): artifact.filename for artifact in select(environment, target)}
    return tuple(
        replace(package, wheels=[wheel for wheel in package.wheels or () if wheel.filename == filename])
        for package in environment.packages
        if (package.marker is None or is_for(package.marker, target))
        and package.version is not None
        and (filename := chosen.get((package.name, package.version))) is not None
    )


def find_versions(packages: Iterable[Package], target: Target) -> Mapping[NormalizedName, Version]:
    """The versions that are locked for a target; of a target that is not covered, whatever applies to it."""
    return {
        package.name: package.version
        for package in packages
        if package.version is not None and (package.marker is None or is_for(package.marker, target))
    }


def is_for(marker: Marker, target: Target) -> bool:
    """Whether a marker of a lock is true of a target."""
    return marker.evaluate(cast("dict[str, str]", target.environment), context="requirement")


def _has_wheel(package: Package, target: Target) -> bool:
    """Whether the target needs no file of this package, or has one that fits."""
    if package.marker is not None and not is_for(package.marker, target):
        return True
    return any(not wheel_tags(wheel.filename)[1].isdisjoint(target.tags) for wheel in package.wheels or ())


def _describe_artifact(package: Package, wheel: PackageWheel) -> LockedArtifact:
    assert package.version is not None
    return LockedArtifact(
        name=package.name,
        version=package.version,
        filename=wheel.filename,
        url=wheel.url,
        path=wheel.path,
        size=wheel.size,
        sha256=wheel.hashes["sha256"],
    )


def _describe_uncovered(environment: LockedEnvironment, target: Target) -> UncoveredTargetError:
    covered = "\n".join(f"  {format_marker(marker)}" for marker in environment.environments)
    return UncoveredTargetError(
        f"the lock does not cover {target}; it covers\n{covered}", hint=_hint(environment, target)
    )


def _describe_unfit(
    environment: LockedEnvironment, packages: Sequence[Package], target: Target
) -> UncoveredTargetError:
    lines = []
    for package in packages:
        filenames = [wheel.filename for wheel in package.wheels or ()]
        more = f", and {len(filenames) - SHOWN_WHEELS} more" if len(filenames) > SHOWN_WHEELS else ""
        listed = ", ".join(f"`{filename}`" for filename in filenames[:SHOWN_WHEELS])
        lines.append(f"  `{package.name}` {package.version} has {listed}{more}")
    listing = "\n".join(lines)
    return UncoveredTargetError(
        f"the lock holds no wheel that fits {target}:\n{listing}", hint=_hint(environment, target)
    )


def _hint(environment: LockedEnvironment, target: Target) -> str:
    if environment.inputs.targets:
        return "name it among the targets, `python` and `platforms` under `[tool.buildlock]`, and lock again"
    release = target.python.release
    return f"lock for it: `buildlock lock --python {release[0]}.{release[1]}`"
