"""The central directory of a ZIP archive of which little is here: what is wanted of it, and no object for the rest.

The directory of a large wheel has ten thousands of entries, and one of them is wanted: each costs a comparison of its
name. Readers of whole archives are stricter; what is read here is the metadata that a hash vouches for, or a resolution
that the whole file is held to when it is installed.
"""

import re
import struct
import zlib

from buildlock.metadata.ranged import RangedFile
from buildlock.values import dataclass

STORED, DEFLATED = 0, 8

_END = struct.Struct("<4s4H2IH")
_LOCATOR = struct.Struct("<4sIQI")
_END64 = struct.Struct("<4sQ2H2I4Q")
_ENTRY = struct.Struct("<4s6H3I5H2I")
_LENGTHS = struct.Struct("<4s24x3H12x")
"""The same, of which only the signature is read, and how long the name is and what follows it."""
_LOCAL = struct.Struct("<4s5H3I2H")
_MAX_COMMENT = 0xFFFF
_WIDE = 0xFFFFFFFF
_ZIP64 = 0x0001
_ENCRYPTED = 0x0001 | 0x0040
_UTF8 = 0x0800
_BEFORE, _MOST_BEFORE = 48 << 10, 256 << 10
"""Bytes read with the directory, before it."""
_LOCAL_SPARE = 512
"""Bytes read beyond a member's data: its name and its extra fields. More than that only costs a request."""


class BadZipError(ValueError):
    """No ZIP archive that can be read, and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """An entry of the central directory."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed_size: int
    size: int
    offset: int
    """Of its local header."""

    @property
    def name(self) -> str:
        return _decode(self.raw_name, self.flags)


def list_members(file: RangedFile, part: bytes) -> list[Member]:
    """The entries whose raw names have `part` in them, in capitals or not.

    Raises:
        BadZipError: There is no central directory, or it is damaged.
        OSError: As of `file`.
    """
    size, start, shift = _find_directory(file)
    if not file.holds(start, start + size):
        # In a wheel what is wanted comes last, but for a list of all files, which grows with the directory: all of
        # them in one request, where they are not too large.
        before = min(size * 3 // 5 + _BEFORE, _MOST_BEFORE, start)
        file.seek(start - before)
        file.read(before + size)
    file.seek(start)
    directory = file.read(size)
    if len(directory) != size:
        raise BadZipError("its central directory is cut short")
    members = []
    marks = (found.start() for found in re.finditer(re.escape(part), directory, re.IGNORECASE))
    at, mark, lengths = 0, next(marks, size), _LENGTHS.unpack_from
    try:
        while at < size:
            signature, name_length, extra_length, comment_length = lengths(directory, at)
            if signature != b"PK\1\2":
                raise BadZipError("its central directory is damaged")
            first = at + _ENTRY.size
            end = first + name_length
            while mark < first:  # in what is no name
                mark = next(marks, size)
            if mark < end and part in (name := directory[first:end]).lower():
                members.append(_parse_entry(directory, at, name, directory[end : end + extra_length], shift))
            at = end + extra_length + comment_length
    except struct.error as error:
        raise BadZipError("its central directory is damaged") from error
    if at != size:
        raise BadZipError("its central directory is damaged")
    return members


def read_member(file: RangedFile, member: Member) -> bytes:
    """What an entry holds: at most the bytes that it says, and with the checksum that it says.

    Raises:
        BadZipError: It is damaged, encrypted or not what the directory says.
        OSError: As of `file`.
    """
    if member.flags & _ENCRYPTED:
        raise BadZipError("it is encrypted")
    # One request for the header and the data, where there is no more in the header than usual.
    file.seek(member.offset)
    head = file.read(_LOCAL.size + len(member.raw_name) + _LOCAL_SPARE + member.packed_size)
    if len(head) < _LOCAL.size or head[:4] != b"PK\3\4":
        raise BadZipError("there is no entry where its directory says")
    name_length, extra_length = _LOCAL.unpack_from(head)[-2:]
    if head[_LOCAL.size : _LOCAL.size + name_length] != member.raw_name:
        raise BadZipError("its directory and an entry name different files")
    first = _LOCAL.size + name_length + extra_length
    file.seek(member.offset + first)
    packed = file.read(member.packed_size)
    if len(packed) != member.packed_size:
        raise BadZipError("it ends too early")
    content = packed
    if member.method == DEFLATED:
        try:
            # No more than one byte too many, whatever it would unpack to.
            content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, member.size + 1)
        except zlib.error as error:
            raise BadZipError(f"an entry is damaged: {error}") from error
    if len(content) != member.size:
        raise BadZipError(f"an entry is {'cut short' if len(content) < member.size else 'longer than it says'}")
    if zlib.crc32(content) != member.crc:
        raise BadZipError("an entry has not the checksum that it says")
    return content


def _find_directory(file: RangedFile) -> tuple[int, int, int]:
    """The size of the directory, where it is, and how much further than it says: anything may be before an archive."""
    total = file.seek(0, 2)
    at = max(total - _END.size, 0)
    tail = _read(file, at, _END.size)
    if tail[:4] != b"PK\5\6" or tail[-2:] != b"\0\0":
        at = max(total - _END.size - _MAX_COMMENT, 0)
        tail = _read(file, at, total - at)
        found = tail.rfind(b"PK\5\6")
        at, tail = at + found, tail[found:] if found >= 0 else b""
    if len(tail) < _END.size:
        raise BadZipError("it has no end record")
    *_, size, offset, _ = _END.unpack_from(tail)
    before = at
    locator = _read(file, at - _LOCATOR.size, _LOCATOR.size) if at >= _LOCATOR.size + _END64.size else b""
    if locator[:4] == b"PK\6\7":
        before = at - _LOCATOR.size - _END64.size
        end = _read(file, before, _END64.size)
        if end[:4] != b"PK\6\6":
            raise BadZipError("its ZIP64 end record is not where it should be")
        *_, size, offset = _END64.unpack(end)
    start = before - size
    if start < offset:
        raise BadZipError("its central directory is not where it says")
    return size, start, start - offset


def _read(file: RangedFile, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


def _parse_entry(directory: bytes, at: int, name: bytes, extra: bytes, shift: int) -> Member:
    _, _, _, flags, method, _, _, crc, packed, size, *_, offset = _ENTRY.unpack_from(directory, at)
    if _WIDE in {packed, size, offset}:
        size, packed, offset = _widen(extra, size, packed, offset)
    return Member(
        raw_name=name, flags=flags, method=method, crc=crc, packed_size=packed, size=size, offset=offset + shift
    )


def _widen(extra: bytes, *values: int) -> tuple[int, ...]:
    """The values of which those that do not fit are in a ZIP64 field, in this order (APPNOTE 4.5.3)."""
    while len(extra) >= 4:  # noqa: PLR2004 - the head of a field
        kind, length = struct.unpack_from("<2H", extra)
        if kind == _ZIP64:
            count = values.count(_WIDE)
            if length < 8 * count or len(extra) < 4 + 8 * count:
                break
            wide = iter(struct.unpack_from(f"<{count}Q", extra, 4))
            return tuple(next(wide) if value == _WIDE else value for value in values)
        extra = extra[4 + length :]
    raise BadZipError("an entry's ZIP64 field is missing or too short")


def _decode(name: bytes, flags: int) -> str:
    return name.decode("utf-8" if flags & _UTF8 else "cp437")
