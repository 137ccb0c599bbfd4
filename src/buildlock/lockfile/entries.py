"""The tables of a lockfile into values: environment, inputs, package, wheel."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from packaging.pylock import Package, PackageWheel, PylockValidationError

from buildlock.artifacts import InvalidFilenameError, parse_filename
from buildlock.lockfile.consistency import check_consistency
from buildlock.lockfile.fields import Table, show
from buildlock.lockfile.model import LockedEnvironment, LockedInputs, Setting
from buildlock.lockfile.values import (
    parse_marker,
    parse_name,
    parse_path,
    parse_plain,
    parse_requirement,
    parse_sha256,
    parse_source,
    parse_target,
    parse_url,
    parse_version,
)

MAX_FILE_SIZE = 2**53
"""Bytes; every integer below it is exact in every language that reads TOML."""

# What may stand in a wheel's name (binary distribution format); no separator, no space, nothing invisible.
_FILENAME = re.compile(r"[A-Za-z0-9._+!-]+\.whl")
_RUNTIME = re.compile(r"uv\.lock|pylock(\.[^.\s]{1,64})?\.toml|--runtime-environment")
_PRODUCTS = ("wheel", "sdist", "editable")
_TEXT_SETTINGS = ("exclude-newer", "index-strategy", "prerelease")
_FLAG_SETTINGS = ("no-binary", "no-build")
_LIST_SETTINGS = ("exclude-newer-package", "find-links", "index", "no-binary-package", "no-build-package")


def read_environment(table: Table) -> LockedEnvironment | None:
    """One variant's build environment; `None` where it has a fault."""
    before = len(table.faults)
    table.require("environments")
    environments = table.texts("environments", parse_marker)
    if table.values.get("environments") == []:
        table.fault("environments", "is empty: it has to name a target")
    table.require("inputs")
    inputs = _read_inputs(table.table("inputs"))
    packages = [_read_package(package) for package in table.tables("packages")]
    table.close()
    if len(table.faults) > before:
        return None
    environment = LockedEnvironment(
        environments=environments, inputs=inputs, packages=tuple(package for package in packages if package)
    )
    table.faults.extend(f"`{table.path}`: {fault}" for fault in check_consistency(environment))
    return environment


def _read_inputs(table: Table | None) -> LockedInputs:
    if table is None:
        return LockedInputs()
    table.require("requires")
    inputs = LockedInputs(
        requires=table.texts("requires", parse_requirement),
        dynamic=_read_lists(table.table("dynamic"), parse_requirement, _PRODUCTS),
        targets=table.texts("targets", parse_target),
        constraints=table.texts("constraints", parse_requirement),
        overrides=table.texts("overrides", parse_requirement),
        indexes=_read_lists(table.table("indexes"), parse_source),
        settings=_read_settings(table.table("settings")),
        match_runtime=_read_matches(table.table("match-runtime")),
        backend=table.text("backend", parse_plain),
    )
    table.close()
    return inputs


def _read_lists(
    table: Table | None, parse: Callable[[str], str], keys: tuple[str, ...] | None = None
) -> Mapping[str, tuple[str, ...]]:
    """A table of arrays: by the given keys, or by package name."""
    if table is None:
        return {}
    lists = {}
    for key in table.values if keys is None else keys:
        if keys is None:
            _check_name(table, key)
        lists[key] = table.texts(key, parse)
    table.close()
    return lists


def _read_matches(table: Table | None) -> Mapping[str, tuple[str, ...]]:
    """Requirements by what said so: the name of a runtime lock, or an option."""
    if table is None:
        return {}
    for key in table.values:
        if not _RUNTIME.fullmatch(key):
            table.faults.append(f"`{table.path}`: {show(key)} is not what a runtime is read from")
    return _read_lists(table, parse_requirement, tuple(table.values))


def _check_name(table: Table, key: str) -> None:
    try:
        parse_name(key)
    except ValueError as error:
        table.faults.append(f"`{table.path}`: {show(key)} {error}")


def _read_settings(table: Table | None) -> Mapping[str, Setting]:
    if table is None:
        return {}
    settings: dict[str, Setting | None] = {}
    for key in _TEXT_SETTINGS:
        settings[key] = table.text(key, parse_plain)
    for key in _FLAG_SETTINGS:
        settings[key] = table.boolean(key)
    for key in _LIST_SETTINGS:
        settings[key] = table.texts(key, parse_plain) or None
    table.close()
    return {key: value for key, value in settings.items() if value is not None}


def _read_package(table: Table) -> Package | None:
    before = len(table.faults)
    for key in ("name", "version", "wheels"):
        table.require(key)
    name = table.text("name", parse_name)
    version = table.text("version", parse_version)
    marker = table.text("marker", parse_marker)
    index = table.text("index", parse_url)
    dependencies = [_read_dependency(dependency) for dependency in table.tables("dependencies")]
    wheels = [_read_wheel(wheel, (name, version)) for wheel in table.tables("wheels")]
    if table.values.get("wheels") == []:
        table.fault("wheels", "is empty: a package has at least one file")
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
        wheels=read,
    )


def _read_dependency(table: Table) -> Mapping[str, Any]:
    table.require("name")
    values = {
        "name": table.text("name", parse_name),
        "version": table.text("version", parse_version),
        "index": table.text("index", parse_url),
    }
    table.close()
    return {key: str(value) for key, value in values.items() if value is not None}


def _read_wheel(table: Table, expected: tuple[object, object]) -> PackageWheel | None:
    before = len(table.faults)
    name = table.text("name", parse_plain)
    url = table.text("url", parse_url)
    path = table.text("path", parse_path)
    if ("url" in table.values) == ("path" in table.values):
        table.faults.append(f"`{table.path}` must have either a `url` or a `path`")
    size = table.integer("size")
    if size is not None and not 0 < size < MAX_FILE_SIZE:
        table.fault("size", "is not the size of a file")
    table.require("hashes")
    sha256 = None
    if hashes := table.table("hashes"):
        hashes.require("sha256")
        sha256 = hashes.text("sha256", parse_sha256)
        hashes.close()
    table.close()
    if len(table.faults) > before or sha256 is None:
        return None
    wheel = PackageWheel(name=name, url=url, path=path, size=size, hashes={"sha256": sha256})
    _check_filename(table, wheel, expected)
    return wheel


def _check_filename(table: Table, wheel: PackageWheel, expected: tuple[object, object]) -> None:
    """Note a fault where a wheel's file name is none, or is that of another package or version."""
    try:
        filename = wheel.filename
    except PylockValidationError:
        filename = ""
    try:
        name, version, _ = parse_filename(filename if _FILENAME.fullmatch(filename) else "")
    except InvalidFilenameError:
        table.faults.append(f"`{table.path}`: {show(filename or wheel.url or '')} is not a wheel's name")
        return
    if None not in expected and (name, version) != expected:
        table.faults.append(f"`{table.path}`: {show(filename)} is not a file of `{expected[0]}` {expected[1]}")
