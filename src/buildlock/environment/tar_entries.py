"""Tar files in gzip, read so that no other reader can see another thing in them.

A tar file tells an entry's name and size in up to three places (its own header, GNU's long name, a pax header), and
readers differ in which one counts, and for which entry. `TarArchive` accepts a file only if they cannot differ
(POSIX.1-2017 `pax`, the GNU tar manual's "Basic Tar Format"). It knows files, folders and links, and no more.
"""

import re
import zlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final, NoReturn

from buildlock.environment.archive_links import InvalidLinkError, LinkedTree
from buildlock.environment.entry_names import EVERYWHERE, NameRules, find_clash, find_folders, find_name_fault
from buildlock.environment.gzip_stream import GzipStream
from buildlock.environment.zip_entries import DEFAULT_LIMIT, LIMIT_HINT, MAX_ENTRIES, MAX_RATIO, RATIO_FREE
from buildlock.errors import InvalidArchiveError
from buildlock.text import present
from buildlock.values import dataclass, field, replace

_BLOCK = 512
_MAX_EXTENSION = 1 << 20
"""Bytes of one pax header or one GNU long name."""
_FILES, _HARD_LINK, _SYMBOLIC_LINK, _FOLDER = (b"0", b"\0"), b"1", b"2", b"5"
_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_TARGET = b"x", b"g", b"L", b"K"
_KNOWN = (*_FILES, _HARD_LINK, _SYMBOLIC_LINK, _FOLDER, _PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_TARGET)

_POSIX: Final = b"ustar\0"
_GNU: Final = b"ustar  \0"
_NO_MAGIC: Final = bytes(8)
_STAR = b"tar\0"
"""At the end of a header of star, whose prefix is shorter."""

_OCTAL = re.compile(rb" *([0-7]*)[ \0]*")
_PAX_RECORD = re.compile(rb"([1-9][0-9]{0,6}) ([^=\n]+)=")
_PAX_SIZE = re.compile(r"[0-9]{1,20}", re.ASCII)
_PAX_TIME = re.compile(r"(-?[0-9]{1,20})(\.[0-9]*)?", re.ASCII)
_UTF8_CHARSETS = ("ISO-IR 10646 2000 UTF-8", "")
_DECIDING = ("path", "linkpath", "size", "charset", "hdrcharset")
"""The pax records that decide what an entry is."""
_UNSAFE_PAX = ("GNU.sparse.", "SCHILY.realsize", "SCHILY.filetype", "SUN.holesdata")
"""Beginnings of pax records that make an entry another thing for those who know them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TarEntry:
    """One entry. The name of a folder ends in `/`."""

    name: str
    size: int
    executable: bool
    modified: int
    """Seconds since 1970, whatever was said."""
    offset: int
    """Where its data begins in the unpacked file."""
    crc: int
    target: str | None = None
    """Of a copy that a link stands for: the name of the file that it is of."""
    hard: bool = False
    """Whether it is a hard link, which has to stand behind its file."""

    @property
    def is_folder(self) -> bool:
        return self.name.endswith("/")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Header:
    """One block that begins an entry, as it stands."""

    kind: bytes
    name: bytes
    target: bytes
    mode: int
    size: int
    modified: int


@dataclass(kw_only=True, slots=True)
class _Extensions:
    """What stands before an entry and is said of it."""

    pax: Mapping[str, str] | None = None
    gnu: dict[bytes, bytes] = field(default_factory=dict)
    """By kind."""

    def __bool__(self) -> bool:
        return self.pax is not None or bool(self.gnu)


class TarArchive:
    """A gzipped tar file and its entries, in the order of their data.

    Args:
        file: Open for reading, seekable.
        filename: What messages call it.
        limit: Bytes that it may unpack to, headers and copies of linked files included.
        rules: What the entries' names have to suit.

    Raises:
        InvalidArchiveError: It is no gzipped tar file, or is damaged, ambiguous, unsafe or beyond the limits. All of
            it has been read then; `read` and `chunks` raise it only for a file that has changed since.
    """

    def __init__(
        self, file: BinaryIO, filename: str, *, limit: int = DEFAULT_LIMIT, rules: NameRules = EVERYWHERE
    ) -> None:
        self._file = file
        self.filename = filename
        self._limit = limit
        self._rules = rules
        self._stream = GzipStream(file, filename, limit=limit)
        entries = list(self._read_entries())
        names = [entry.name for entry in entries]
        self._folders = find_folders(names)
        if len(self._folders) > MAX_ENTRIES:
            self._refuse(f"it has more than {MAX_ENTRIES} folders")
        if clash := find_clash(names, rules):
            first, second = clash
            twice = "is there twice" if first == second else f"and `{second}` are one name here"
            self._refuse(f"`{first}` {twice}")
        self.entries = tuple(self._resolve_links(entries))
        self._check_total()

    def read(self, entry: TarEntry, *, limit: int) -> bytes:
        """The whole content of an entry of at most `limit` bytes."""
        if entry.size > limit:
            self._refuse(f"`{entry.name}` is larger than {limit} bytes")
        return b"".join(self.chunks(entry))

    def chunks(self, entry: TarEntry) -> Iterator[bytes]:
        """The content of an entry, piece by piece; one pass for all if they are asked for in their order."""
        if self._stream.position > entry.offset:
            self._stream = GzipStream(self._file, self.filename, limit=self._limit)
        for _ in self._stream.chunks(entry.offset - self._stream.position):
            pass
        crc = 0
        for chunk in self._stream.chunks(entry.size):
            crc = zlib.crc32(chunk, crc)
            yield chunk
        if crc != entry.crc:
            self._refuse("it changed while it was read")

    def _read_entries(self) -> Iterator[TarEntry]:
        """Every entry; the targets of links as they were written, hard ones made complete names."""
        extensions = _Extensions()
        folders: set[str] = set()
        for number, header in enumerate(self._read_headers()):
            if number > 3 * MAX_ENTRIES:
                self._refuse(f"it has more than {MAX_ENTRIES} entries")
            if header.kind in (_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_TARGET):
                self._read_extension(header, extensions)
                continue
            entry = self._read_entry(header, extensions)
            extensions = _Extensions()
            # What archives a folder and then its files says some folders twice.
            if entry is None or entry.name in folders:
                continue
            if entry.is_folder:
                folders.add(entry.name)
            yield entry
        if extensions:
            self._refuse("its last header says something of an entry that is not there")

    def _read_headers(self) -> Iterator[_Header]:
        count = 0
        while block := self._stream.read(_BLOCK):
            if len(block) < _BLOCK:
                self._refuse("it stops early")
            if not any(block):
                self._stream.expect_zeros()
                if not count:
                    self._refuse("it is empty")
                return
            count += 1
            yield self._parse_header(block)
        self._refuse("it stops early: its end is not marked" if count else "it is empty")

    def _parse_header(self, block: bytes) -> _Header:
        label = _cut(block[:100]).decode("utf-8", "backslashreplace")
        kind, prefix = block[156:157], block[345:500]
        self._check_checksum(block, label)
        if kind not in _KNOWN:
            self._refuse(f"`{label}` has the type {kind!r}: it is neither a file nor a folder")
        self._check_format(block, label)
        # Nothing is made of them, but there are readers to whom a header ends the archive if one is no number.
        for what, start, end in (("owner", 108, 116), ("group", 116, 124), ("device", 329, 337), ("device", 337, 345)):
            self._parse_signed(block[start:end], what, label)
        size = self._parse_number(block[124:136], "size", label)
        if size is None:
            self._refuse(f"`{label}` has no size")
        if size > self._limit:
            self._refuse(f"`{label}` has {size} bytes; {self._limit} are the most", hint=LIMIT_HINT)
        name = _cut(block[:100])
        return _Header(
            kind=kind,
            # Only the POSIX format has a prefix.
            name=_cut(prefix) + b"/" + name if prefix[0] else name,
            target=_cut(block[157:257]),
            mode=self._parse_number(block[100:108], "mode", label) or 0,
            size=size,
            modified=self._parse_signed(block[136:148], "time", label),
        )

    def _check_checksum(self, block: bytes, label: str) -> None:
        blanked = block[:148] + b" " * 8 + block[156:]
        unsigned = sum(blanked)
        # Some writers of old took bytes for signed.
        signed = unsigned - 256 * sum(byte > 127 for byte in blanked)  # noqa: PLR2004 - the most of a signed byte
        if self._parse_number(block[148:156], "checksum", label) not in (unsigned, signed):
            self._refuse(f"the header of `{label}` does not have the checksum that it declares")

    def _check_format(self, block: bytes, label: str) -> None:
        magic = block[257:265]
        if magic.startswith(_POSIX):
            if block.endswith(_STAR):
                self._refuse(f"`{label}` has a header of star, which other readers take for another one")
        elif magic not in (_GNU, _NO_MAGIC):
            self._refuse(f"`{label}` has no header of a known tar format")
        elif any(block[345:500]):
            # Readers differ in whether it is part of the name.
            self._refuse(f"`{label}` has a prefix, which its tar format does not have")

    def _parse_number(self, raw: bytes, what: str, label: str) -> int | None:
        """An octal number, or one in binary, as GNU tar writes large ones; `None` where there is none."""
        if raw[0] == 0x80:  # noqa: PLR2004 - GNU's mark of a positive binary number
            return int.from_bytes(raw[1:], "big")
        match = _OCTAL.fullmatch(raw)
        if match is None:
            self._refuse(f"the {what} of `{label}` is no number")
        return int(match[1], 8) if match[1] else None

    def _parse_signed(self, raw: bytes, what: str, label: str) -> int:
        """The same where it may be negative: a time before 1970, an owner that is not told."""
        if raw[0] == 0xFF:  # noqa: PLR2004 - GNU's mark of a negative binary number
            return int.from_bytes(raw, "big", signed=True)
        return self._parse_number(raw, what, label) or 0

    def _read_extension(self, header: _Header, extensions: _Extensions) -> None:
        label = header.name.decode("utf-8", "backslashreplace")
        if header.size > _MAX_EXTENSION:
            self._refuse(f"`{label}` is larger than {_MAX_EXTENSION} bytes")
        content = b"".join(self._stream.chunks(header.size))
        self._skip_padding(header.size)
        if header.kind == _PAX_GLOBAL:
            # An archive of git has one, with the commit as a comment.
            if extensions:
                self._refuse(f"`{label}` stands between an entry and what is said of it")
            records = self._parse_pax(content, label)
            if key := next((key for key in records if key in _DECIDING), None):
                self._refuse(f"`{label}` says `{key}` of every entry")
        elif header.kind == _PAX:
            if extensions:
                self._refuse(f"`{label}` is the second header for one entry")
            extensions.pax = self._parse_pax(content, label)
        else:
            if extensions.pax is not None or header.kind in extensions.gnu:
                self._refuse(f"`{label}` is the second header for one entry")
            # GNU tar ends it with one NUL, some writers with none.
            extensions.gnu[header.kind] = content.removesuffix(b"\0")

    def _parse_pax(self, content: bytes, label: str) -> Mapping[str, str]:
        records: dict[str, str] = {}
        position = 0
        while position < len(content):
            match = _PAX_RECORD.match(content, position)
            end = position + int(match[1]) if match else 0
            if not match or end > len(content) or end <= match.end() or content[end - 1 : end] != b"\n":
                self._refuse(f"`{label}` holds a malformed pax record")
            raw = content[match.end() : end - 1]
            position = end
            try:
                key = match[2].decode("utf-8")
                # The values that decide nothing may be binary: extended attributes are.
                value = raw.decode("utf-8", "strict" if key in _DECIDING else "backslashreplace")
            except UnicodeDecodeError:
                self._refuse(f"`{label}` holds a pax record that is not UTF-8")
            if key in records:
                self._refuse(f"`{label}` holds two pax records `{key}`")
            if key.startswith(_UNSAFE_PAX):
                self._refuse(f"`{label}` holds the pax record `{key}`, which makes its entry no plain file")
            if key in ("charset", "hdrcharset") and value not in _UTF8_CHARSETS:
                self._refuse(f"`{label}` is not in UTF-8 but in `{value}`")
            if key in ("path", "linkpath", "size") and not value:
                self._refuse(f"`{label}` holds an empty pax record `{key}`")
            records[key] = value
        return records

    def _read_entry(self, header: _Header, extensions: _Extensions) -> TarEntry | None:
        """An entry, its data read; `None` for the folder that the archive is unpacked into."""
        pax = extensions.pax or {}
        raw = self._decode(extensions.gnu.get(_GNU_NAME, header.name), pax.get("path"))
        is_folder = header.kind == _FOLDER
        if header.kind == _FILES[1] and raw.endswith("/"):
            is_folder = True  # tar knew no folders before 1988, but for this
        elif not is_folder and raw.endswith("/"):
            self._refuse(f"`{raw}` is a file by its type and a folder by its name")
        size = pax.get("size")
        if size is not None and (not _PAX_SIZE.fullmatch(size) or int(size) != header.size):
            self._refuse(f"`{raw}` has {header.size} bytes by its header and `{size}` by its pax header")
        is_link = header.kind in (_HARD_LINK, _SYMBOLIC_LINK)
        if header.size and (is_folder or is_link):
            # Readers differ in whether the data is there.
            self._refuse(f"`{raw}` is a {'folder' if is_folder else 'link'} and has content")
        target = self._read_target(header, extensions, raw)
        name = raw.removeprefix("./")
        if is_folder and raw in (".", "./"):
            return None
        name = name.removesuffix("/") + ("/" if is_folder else "")
        if fault := find_name_fault(name, self._rules):
            self._refuse(f"`{raw}`: {fault}")
        offset = self._stream.position
        crc = 0
        for chunk in self._stream.chunks(header.size):
            crc = zlib.crc32(chunk, crc)
        self._skip_padding(header.size)
        return TarEntry(
            name=name,
            size=header.size,
            executable=bool(header.mode & 0o111) and not is_folder,
            modified=self._read_modified(header, pax, raw),
            offset=offset,
            crc=crc,
            target=target,
            hard=header.kind == _HARD_LINK,
        )

    def _read_target(self, header: _Header, extensions: _Extensions, raw: str) -> str | None:
        """Where a link points: the path of a symbolic one starts at its own folder, that of a hard one at the top."""
        pax = extensions.pax or {}
        if header.kind not in (_HARD_LINK, _SYMBOLIC_LINK):
            if "linkpath" in pax or _GNU_TARGET in extensions.gnu:
                self._refuse(f"`{raw}` has the target of a link and is none")
            return None
        target = self._decode(extensions.gnu.get(_GNU_TARGET, header.target), pax.get("linkpath"))
        if header.kind == _HARD_LINK:
            return target.removeprefix("./")
        # Absolute ones stay so, and are refused for it.
        folder = raw.removeprefix("./").rpartition("/")[0]
        return target if target.startswith("/") or not folder else f"{folder}/{target}"

    def _decode(self, raw: bytes, override: str | None) -> str:
        try:
            name = raw.decode("utf-8") if override is None else override
        except UnicodeDecodeError:
            self._refuse(f"the name `{raw.decode('utf-8', 'backslashreplace')}` is not UTF-8")
        if "\0" in name:
            self._refuse(f"the name `{name}` holds a control or invisible character")
        return name

    def _read_modified(self, header: _Header, pax: Mapping[str, str], raw: str) -> int:
        if "mtime" not in pax:
            return header.modified
        match = _PAX_TIME.fullmatch(pax["mtime"])
        if match is None:
            self._refuse(f"`{raw}` has the pax record `mtime={pax['mtime']}`, which is no time")
        return int(match[1])

    def _skip_padding(self, size: int) -> None:
        for _ in self._stream.chunks(-size % _BLOCK):
            pass

    def _resolve_links(self, entries: list[TarEntry]) -> Iterator[TarEntry]:
        """Make each link the files that it leads to: files of this archive."""
        files = {entry.name: entry for entry in entries if entry.target is None and not entry.is_folder}
        links = {entry.name: entry.target for entry in entries if entry.target is not None and not entry.hard}
        tree = LinkedTree(files=list(files), folders=sorted(self._folders), links=links, limit=MAX_ENTRIES)
        for entry in entries:
            if entry.target is None:
                yield entry
            elif entry.hard:
                linked = files.get(entry.target)
                if linked is None:
                    self._refuse(f"`{entry.name}` is a link to `{entry.target}`, which is no file of the archive")
                if entry.offset < linked.offset:
                    self._refuse(f"`{entry.name}` is a hard link to `{entry.target}`, which stands behind it")
                yield replace(linked, name=entry.name, target=entry.target)
            else:
                yield from self._copy(entry, tree, files)

    def _copy(self, link: TarEntry, tree: LinkedTree, files: Mapping[str, TarEntry]) -> Iterator[TarEntry]:
        try:
            for name, path in tree.copy(link.name):
                if path is None:
                    yield replace(link, name=name, target=None, executable=False)
                else:
                    yield replace(files[path], name=name, target=path)
        except InvalidLinkError as error:
            self._refuse(str(error))

    def _check_total(self) -> None:
        if len(self.entries) > MAX_ENTRIES:
            self._refuse(f"it has {len(self.entries)} entries; {MAX_ENTRIES} are the most")
        total = sum(entry.size for entry in self.entries)
        if total > self._limit:
            self._refuse(f"it unpacks to {total} bytes; {self._limit} are the most", hint=LIMIT_HINT)
        if total > RATIO_FREE and total > MAX_RATIO * self._stream.packed_size:
            self._refuse(f"it unpacks to more than {MAX_RATIO} times its size")

    def _refuse(self, reason: str, *, hint: str | None = None) -> NoReturn:
        raise InvalidArchiveError(f"`{self.filename}` is refused: {present(reason)}", hint=hint)


def _cut(raw: bytes) -> bytes:
    """The text of a field, which a NUL ends."""
    return raw.partition(b"\0")[0]
