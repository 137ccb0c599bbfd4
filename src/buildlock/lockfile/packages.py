"""The packages of a lockfile: each with its files, or with the one place that it comes from."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar

from packaging.pylock import (
    Package,
    PackageArchive,
    PackageDirectory,
    PackageSdist,
    PackageVcs,
    PackageWheel,
    PylockValidationError,
)
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.artifacts import InvalidFilenameError, parse_filename
from buildlock.lockfile.fields import Table, show
from buildlock.lockfile.model import name_archive
from buildlock.lockfile.values import (
    parse_commit,
    parse_git_url,
    parse_marker,
    parse_name,
    parse_path,
    parse_plain,
    parse_revision,
    parse_sha256,
    parse_subdirectory,
    parse_url,
    parse_version,
)
from buildlock.patterns import compile_pattern

MAX_FILE_SIZE = 2**53
"""Bytes; every integer below it is exact in every language that reads TOML."""
MAX_FILENAME = 255
"""Characters; what file systems can store."""

_Expected: TypeAlias = tuple[NormalizedName | None, Version | None]
_File = TypeVar("_File", PackageWheel, PackageSdist)

# What may stand in the name of a file; no separator, no space, nothing invisible.
_FILENAME = compile_pattern(r"[A-Za-z0-9._+!-]+\.(?:whl|tar\.gz|zip)")
_ARCHIVE = compile_pattern(r"[^/\\]+\.(?:tar\.gz|tgz|zip)")
_DIRECT = ("archive", "vcs", "directory")


def read_package(table: Table) -> Package | None:
    """A package of an environment; `None` where it has a fault."""
    before = len(table.faults)
    expected = name, version = _read_identity(table)
    marker = table.text("marker", parse_marker)
    dependencies = [_read_dependency(dependency) for dependency in table.tables("dependencies")]
    direct = [key for key in _DIRECT if key in table.values]
    if len(direct) + ("wheels" in table.values or "sdist" in table.values) != 1:
        table.faults.append(
            f"{show(table.path)} must have `wheels` or an `sdist` or both, or else one of `archive`, `vcs` and "
            "`directory`"
        )
    index = None if direct else table.text("index", parse_url)
    sdist = _read_sdist(table, expected)
    wheels = [_read_file(PackageWheel, wheel, expected) for wheel in table.tables("wheels")]
    if table.values.get("wheels") == []:
        table.fault("wheels", "is empty: a package has at least one file")
    archive = _read_archive(table, expected)
    vcs = _read_vcs(table)
    directory, tool = _read_directory(table)
    table.close()
    if len(table.faults) > before or name is None:
        return None
    read = [wheel for wheel in wheels if wheel]
    for filename, times in Counter(wheel.filename for wheel in read).items():
        if times > 1:
            table.fault("wheels", f"has {show(filename)} {times} times")
    return Package(
        name=name,
        version=version,
        marker=marker,
        index=index,
        dependencies=[dependency for dependency in dependencies if dependency],
        sdist=sdist,
        wheels=read,
        archive=archive,
        vcs=vcs,
        directory=directory,
        tool=tool,
    )


def read_source(table: Table) -> Package | None:
    """A package from elsewhere, to be built: an entry without wheels, markers and dependencies."""
    before = len(table.faults)
    expected = name, version = _read_identity(table)
    if sum(key in table.values for key in ("sdist", "archive", "vcs")) != 1:
        table.faults.append(f"{show(table.path)} must have one of `sdist`, `archive` and `vcs`")
    index = table.text("index", parse_url) if "sdist" in table.values else None
    sdist = _read_sdist(table, expected)
    archive = _read_archive(table, expected)
    vcs = _read_vcs(table)
    table.close()
    if archive is not None and name_archive(archive).endswith(".whl"):
        table.fault("archive", "is a wheel: there is nothing to build")
    if len(table.faults) > before or name is None:
        return None
    return Package(name=name, version=version, index=index, sdist=sdist, archive=archive, vcs=vcs)


def _read_identity(table: Table) -> _Expected:
    for key in ("name", "version"):
        table.require(key)
    return table.text("name", parse_name), table.text("version", parse_version)


def _read_dependency(table: Table) -> Mapping[str, Any]:
    table.require("name")
    values = {
        "name": table.text("name", parse_name),
        "version": table.text("version", parse_version),
        "index": table.text("index", parse_url),
    }
    table.close()
    return {key: str(value) for key, value in values.items() if value is not None}


def _read_sdist(package: Table, expected: _Expected) -> PackageSdist | None:
    table = package.table("sdist")
    return None if table is None else _read_file(PackageSdist, table, expected)


def _read_file(kind: type[_File], table: Table, expected: _Expected) -> _File | None:
    before = len(table.faults)
    name = table.text("name", parse_plain)
    url = table.text("url", parse_url)
    path = table.text("path", parse_path)
    _check_place(table)
    size = _read_size(table)
    sha256 = _read_sha256(table)
    table.close()
    if len(table.faults) > before or sha256 is None:
        return None
    file = kind(name=name, url=url, path=path, size=size, hashes={"sha256": sha256})
    try:
        filename = file.filename
    except PylockValidationError:
        filename = ""
    _check_filename(table, filename or url or "", "wheel" if kind is PackageWheel else "sdist", expected)
    return file


def _read_archive(package: Table, expected: _Expected) -> PackageArchive | None:
    table = package.table("archive")
    if table is None:
        return None
    before = len(table.faults)
    url = table.text("url", parse_url)
    path = table.text("path", parse_path)
    _check_place(table)
    size = _read_size(table)
    sha256 = _read_sha256(table)
    subdirectory = table.text("subdirectory", parse_subdirectory)
    table.close()
    if len(table.faults) > before or sha256 is None:
        return None
    archive = PackageArchive(url=url, path=path, size=size, hashes={"sha256": sha256}, subdirectory=subdirectory)
    try:
        filename = name_archive(archive)
    except PylockValidationError:
        filename = ""
    if filename.endswith(".whl"):
        _check_filename(table, filename, "wheel", expected)
        if subdirectory is not None:
            table.fault("subdirectory", "is nothing that a wheel has")
    # A snapshot of a repository is called what its server likes: `main.zip`.
    elif len(filename) > MAX_FILENAME or not filename.isprintable() or not _ARCHIVE.fullmatch(filename):
        table.faults.append(
            f"{show(table.path)}: {show(filename or url or '')} is not the name of a `.whl`, `.tar.gz` or `.zip` file"
        )
    return archive


def _read_vcs(package: Table) -> PackageVcs | None:
    table = package.table("vcs")
    if table is None:
        return None
    before = len(table.faults)
    for key in ("type", "commit-id"):
        table.require(key)
    kind = table.text("type", _parse_vcs)
    url = table.text("url", parse_git_url)
    path = table.text("path", parse_path)
    _check_place(table)
    revision = table.text("requested-revision", parse_revision)
    commit = table.text("commit-id", parse_commit)
    subdirectory = table.text("subdirectory", parse_subdirectory)
    table.close()
    if len(table.faults) > before or kind is None or commit is None:
        return None
    return PackageVcs(
        type=kind, url=url, path=path, requested_revision=revision, commit_id=commit, subdirectory=subdirectory
    )


def _parse_vcs(text: str) -> str:
    if text != "git":
        raise ValueError("is not `git`, the one version control system that is supported")
    return text


def _read_directory(package: Table) -> tuple[PackageDirectory | None, Mapping[str, Any] | None]:
    """A folder, and the `tool` that holds the hash of its content: PEP 751 has no place for one."""
    table = package.table("directory")
    if table is None:
        return None, None
    table.require("path")
    path = table.text("path", parse_path)
    subdirectory = table.text("subdirectory", parse_subdirectory)
    table.close()
    package.require("tool")
    sha256 = None
    if tool := package.table("tool"):
        tool.require("buildlock")
        if own := tool.table("buildlock"):
            own.require("sha256")
            sha256 = own.text("sha256", parse_sha256)
            own.close()
        tool.close()
    if path is None or sha256 is None:
        return None, None
    return PackageDirectory(path=path, subdirectory=subdirectory), {"buildlock": {"sha256": sha256}}


def _check_place(table: Table) -> None:
    if ("url" in table.values) == ("path" in table.values):
        table.faults.append(f"{show(table.path)} must have either a `url` or a `path`")


def _read_size(table: Table) -> int | None:
    size = table.integer("size")
    if size is not None and not 0 < size < MAX_FILE_SIZE:
        table.fault("size", "is not the size of a file")
    return size


def _read_sha256(table: Table) -> str | None:
    table.require("hashes")
    hashes = table.table("hashes")
    if hashes is None:
        return None
    hashes.require("sha256")
    sha256 = hashes.text("sha256", parse_sha256)
    hashes.close()
    return sha256


def _check_filename(table: Table, filename: str, kind: str, expected: _Expected) -> None:
    """Note a fault where a file's name is none of its kind, or is that of another package or version."""
    try:
        name, version, found = parse_filename(filename if _FILENAME.fullmatch(filename) else "")
    except InvalidFilenameError:
        found = None
    if found != kind:
        table.faults.append(
            f"{show(table.path)}: {show(filename)} is not {'a wheel' if kind == 'wheel' else 'an sdist'}'s name"
        )
    elif None not in expected and (name, version) != expected:
        table.faults.append(f"{show(table.path)}: {show(filename)} is not a file of `{expected[0]}` {expected[1]}")
