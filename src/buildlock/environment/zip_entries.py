"""ZIP files, read so that no other reader can see another thing in them.

A ZIP file tells most facts twice, and readers differ in whom they believe: a scanner looks at one file and an
installer unpacks another. `ZipArchive` accepts a file only if all places agree and every byte belongs to one
entry, to the central directory or to the end records (APPNOTE 6.3.10).
"""

import os
import re
import stat
import struct
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from functools import lru_cache
from itertools import chain
from threading import Lock, local
from typing import BinaryIO, NamedTuple, NoReturn

from buildlock.environment import deflate
from buildlock.environment.entry_names import EVERYWHERE, NameRules, find_clash, find_folders, find_name_fault
from buildlock.errors import InvalidArchiveError
from buildlock.text import present

MAX_ENTRIES = 100_000
MAX_DIRECTORY = 64 << 20
"""Bytes of the central directory."""
MAX_RATIO = 50
RATIO_FREE = 64 << 20
"""Bytes that may be packed as tightly as deflate can."""
DEFAULT_LIMIT = 16 << 30
"""Bytes of all entries, unpacked."""
LIMIT_HINT = "set `BUILDLOCK_MAX_UNPACKED_GIB` to a larger number if the file is to be trusted with that much"

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")

_STORED, _DEFLATED = 0, 8
_STREAMED = 0x0008
_UTF8 = 0x0800
_KNOWN_FLAGS = _STREAMED | _UTF8 | 0x0006  # 1 and 2 tell how hard deflate tried
_MAX_VERSION = 63
_WIDE16, _WIDE32 = 0xFFFF, 0xFFFFFFFF
"""Stand in a field whose value is in a ZIP64 record."""

_ZIP64 = 0x0001
_UNICODE_PATH = 0x7075
_UNSAFE_EXTRA = {
    0x000D: "a PKWARE Unix field, which may make it a link",
    0x0017: "a strong encryption header",
    0x756E: "an ASi Unix field, which may make it a link",
    0x9901: "an AES encryption header",
}
_DOS_LABEL, _DOS_DIRECTORY, _DOS_REPARSE = 0x08, 0x10, 0x400
_RECORD = re.compile(rb"PK[\x00-\x1f]")
"""The beginning of any record."""
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""What no comment holds that is meant to be read, and every record does."""
_CHUNK = 1 << 20
"""Bytes, unpacked: threads that take turns at each piece wait less for each other if it is large."""
_PACKED_CHUNK = 256 << 10


class ZipEntry(NamedTuple):
    """One entry. The name of a folder ends in `/`."""

    name: str
    size: int
    """Bytes, unpacked."""
    packed_size: int
    crc: int
    deflated: bool
    executable: bool
    modified: int
    """Seconds since 1970, as if the wall clock that it was packed by had shown UTC; 0 where the time is none."""
    offset: int
    """Where its data begins."""

    @property
    def is_folder(self) -> bool:
        return self.name.endswith("/")


class _Header(NamedTuple):
    """One record of the central directory."""

    label: str
    """Its name for messages, whatever the bytes are."""
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed_size: int
    size: int
    attributes: int
    modified: int
    offset: int


class _Window(local):
    """A part of the file that a thread has read: what it asks for next is most often there too."""

    start = 0
    data = b""


class ZipArchive:
    """A ZIP file and its entries, in the order of their data; threads may read different entries at a time.

    Args:
        file: Open for reading, seekable.
        filename: What messages call it.
        limit: Bytes that the entries may have in all, unpacked.
        rules: What their names have to suit.

    Raises:
        InvalidArchiveError: It is no ZIP file, or is ambiguous, unsafe or beyond the limits. No entry's content
            has been looked at then; `read` and `chunks` raise it for content that is not the declared one.
    """

    def __init__(
        self, file: BinaryIO, filename: str, *, limit: int = DEFAULT_LIMIT, rules: NameRules = EVERYWHERE
    ) -> None:
        self._file = file
        self._lock = Lock()
        self._window = _Window()
        self._rules = rules
        self.filename = filename
        self._size = file.seek(0, os.SEEK_END)
        start, headers = self._read_directory()
        self._check_sizes(headers, limit)
        # The data of each reaches to the next, and of the last to the directory.
        starts = [*(header.offset for header in headers), start]
        if starts[0] != 0:
            self._refuse("something stands before the first entry")
        self.entries = tuple(map(self._read_entry, headers, starts[1:]))
        if len(find_folders(entry.name for entry in self.entries)) > MAX_ENTRIES:
            self._refuse(f"it has more than {MAX_ENTRIES} folders")
        if clash := find_clash((entry.name for entry in self.entries), rules):
            first, second = clash
            twice = "is there twice" if first == second else f"and `{second}` are one name on some platforms"
            self._refuse(f"`{first}` {twice}")

    def read(self, entry: ZipEntry, *, limit: int) -> bytes:
        """The whole content of an entry of at most `limit` bytes."""
        if entry.size > limit:
            self._refuse(f"`{entry.name}` is larger than {limit} bytes")
        return b"".join(self.chunks(entry))

    def chunks(self, entry: ZipEntry) -> Iterator[bytes]:
        """The content of an entry, piece by piece; its size and checksum are proven when the last piece is taken."""
        crc = size = 0
        crc32 = deflate.codec.crc32
        for chunk in self._inflate(entry) if entry.deflated else self._copy(entry):
            size += len(chunk)
            if size > entry.size:
                self._refuse(f"`{entry.name}` holds more than the {entry.size} bytes it declares")
            crc = crc32(chunk, crc)
            yield chunk
        if size != entry.size:
            self._refuse(f"`{entry.name}` holds {size} bytes and declares {entry.size}")
        if crc != entry.crc:
            self._refuse(f"`{entry.name}` does not have the checksum it declares")

    def _copy(self, entry: ZipEntry) -> Iterator[bytes]:
        for start in range(0, entry.packed_size, _CHUNK):
            yield self._read_at(entry.offset + start, min(_CHUNK, entry.packed_size - start))

    def _inflate(self, entry: ZipEntry) -> Iterator[bytes]:
        inflater = deflate.codec.decompressobj(-deflate.codec.MAX_WBITS)
        position, end = entry.offset, entry.offset + entry.packed_size
        pending = b""
        while not inflater.eof:
            if not pending and position < end:
                pending = self._read_at(position, min(_PACKED_CHUNK, end - position))
                position += len(pending)
            exhausted = not pending
            try:
                chunk = inflater.decompress(pending, _CHUNK)
            except deflate.codec.error as error:
                self._refuse(f"`{entry.name}` is no deflated data: {error}")
            pending = inflater.unconsumed_tail
            if chunk:
                yield chunk
            elif exhausted and not inflater.eof:
                self._refuse(f"the deflated data of `{entry.name}` stops early")
        if pending or inflater.unused_data or position < end:
            self._refuse(f"something follows the deflated data of `{entry.name}`")

    def _read_directory(self) -> tuple[int, list[_Header]]:
        """Where the central directory starts, and its records by the place of their entries."""
        start, size, count, end = self._find_directory()
        if count > MAX_ENTRIES:
            self._refuse(f"it has {count} entries; {MAX_ENTRIES} are the most")
        if size > MAX_DIRECTORY:
            self._refuse(f"its central directory is larger than {MAX_DIRECTORY} bytes")
        if start + size != end:
            self._refuse("its central directory does not end where the end record begins")
        data = self._read_at(start, size)
        headers = []
        position = 0
        for _ in range(count):
            header, position = self._parse_header(data, position)
            headers.append(header)
        if position != size:
            self._refuse("its central directory holds more than the entries that the end record counts")
        headers.sort(key=lambda header: header.offset)
        return start, headers

    def _find_directory(self) -> tuple[int, int, int, int]:
        """Offset, size and number of records of the central directory, and where the end records begin."""
        position, fields = self._find_end()
        disk, first_disk, count_here, count, size, start, _ = fields
        if (locator := position - _LOCATOR.size) >= 0 and self._read_at(locator, 4) == b"PK\x06\x07":
            end64 = self._read_end64(locator)
            for short, long, wide in zip(
                (disk, first_disk, count_here, count, size, start),
                end64[2:],
                (_WIDE16, _WIDE16, _WIDE16, _WIDE16, _WIDE32, _WIDE32),
                strict=True,
            ):
                if short not in (long, wide):
                    self._refuse("its two end records disagree")
            disk, first_disk, count_here, count, size, start = end64[2:]
            position = locator - _END64.size
        elif _WIDE16 in (disk, first_disk, count_here, count) or _WIDE32 in (size, start):
            self._refuse("its end record refers to a ZIP64 record that is not there")
        if disk or first_disk or count != count_here:
            self._refuse("it is one part of several")
        return start, size, count, position

    def _find_end(self) -> tuple[int, tuple[int, ...]]:
        tail_size = min(self._size, _END.size + _WIDE16)
        tail = self._read_at(self._size - tail_size, tail_size)
        # What ends the file is the record whose comment reaches exactly to the end and hides no other.
        at = tail.rfind(b"PK\x05\x06")
        if at == -1 or len(tail) - at < _END.size:
            self._refuse("it is not a ZIP file: there is no end record")
        fields = _END.unpack_from(tail, at)[1:]
        comment = tail[at + _END.size :]
        if len(comment) != fields[-1]:
            self._refuse("something follows its end record")
        if _CONTROL.search(comment):
            self._refuse("its comment is not text: it may hide a record")
        return self._size - tail_size + at, fields

    def _read_end64(self, locator: int) -> tuple[int, ...]:
        _, disk, offset, disks = _LOCATOR.unpack(self._read_at(locator, _LOCATOR.size))
        if disk or disks != 1:
            self._refuse("it is one part of several")
        if offset + _END64.size != locator:
            self._refuse("its ZIP64 end record is not where it belongs")
        signature, size, *fields = _END64.unpack(self._read_at(offset, _END64.size))
        if signature != b"PK\x06\x06" or size != _END64.size - 12:
            self._refuse("its ZIP64 end record is malformed")
        return tuple(fields)

    def _parse_header(self, data: bytes, position: int) -> tuple[_Header, int]:
        if len(data) - position < _CENTRAL.size:
            self._refuse("its central directory stops early")
        fields = _CENTRAL.unpack_from(data, position)
        signature, _, version, flags, method, time, date, crc, packed_size, size = fields[:10]
        name_length, extra_length, comment_length, disk, _, attributes, offset = fields[10:]
        if signature != b"PK\x01\x02":
            self._refuse("its central directory holds something that is no entry")
        name_end = position + _CENTRAL.size + name_length
        extra_end = name_end + extra_length
        end = extra_end + comment_length
        if end > len(data):
            self._refuse("its central directory stops early")
        raw_name = data[name_end - name_length : name_end]
        label = raw_name.decode("utf-8", "backslashreplace")
        if comment_length and _CONTROL.search(data, extra_end, end):
            self._refuse(f"the comment of `{label}` is not text: it may hide a record")
        if extra_length or _WIDE32 in (size, packed_size, offset) or disk:
            extra = self._parse_extra(data[name_end:extra_end], raw_name, label)
            size, packed_size, offset, disk = self._widen(extra, (size, packed_size, offset, disk), label)
        if disk:
            self._refuse("it is one part of several")
        if version & 0xFF > _MAX_VERSION:
            self._refuse(f"`{label}` needs a newer ZIP format")
        header = _Header(
            label=label,
            raw_name=raw_name,
            flags=flags,
            method=method,
            crc=crc,
            packed_size=packed_size,
            size=size,
            attributes=attributes,
            modified=_read_time(date, time),
            offset=offset,
        )
        return header, end

    def _parse_extra(self, extra: bytes, raw_name: bytes, label: str) -> dict[int, bytes]:
        fields: dict[int, bytes] = {}
        position = 0
        while position < len(extra):
            if len(extra) - position < 4:  # noqa: PLR2004 - two bytes of identifier, two of length
                self._refuse(f"the extra field of `{label}` is malformed")
            identifier, length = struct.unpack_from("<HH", extra, position)
            content = extra[position + 4 : position + 4 + length]
            if len(content) != length or identifier in fields:
                self._refuse(f"the extra field of `{label}` is malformed")
            if reason := _UNSAFE_EXTRA.get(identifier):
                self._refuse(f"`{label}` has {reason}")
            # Version, checksum of the name it belongs to, and the name that some readers use instead.
            if identifier == _UNICODE_PATH and content[5:] != raw_name:
                self._refuse(f"`{label}` has a second name in its extra field")
            fields[identifier] = content
            position += 4 + length
        return fields

    def _widen(
        self, extra: dict[int, bytes], values: tuple[int, int, int, int], label: str
    ) -> tuple[int, int, int, int]:
        """The fields of a central record, taken from its ZIP64 field where they do not fit (APPNOTE 4.5.3)."""
        size, packed_size, offset, disk = values
        wide = extra.get(_ZIP64)
        widths = [
            "Q" if size == _WIDE32 else "",
            "Q" if packed_size == _WIDE32 else "",
            "Q" if offset == _WIDE32 else "",
            "I" if disk == _WIDE16 else "",
        ]
        if wide is None:
            if any(widths):
                self._refuse(f"`{label}` refers to a ZIP64 field that is not there")
            return values
        if not any(widths):
            # Some writers add the field to every entry: harmless where it says the same once more.
            again = struct.pack("<3QI", *values)
            if len(wide) not in (16, 24, 28) or not again.startswith(wide):
                self._refuse(f"the ZIP64 field of `{label}` disagrees with its header")
            return values
        layout = struct.Struct("<" + "".join(widths))
        if len(wide) != layout.size:
            self._refuse(f"the ZIP64 field of `{label}` is malformed")
        given = iter(layout.unpack(wide))
        size, packed_size, offset, disk = (
            next(given) if width else value for value, width in zip(values, widths, strict=True)
        )
        return size, packed_size, offset, disk

    def _check_sizes(self, headers: list[_Header], limit: int) -> None:
        total = sum(header.size for header in headers)
        if total > limit:
            self._refuse(f"it unpacks to {total} bytes; {limit} are the most", hint=LIMIT_HINT)
        for size, packed_size, what in chain(
            [(total, self._size, "it")], ((header.size, header.packed_size, f"`{header.label}`") for header in headers)
        ):
            if size > RATIO_FREE and size > MAX_RATIO * packed_size:
                self._refuse(f"{what} unpacks to more than {MAX_RATIO} times its size")

    def _read_entry(self, header: _Header, end: int) -> ZipEntry:
        """Compare an entry's own header with the central directory, and find its data, which reaches to `end`."""
        label = header.label
        head = self._read_at(header.offset, _LOCAL.size + len(header.raw_name))
        own = _LOCAL.unpack_from(head)
        signature, version, flags, method, _, _, *declared, name_length, extra_length = own
        start = header.offset + _LOCAL.size + name_length + extra_length
        if signature != b"PK\x03\x04" or start > end:
            self._refuse(f"there is no entry where the central directory says `{label}` is")
        if name_length != len(header.raw_name) or head[_LOCAL.size :] != header.raw_name:
            self._refuse(f"`{label}` has another name in its own header")
        if flags != header.flags or method != header.method:
            self._refuse(f"the two headers of `{label}` disagree on flags or method")
        if version & 0xFF > _MAX_VERSION:
            self._refuse(f"`{label}` needs a newer ZIP format")
        name = self._check_name(header)
        self._check_method(header)
        executable = self._check_attributes(header, name)
        extra = self._read_at(start - extra_length, extra_length) if extra_length else b""
        wide = self._parse_extra(extra, header.raw_name, label).get(_ZIP64)
        tells_length = self._check_declared(header, declared, wide)
        self._check_end(header, start, end, tells_length=tells_length, large=wide is not None)
        return ZipEntry(
            name=name,
            size=header.size,
            packed_size=header.packed_size,
            crc=header.crc,
            deflated=method == _DEFLATED,
            executable=executable,
            modified=header.modified,
            offset=start,
        )

    def _check_declared(self, header: _Header, declared: Sequence[int], wide: bytes | None) -> bool:
        """Compare an entry's own header with the central directory; whether it tells the length of the data."""
        label = header.label
        crc, packed_size, size = declared
        if wide is not None:
            # APPNOTE 4.5.3: in the local header it holds both sizes.
            if len(wide) != 16:  # noqa: PLR2004
                self._refuse(f"the ZIP64 field of `{label}` is malformed")
            wide_size, wide_packed_size = struct.unpack("<QQ", wide)
            if size not in (_WIDE32, wide_size) or packed_size not in (_WIDE32, wide_packed_size):
                self._refuse(f"the ZIP64 field of `{label}` disagrees with its header")
            packed_size, size = wide_packed_size, wide_size
        # APPNOTE 4.4.4: zero where a descriptor after the data tells.
        streamed = header.flags & _STREAMED
        for own, true in ((crc, header.crc), (packed_size, header.packed_size), (size, header.size)):
            if own != true and not (streamed and own == 0):
                self._refuse(f"the two headers of `{label}` disagree on checksum or size")
        return packed_size == header.packed_size

    def _check_end(self, header: _Header, start: int, end: int, *, tells_length: bool, large: bool) -> None:
        """Refuse anything between an entry's data, with its descriptor, and the next record."""
        label = header.label
        data_end = start + header.packed_size
        if not header.flags & _STREAMED:
            if data_end != end:
                self._refuse(f"the data of `{label}` does not end where the next record begins")
            return
        large = large or max(header.packed_size, header.size) > _WIDE32
        fields = (header.crc, header.packed_size, header.size)
        if not self._is_descriptor(data_end, end, struct.pack("<IQQ" if large else "<III", *fields)):
            self._refuse(f"the data descriptor of `{label}` is missing, or disagrees with the central directory")
        if header.method == _STORED and not tells_length:
            self._check_unpacked_stream(start, data_end, label)

    def _is_descriptor(self, start: int, end: int, expected: bytes) -> bool:
        # APPNOTE 4.3.9.3: the signature is optional.
        length = end - start
        return length in (len(expected), len(expected) + 4) and self._read_at(start, length) in (
            expected,
            b"PK\x07\x08" + expected,
        )

    def _check_unpacked_stream(self, start: int, end: int, label: str) -> None:
        """Stored data of a length told only afterwards: a reader that streams looks for the next record in it."""
        overlap = b""
        for position in range(start, end, _CHUNK):
            block = overlap + self._read_at(position, min(_CHUNK, end - position))
            if _RECORD.search(block):
                self._refuse(f"`{label}` is stored without its length and holds what looks like the next record")
            overlap = block[-2:]

    def _check_name(self, header: _Header) -> str:
        try:
            name = header.raw_name.decode("utf-8" if header.flags & _UTF8 else "ascii")
        except UnicodeDecodeError:
            self._refuse(f"the name `{header.label}` is not UTF-8, or is not marked as UTF-8")
        if fault := find_name_fault(name, self._rules):
            self._refuse(f"`{header.label}`: {fault}")
        return name

    def _check_method(self, header: _Header) -> None:
        if header.flags & 0x0001:
            self._refuse(f"`{header.label}` is encrypted")
        if unknown := header.flags & ~_KNOWN_FLAGS:
            self._refuse(f"`{header.label}` has the flags {unknown:#06x}, which nothing needs that is read here")
        if header.method not in (_STORED, _DEFLATED):
            self._refuse(f"`{header.label}` is packed with method {header.method}; only stored and deflated are read")
        if header.method == _STORED and header.size != header.packed_size:
            self._refuse(f"`{header.label}` is stored and has two sizes")

    def _check_attributes(self, header: _Header, name: str) -> bool:
        """Refuse what is neither a file nor a folder; whether it may be executed."""
        mode = header.attributes >> 16
        kind = stat.S_IFMT(mode)
        is_folder = name.endswith("/")
        if kind == stat.S_IFLNK or header.attributes & _DOS_REPARSE:
            self._refuse(f"`{name}` is a link")
        if kind not in (0, stat.S_IFDIR if is_folder else stat.S_IFREG) or header.attributes & _DOS_LABEL:
            self._refuse(f"`{name}` is not a {'folder' if is_folder else 'file'} by its mode {mode:#o}")
        if header.attributes & _DOS_DIRECTORY and not is_folder:
            self._refuse(f"`{name}` is a folder by its attributes and a file by its name")
        # Of a folder they say who shares it, where it was packed.
        if mode & (stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX) and not is_folder:
            self._refuse(f"`{name}` has the mode {mode:#o}")
        if is_folder and (header.size or header.crc):
            self._refuse(f"the folder `{name}` has content")
        return bool(mode & 0o111) and not is_folder

    def _read_at(self, offset: int, size: int) -> bytes:
        if offset + size > self._size:
            self._refuse("it points beyond its own end")
        if size >= _PACKED_CHUNK:
            return self._read_file(offset, size)
        window = self._window
        if not window.start <= offset <= offset + size <= window.start + len(window.data):
            window.start, window.data = offset, self._read_file(offset, min(_PACKED_CHUNK, self._size - offset))
        return window.data[offset - window.start : offset - window.start + size]

    def _read_file(self, offset: int, size: int) -> bytes:
        with self._lock:
            self._file.seek(offset)
            data = self._file.read(size)
        if len(data) != size:
            self._refuse("it got shorter while it was read")
        return data

    def _refuse(self, reason: str, *, hint: str | None = None) -> NoReturn:
        raise InvalidArchiveError(f"`{self.filename}` is refused: {present(reason)}", hint=hint)


def ends_as_zip(file: BinaryIO) -> bool:
    """Whether readers that look for a ZIP file's end first would take this file for one, whatever else it is."""
    size = file.seek(0, os.SEEK_END)
    tail_size = min(size, _END.size + _WIDE16)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    at = len(tail)
    while (at := tail.rfind(b"PK\x05\x06", 0, at)) != -1:
        if len(tail) - at < _END.size:
            continue
        if tail[at - _LOCATOR.size : at].startswith(b"PK\x06\x07"):
            return True
        length = _END.unpack_from(tail, at)[5]
        start = size - tail_size + at - length
        if start >= 0:
            file.seek(start)
            if file.read(4) in (b"PK\x01\x02", b"PK\x05\x06"):
                return True
    return False


@lru_cache(maxsize=1024)  # most of what is packed at once is of one time
def _read_time(date: int, time: int) -> int:
    """A time as DOS writes it (APPNOTE 4.4.6)."""
    try:
        moment = datetime(
            1980 + (date >> 9),
            date >> 5 & 15,
            date & 31,
            time >> 11,
            time >> 5 & 63,
            time * 2 & 62,
            tzinfo=timezone.utc,
        )
    except ValueError:
        return 0
    return int(moment.timestamp())
