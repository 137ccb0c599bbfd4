"""Advisory databases in files: a folder of JSON files, a zip of them, or one file."""

import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import IO, Any, NoReturn

from buildlock.audit.advisory import Advisory, InvalidAdvisoryError, parse_advisory
from buildlock.audit.advisory_json import decode, outline
from buildlock.audit.model import Source
from buildlock.errors import AdvisoryError, describe_faults
from buildlock.text import present
from buildlock.values import dataclass, field

MAX_SIZE = 256 << 20
"""Bytes of one file. All advisories of PyPI together have less."""
MAX_UNPACKED = 4 << 30
"""Bytes of all the files of a zip."""

_SUFFIX = ".json"
_SHOWN = 20
_ENCRYPTED = 1
"""The flag of a member of a zip."""
_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, NotImplementedError, ValueError)
"""What `zipfile` says of an archive that is damaged, or compressed in a way that it does not know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Database:
    """What a database says of the packages that it was asked about."""

    source: Source
    advisories: tuple[Advisory, ...]


def read_database(path: Path, name: str, names: Collection[str]) -> Database:
    """Read what a database says of packages.

    Advisories about other packages are not parsed. A file that does not begin and end as JSON does is an error whatever
    it is about, and so is an advisory about one of these packages that has not the form of one: an audit that passed it
    over would say that all is well.

    Args:
        path: A folder, with all that is below it but what is hidden; a zip; a file of one advisory or a list of them.
        name: What it is called.
        names: The packages, normalised.

    Raises:
        AdvisoryError: It is not there, cannot be read, or has no advisories or unreadable ones.
    """
    database = _Reading(name=name, names=names)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            _read_folder(path, database)
        elif not stat.S_ISREG(mode):
            raise AdvisoryError(f"the advisory database `{name}` is neither a file nor a folder")
        elif zipfile.is_zipfile(path):
            _read_zip(path, database)
        else:
            database.add(name, partial(_read_file, path))
    except FileNotFoundError as error:
        raise AdvisoryError(f"there is no advisory database `{name}`") from error
    except OSError as error:
        raise AdvisoryError(f"the advisory database `{name}` cannot be read: {error.strerror or error}") from error
    return database.close()


@dataclass(kw_only=True, slots=True)
class _Reading:
    """Collects what the files of a database say, and what is wrong with them."""

    name: str
    names: Collection[str]
    count: int = 0
    newest: str | None = None
    advisories: list[Advisory] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, label: str, read: Callable[[], bytes]) -> None:
        """Read one file."""
        try:
            content = read()
            seen = outline(content)
            if seen.may_concern(self.names):
                self._add_value(label, decode(content))
            else:
                self._count(seen.modified)
        except InvalidAdvisoryError as error:
            self.refuse(label, str(error))
        except OSError as error:
            self.refuse(label, f"it cannot be read: {error.strerror or error}")

    def refuse(self, label: str, reason: str) -> None:
        self.faults.append(present(f"`{label}`: {reason}"))

    def close(self) -> Database:
        """What was read.

        Raises:
            AdvisoryError: Some of it is unreadable, or there is nothing.
        """
        subject = f"the advisory database `{self.name}`"
        if self.faults:
            more = len(self.faults) - _SHOWN
            faults = [*self.faults[:_SHOWN], *([f"… and {more} more"] if more > 0 else [])]
            raise AdvisoryError(describe_faults(subject, faults))
        if not self.count:
            raise AdvisoryError(
                f"{subject} has no advisories",
                hint="they are read from JSON, in files whose names end with `.json`: YAML is not read",
            )
        source = Source(name=self.name, advisories=self.count, newest=self.newest)
        return Database(source=source, advisories=tuple(self.advisories))

    def _add_value(self, label: str, value: Any) -> None:
        entries = enumerate(value) if isinstance(value, list) else [(None, value)]
        for position, entry in entries:
            try:
                advisory = parse_advisory(entry, self.names)
            except InvalidAdvisoryError as error:
                self.refuse(label if position is None else f"{label}[{position}]", str(error))
                continue
            self._count(str(entry.get("modified") or "")[:10] or None)
            if advisory is not None:
                self.advisories.append(advisory)

    def _count(self, day: str | None) -> None:
        self.count += 1
        self.newest = max(filter(None, (self.newest, day)), default=None)


def _read_folder(root: Path, database: _Reading) -> None:
    for folder, folders, files in os.walk(root, onerror=_raise):
        folders[:] = sorted(filter(_is_shown, folders))
        here = Path(folder)
        for name in folders:
            if (here / name).is_symlink():
                _judge_link(here / name, root, database)
        for name in sorted(files):
            if not (_is_shown(name) and name.endswith(_SUFFIX)):
                continue
            path = here / name
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                _judge_link(path, root, database)
            elif stat.S_ISREG(mode):
                database.add(path.relative_to(root).as_posix(), partial(_read_file, path))
            else:
                database.refuse(path.relative_to(root).as_posix(), "it is not a regular file")


def _judge_link(path: Path, root: Path, database: _Reading) -> None:
    """See that what a link leads to is read anyway: it is not followed, or it could name any file of the machine."""
    target, top = Path(os.path.realpath(path)), Path(os.path.realpath(root))
    below = target.parts[len(top.parts) :] if target.is_relative_to(top) else None
    if below is None or not all(map(_is_shown, below)) or not (target.is_dir() or target.suffix == _SUFFIX):
        database.refuse(path.relative_to(root).as_posix(), "it is a link to what is no advisory of this folder")
    elif not target.exists():
        database.refuse(path.relative_to(root).as_posix(), "it is a link that leads nowhere")


def _read_zip(path: Path, database: _Reading) -> None:
    if path.stat().st_size > MAX_SIZE:
        raise AdvisoryError(f"the advisory database `{database.name}` is larger than {MAX_SIZE} bytes")
    try:
        with zipfile.ZipFile(path) as archive:
            _read_members(archive, database)
    except _DAMAGED as error:
        raise AdvisoryError(f"the advisory database `{database.name}` is damaged: {present(str(error))}") from error


def _read_members(archive: zipfile.ZipFile, database: _Reading) -> None:
    left = MAX_UNPACKED
    for member in archive.infolist():
        if not member.filename.endswith(_SUFFIX) or not all(map(_is_shown, member.filename.split("/"))):
            continue
        left -= member.file_size  # `zipfile` gives no more than a member declares
        if left < 0:
            raise AdvisoryError(f"the advisory database `{database.name}` unpacks to more than {MAX_UNPACKED} bytes")
        database.add(member.filename, partial(_read_member, archive, member))


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.flag_bits & _ENCRYPTED:
        raise InvalidAdvisoryError("it is encrypted")
    try:
        with archive.open(member) as file:
            return _read(file)
    except InvalidAdvisoryError:
        raise
    except _DAMAGED as error:
        raise InvalidAdvisoryError(f"it is damaged: {error}") from error


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return _read(file)


def _read(file: IO[bytes]) -> bytes:
    content = file.read(MAX_SIZE + 1)
    if len(content) > MAX_SIZE:
        raise InvalidAdvisoryError(f"it is larger than {MAX_SIZE} bytes")
    return content


def _is_shown(name: str) -> bool:
    return not name.startswith(".")


def _raise(error: OSError) -> NoReturn:
    raise error
