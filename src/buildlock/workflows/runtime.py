"""`match-runtime`: the build takes the versions, and the very files, that the project runs with."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from packaging.markers import Marker
from packaging.pylock import Package, PackageWheel
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from buildlock.artifacts import InvalidFilenameError, parse_filename, wheel_tags
from buildlock.errors import RuntimeLockError
from buildlock.lockfile.model import LockedEnvironment, format_marker
from buildlock.project.model import BuildInputs, BuildRequirement
from buildlock.reporting import Event, Reporter, Warned
from buildlock.resolver.request import Universe
from buildlock.runtime.installed import InstalledEnvironment
from buildlock.runtime.marker_values import values_of
from buildlock.runtime.model import RuntimeFile, RuntimeLock, RuntimePackage, describe_runtime
from buildlock.targets import Target
from buildlock.workflows.universe import NarrowedUniverse


@dataclass(frozen=True, kw_only=True, slots=True)
class RuntimeMatches:
    """What a variant's runtime lock says of the packages that `match-runtime` names."""

    inputs: BuildInputs
    lock: RuntimeLock | None
    """None where there is none: what the extra pins binds the build, as it does without `match-runtime`."""
    found: Mapping[NormalizedName, tuple[tuple[Marker, RuntimePackage | None], ...]]
    """By package, for each target of the lock."""

    def bind(self) -> BuildInputs:
        """The inputs with a constraint for each package that was found.

        Raises:
            RuntimeLockError: A build requirement is to be matched, and the runtime lock does not install it.
        """
        return replace(self.inputs, constraints=(*self.inputs.constraints, *self.constrain(self.inputs.requires)))

    def constrain(
        self, requires: Sequence[BuildRequirement], names: Collection[NormalizedName] | None = None
    ) -> tuple[BuildRequirement, ...]:
        """A constraint for each package that was found; of `names` alone where they are given.

        Raises:
            RuntimeLockError: One of them is among `requires`, and the runtime lock does not install it.
        """
        found = {name: each for name, each in self.found.items() if names is None or name in names}
        # Whether one with a marker is needed is known when it is resolved; `verify` looks again.
        needed = (each.requirement for each in requires if each.requirement.marker is None)
        self.require(found.keys() & {canonicalize_name(requirement.name) for requirement in needed})
        return tuple(
            BuildRequirement(requirement=requirement, origin=self._origin)
            for requirement in self._list_requirements(found)
        )

    def require(self, names: Iterable[str]) -> None:
        """Do nothing if all of these that are to be matched were found.

        Raises:
            RuntimeLockError: One was not.
        """
        variant = self.inputs.variant
        for name in sorted(set(names) & self.found.keys()):
            for marker, package in self.found[NormalizedName(name)]:
                if package is None and self.lock is not None:
                    raise RuntimeLockError(
                        f"`{self.lock.place}` does not install `{name}`{describe_runtime(variant)}, and the build of "
                        f"`{variant.name}` is to match it (where {format_marker(marker)})",
                        hint=_suggest(self.lock, name, variant.extra, variant.group),
                    )

    def record(self, names: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        """What the lock says was matched; of `names`, which are locked."""
        if self.lock is None:
            return {}
        matched = {name: found for name, found in self.found.items() if name in names}
        return {self.lock.label: tuple(map(str, self._list_requirements(matched)))}

    def narrow(self, universe: Universe, target: Target) -> Universe:
        """`universe` without the files that a target would prefer to the very ones that its runtime installs."""
        wanted = {
            (name, package.version): _list_fitting(package, target)
            for name in self.found
            for package in self._packages_of(name)
        }
        return NarrowedUniverse(universe, wanted) if wanted else universe

    def verify(self, selected: Iterable[tuple[Target, Sequence[Package]]], report: Reporter) -> None:
        """Compare what is to be locked with what the runtime installs, file by file.

        Args:
            selected: The packages that each target gets, with the files that it gets; only asked for if there is a
                runtime lock.
            report: Warned of what is not known, or not used.

        Raises:
            RuntimeLockError: A package is not to be had as the runtime lock installs it, or is not in it.
        """
        if self.lock is None:
            return
        events: dict[Event, None] = {}
        targets = list(selected)
        used = {package.name for _, packages in targets for package in packages}
        self.require(used)
        for target, packages in targets:
            for package in packages:
                for found in self._packages_of(package.name):
                    if found.version == package.version:
                        self._verify_files(package, found, target, lambda event: events.update({event: None}))
        for name in sorted(self.found.keys() - used):
            what = f"`match-runtime` names `{name}`, which the build of `{self.inputs.variant.name}` does not use"
            events[Warned(what)] = None
        for event in events:
            report(event)

    def describe_drift(self, environment: LockedEnvironment) -> Iterator[str]:
        """A sentence for each locked package that is not what the runtime lock installs."""
        if self.lock is None:
            return
        runtime = describe_runtime(self.inputs.variant)
        sentences: dict[str, None] = {}
        for package in environment.packages:
            for marker, found in self.found.get(package.name, ()):
                if package.marker is not None and not package.marker.evaluate(values_of(marker)):  # type: ignore[arg-type]
                    continue
                has = f"build has {package.name} {package.version}"
                if found is None:
                    sentences[f"{has}, {self.lock.label} now installs none{runtime}"] = None
                elif found.version != package.version:
                    sentences[f"{has}, {self.lock.label} now installs {found.version}{runtime}"] = None
                else:
                    for wheel, file in _pair_files(package, found):
                        if file.sha256 is not None and file.sha256 != wheel.hashes["sha256"]:
                            sentences[
                                f"{has} from `{wheel.filename}` with sha256 {wheel.hashes['sha256']}, "
                                f"{self.lock.label} now installs it with {file.sha256}{runtime}"
                            ] = None
        yield from sentences

    @property
    def _origin(self) -> str:
        assert self.lock is not None
        return f"{self.lock.place}{describe_runtime(self.inputs.variant)}"

    def _packages_of(self, name: NormalizedName) -> tuple[RuntimePackage, ...]:
        return tuple(package for _, package in self.found.get(name, ()) if package is not None)

    def _list_requirements(
        self, found: Mapping[NormalizedName, tuple[tuple[Marker, RuntimePackage | None], ...]]
    ) -> Iterator[Requirement]:
        """Exact ones; with the marker of the target where not all targets have the same version."""
        for name, targets in sorted(found.items()):
            versions = {package.version for _, package in targets if package is not None}
            for marker, package in targets:
                if package is None:
                    continue
                text = f"{name}{_pin(package.version)}"
                yield Requirement(text if len(versions) == 1 else f"{text} ; {format_marker(marker)}")
                if len(versions) == 1:
                    break

    def _verify_files(self, package: Package, found: RuntimePackage, target: Target, report: Reporter) -> None:
        assert self.lock is not None
        paired = {wheel.filename: file for wheel, file in _pair_files(package, found)}
        for wheel in package.wheels or ():
            file = paired.get(wheel.filename)
            place = wheel.url or wheel.path
            installs = f"`{self.lock.place}` installs `{package.name}` {package.version}"
            if file is None:
                if expected := _list_fitting(found, target):
                    names = ", ".join(f"`{name}`" for name in sorted(expected))
                    raise RuntimeLockError(
                        f"{installs} from {names}, and the build's index offers `{place}` instead",
                        hint=f"assign `{package.name}` to the same index for the build: `[tool.uv.sources]`",
                    )
            elif file.sha256 is None:
                if file.url is not None and unquote(file.url) != unquote(place or ""):
                    report(
                        Warned(
                            f"{installs} from `{file.url}` without a hash: whether `{place}` is that file is not known"
                        )
                    )
            elif file.sha256 != wheel.hashes["sha256"]:
                raise RuntimeLockError(
                    f"{installs} from `{file.url or file.filename}` with sha256 {file.sha256}, and the build's index "
                    f"offers `{place}` with {wheel.hashes['sha256']}",
                    hint="the same file name with other content: find out which of them is the right one",
                )


def find_matches(inputs: BuildInputs, lock: RuntimeLock | None, targets: Sequence[Marker]) -> RuntimeMatches:
    """Ask a runtime lock for the packages that `match-runtime` names, for each target.

    Raises:
        InvalidProjectError: The runtime lock is invalid.
        RuntimeLockError: It installs two of a package, or one that comes from no index.
    """
    names = sorted(inputs.match_runtime) if lock is not None else ()
    found = {
        name: tuple(
            (marker, lock.find(name, inputs.variant, values_of(marker)) if lock else None) for marker in targets
        )
        for name in names
    }
    return RuntimeMatches(inputs=inputs, lock=lock, found=found)


def _pin(version: Version) -> str:
    """Exactly this version: `==2.5.1` would take `2.5.1+cu124` too."""
    return f"=={version}" if version.local else f"==={version}"


def _pair_files(package: Package, found: RuntimePackage) -> Iterator[tuple[PackageWheel, RuntimeFile]]:
    """The locked wheels that the runtime lock has too, by their names."""
    files = {file.filename: file for file in found.files}
    for wheel in package.wheels or ():
        if wheel.filename in files:
            yield wheel, files[wheel.filename]


def _list_fitting(package: RuntimePackage, target: Target) -> frozenset[str]:
    """The names of the wheels that a target can use."""
    return frozenset(file.filename for file in package.files if _fits(file.filename, target))


def _fits(filename: str, target: Target) -> bool:
    try:
        kind = parse_filename(filename)[2]
    except InvalidFilenameError:
        return False
    return kind == "wheel" and not wheel_tags(filename)[1].isdisjoint(target.tags)


def _suggest(lock: RuntimeLock, name: str, extra: str | None, group: str | None) -> str:
    if isinstance(lock, InstalledEnvironment):
        return f"install it there, or take `{name}` out of `match-runtime`"
    if lock.label == "pylock.toml" and (variant := extra or group):
        option = f"--{'extra' if extra else 'group'} {variant}"
        return (
            f"export a lock of this variant's own: `uv export --format pylock.toml {option} -o pylock.{variant}.toml`"
        )
    return f"lock the runtime again, or take `{name}` out of `match-runtime`"
