"""`uv.lock`: which package it installs for an extra or group of the project, in one environment.

The walk is uv's: from the project along every dependency whose marker holds. Where extras or groups conflict, uv
writes into the markers which of them are installed: `extra == 'extra-8-seed-ext-cu124'` is the extra `cu124` of
`seed-ext`, which has 8 letters; `group-` and `project-` are alike.
"""

from collections import defaultdict, deque
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import cast

from packaging.markers import Environment, Marker, UndefinedEnvironmentName
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from buildlock.errors import RuntimeLockError
from buildlock.patterns import compile_pattern
from buildlock.project.document import Table
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

FILENAME = "uv.lock"

_VERSION = 1
"""A lock of another version may mean something else; `revision` counts what stays compatible."""
_LONGEST_MARKER = 100_000
"""Characters. Each pair of conflicting extras can add a clause."""
_LONGEST_VERSION = 200
_MOST_VERSIONS = 100
"""Of one package; uv writes one for each fork of its resolution."""
_MOST_WALKS = 100
_EXTRA = compile_pattern(r"""\bextra (==|!=) (['"])([A-Za-z0-9._-]+)\2""")
_SHA256 = compile_pattern(r"sha256:([0-9a-f]{64})")


class UvLock:
    """A `uv.lock` that was read. Of its packages only those are looked at that are asked for."""

    label = place = FILENAME

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            InvalidProjectError: It cannot be read, or is not a lock of uv's.
        """
        self._faults = Faults()
        root = read_runtime_document(path, label=FILENAME, faults=self._faults)
        if root.get("version") != _VERSION:
            self._faults.add(FILENAME, f"does not say `version = {_VERSION}`, the only one that buildlock reads")
            self._faults.raise_collected()
        self._packages = root.tables("package")
        self._by_name: dict[str, list[int]] = defaultdict(list)
        for position, package in enumerate(self._packages):
            self._by_name[canonicalize_name(package.string("name") or "")].append(position)
        for name, positions in self._by_name.items():
            if len(positions) > _MOST_VERSIONS:
                self._faults.add(FILENAME, f"has the package `{name}` {len(positions)} times")
        self._faults.raise_collected()

    def find(self, name: NormalizedName, variant: Variant, environment: Environment) -> RuntimePackage | None:
        """See `RuntimeLock`."""
        installed = [self._packages[i] for i in self._walk(variant, environment) if i in self._by_name.get(name, ())]
        self._faults.raise_collected()
        refuse_two([excerpt(package.string("version") or "?") for package in installed], name, FILENAME, variant)
        found = self._read_package(name, installed[0], variant) if installed else None
        self._faults.raise_collected()
        return found

    def list_installed(self, variant: Variant, environment: Environment) -> RuntimeInstallation:
        """See `ListedRuntimeLock`."""
        packages: dict[NormalizedName, RuntimePackage] = {}
        elsewhere: dict[NormalizedName, str] = {}
        for position in self._walk(variant, environment):
            package = self._packages[position]
            source = package.table("source")
            kind = excerpt(next(iter(source), "unknown"))
            name = canonicalize_name(package.string("name") or "")
            if "registry" in source:
                if (found := self._read_package(name, package, variant)) is not None:
                    versions = [str(each.version) for each in (packages.get(name), found) if each is not None]
                    refuse_two(versions, name, FILENAME, variant)
                    packages[name] = found
            elif kind != "virtual" and source.get(kind) != ".":
                elsewhere[name] = kind
        self._faults.raise_collected()
        return RuntimeInstallation(packages=tuple(packages.values()), elsewhere=elsewhere)

    def _walk(self, variant: Variant, environment: Environment) -> list[int]:
        """The positions of all packages that are installed."""
        root = self._find_root()
        active = {_encode("project", root), *(_encode("extra", root, name) for name in [variant.extra] if name)}
        active |= {_encode("group", root, name) for name in [variant.group] if name}
        # An extra that a dependency asks for can decide what the marker of another one says.
        for _ in range(_MOST_WALKS):
            known = frozenset(active)
            reached = self._reach(root, variant, environment, active)
            if active == known:
                return reached
        self._faults.add(FILENAME, "has extras that bring in each other without an end")
        return []

    def _find_root(self) -> Table:
        for package in self._packages:
            source = package.table("source")
            if any(source.get(kind) == "." for kind in ("editable", "virtual", "directory")):
                return package
        self._faults.raise_collected()
        raise RuntimeLockError(
            f"`{FILENAME}` does not hold the project in this folder",
            hint="run `uv lock` in it; the lock of a workspace is not read from a member yet",
        )

    def _reach(self, root: Table, variant: Variant, environment: Environment, active: set[str]) -> list[int]:
        """One walk, which adds to `active` the extras that it meets."""
        start = self._packages.index(root)
        waiting: deque[tuple[int, str, str | None]] = deque([(start, "dependencies", None)])
        waiting += [(start, "optional-dependencies", name) for name in [variant.extra] if name]
        waiting += [(start, "dev-dependencies", name) for name in [variant.group] if name]
        seen = set(waiting)
        while waiting:
            position, key, name = waiting.popleft()
            package = self._packages[position]
            table = package if name is None else package.table(key)
            for dependency in table.tables(name or key):
                if not self._holds(dependency, environment, active):
                    continue
                target = self._resolve(dependency)
                if target is None:
                    continue
                extras = dependency.strings("extra")
                active |= {_encode("extra", self._packages[target], extra) for extra in extras}
                steps = [
                    (target, "dependencies", None),
                    *((target, "optional-dependencies", canonicalize_name(extra)) for extra in extras),
                ]
                for step in steps:
                    if step not in seen:
                        seen.add(step)
                        waiting.append(step)
        return sorted({position for position, _, _ in seen})

    def _holds(self, dependency: Table, environment: Environment, active: set[str]) -> bool:
        text = dependency.string("marker")
        if text is None:
            return True
        if len(text) > _LONGEST_MARKER:
            dependency.fault("marker", f"has {len(text)} characters")
            return False
        values: dict[str, str | frozenset[str]] = {
            **cast("Mapping[str, str]", environment),
            "extras": frozenset(active),
            "dependency_groups": frozenset(),
        }
        try:
            return _parse_marker(text).evaluate(values, context="lock_file")
        except (ValueError, UndefinedEnvironmentName, RecursionError):
            dependency.fault("marker", f"is `{text}`, which is not a marker that buildlock knows")
            return False

    def _resolve(self, dependency: Table) -> int | None:
        """The package that a dependency means: uv adds version and source where the name alone is ambiguous."""
        positions = self._by_name.get(canonicalize_name(dependency.string("name") or ""), [])
        for key in ("version", "source"):
            if key in dependency:
                positions = [i for i in positions if self._packages[i].get(key) == dependency.get(key)]
        if len(positions) != 1:
            dependency.fault("name", "names no package of the lock" if not positions else "names several packages")
            return None
        return positions[0]

    def _read_package(self, name: NormalizedName, package: Table, variant: Variant) -> RuntimePackage | None:
        if "registry" not in package.table("source"):
            kind = excerpt(next(iter(package.table("source")), "unknown"))
            raise RuntimeLockError(
                f"`{FILENAME}` installs `{name}`{describe_runtime(variant)} from a `{kind}` source, and only what "
                "comes from an index can be matched",
                hint=f"take `{name}` out of `match-runtime`",
            )
        version = _read_version(package)
        files = tuple(file for table in package.tables("wheels") if (file := _read_file(table)) is not None)
        sdist = _read_file(package.table("sdist")) if "sdist" in package else None
        return None if version is None else RuntimePackage(name=name, version=version, files=files, sdist=sdist)


@lru_cache(maxsize=4096)
def _parse_marker(text: str) -> Marker:
    # PEP 508 compares `extra` with one name; a set of them is what PEP 751 calls `extras`.
    return Marker(_EXTRA.sub(lambda match: f"'{match[3]}' {'in' if match[1] == '==' else 'not in'} extras", text))


def _encode(kind: str, package: Table, name: str | None = None) -> str:
    owner = canonicalize_name(package.string("name") or "")
    return "-".join([kind, str(len(owner)), owner, *([canonicalize_name(name)] if name else [])])


def _read_version(package: Table) -> Version | None:
    text = package.string("version")
    try:
        return Version(text if text is not None and len(text) <= _LONGEST_VERSION else "")
    except InvalidVersion:
        package.fault("version", "is missing" if text is None else f"is `{text}`, which is not a version")
        return None


def _read_file(table: Table) -> RuntimeFile | None:
    url, path, digest = table.string("url"), table.string("path"), table.string("hash")
    place = url if url is not None else path
    if place is None:
        table.fault(None, "has neither a `url` nor a `path`")
        return None
    try:
        filename = filename_of(place)
    except ValueError:
        table.fault("url", f"is `{place}`, which is not a URL")
        return None
    found = _SHA256.fullmatch(digest or "")
    if digest is not None and digest.startswith("sha256:") and found is None:
        table.fault("hash", f"is `{digest}`, which is not a sha256")
    return RuntimeFile(filename=filename, url=url, sha256=found[1] if found else None)
