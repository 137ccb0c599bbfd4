"""The lockfile as values: per variant, what the build environment was resolved from and what it is made of."""

from collections.abc import Mapping
from typing import TypeAlias, TypeVar

from packaging.markers import Marker
from packaging.pylock import Package, PackageArchive, PackageSdist, PackageWheel, Pylock
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.errors import MissingLockError
from buildlock.values import dataclass, field, replace

FILENAME = "build-lock.toml"

Setting: TypeAlias = str | bool | tuple[str, ...]
_File = TypeVar("_File", PackageWheel, PackageSdist)


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedInputs:
    """What a build environment was resolved from, as strings that a reviewer reads.

    Requirements are kept sorted, each once.
    """

    requires: tuple[str, ...] = ()
    """The static build requirements of the variant, or of a package, `extra_requires` among them."""
    extra_requires: tuple[str, ...] = ()
    """Those that the user adds to what a package says itself."""
    targets: tuple[str, ...] = ()
    """The targets that the project names, `3.12 x86_64-manylinux_2_28`; none where it leaves that to the machine."""
    dynamic: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the backend asked for beyond them, by what it was to build: `wheel`, `sdist`, `editable`."""
    constraints: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    indexes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By package, the index that a source assigns to it: `URL`, or `URL ; marker` where it depends on the target; of
    what comes from none, the URL, relative path or `git+URL@REVISION`."""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """The settings of the project that are not the default, by uv's names."""
    match_runtime: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What was matched with the runtime, by what said so: `{"uv.lock": ("torch==2.4.0+cu124",)}`."""
    backend: str | None = None

    def __post_init__(self) -> None:
        for name in ("requires", "extra_requires", "targets", "constraints", "overrides"):
            object.__setattr__(self, name, _arrange(getattr(self, name)))
        for name in ("dynamic", "indexes", "match_runtime"):
            table: Mapping[str, tuple[str, ...]] = getattr(self, name)
            object.__setattr__(self, name, {key: _arrange(table[key]) for key in sorted(table) if table[key]})
        object.__setattr__(self, "settings", dict(sorted(self.settings.items())))

    @property
    def asked(self) -> tuple[tuple[str, str | None], ...]:
        """The requirements that an environment starts from; with each dynamic one, what the backend is to build."""
        dynamic = ((text, product) for product, texts in self.dynamic.items() for text in texts)
        return (*((text, None) for text in self.requires), *dynamic)


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedEnvironment:
    """One variant's build environment: the body of a PEP 751 lock, and its inputs.

    Markers, packages, their dependencies and their wheels are kept in the order of the file, whatever order they
    were given in: equal environments are equal values, and equal bytes.
    """

    environments: tuple[Marker, ...]
    """The targets that it serves."""
    inputs: LockedInputs
    packages: tuple[Package, ...]
    """Where several entries have one name, exactly one of them is for each target. Of the values of PEP 751 the name,
    version, marker, index, dependencies, wheels, sdist, archive, vcs and directory are recorded. A target for which
    an entry has no wheel builds the package, in `builds`."""
    builds: Mapping[str, "LockedEnvironment"] = field(default_factory=dict)
    """What the packages that have to be built are built in, by `NAME==VERSION` (`build_key`), to any depth: those that
    the packages of these environments are built in are here too. They have no `builds` of their own."""
    source: Package | None = None
    """What is built here, where it is not the project itself but a package from elsewhere: an entry with an sdist,
    archive or vcs."""

    def __post_init__(self) -> None:
        packages = sorted(map(_arrange_package, self.packages), key=lambda p: (p.name, str(p.version), str(p.marker)))
        object.__setattr__(self, "environments", tuple(sorted(self.environments, key=str)))
        object.__setattr__(self, "packages", tuple(packages))
        object.__setattr__(self, "builds", dict(sorted(self.builds.items())))
        if self.source is not None:
            object.__setattr__(self, "source", _arrange_package(self.source))

    @property
    def names(self) -> frozenset[NormalizedName]:
        """The names of all that is locked here, what only a build needs included."""
        environments = (self, *self.builds.values())
        return frozenset(package.name for environment in environments for package in environment.packages)

    def pylock(self) -> Pylock:
        """The environment as a PEP 751 lock.

        >>> LockedEnvironment(environments=(), inputs=LockedInputs(), packages=()).pylock().created_by
        'buildlock'
        """
        return Pylock(
            lock_version=Version("1.0"),
            environments=list(self.environments),
            created_by="buildlock",
            packages=list(self.packages),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Lockfile:
    """`build-lock.toml`: the locked build environments by variant, sorted."""

    variants: Mapping[str, LockedEnvironment]
    """Those of the project itself."""
    packages: Mapping[NormalizedName, Mapping[str, LockedEnvironment]] = field(default_factory=dict)
    """Those of packages from elsewhere, by name and variant; each has its `source`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "variants", dict(sorted(self.variants.items())))
        packages = {name: dict(sorted(self.packages[name].items())) for name in sorted(self.packages)}
        object.__setattr__(self, "packages", packages)

    def environment(self, variant: str) -> LockedEnvironment:
        """The build environment of a variant.

        Raises:
            MissingLockError: The lock does not hold this variant.
        """
        if variant not in self.variants:
            names = ", ".join(f"`{name}`" for name in self.variants)
            held = f"it locks {names}" if names else "it locks none"
            raise MissingLockError(
                f"`{FILENAME}` does not lock the variant `{variant}`: {held}",
                hint=f"run `buildlock lock --variant {variant}`",
            )
        return self.variants[variant]

    def outside(self, name: NormalizedName, variant: str) -> LockedEnvironment:
        """The environment that a package from elsewhere is built in, for a variant.

        Raises:
            MissingLockError: The lock does not hold it.
        """
        variants = self.packages.get(name, {})
        if variant not in variants:
            names = ", ".join(f"`{name}`" for name in variants)
            held = f"for {names} alone" if names else "for no variant"
            raise MissingLockError(
                f"`{FILENAME}` does not lock the package `{name}` for the variant `{variant}`: it does {held}",
                hint=f"run `buildlock lock --package {name} --variant {variant}`",
            )
        return variants[variant]


def build_key(name: NormalizedName, version: Version) -> str:
    """What the environment that a package is built in is found by.

    >>> build_key(NormalizedName("flash-attn"), Version("2.8.3"))
    'flash-attn==2.8.3'
    """
    return f"{name}=={version}"


def find_key(package: Package) -> str:
    """The `build_key` of a locked package."""
    assert package.version is not None
    return build_key(package.name, package.version)


def is_source(package: Package) -> bool:
    """Whether a locked package is built: by each target for which none of its wheels is, if it has any."""
    if package.archive is not None:
        return not name_archive(package.archive).endswith(".whl")
    return not (package.sdist is None and package.vcs is None and package.directory is None)


def name_archive(archive: PackageArchive) -> str:
    """The name of an archive's file; PEP 751 gives it none but that of its URL or path.

    >>> name_archive(PackageArchive(url="https://files.example/bar-2.0%2Bcpu.tar.gz", hashes={}))
    'bar-2.0+cpu.tar.gz'
    """
    return PackageSdist(url=archive.url, path=archive.path, hashes={}).filename


def format_marker(marker: Marker) -> str:
    """A marker with single quotes where they serve, so that TOML need not escape it.

    >>> format_marker(Marker('python_version == "3.11"'))
    "python_version == '3.11'"
    """
    text = str(marker)
    return text if "'" in text else text.replace('"', "'")


def _arrange(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


def _arrange_package(package: Package) -> Package:
    dependencies = sorted(
        (dict(d) for d in package.dependencies or ()), key=lambda d: (str(d.get("name")), str(d.get("version")))
    )
    wheels = list(map(_arrange_file, package.wheels or ()))
    if len(wheels) > 1:  # each name is taken out of a URL
        wheels.sort(key=lambda wheel: wheel.filename)
    sdist = _arrange_file(package.sdist) if package.sdist is not None else None
    arranged = tuple(dependencies) or None, sdist, tuple(wheels) or None
    if arranged == (package.dependencies, package.sdist, package.wheels):
        return package
    return replace(package, dependencies=arranged[0], sdist=arranged[1], wheels=arranged[2])


def _arrange_file(file: _File) -> _File:
    # PEP 751: "If the last component of packages.wheels.path or packages.wheels.url would be the same value as this
    # key, then the key MAY be omitted."
    if file.name is None and isinstance(file.hashes, dict):
        return file
    unnamed = replace(file, name=None, hashes=dict(file.hashes))
    return unnamed if unnamed.filename == file.filename else replace(unnamed, name=file.name)
