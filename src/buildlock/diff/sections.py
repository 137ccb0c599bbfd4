"""A section of a lock with what has to be looked up in it again and again."""

from collections.abc import Iterator, Mapping
from functools import cached_property

from packaging.pylock import Package
from packaging.utils import NormalizedName

from buildlock.lockfile.model import LockedEnvironment, find_key
from buildlock.lockfile.origins import list_files
from buildlock.lockfile.seen_targets import SeenTarget, see_targets
from buildlock.values import dataclass


@dataclass(frozen=True)
class Section:
    """A variant of the project, or a package from elsewhere for one, with all that is built for it."""

    environment: LockedEnvironment

    def holds(self, package: Package) -> bool:
        """Whether something of this version, place and files is locked anywhere in it."""
        return _identify(package) in self._packages

    def is_known(self, name: NormalizedName) -> bool:
        """Whether a package of this name is locked anywhere in it."""
        return name in self._names

    def list_indexes(self, name: NormalizedName) -> frozenset[str]:
        """Those that serve a package anywhere in it."""
        return self._indexes.get(name, frozenset())

    def list_built(self, target: SeenTarget) -> frozenset[str]:
        """The keys of what is built for a target."""
        return frozenset(self._built.get(target.marker, ()))

    def list_builds(self, target: SeenTarget) -> tuple[LockedEnvironment, ...]:
        """The environments that it is built in."""
        return tuple(self.environment.builds[key] for key in self._built.get(target.marker, ()))

    def count_build(self, package: Package) -> int:
        """How many packages the build of one takes; none where it is not built."""
        build = self.environment.builds.get(find_key(package))
        return len(build.packages) if build is not None else 0

    def list_packages(self) -> Iterator[tuple[str | None, Package]]:
        """Everything that is locked in it, and for which build, if that is not the section's own."""
        yield from ((None, package) for package in self.environment.packages)
        for key, build in self.environment.builds.items():
            yield from ((key, package) for package in build.packages)

    @cached_property
    def _names(self) -> frozenset[NormalizedName]:
        return self.environment.names

    @cached_property
    def _indexes(self) -> Mapping[NormalizedName, frozenset[str]]:
        indexes: dict[NormalizedName, frozenset[str]] = {}
        for _, package in self.list_packages():
            if package.index is not None:
                indexes[package.name] = indexes.get(package.name, frozenset()) | {package.index}
        return indexes

    @cached_property
    def _packages(self) -> frozenset[object]:
        return frozenset(_identify(package) for _, package in self.list_packages())

    @cached_property
    def _built(self) -> Mapping[str, list[str]]:
        built: dict[str, list[str]] = {}
        for key, build in self.environment.builds.items():
            for target in see_targets(build.environments):
                built.setdefault(target.marker, []).append(key)
        return built


def _identify(package: Package) -> object:
    files = frozenset((file.url, file.path, file.hashes["sha256"]) for file in list_files(package))
    commit = package.vcs.commit_id if package.vcs is not None else None
    return package.name, package.version, package.index, files, commit, str(package.tool)
