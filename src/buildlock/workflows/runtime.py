"""`match-runtime`: the build takes the versions, and the very files, that the project runs with."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, cast
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
from buildlock.runtime.model import RuntimeFile, RuntimeLock, RuntimePackage, describe_runtime
from buildlock.targets import Target
from buildlock.values import dataclass, replace

_Found: TypeAlias = Mapping[NormalizedName, tuple[tuple[Marker, RuntimePackage | None], ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class RuntimeMatches:
    """What a variant's runtime lock says of the packages that are to be those which the project runs with.

    Some are so wherever they come up (`match-runtime`), others in the builds of single packages alone
    (`extra-build-dependencies`).
    """

    inputs: BuildInputs
    lock: RuntimeLock | None
    """None where there is none: what the extra pins binds the build, as it does without `match-runtime`."""
    found: _Found
    """By package, for each target of the lock."""

    def name_matched(self, built: NormalizedName | None) -> frozenset[NormalizedName]:
        """The packages that are to be matched where `built` is built; the project itself is `None`."""
        extra = self.inputs.extra_matches.get(built, frozenset()) if built is not None else frozenset()
        return self.inputs.match_runtime | extra

    def bind(self) -> BuildInputs:
        """The inputs with a constraint for each package that was found.

        Raises:
            RuntimeLockError: A build requirement is to be matched, and the runtime lock does not install it.
        """
        return replace(self.inputs, constraints=(*self.inputs.constraints, *self.constrain(self.inputs.requires)))

    def constrain(
        self, requires: Sequence[BuildRequirement], built: NormalizedName | None = None
    ) -> tuple[BuildRequirement, ...]:
        """A constraint for each package that was found and is matched where `built` is built.

        Raises:
            RuntimeLockError: One of them is among `requires`, and the runtime lock does not install it.
        """
        found = self._find_matched(built)
        # Whether one with a marker is needed is known when it is resolved; `verify` looks again.
        needed = (each.requirement for each in requires if each.requirement.marker is None)
        self._require(found.keys() & {canonicalize_name(requirement.name) for requirement in needed})
        return tuple(
            BuildRequirement(requirement=requirement, origin=self._origin)
            for requirement in self._list_requirements(found)
        )

    def _find_matched(self, built: NormalizedName | None) -> _Found:
        """What was found of the packages that are matched where `built` is built."""
        names = self.name_matched(built)
        return {name: each for name, each in self.found.items() if name in names}

    def _require(self, names: Iterable[NormalizedName]) -> None:
        """Do nothing if all of these were found.

        Raises:
            RuntimeLockError: One was not.
        """
        variant = self.inputs.variant
        for name in sorted(names):
            for marker, package in self.found[name]:
                if package is None and self.lock is not None:
                    raise RuntimeLockError(
                        f"`{self.lock.place}` does not install `{name}`{describe_runtime(variant)}, and the build of "
                        f"`{variant.name}` is to match it (where {format_marker(marker)})",
                        hint=_suggest(self.lock, name, variant.extra, variant.group),
                    )

    def record(self, names: Collection[str], built: NormalizedName | None = None) -> Mapping[str, tuple[str, ...]]:
        """What the lock says was matched where `built` is built; of `names`, which are locked there."""
        if self.lock is None:
            return {}
        matched = {name: found for name, found in self._find_matched(built).items() if name in names}
        return {self.lock.label: tuple(map(str, self._list_requirements(matched)))}

    def narrow(self, universe: Universe, target: Target) -> Universe:
        """`universe` without the files that a target would prefer to the very ones that its runtime installs."""
        # `check` narrows nothing, and would import all that asks indexes.
        from buildlock.workflows.universe import NarrowedUniverse  # noqa: PLC0415

        wanted = {
            (name, package.version): list_fitting(package, target)
            for name in self.found
            for package in self._packages_of(name)
        }
        return NarrowedUniverse(universe, wanted) if wanted else universe

    def verify(
        self,
        selected: Iterable[tuple[Target, Sequence[Package]]],
        report: Reporter,
        built: NormalizedName | None = None,
    ) -> None:
        """Compare what is to be locked with what the runtime installs, file by file.

        Args:
            selected: The packages that each target gets, with the files that it gets; only asked for if there is a
                runtime lock.
            report: Warned of what is not known, or not used.
            built: What is built with them; the project itself is `None`.

        Raises:
            RuntimeLockError: A package is not to be had as the runtime lock installs it, or is not in it.
        """
        if self.lock is None:
            return
        events: dict[Event, None] = {}
        matched = self._find_matched(built)
        targets = list(selected)
        used = {package.name for _, packages in targets for package in packages}
        self._require(used & matched.keys())
        for target, packages in targets:
            for package in packages:
                for found in self._packages_of(package.name) if package.name in matched else ():
                    if found.version == package.version:
                        self._verify_files(package, found, target, lambda event: events.update({event: None}))
        for name in sorted(matched.keys() - used) if built is None else ():
            what = f"`match-runtime` names `{name}`, which the build of `{self.inputs.variant.name}` does not use"
            events[Warned(what)] = None
        for event in events:
            report(event)

    def describe_drift(self, environment: LockedEnvironment) -> Iterator[str]:
        """A sentence for each locked package that is not what the runtime lock installs, those of builds included."""
        built = environment.source.name if environment.source is not None else None
        subject = f"{built}'s build" if built is not None else "build"
        yield from self._describe_drift(environment, built, subject)
        for key, build in environment.builds.items():
            name = NormalizedName(key.partition("==")[0])
            yield from self._describe_drift(build, name, f"{name}'s build")

    def _describe_drift(
        self, environment: LockedEnvironment, built: NormalizedName | None, subject: str
    ) -> Iterator[str]:
        if self.lock is None:
            return
        runtime = describe_runtime(self.inputs.variant)
        matched = self._find_matched(built)
        sentences: dict[str, None] = {}
        for package in environment.packages:
            for marker, found in matched.get(package.name, ()):
                # What only a build needs may be there for fewer targets.
                served = any(_is_true(each, marker) for each in environment.environments)
                if not served or (package.marker is not None and not _is_true(package.marker, marker)):
                    continue
                has = f"{subject} has {package.name} {package.version}"
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

    def _list_requirements(self, found: _Found) -> Iterator[Requirement]:
        """Exact ones; with the marker of the target where not all targets have the same version."""
        for name, targets in sorted(found.items()):
            versions = {package.version for _, package in targets if package is not None}
            for marker, package in targets:
                if package is None:
                    continue
                text = f"{name}{pin(package.version)}"
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
                if expected := list_fitting(found, target):
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
    """Ask a runtime lock for the packages that are to be matched, anywhere or in single builds, for each target.

    Raises:
        InvalidProjectError: The runtime lock is invalid.
        RuntimeLockError: It installs two of a package, or one that comes from no index.
    """
    if lock is None:
        return RuntimeMatches(inputs=inputs, lock=None, found={})
    from buildlock.runtime.marker_values import values_of  # noqa: PLC0415 - most projects match nothing

    found = {
        name: tuple((marker, lock.find(name, inputs.variant, values_of(marker))) for marker in targets)
        for name in sorted(list_matched(inputs))
    }
    return RuntimeMatches(inputs=inputs, lock=lock, found=found)


def list_matched(inputs: BuildInputs) -> frozenset[NormalizedName]:
    """The packages that are to be matched, anywhere or in single builds."""
    return inputs.match_runtime.union(*inputs.extra_matches.values())


def _is_true(marker: Marker, target: Marker) -> bool:
    from buildlock.runtime.marker_values import values_of  # noqa: PLC0415 - as above

    return marker.evaluate(cast("dict[str, str]", values_of(target)))


def pin(version: Version) -> str:
    """Exactly this version: `==2.5.1` would take `2.5.1+cu124` too."""
    return f"=={version}" if version.local else f"==={version}"


def _pair_files(package: Package, found: RuntimePackage) -> Iterator[tuple[PackageWheel, RuntimeFile]]:
    """The locked wheels that the runtime lock has too, by their names."""
    files = {file.filename: file for file in found.files}
    for wheel in package.wheels or ():
        if wheel.filename in files:
            yield wheel, files[wheel.filename]


def list_fitting(package: RuntimePackage, target: Target) -> frozenset[str]:
    """The names of the wheels that a target can use."""
    return frozenset(file.filename for file in package.files if _fits(file.filename, target))


def _fits(filename: str, target: Target) -> bool:
    try:
        kind = parse_filename(filename)[2]
    except InvalidFilenameError:
        return False
    return kind == "wheel" and not wheel_tags(filename)[1].isdisjoint(target.tags)


def _suggest(lock: RuntimeLock, name: str, extra: str | None, group: str | None) -> str:
    from buildlock.runtime.installed import InstalledEnvironment  # noqa: PLC0415 - most projects match nothing

    if isinstance(lock, InstalledEnvironment):
        return f"install it there, or take `{name}` out of `match-runtime`"
    if lock.label == "pylock.toml" and (variant := extra or group):
        option = f"--{'extra' if extra else 'group'} {variant}"
        return (
            f"export a lock of this variant's own: `uv export --format pylock.toml {option} -o pylock.{variant}.toml`"
        )
    return f"lock the runtime again, or take `{name}` out of `match-runtime`"
