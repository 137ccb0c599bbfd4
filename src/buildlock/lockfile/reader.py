"""Reading `build-lock.toml`: untrusted bytes into values, or every fault at once."""

import re
import stat
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import NormalizedName

from buildlock.answers.looking import get_mode
from buildlock.errors import InvalidLockError, LockfileError, MissingLockError
from buildlock.lockfile.environments import read_outside, read_variant
from buildlock.lockfile.fields import Table, show
from buildlock.lockfile.model import LockedEnvironment, Lockfile
from buildlock.lockfile.values import parse_name
from buildlock.patterns import compile_pattern
from buildlock.variants import is_variant_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LOCK_VERSION = "1.0"
MAX_SIZE = 16 * 1024 * 1024
"""Bytes. An environment of a hundred packages takes about 50,000."""
MAX_DOTS = 64
"""In a line. `tomllib` takes time that is quadratic in the parts of a dotted key."""
MAX_FAULTS = 50
MAX_REQUIRED = 100
"""Characters of `requires-buildlock`."""

_CONFLICT = compile_pattern(rb"^(?:<{7}|>{7}|\|{7})(?: |\r?$)", re.MULTILINE)
_VERSION = compile_pattern(r"(\d{1,9})\.(\d{1,9})", re.ASCII)


def read_lockfile(path: Path) -> Lockfile:
    """Read the lockfile at `path`.

    Raises:
        MissingLockError: There is none.
        InvalidLockError: It is refused; see `parse_lockfile`.
        LockfileError: It cannot be read.
    """
    return parse_lockfile(read_content(path), str(path))


def read_content(path: Path) -> bytes:
    """Read the bytes of the lockfile at `path`; of one that is too large, not more than tells so.

    Raises:
        MissingLockError: There is none.
        LockfileError: It cannot be read.
    """
    try:
        if not stat.S_ISREG(get_mode(path)):
            raise LockfileError(f"`{path}` is not a file")
        with path.open("rb") as file:
            return file.read(MAX_SIZE + 1)
    except FileNotFoundError:
        raise MissingLockError(f"there is no `{path}`", hint="run `buildlock lock` to write it") from None
    except OSError as error:
        raise LockfileError(f"`{path}` cannot be read: {error.strerror or error}") from error


def parse_lockfile(content: bytes, where: str) -> Lockfile:
    """Read a lockfile's bytes; `where` they are from is for messages.

    The schema is exact: what buildlock does not write, it does not read.

    Raises:
        InvalidLockError: With every fault that was found, each with the path of its key.
    """
    document = _parse_toml(content, where)
    faults: list[str] = []
    root = Table(values=document, path="", faults=faults)
    _check_version(root, where)
    variants = _read_variants(root.table("variants"), read_variant)
    packages = _read_packages(root.table("packages"))
    root.close()
    if faults:
        more = [f"… and {len(faults) - MAX_FAULTS} more"] if len(faults) > MAX_FAULTS else []
        raise InvalidLockError(
            where,
            [*faults[:MAX_FAULTS], *more],
            hint="restore the file from version control, or delete it and run `buildlock lock`",
        )
    return Lockfile(variants=variants, packages=packages)


def _read_packages(table: Table | None) -> Mapping[NormalizedName, Mapping[str, LockedEnvironment]]:
    packages = {}
    for key in table.values if table else ():
        variants = table.table(key) if table else None
        if table is not None and variants is not None and table.check_key(key, parse_name):
            packages[NormalizedName(key)] = _read_variants(variants, partial(read_outside, name=NormalizedName(key)))
    return packages


def _read_variants(
    table: Table | None, read: Callable[[Table], LockedEnvironment | None]
) -> Mapping[str, LockedEnvironment]:
    variants = {}
    for name in table.values if table else ():
        body = table.table(name) if table else None
        if table is not None and not is_variant_name(name):
            table.faults.append(f"{show(table.path)}: {show(name)} is not a variant's name")
        elif body is not None and (environment := read(body)) is not None:
            variants[name] = environment
    return variants


def _parse_toml(content: bytes, where: str) -> dict[str, Any]:
    if len(content) > MAX_SIZE:
        raise InvalidLockError(where, [f"larger than {MAX_SIZE // (1024 * 1024)} MiB"])
    if conflict := _CONFLICT.search(content):
        line = content.count(b"\n", 0, conflict.start()) + 1
        raise InvalidLockError(
            where,
            [f"line {line} is a conflict marker of a merge"],
            hint="run `buildlock lock`: what both sides have changed is locked anew, with the pins of both",
        )
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidLockError(where, [f"line {line} is not UTF-8"]) from error
    if text.startswith("\ufeff"):
        raise InvalidLockError(where, ["it begins with a byte order mark, which TOML does not allow"])
    for number, row in enumerate(content.split(b"\n"), start=1):
        if row.count(b".") > MAX_DOTS:
            raise InvalidLockError(where, [f"line {number} has more dots than buildlock writes in a line"])
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidLockError(where, [f"it is not TOML: {error}"]) from error
    except ValueError as error:
        # Python's limit on the digits of an integer.
        raise InvalidLockError(where, ["it is not TOML: a number is too large"]) from error
    except RecursionError as error:
        raise InvalidLockError(where, ["its values are nested too deeply"]) from error


def _describe_upgrade(required: object) -> str:
    """What to do about a newer format, whose lock says by `requires-buildlock` which versions read it."""
    try:
        versions = SpecifierSet(required) if isinstance(required, str) and len(required) <= MAX_REQUIRED else None
    except InvalidSpecifier:
        versions = None
    which = f" to `buildlock{versions}`" if versions else ""
    return f"a newer buildlock wrote this lock: upgrade buildlock{which}"


def _check_version(root: Table, where: str) -> None:
    root.require("lock-version")
    version = root.text("lock-version", str)
    if version is None or version == LOCK_VERSION:
        return
    newer = (match := _VERSION.fullmatch(version)) and (int(match[1]), int(match[2])) > (1, 0)
    if newer:
        # Nothing else can be said of a format that is not known.
        raise InvalidLockError(
            where,
            [f"`lock-version` is {show(version)}, and this version of buildlock reads `{LOCK_VERSION}`"],
            hint=_describe_upgrade(root.values.get("requires-buildlock")),
        )
    root.fault("lock-version", f"is {show(version)}, not `{LOCK_VERSION}`")
