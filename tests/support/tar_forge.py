"""Gzipped tar files made block by block, sound or with any defect.

forge(folder("demo-1.0/"), member("demo-1.0/setup.py", b"x = 1\n"))     # the bytes of a .tar.gz file
forge(pax({"size": "9"}), member("demo-1.0/setup.py", b"x = 1\n"))
"""

import gzip
from collections.abc import Mapping

FILENAME = "demo-1.0.tar.gz"
ROOT = "demo-1.0"
PKG_INFO = b"Metadata-Version: 2.2\nName: demo\nVersion: 1.0\n"

POSIX = b"ustar\x0000"
GNU = b"ustar  \0"
V7 = bytes(8)
END = bytes(1024)


def octal(number: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, number)


def block(
    name: str | bytes,
    *,
    size: int | bytes = 0,
    kind: bytes = b"0",
    mode: int | bytes = 0o644,
    modified: int | bytes = 1_000_000_000,
    target: str | bytes = b"",
    magic: bytes = POSIX,
    prefix: bytes = b"",
    checksum: bytes | None = None,
    trailer: bytes = b"",
) -> bytes:
    """The header of an entry. What is given as bytes stands as it is in its field."""

    def fill(value: int | bytes, width: int) -> bytes:
        return (octal(value, width) if isinstance(value, int) else value).ljust(width, b"\0")

    raw = bytearray(
        (name.encode() if isinstance(name, str) else name).ljust(100, b"\0")
        + fill(mode, 8)
        + octal(0, 8) * 2
        + fill(size, 12)
        + fill(modified, 12)
        + b" " * 8
        + kind
        + (target.encode() if isinstance(target, str) else target).ljust(100, b"\0")
        + magic
        + bytes(80)
        + prefix.ljust(155, b"\0")
        + trailer.rjust(12, b"\0")
    )
    raw[148:156] = b"%06o\0 " % sum(raw) if checksum is None else checksum
    assert len(raw) == 512
    return bytes(raw)


def pad(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def member(
    name: str | bytes,
    data: bytes = b"",
    *,
    size: int | bytes | None = None,
    kind: bytes = b"0",
    mode: int | bytes = 0o644,
    modified: int | bytes = 1_000_000_000,
    target: str | bytes = b"",
    magic: bytes = POSIX,
    prefix: bytes = b"",
    checksum: bytes | None = None,
    trailer: bytes = b"",
) -> bytes:
    """An entry: its header, its data, and what fills the last block."""
    return block(
        name,
        size=len(data) if size is None else size,
        kind=kind,
        mode=mode,
        modified=modified,
        target=target,
        magic=magic,
        prefix=prefix,
        checksum=checksum,
        trailer=trailer,
    ) + pad(data)


def folder(name: str, *, mode: int = 0o755) -> bytes:
    return member(name, kind=b"5", mode=mode)


def symbolic(name: str, target: str) -> bytes:
    return member(name, kind=b"2", target=target)


def hard(name: str, target: str) -> bytes:
    return member(name, kind=b"1", target=target)


def record(key: str, value: str | bytes) -> bytes:
    """One pax record, which begins with its own length."""
    rest = b" " + key.encode() + b"=" + (value.encode() if isinstance(value, str) else value) + b"\n"
    length = len(rest)
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def pax(records: Mapping[str, str | bytes] | bytes, *, kind: bytes = b"x") -> bytes:
    """A pax header; bytes stand as they are."""
    content = records if isinstance(records, bytes) else b"".join(map(record, records, records.values()))
    return member("PaxHeaders/x", content, kind=kind)


def long_name(name: str | bytes, *, kind: bytes = b"L") -> bytes:
    """A name, or with the kind `K` a target, as GNU tar writes it before its entry."""
    raw = name.encode() if isinstance(name, str) else name
    return member("././@LongLink", raw + b"\0", kind=kind, magic=GNU)


def sound_members() -> list[bytes]:
    return [
        folder(f"{ROOT}/"),
        member(f"{ROOT}/PKG-INFO", PKG_INFO),
        member(f"{ROOT}/src/demo.py", b"answer = 42\n" * 60),
        member(f"{ROOT}/run.sh", b"#!/bin/sh\n", mode=0o755),
    ]


def pack(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def forge(*members: bytes, end: bytes = END) -> bytes:
    """The bytes of a file of these members."""
    return pack(b"".join(members) + end)
