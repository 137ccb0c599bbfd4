"""Which locked files a target gets."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Literal, TypeAlias, cast

from packaging.markers import Marker
from packaging.pylock import (
    Package,
    PackageArchive,
    PackageDirectory,
    PackageSdist,
    PackageVcs,
    PackageWheel,
    PylockSelectError,
)
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.artifacts import wheel_tags
from buildlock.errors import InvalidLockError, UncoveredTargetError
from buildlock.lockfile.model import (
    FILENAME,
    LockedEnvironment,
    build_key,
    find_key,
    format_marker,
    is_source,
    name_archive,
)
from buildlock.targets import Target
from buildlock.values import dataclass, field, replace

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
    index: str | None = None
    """That of the package, if it comes from one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedSource:
    """A package that has to be built before it is installed."""

    name: NormalizedName
    version: Version
    origin: SourceKind
    url: str | None = None
    """Of the file or the repository; where it is local there is a `path` instead."""
    path: str | None = None
    """Relative to the lockfile's folder."""
    filename: str | None = None
    """Of an sdist."""
    size: int | None = None
    """Bytes of an sdist."""
    sha256: str | None = None
    """Of an sdist the file's; of a folder that of its content; `None` for a commit, which names its content."""
    commit: str | None = None
    index: str | None = None
    """Of an sdist that comes from one."""
    subdirectory: str | None = None
    """Where the project is in it; an sdist of an index has it at its top."""
    # Not shown and not hashed: through many sources that share theirs, there are more ways than time.
    requires: tuple["Locked", ...] = field(repr=False, hash=False)
    """The environment that it is built in: closed, sorted by name."""

    @property
    def key(self) -> str:
        """What its environment is found by in the lock."""
        return build_key(self.name, self.version)


Locked: TypeAlias = LockedArtifact | LockedSource
_Source: TypeAlias = PackageSdist | PackageArchive | PackageVcs | PackageDirectory
_Choice: TypeAlias = PackageWheel | _Source


def select(environment: LockedEnvironment, target: Target) -> tuple[Locked, ...]:
    """What `target` gets, sorted by package name; with each source what it is built in, selected for the same target.

    Selection is PEP 751's ("Installation"), done by `packaging.pylock`: a wheel that fits goes before the sdist.

    Raises:
        UncoveredTargetError: The lock was not made for this target, or does not build a source for it.
        InvalidLockError: Two versions of one package are locked for it.
    """
    return _Selection(section=environment, target=target).select(environment)


def select_packages(environment: LockedEnvironment, target: Target) -> tuple[Package, ...]:
    """The packages that `target` gets, each with the one file that it gets of it.

    Raises:
        UncoveredTargetError, InvalidLockError: As of `select`, but for what sources are built in.
    """
    packages = []
    for package, file in _Selection(section=environment, target=target).choose(environment):
        wheels = [file] if isinstance(file, PackageWheel) else None
        packages.append(replace(package, wheels=wheels, sdist=file if isinstance(file, PackageSdist) else None))
    return tuple(packages)


def select_source(environment: LockedEnvironment, target: Target) -> LockedSource:
    """The package from elsewhere that an environment is for, and what `target` builds it in.

    Raises:
        UncoveredTargetError, InvalidLockError: As of `select`.
    """
    package = environment.source
    assert package is not None
    place = package.sdist or package.archive or package.vcs
    assert place is not None
    return _describe_source(package, place, select(environment, target))


def _keep_all(_source: LockedSource) -> bool:
    return False


def walk(locked: Iterable[Locked], *, skip: Callable[[LockedSource], bool] = _keep_all) -> Iterator[Locked]:
    """Packages, and all that sources among them are built in, to any depth.

    Each source comes once: through sources that share theirs there are more ways than time.

    Args:
        locked: The packages.
        skip: Says which sources are left out, with what they are built in.
    """
    waiting = list(locked)[::-1]
    seen = set()
    while waiting:
        each = waiting.pop()
        if isinstance(each, LockedSource):
            if each.key in seen:
                continue
            seen.add(each.key)
            if skip(each):
                continue
            waiting += each.requires[::-1]
        yield each


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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Selection:
    """What one target gets from one section of the lock."""

    section: LockedEnvironment
    target: Target
    known: dict[str, tuple[Locked, ...]] = field(default_factory=dict)
    """What sources are built in, by their keys: each is selected once, however many need it."""

    def select(self, environment: LockedEnvironment, built: Package | None = None) -> tuple[Locked, ...]:
        """Select from the section, or from the environment that one of its sources is built in."""
        return tuple(self.describe(package, file) for package, file in self.choose(environment, built))

    def choose(self, environment: LockedEnvironment, built: Package | None = None) -> Sequence[tuple[Package, _Choice]]:
        target = self.target
        if not any(is_for(marker, target) for marker in environment.environments):
            raise self._describe_uncovered(environment, built)
        if unfit := [package for package in environment.packages if not _fits(package, target)]:
            raise self._describe_unfit(unfit)
        try:
            return list(environment.pylock().select(environment=target.environment, tags=target.tags))
        except PylockSelectError as error:
            raise InvalidLockError(FILENAME, [str(error)], hint="run `buildlock lock` to write it anew") from error

    def describe(self, package: Package, file: _Choice) -> Locked:
        if isinstance(file, PackageWheel):
            return _describe_wheel(package, file, file.filename)
        if isinstance(file, PackageArchive) and not is_source(package):
            return _describe_wheel(package, file, name_archive(file))
        key = find_key(package)
        if key not in self.known:
            self.known[key] = self.select(self.section.builds[key], package)
        return _describe_source(package, file, self.known[key])

    def _describe_uncovered(self, environment: LockedEnvironment, built: Package | None) -> UncoveredTargetError:
        covered = "\n".join(f"  {format_marker(marker)}" for marker in environment.environments)
        subject = f"the lock does not cover {self.target}"
        if built is not None:
            subject = (
                f"`{built.name}` {built.version} has to be built for {self.target}, and the lock does not cover that"
            )
        return UncoveredTargetError(f"{subject}; it covers\n{covered}", hint=self._hint())

    def _describe_unfit(self, packages: Sequence[Package]) -> UncoveredTargetError:
        lines = []
        for package in packages:
            filenames = _list_wheels(package)
            more = f", and {len(filenames) - SHOWN_WHEELS} more" if len(filenames) > SHOWN_WHEELS else ""
            listed = ", ".join(f"`{filename}`" for filename in filenames[:SHOWN_WHEELS])
            lines.append(f"  `{package.name}` {package.version} has {listed}{more}")
        listing = "\n".join(lines)
        return UncoveredTargetError(f"the lock holds no wheel that fits {self.target}:\n{listing}", hint=self._hint())

    def _hint(self) -> str:
        if self.section.inputs.targets:
            return "name it among the targets, `python` and `platforms` under `[tool.buildlock]`, and lock again"
        release = self.target.python.release
        return f"lock for it: `buildlock lock --python {release[0]}.{release[1]}`"


def _fits(package: Package, target: Target) -> bool:
    """Whether the target needs nothing of this package, or there is something that it can use."""
    if is_source(package) or (package.marker is not None and not is_for(package.marker, target)):
        return True
    return any(not wheel_tags(filename)[1].isdisjoint(target.tags) for filename in _list_wheels(package))


def _list_wheels(package: Package) -> list[str]:
    if package.archive is not None:
        return [name_archive(package.archive)]
    return [wheel.filename for wheel in package.wheels or ()]


def _describe_wheel(package: Package, file: PackageWheel | PackageArchive, filename: str) -> LockedArtifact:
    assert package.version is not None
    return LockedArtifact(
        name=package.name,
        version=package.version,
        filename=filename,
        url=file.url,
        path=file.path,
        size=file.size,
        sha256=file.hashes["sha256"],
        index=package.index,
    )


def _describe_source(package: Package, place: _Source, requires: tuple[Locked, ...]) -> LockedSource:
    assert package.version is not None
    source = partial(
        LockedSource,
        name=package.name,
        version=package.version,
        path=place.path,
        index=package.index,
        requires=requires,
    )
    match place:
        case PackageSdist(url=url, size=size, hashes=hashes):
            return source(origin="sdist", url=url, filename=place.filename, size=size, sha256=hashes["sha256"])
        case PackageArchive(url=url, size=size, hashes=hashes, subdirectory=subdirectory):
            return source(
                origin="sdist",
                url=url,
                filename=name_archive(place),
                size=size,
                sha256=hashes["sha256"],
                subdirectory=subdirectory,
            )
        case PackageVcs(url=url, commit_id=commit, subdirectory=subdirectory):
            return source(origin="vcs", url=url, commit=commit, subdirectory=subdirectory)
        case PackageDirectory(subdirectory=subdirectory):
            sha256 = (package.tool or {})["buildlock"]["sha256"]
            return source(origin="directory", sha256=sha256, subdirectory=subdirectory)
