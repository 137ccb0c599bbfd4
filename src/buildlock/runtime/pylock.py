"""`pylock.toml` (PEP 751): which package it installs, and where an extra or group is among its own, for that."""

from pathlib import Path
from typing import cast

from packaging.markers import Environment, UndefinedEnvironmentName
from packaging.pylock import Package, Pylock, PylockValidationError
from packaging.utils import NormalizedName, canonicalize_name

from buildlock.errors import RuntimeLockError
from buildlock.project.faults import Faults
from buildlock.runtime.document import read_runtime_document
from buildlock.runtime.model import RuntimeFile, RuntimePackage, describe_runtime, filename_of, refuse_two
from buildlock.text import excerpt
from buildlock.variants import Variant


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
        # PEP 751, "Installation": extras and groups are those that the lock has, and none unless they are asked for.
        extras = {variant.extra} & set(map(canonicalize_name, self._lock.extras or ()))
        groups = {variant.group} & set(map(canonicalize_name, self._lock.dependency_groups or ()))
        values = {
            **cast("dict[str, str]", environment),
            "extras": frozenset(extras),
            "dependency_groups": frozenset(groups or self._lock.default_groups or ()),
        }
        installed = [
            package
            for package in self._lock.packages
            if package.name == name and self._holds(package, cast("dict[str, str]", values))
        ]
        self._faults.raise_collected()
        refuse_two([str(package.version or "?") for package in installed], name, self.label, variant)
        return self._read_package(installed[0], variant) if installed else None

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
        files = []
        for wheel in package.wheels or ():
            place = wheel.name or wheel.url or wheel.path or ""
            try:
                filename = filename_of(place) if wheel.name is None else wheel.name
            except ValueError:
                self._faults.add(self.label, f"has the wheel `{excerpt(place)}`, which is not a URL")
                continue
            sha256 = wheel.hashes.get("sha256", "").lower() or None
            files.append(RuntimeFile(filename=filename, url=wheel.url, sha256=sha256))
        self._faults.raise_collected()
        return RuntimePackage(name=package.name, version=package.version, files=tuple(files))
