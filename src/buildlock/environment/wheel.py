"""A wheel, checked as a whole before any of its files is written (binary distribution format)."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, NoReturn, TypeAlias

from packaging.tags import Tag, parse_tag
from packaging.utils import NormalizedName, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from buildlock.environment.entry_names import find_clash, find_name_fault, fold_name
from buildlock.environment.entry_points import Command, InvalidEntryPointsError, parse_commands
from buildlock.environment.record import InvalidRecordError, RecordLine, parse_record
from buildlock.environment.unpacking import write_files
from buildlock.environment.zip_entries import DEFAULT_LIMIT, ZipArchive
from buildlock.errors import EnvironmentPreparationError, InvalidArchiveError
from buildlock.text import present
from buildlock.values import dataclass

Scheme: TypeAlias = Literal["purelib", "platlib", "scripts", "data", "headers"]

_SCHEMES: Mapping[str, Scheme] = {
    "purelib": "purelib",
    "platlib": "platlib",
    "scripts": "scripts",
    "data": "data",
    "headers": "headers",
}
_MAX_RECORD = 64 << 20
"""Bytes of RECORD: a hundred thousand entries fit."""
_MAX_TEXT = 4 << 20
"""Bytes of METADATA, WHEEL and entry_points.txt each."""
_UNHASHED = ("RECORD", "RECORD.jws", "RECORD.p7s")
"""The specification leaves them without a hash: RECORD cannot hold its own, and the others sign it."""
_MAX_TAGS = 1000
_OF_INSTALLERS = frozenset({"installer", "requested", "direct_url.json", "provenance_url.json"})
_WHEEL_VERSION = re.compile(r"1\.[0-9]{1,9}", re.ASCII)
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
_FIELD = re.compile(r"([!-9;-~]+)[ \t]*:")
_PLATFORM_OF = re.compile(
    r"(?:many|musl)?linux(?:[0-9]{1,4}|_[0-9]{1,4}_[0-9]{1,4})?_(?P<linux>\w+)|(?P<other>[a-z]+).*"
)

_OWN_SCRIPT = re.compile(
    r"(python|pythonw|pypy)[0-9.]*[a-z]?(\.exe)?|(de)?activate(\.\w+)?|activate_this\.py|pyvenv\.cfg"
)
_OWN_FOLDERS = frozenset({"bin", "scripts", "lib", "lib64", "include"})
_OWN_FILES = frozenset({"pyvenv.cfg", ".buildlock", ".buildlock.unfinished"})
_OWN_LIBRARY = re.compile(r"(python|pypy)[0-9.]*[a-z]?|site-packages")


@dataclass(frozen=True, kw_only=True, slots=True)
class WheelFacts:
    """What a wheel says of itself, all of it compared with its filename."""

    filename: str
    name: NormalizedName
    version: Version
    dist_info: str
    """The name of its `.dist-info` folder."""
    root_is_purelib: bool
    commands: tuple[Command, ...]

    @property
    def data(self) -> str:
        """The name of its `.data` folder, whether it has one or not."""
        return self.dist_info.removesuffix(".dist-info") + ".data"

    def locate(self, path: str) -> tuple[Scheme, str]:
        """Where a file of the wheel belongs: the scheme, and its path there.

        `demo-1.0.data/scripts/run` is `("scripts", "run")`.
        """
        top, _, rest = path.partition("/")
        if top == self.data:
            scheme, _, rest = rest.partition("/")
            return _SCHEMES[scheme], rest
        return ("purelib" if self.root_is_purelib else "platlib"), path


class UnpackedFile(NamedTuple):
    """A file of an unpacked wheel."""

    line: RecordLine
    """As RECORD has it; the files that RECORD leaves without hash and size have them here too."""
    executable: bool


class Wheel:
    """A wheel that is sound as far as can be said without reading all of its files; see `open_wheel`."""

    def __init__(self, archive: ZipArchive, filename: str) -> None:
        self._archive = archive
        self._filename = filename
        self._files = {entry.name: entry for entry in archive.entries if not entry.is_folder}
        name, version, tags = self._parse_filename()
        dist_info = self._find_dist_info(name, version)
        self._check_metadata(dist_info, name, version)
        self.is_newer = False
        """Whether it is of a later version of the wheel format, of which installers must warn."""
        root_is_purelib = self._check_wheel_file(dist_info, tags)
        self._record = self._check_record(dist_info)
        self.facts = WheelFacts(
            filename=filename,
            name=name,
            version=version,
            dist_info=dist_info,
            root_is_purelib=root_is_purelib,
            commands=self._read_commands(dist_info),
        )
        self._check_schemes()
        self._check_places()

    def unpack(self, destination: Path) -> tuple[UnpackedFile, ...]:
        """Write every file below `destination`, an empty folder, while comparing it with its hash.

        Raises:
            InvalidArchiveError: A file is not the one that RECORD describes. What was written stays: the caller
                throws the folder away.
            EnvironmentPreparationError: It cannot be written.
        """
        lines = write_files(self._archive, self._files.values(), self._record, destination)
        return tuple(
            UnpackedFile(line=line, executable=entry.executable)
            for line, entry in zip(lines, self._files.values(), strict=True)
        )

    def _parse_filename(self) -> tuple[NormalizedName, Version, frozenset[Tag]]:
        if "/" in self._filename or find_name_fault(self._filename):
            raise InvalidArchiveError(f"`{present(self._filename)}` is not the name of a file")
        try:
            name, version, _, tags = parse_wheel_filename(self._filename)
        except ValueError as error:
            self._refuse(f"it has not the name of a wheel: {error}")
        return name, version, tags

    def _find_dist_info(self, name: NormalizedName, version: Version) -> str:
        """The one `.dist-info` folder; whatever else looks like one, or like a `.data` folder, must be its own."""
        tops = sorted({entry.name.partition("/")[0] for entry in self._archive.entries})
        found = [top for top in tops if fold_name(top).endswith(".dist-info")]
        if len(found) != 1:
            self._refuse(f"it has {len(found)} `.dist-info` folders; it must have one")
        dist_info = found[0]
        stem = dist_info[: -len(".dist-info")]
        if not dist_info.endswith(".dist-info") or _parse_stem(stem) != (name, version):
            self._refuse(f"`{dist_info}` does not belong to `{name}` {version}")
        for top in tops:
            folded = fold_name(top)
            if folded.endswith(".data") and "-" in top and top != f"{stem}.data":
                self._refuse(f"`{top}` is not the data folder of `{stem}`")
            if folded.endswith((".egg-info", ".egg-link")):
                self._refuse(f"`{top}` describes another distribution")
        return dist_info

    def _check_metadata(self, dist_info: str, name: NormalizedName, version: Version) -> None:
        # Only the identity: what the requirements say was read, and judged, when the lock was made.
        fields, _ = _read_fields(self._read_text(f"{dist_info}/METADATA", _MAX_TEXT))
        if canonicalize_name(found := self._read_field(fields, "METADATA", "Name")) != name:
            self._refuse(f"METADATA has not the name `{name}` but `{found}`")
        if _parse_version(found := self._read_field(fields, "METADATA", "Version")) != version:
            self._refuse(f"METADATA has not the version {version} but `{found}`")
        found = self._read_field(fields, "METADATA", "Metadata-Version")
        if found.partition(".")[0] not in ("1", "2"):
            self._refuse(f"METADATA has the unknown Metadata-Version `{found}`")

    def _check_wheel_file(self, dist_info: str, tags: frozenset[Tag]) -> bool:
        fields, rest = _read_fields(self._read_text(f"{dist_info}/WHEEL", _MAX_TEXT))
        # Published wheels have a blank line before their tags (ninja 1.11.1.1), where others stop reading: harmless, as
        # nothing but tags may follow it.
        tag_fields, rest = _read_fields(rest.lstrip("\r\n"))
        if rest.strip() or tag_fields.keys() - {"tag"}:
            line = next(filter(str.strip, rest.splitlines()), "") or next(iter(tag_fields))
            self._refuse(f"WHEEL has `{line}` behind a blank line, or a line that is not `Key: value`")
        format_version, purelib = (
            self._read_field(fields, "WHEEL", key) for key in ("Wheel-Version", "Root-Is-Purelib")
        )
        # "Warn if the minor version is greater, fail if the major version is."
        if not _WHEEL_VERSION.fullmatch(format_version):
            self._refuse(f"it has the unknown Wheel-Version `{format_version}`")
        self.is_newer = int(format_version.partition(".")[2]) > 0
        if purelib.lower() not in ("true", "false"):
            self._refuse(f"WHEEL has `Root-Is-Purelib: {purelib}`")
        parts = self._filename.removesuffix(".whl").split("-")
        if "build" in fields and [self._read_field(fields, "WHEEL", "Build")] != parts[2:-3]:
            self._refuse(f"WHEEL has `Build: {fields['build'][0]}`, and the filename has not")
        self._check_tags([*fields.get("tag", []), *tag_fields.get("tag", [])], tags)
        return purelib.lower() == "true"

    def _read_field(self, fields: Mapping[str, list[str]], file: str, key: str) -> str:
        values = fields.get(key.lower(), [])
        if len(values) != 1:
            self._refuse(f"{file} has {len(values)} lines `{key}`; it must have one")
        return values[0]

    def _check_tags(self, lines: list[str], tags: frozenset[Tag]) -> None:
        """Compare the tags with the filename's.

        Wheels are renamed when their platform is narrowed (`linux_x86_64` to `manylinux_2_28_x86_64`, `any` to
        any platform) and WHEEL often is left as it was; another Python, ABI, system or machine is no such case.
        """
        if not lines:
            self._refuse("WHEEL has no Tag")
        allowed = {(tag.interpreter, tag.abi, platform) for tag in tags for platform in (_machine(tag), "any")}
        for line in lines:
            try:
                claimed = parse_tag(line, limit=_MAX_TAGS)
            except ValueError as error:
                self._refuse(f"WHEEL has the tag `{line}`, which is malformed: {error}")
            if any((tag.interpreter, tag.abi, _machine(tag)) not in allowed for tag in claimed):
                self._refuse(f"WHEEL has the tag `{line}`, and the filename has not")

    def _check_record(self, dist_info: str) -> Mapping[str, RecordLine]:
        path = f"{dist_info}/RECORD"
        try:
            record = parse_record(self._read_text(path, _MAX_RECORD))
        except InvalidRecordError as error:
            self._refuse(f"RECORD: {error}")
        unhashed = {f"{dist_info}/{name}" for name in _UNHASHED}
        for name, entry in self._files.items():
            line = record.get(name)
            if name not in unhashed and (line is None or not line.digest):
                self._refuse(f"`{name}` is not in RECORD" if line is None else f"`{name}` has no hash in RECORD")
            if line and line.size not in (None, entry.size):
                self._refuse(f"`{name}` has {entry.size} bytes and {line.size} in RECORD")
        if absent := next((name for name in record if name not in self._files and name != path), None):
            self._refuse(f"`{absent}` is in RECORD and not in the wheel")
        if path in record and record[path].digest:
            self._refuse("RECORD has a hash of itself")
        return record

    def _read_commands(self, dist_info: str) -> tuple[Command, ...]:
        path = f"{dist_info}/entry_points.txt"
        if path not in self._files:
            return ()
        try:
            commands = parse_commands(self._read_text(path, _MAX_TEXT))
        except InvalidEntryPointsError as error:
            self._refuse(f"entry_points.txt: {error}")
        if own := next((command.name for command in commands if _OWN_SCRIPT.fullmatch(fold_name(command.name))), None):
            self._refuse(f"its command `{own}` would replace the environment's own")
        return commands

    def _check_schemes(self) -> None:
        prefix = f"{self.facts.data}/"
        for entry in self._archive.entries:
            if not entry.name.startswith(prefix):
                if entry.name == self.facts.data:
                    self._refuse(f"`{entry.name}` is a file")
                continue
            scheme, slash, rest = entry.name.removeprefix(prefix).partition("/")
            if entry.name != prefix and (scheme not in _SCHEMES or not slash or not (rest or entry.is_folder)):
                self._refuse(f"`{entry.name}` belongs to no scheme: {', '.join(_SCHEMES)}")
        for path in self._files:
            folder, _, name = path.partition("/")
            if folder == self.facts.dist_info and name.lower() in _OF_INSTALLERS:
                self._refuse(f"`{path}` is the installer's to write")

    def _check_places(self) -> None:
        """Refuse two files for one place, and a file for a place that is the environment's own."""
        places = []
        prefix = f"{self.facts.data}/"
        # Without that folder each file stays where the archive has it, which has been compared.
        for path in self._files if any(path.startswith(prefix) for path in self._files) else ():
            scheme, rest = self.facts.locate(path)
            parts = fold_name(rest).split("/")
            if scheme == "data" and parts[0] in ("bin", "scripts"):
                scheme, rest, parts = "scripts", rest.partition("/")[2], parts[1:]
            if path.startswith(prefix) and self._is_reserved(scheme, parts):
                self._refuse(f"`{path}` would replace the environment's own files")
            # Both libraries are one folder in an environment.
            places.append(f"{'library' if scheme in ('purelib', 'platlib') else scheme}/{rest}")
        places += (f"scripts/{command.name}" for command in self.facts.commands)
        if clash := find_clash(places):
            self._refuse("two of its files belong in one place: `{}` and `{}`".format(*clash))

    def _is_reserved(self, scheme: Scheme, parts: list[str]) -> bool:
        match scheme:
            case "purelib" | "platlib":
                return parts[0].endswith((".dist-info", ".egg-info", ".egg-link"))
            case "scripts":
                return not parts or _OWN_SCRIPT.fullmatch(parts[0]) is not None
            case "data":
                if parts[0] in _OWN_FILES or (len(parts) == 1 and parts[0] in _OWN_FOLDERS):
                    return True
                return len(parts) > 1 and parts[0] in ("lib", "lib64") and _OWN_LIBRARY.fullmatch(parts[1]) is not None
            case "headers":
                return False

    def _read_text(self, path: str, limit: int) -> str:
        entry = self._files.get(path)
        if entry is None:
            self._refuse(f"it has no `{path}`")
        try:
            return self._archive.read(entry, limit=limit).decode("utf-8")
        except UnicodeDecodeError:
            self._refuse(f"`{path}` is not UTF-8")

    def _refuse(self, reason: str) -> NoReturn:
        raise InvalidArchiveError(f"`{self._filename}` is refused: {present(reason)}")


@contextmanager
def open_wheel(path: Path, *, filename: str, limit: int = DEFAULT_LIMIT) -> Iterator[Wheel]:
    """Open a wheel and check all that can be checked before its files are read.

    Args:
        path: Where it is.
        filename: What it is called, which need not be the name of `path`.
        limit: Bytes that it may unpack to.

    Raises:
        InvalidArchiveError: The wheel is refused.
        EnvironmentPreparationError: It cannot be read.
    """
    with open_archive(path) as file:
        yield Wheel(ZipArchive(file, filename, limit=limit), filename)


@contextmanager
def open_archive(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading.

    Raises:
        EnvironmentPreparationError: It cannot be read, or is none.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise EnvironmentPreparationError(f"`{path}` cannot be read: {error.strerror or error}") from error
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise EnvironmentPreparationError(f"`{path}` is not a file")
        yield file


def _read_fields(text: str) -> tuple[Mapping[str, list[str]], str]:
    """The `Key: value` lines at the beginning, by lower-case key, and what follows them.

    It reads as the `email` module does, which the specifications name, in linear time.
    """
    fields: dict[str, list[str]] = {}
    values: list[str] = []
    position = 0
    for line in _LINE.finditer(text):
        if not line[0].strip("\r\n"):
            break
        if match := _FIELD.match(line[0]):
            values = fields.setdefault(match[1].lower(), [])
            values.append(line[0][match.end() :].strip())
        elif line[0][0] in " \t" and values:
            values[-1] += f"\n{line[0].strip()}"
        else:
            break
        position = line.end()
    return fields, text[position:]


def _parse_stem(stem: str) -> tuple[NormalizedName, Version | None]:
    name, _, version = stem.partition("-")
    return canonicalize_name(name), _parse_version(version)


def _parse_version(text: str) -> Version | None:
    try:
        return Version(text)
    except ValueError:  # also a number of more digits than Python reads
        return None


def _machine(tag: Tag) -> str:
    """The system and machine of a platform tag, without its version."""
    match = _PLATFORM_OF.fullmatch(tag.platform)
    if match is None:
        return tag.platform
    if match["linux"]:
        return f"linux_{match['linux']}"
    return "macosx" if match["other"] == "macosx" else tag.platform
