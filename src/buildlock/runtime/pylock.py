"""`pylock.toml` (PEP 751): which package it installs, and where an extra or group is among its own, for that."""

from pathlib import Path
from typing import cast

from packaging.markers import Environment, UndefinedEnvironmentName
from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock, PylockValidationError
from packaging.utils import NormalizedName, canonicalize_name

from buildlock.errors import RuntimeLockError
from buildlock.project.faults import Faults
from buildlock.runtime.document import read_runtime_document
from buildlock.runtime.model import (
    RuntimeFile,
    RuntimeInstallation,
    RuntimePackage,
    describe_runtime,
    filename_of,
    refuse_two,
)
from buildlock.text import excerpt
from buildlock.variants import Variant

_PLACES = ("vcs", "directory", "archive")


class StandardLock:
    """A `pylock.toml` or `pylock.NAME.toml` that was read."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            InvalidProjectError: It cannot be read, or is not a lock.
        """
        self.label = self.place = path.name
        self._faults = Faults()
        root = read_runtime_document(path, label=path.name, faults=self._faults)
        try:
            self._lock = Pylock.from_dict({key: root.get(key) for key in root})
        except (PylockValidationError, ValueError, TypeError, RecursionError) as error:
            self._faults.add(path.name, f"is not a lock as PEP 751 defines it: {error or 'it is nested too deeply'}")
            self._faults.raise_collected()

    def find(self, name: NormalizedName, variant: Variant, environment: Environment) -> RuntimePackage | None:
        """See `RuntimeLock`."""
        installed = [package for package in self._list_held(variant, environment) if package.name == name]
        refuse_two([str(package.version or "?") for package in installed], name, self.label, variant)
        return self._read_package(installed[0], variant) if installed else None

    def list_installed(self, variant: Variant, environment: Environment) -> RuntimeInstallation:
        """See `ListedRuntimeLock`."""
        packages: dict[NormalizedName, RuntimePackage] = {}
        elsewhere: dict[NormalizedName, str] = {}
        for package in self._list_held(variant, environment):
            kind = next((kind for kind in _PLACES if getattr(package, kind) is not None), None)
            if kind is None and package.version is not None:
                found = self._read_package(package, variant)
                before = packages.get(package.name)
                versions = [str(each.version) for each in (before, found) if each is not None]
                refuse_two(versions, package.name, self.label, variant)
                packages[package.name] = found
            elif package.directory is None or package.directory.path != ".":
                elsewhere[package.name] = kind or "unknown"
        return RuntimeInstallation(packages=tuple(packages.values()), elsewhere=elsewhere)

    def _list_held(self, variant: Variant, environment: Environment) -> list[Package]:
        """The packages whose markers hold."""
        # PEP 751, "Installation": extras and groups are those that the lock has, and none unless they are asked for.
        extras = {variant.extra} & set(map(canonicalize_name, self._lock.extras or ()))
        groups = {variant.group} & set(map(canonicalize_name, self._lock.dependency_groups or ()))
        values = {
            **cast("dict[str, str]", environment),
            "extras": frozenset(extras),
            "dependency_groups": frozenset(groups or self._lock.default_groups or ()),
        }
        held = [package for package in self._lock.packages if self._holds(package, cast("dict[str, str]", values))]
        self._faults.raise_collected()
        return held

    def _holds(self, package: Package, values: dict[str, str]) -> bool:
        try:
            return package.marker is None or package.marker.evaluate(values, context="lock_file")
        except (ValueError, UndefinedEnvironmentName, RecursionError):
            self._faults.add(self.label, f"has a marker of `{package.name}` that has no meaning: `{package.marker}`")
            return False

    def _read_package(self, package: Package, variant: Variant) -> RuntimePackage:
        if package.version is None or package.vcs or package.directory or package.archive:
            raise RuntimeLockError(
                f"`{self.label}` installs `{package.name}`{describe_runtime(variant)} from a place of its own, and "
                "only what comes from an index can be matched",
                hint=f"take `{package.name}` out of `match-runtime`",
            )
        files = tuple(file for wheel in package.wheels or () if (file := self._read_file(wheel)) is not None)
        sdist = self._read_file(package.sdist) if package.sdist is not None else None
        self._faults.raise_collected()
        return RuntimePackage(name=package.name, version=package.version, files=files, sdist=sdist)

    def _read_file(self, file: PackageWheel | PackageSdist) -> RuntimeFile | None:
        place = file.name or file.url or file.path or ""
        try:
            filename = filename_of(place) if file.name is None else file.name
        except ValueError:
            self._faults.add(self.label, f"has the file `{excerpt(place)}`, which is not a URL")
            return None
        sha256 = file.hashes.get("sha256", "").lower() or None
        return RuntimeFile(filename=filename, url=file.url, sha256=sha256)
