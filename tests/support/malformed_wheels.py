"""Wheels with one defect each, by its name, and sound ones of every kind."""

import base64
import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping

from support.wheel_forge import (
    DATA,
    INFO,
    MAX16,
    MAX32,
    METADATA,
    WHEEL,
    Entry,
    changed,
    deflate,
    field_of,
    forge,
    record_line,
    sound_wheel,
)

CODE = b"answer = 42\n" * 40
PACKED = deflate(CODE)


def sound() -> list[Entry]:
    return sound_wheel()


def demo(**fields: object) -> bytes:
    """A wheel whose `demo.py` has these fields."""
    return forge(changed(sound(), "demo.py", **fields))


def with_file(name: str, data: bytes = b"x") -> bytes:
    """A wheel with one more file, which RECORD has too."""
    return forge(sound_wheel({"demo.py": CODE, name: data}))


def with_extra(name: str, **fields: object) -> bytes:
    """A wheel with one more entry that RECORD has not."""
    return forge([*sound(), Entry(name, b"evil", **fields)])  # type: ignore[arg-type]


def with_record(change: Callable[[str], str]) -> bytes:
    entries = sound()
    record = entries[-1].data.decode()
    assert change(record) != record
    return forge([*entries[:-1], Entry(f"{INFO}/RECORD", change(record).encode())])


def with_points(text: str) -> bytes:
    return with_file(f"{INFO}/entry_points.txt", text.encode())


def descriptor(crc: int = zlib.crc32(CODE), packed: int = len(PACKED), size: int = len(CODE)) -> bytes:
    return struct.pack("<4sIII", b"PK\x07\x08", crc, packed, size)


def flip(data: bytes, marker: bytes, offset: int = 0) -> bytes:
    """Change one bit of the byte `offset` after the first `marker`."""
    at = data.index(marker) + offset
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


ZIP_DEFECTS: Mapping[str, tuple[Callable[[], bytes], str]] = {
    # The file as a whole.
    "empty": (lambda: b"", "no end record"),
    "not-a-zip": (lambda: b"<html>" * 100, "no end record"),
    "only-an-end-record": (lambda: forge([]), "`.dist-info` folders"),
    "truncated-end": (lambda: forge(sound())[:-1], "no end record"),
    "truncated-half": (lambda: forge(sound())[:300], "no end record"),
    "prefix": (lambda: forge(sound(), prefix=b"#!/bin/sh\n"), "before the first entry"),
    "prefix-without-fixed-offsets": (lambda: b"#!/bin/sh\n" + forge(sound()), "does not end where"),
    "trailer": (lambda: forge(sound(), trailer=b"x"), "follows its end record"),
    "trailing-newline": (lambda: forge(sound(), trailer=b"\n"), "follows its end record"),
    "trailing-nul": (lambda: forge(sound(), trailer=b"\0" * 512), "follows its end record"),
    "two-archives": (lambda: forge(sound()) + forge(sound()), "does not end where"),
    "second-end-record": (lambda: forge(sound()) + forge([])[-22:], "does not end where"),
    "end-record-in-comment": (lambda: forge(sound(), comment=forge([])), "follows its end record|not text|end where"),
    "directory-in-comment": (lambda: forge(sound(), comment=b"PK\x01\x02" + b"a" * 60), "not text"),
    "binary-comment": (lambda: forge(sound(), comment=b"\0\1\2"), "not text"),
    "comment-length-too-short": (lambda: forge(sound(), comment=b"abc", end={"comment": 2}), "follows its end record"),
    "comment-length-too-long": (lambda: forge(sound(), end={"comment": 9}), "follows its end record"),
    "gap-before-directory": (lambda: forge(sound(), before_directory=b"gap"), "does not end where"),
    "gap-after-directory": (lambda: forge(sound(), after_directory=b"gap"), "does not end where"),
    "archive-extra-data-record": (
        lambda: forge(sound(), before_directory=b"PK\x06\x08\x00\x00\x00\x00"),
        "does not end where",
    ),
    "signature-after-directory": (
        lambda: forge(sound(), after_directory=b"PK\x05\x05\x00\x00", end={"length": 4096}),
        "does not end where|beyond",
    ),
    "gap-between-entries": (lambda: demo(after=b"gap"), "does not end where"),
    "hidden-entry": (
        lambda: forge([sound()[0], Entry("evil.py", b"evil", hidden=True), *sound()[1:]]),
        "does not end where",
    ),
    "hidden-last-entry": (lambda: forge([*sound(), Entry("evil.py", b"evil", hidden=True)]), "does not end where"),
    # End records.
    "count-too-small": (lambda: forge(sound(), end={"count": 3, "here": 3}), "more than the entries"),
    "count-too-large": (lambda: forge(sound(), end={"count": 5, "here": 5}), "stops early"),
    "count-zero": (lambda: forge(sound(), end={"count": 0, "here": 0}), "more than the entries"),
    "counts-differ": (lambda: forge(sound(), end={"here": 3}), "one part of several"),
    "disk-number": (lambda: forge(sound(), end={"disk": 1}), "one part of several"),
    "first-disk": (lambda: forge(sound(), end={"first": 1}), "one part of several"),
    "directory-starts-elsewhere": (lambda: forge(sound(), end={"start": 0}), "does not end where"),
    "directory-beyond-end": (lambda: forge(sound(), end={"start": MAX32 - 1}), "does not end where"),
    "directory-size-too-small": (lambda: forge(sound(), end={"length": 40}), "does not end where"),
    "wide-count-without-zip64": (lambda: forge(sound(), end={"count": MAX16, "here": MAX16}), "not there"),
    "wide-offset-without-zip64": (lambda: forge(sound(), end={"start": MAX32}), "not there"),
    "zip64-count-differs": (lambda: forge(sound(), end64={"count": 3, "here": 3}), "end records disagree"),
    "zip64-start-differs": (lambda: forge(sound(), end64={"start": 0}), "end records disagree"),
    "zip64-hidden-behind-wide": (
        lambda: forge(sound(), end64={"count": 3, "here": 3}, end={"count": MAX16, "here": MAX16}),
        "more than the entries",
    ),
    "zip64-signature": (lambda: forge(sound(), end64={"signature": b"PK\x06\x07"}), "malformed"),  # type: ignore[dict-item]
    "zip64-record-size": (lambda: forge(sound(), end64={"size": 60}), "malformed"),
    "zip64-locator-elsewhere": (lambda: forge(sound(), end64={"locator": 0}), "not where it belongs"),
    "zip64-locator-beyond": (lambda: forge(sound(), end64={"locator": 1 << 62}), "not where it belongs"),
    "zip64-disks": (lambda: forge(sound(), end64={"disks": 2}), "one part of several"),
    "zip64-disk-number": (lambda: forge(sound(), end64={"disk": 1}), "end records disagree"),
    "million-entries": (
        lambda: forge(sound(), end64={"count": 10**6, "here": 10**6}, end={"count": MAX16, "here": MAX16}),
        "are the most",
    ),
    # The two headers of an entry.
    "local-name-differs": (lambda: demo(local={"name": b"evil.py"}), "another name"),
    "local-name-case-differs": (lambda: demo(local={"name": b"Demo.py"}), "another name"),
    "central-name-differs": (lambda: demo(central={"name": b"evil.py"}), "another name"),
    "local-name-shorter": (lambda: demo(local={"name": b"demo"}), "another name"),
    "local-method-differs": (lambda: demo(local={"method": 0}), "disagree on flags or method"),
    "central-method-differs": (lambda: demo(central={"method": 0}), "disagree on flags or method"),
    "local-flags-differ": (lambda: demo(local={"flags": 0x800}), "disagree on flags or method"),
    "local-flags-streamed": (lambda: demo(local={"flags": 8}), "disagree on flags or method"),
    "local-crc-differs": (lambda: demo(local={"crc": 1}), "disagree on checksum or size"),
    "local-crc-zero": (lambda: demo(local={"crc": 0}), "disagree on checksum or size"),
    "local-size-differs": (lambda: demo(local={"size": 1}), "disagree on checksum or size"),
    "local-size-zero": (lambda: demo(local={"size": 0}), "disagree on checksum or size"),
    "local-packed-size-differs": (lambda: demo(local={"packed": 1}), "disagree on checksum or size"),
    "local-wide-size-without-zip64": (lambda: demo(local={"size": MAX32}), "disagree on checksum or size"),
    "local-signature": (lambda: demo(local={"signature": b"PK\x03\x05"}), "there is no entry"),
    "local-version": (lambda: demo(local={"version": 99}), "newer ZIP"),
    "central-version": (lambda: demo(central={"version": 99}), "newer ZIP"),
    "central-signature": (lambda: demo(central={"signature": b"PK\x01\x03"}), "no entry"),
    "central-disk": (lambda: demo(central={"disk": 1}), "one part of several"),
    "central-offset-elsewhere": (lambda: demo(central={"offset": 5}), "before the first|there is no entry"),
    "central-offset-beyond": (
        lambda: demo(central={"offset": MAX32 - 1}),
        "beyond|no entry|before the first|end where",
    ),
    "two-entries-one-data": (
        lambda: forge([sound()[0], *changed(sound()[1:], f"{INFO}/METADATA", central={"offset": 0})]),
        "no entry|another name|end where",
    ),
    "comment-hides-record": (lambda: demo(central={"comment": b"PK\x01\x02" + b"\0" * 42}), "not text"),
    # Extra fields.
    "extra-truncated": (lambda: demo(central={"extra": b"\x01\x00\xff\x00a"}), "extra field"),
    "extra-too-short": (lambda: demo(local={"extra": b"\x55"}), "extra field"),
    "extra-twice": (lambda: demo(central={"extra": field_of(0x5455, b"a") * 2}), "extra field"),
    "unicode-path": (
        lambda: demo(central={"extra": field_of(0x7075, b"\1\0\0\0\0evil.py")}),
        "second name",
    ),
    "unicode-path-local": (lambda: demo(local={"extra": field_of(0x7075, b"\1\0\0\0\0evil.py")}), "second name"),
    "aes-field": (lambda: demo(central={"extra": field_of(0x9901, b"\2\0AE\3\0\0")}), "AES"),
    "strong-encryption-field": (lambda: demo(central={"extra": field_of(0x17, b"\2\0")}), "encryption"),
    "pkware-unix-link": (lambda: demo(central={"extra": field_of(0x0D, b"\0" * 12 + b"/etc/passwd")}), "link"),
    "asi-unix-link": (lambda: demo(local={"extra": field_of(0x756E, b"\0" * 14 + b"/etc/passwd")}), "link"),
    "zip64-local-differs": (lambda: demo(local={"extra": field_of(1, struct.pack("<QQ", 9, 9))}), "ZIP64 field"),
    "zip64-local-short": (lambda: demo(local={"extra": field_of(1, b"\0" * 8)}), "ZIP64 field"),
    "zip64-local-hides-size": (
        lambda: demo(local={"size": MAX32, "packed": MAX32, "extra": field_of(1, struct.pack("<QQ", 9, 9))}),
        "disagree on checksum or size",
    ),
    "zip64-central-differs": (
        lambda: demo(central={"extra": field_of(1, struct.pack("<QQ", 9, 9))}),
        "ZIP64 field",
    ),
    "zip64-central-missing": (lambda: demo(central={"size": MAX32}), "not there"),
    "zip64-central-short": (lambda: demo(central={"size": MAX32, "extra": field_of(1, b"\0" * 4)}), "ZIP64 field"),
    "zip64-central-long": (lambda: demo(central={"size": MAX32, "extra": field_of(1, b"\0" * 16)}), "ZIP64 field"),
    "zip64-central-huge": (
        lambda: demo(central={"size": MAX32, "extra": field_of(1, struct.pack("<Q", 1 << 60))}),
        "are the most",
    ),
    # Data descriptors.
    "descriptor-missing": (lambda: demo(streamed=True, descriptor=b""), "data descriptor"),
    "descriptor-crc": (lambda: demo(streamed=True, descriptor=descriptor(crc=1)), "data descriptor"),
    "descriptor-size": (lambda: demo(streamed=True, descriptor=descriptor(size=1)), "data descriptor"),
    "descriptor-packed-size": (lambda: demo(streamed=True, descriptor=descriptor(packed=1)), "data descriptor"),
    "descriptor-signature": (
        lambda: demo(streamed=True, descriptor=b"PK\x07\x09" + descriptor()[4:]),
        "data descriptor",
    ),
    "descriptor-twice": (lambda: demo(streamed=True, descriptor=descriptor() * 2), "data descriptor"),
    "descriptor-wide": (
        lambda: demo(
            streamed=True, descriptor=struct.pack("<4sIQQ", b"PK\x07\x08", zlib.crc32(CODE), len(PACKED), len(CODE))
        ),
        "data descriptor",
    ),
    "descriptor-without-flag": (lambda: demo(descriptor=descriptor()), "does not end where"),
    "streamed-local-size-differs": (lambda: demo(streamed=True, local={"size": 7}), "disagree on checksum or size"),
    "streamed-stored-hides-entry": (
        lambda: forge(
            sound_wheel({"demo.py": b"x"})[1:]
            and [
                Entry(e.name, e.data, method=0, streamed=True) if e.name == "nested.bin" else e
                for e in sound_wheel({"demo.py": CODE, "nested.bin": b"abc" + descriptor() + b"PK\x03\x04 more"})
            ]
        ),
        "looks like the next record",
    ),
    # Content.
    "crc-wrong-in-both": (lambda: demo(local={"crc": 1}, central={"crc": 1}), "checksum it declares"),
    "size-too-small-in-both": (lambda: demo(local={"size": 9}, central={"size": 9}), "more than the 9|RECORD"),
    "size-too-large-in-both": (lambda: demo(local={"size": 999}, central={"size": 999}), "holds 480|RECORD"),
    "stored-with-two-sizes": (
        lambda: demo(method=0, local={"size": 9}, central={"size": 9}),
        "two sizes",
    ),
    "not-deflated": (lambda: demo(packed=b"\xff" * 50), "no deflated data"),
    "deflate-truncated": (lambda: demo(packed=PACKED[:-4]), "stops early"),
    "deflate-empty": (lambda: demo(packed=b""), "stops early"),
    "deflate-trailing-data": (lambda: demo(packed=PACKED + b"evil"), "follows the deflated"),
    "deflate-two-streams": (lambda: demo(packed=PACKED + PACKED), "follows the deflated"),
    "flipped-content": (lambda: flip(demo(method=0), CODE), "checksum"),
    "flipped-directory": (lambda: flip(demo(), b"PK\x01\x02", 16), "checksum or size"),
    # Methods and flags.
    "encrypted": (lambda: demo(flags=1), "encrypted"),
    "strongly-encrypted": (lambda: demo(flags=0x41), "encrypted"),
    "patched-data": (lambda: demo(flags=0x20), "flags"),
    "masked-headers": (lambda: demo(flags=0x2000), "flags"),
    "reserved-flag": (lambda: demo(flags=0x8000), "flags"),
    "bzip2": (lambda: demo(method=12), "method 12"),
    "lzma": (lambda: demo(method=14), "method 14"),
    "zstandard": (lambda: demo(method=93), "method 93"),
    "deflate64": (lambda: demo(method=9), "method 9"),
    "implode": (lambda: demo(method=6), "method 6"),
    "aes-method": (lambda: demo(method=99), "method 99"),
    # What an entry is.
    "symlink": (lambda: demo(mode=0o120777), "is a link"),
    "fifo": (lambda: demo(mode=0o010644), "is not a file"),
    "character-device": (lambda: demo(mode=0o020644), "is not a file"),
    "block-device": (lambda: demo(mode=0o060644), "is not a file"),
    "socket": (lambda: demo(mode=0o140644), "is not a file"),
    "folder-mode-of-file": (lambda: demo(mode=0o040755), "is not a file"),
    "setuid": (lambda: demo(mode=0o104755), "has the mode"),
    "setgid": (lambda: demo(mode=0o102755), "has the mode"),
    "sticky": (lambda: demo(mode=0o101644), "has the mode"),
    "dos-folder-of-file": (lambda: demo(central={"attributes": 0x10}), "folder by its attributes"),
    "dos-volume-label": (lambda: demo(central={"attributes": 0x08}), "is not a file"),
    "windows-reparse-point": (lambda: demo(central={"attributes": 0x400}), "is a link"),
    "symlink-from-windows": (lambda: demo(central={"made": 20, "attributes": 0o120777 << 16}), "is a link"),
    "folder-with-content": (lambda: with_extra("folder/", method=0, mode=0o40755), "has content"),
    "folder-with-file-mode": (
        lambda: forge([*sound(), Entry("folder/", method=0, mode=0o100644)]),
        "is not a folder",
    ),
    "folder-link": (lambda: forge([*sound(), Entry("folder/", method=0, mode=0o120777)]), "is a link"),
    # Limits.
    "bomb": (lambda: with_file("zeros.bin", bytes(70 << 20)), "50 times"),
    "declares-too-much": (
        lambda: demo(local={"size": MAX32 - 1}, central={"size": MAX32 - 1}),
        "50 times",
    ),
}

NAMES: Mapping[str, str] = {
    "../evil.py": "leaves the folder",
    "demo/../../evil.py": "leaves the folder",
    "..": "leaves the folder",
    "/etc/passwd": "absolute",
    "//server/share/x": "absolute",
    "C:/evil.py": "colon",
    "C:evil.py": "colon",
    "demo.py:stream": "colon",
    "..\\evil.py": "backslash",
    "\\\\server\\share": "backslash",
    "demo\\evil.py": "backslash",
    "demo//evil.py": "empty component",
    "./evil.py": "`.` component",
    "demo/./evil.py": "`.` component",
    "NUL": "device",
    "nul.txt": "device",
    "demo/CON": "device",
    "aux.py": "device",
    "COM1.log": "device",
    "lpt9": "device",
    "com¹": "device",
    "conout$": "device",
    "con .txt": "device",
    "evil.py.": "dot or a space",
    "evil.py ": "dot or a space",
    "demo /x.py": "dot or a space",
    "...": "dot or a space",
    "new\nline.py": "control",
    "nul\0byte.py": "control",
    "bell\x07.py": "control",
    "delete\x7f.py": "control",
    "c1\x85.py": "control",
    "right\u202eyp.py": "invisible",
    "zero\u200bwidth.py": "invisible",
    "separator\u2028.py": "invisible",
    "\ufeffbom.py": "invisible",
    "a" * 256: "longer than 255",
    "é" * 128: "longer than 255",
    "/".join(["a" * 200] * 6): "longer than 1000",
    "/".join("a" * 60): "deeper",
    "": "empty",
}

CLASHES: Mapping[str, tuple[str, ...]] = {
    "twice": ("a.py", "a.py"),
    "case": ("a.py", "A.py"),
    "sharp-s": ("straße.py", "STRASSE.py"),
    "unicode-form": ("caf\u00e9.py", "cafe\u0301.py"),
    "folder-case": ("pkg/a.py", "Pkg/b.py"),
    "file-and-folder": ("pkg", "pkg/a.py"),
    "folder-and-file": ("pkg/a.py", "pkg"),
    "file-and-folder-case": ("pkg", "PKG/a.py"),
    "file-and-folder-entry": ("pkg", "pkg/"),
    "folder-entry-twice": ("pkg/", "pkg/"),
}


def wheel_file(text: str) -> bytes:
    return forge(sound_wheel(wheel=text.encode()))


def metadata(text: str) -> bytes:
    return forge(sound_wheel(metadata=text.encode()))


def without(name: str) -> bytes:
    return forge([entry for entry in sound() if entry.name != f"{INFO}/{name}"])


def rehash(algorithm: str) -> Callable[[str], str]:
    return lambda record: record.replace(record_line("demo.py", CODE), record_line("demo.py", CODE, algorithm))


HEX = hashlib.sha256(CODE).hexdigest()
B64 = base64.urlsafe_b64encode(hashlib.sha256(CODE).digest()).rstrip(b"=").decode()
OTHER = base64.urlsafe_b64encode(hashlib.sha256(b"other").digest()).rstrip(b"=").decode()

CONTENT_DEFECTS: Mapping[str, tuple[Callable[[], bytes], str]] = {
    # RECORD.
    "record-missing": (lambda: without("RECORD"), "no `demo-1.0.dist-info/RECORD`"),
    "record-empty": (lambda: with_record(lambda _: ""), "is not in RECORD"),
    "record-not-utf8": (
        lambda: forge(changed(sound(), f"{INFO}/RECORD", data=b"\xff\xfe")),
        "not UTF-8",
    ),
    "record-with-bom": (lambda: with_record(lambda record: "\ufeff" + record), "not in RECORD|not in the wheel"),
    "record-lacks-file": (
        lambda: with_record(lambda record: record.replace(record_line("demo.py", CODE), "")),
        "`demo.py` is not in RECORD",
    ),
    "unrecorded-file": (lambda: with_extra("evil.py"), "`evil.py` is not in RECORD"),
    "record-of-absent-file": (
        lambda: with_record(lambda record: record + record_line("gone.py", b"")),
        "not in the wheel",
    ),
    "record-line-twice": (lambda: with_record(lambda record: record + record_line("demo.py", CODE)), "there twice"),
    "record-two-columns": (lambda: with_record(lambda record: record + "evil.py,\n"), "`path,hash,size`"),
    "record-four-columns": (lambda: with_record(lambda record: record + "evil.py,,,\n"), "`path,hash,size`"),
    "record-blank-line": (lambda: with_record(lambda record: "\n" + record), "`path,hash,size`"),
    "record-bad-quotes": (lambda: with_record(lambda record: record + '"a"b",,\n'), "RECORD"),
    "record-hash-wrong": (lambda: with_record(lambda record: record.replace(B64, OTHER)), "the hash that RECORD"),
    "record-hash-empty": (
        lambda: with_record(lambda record: record.replace(f"sha256={B64}", "")),
        "`demo.py` has no hash",
    ),
    "record-md5": (lambda: with_record(rehash("md5")), "weaker than sha256"),
    "record-sha1": (lambda: with_record(rehash("sha1")), "weaker than sha256"),
    "record-sha224": (lambda: with_record(rehash("sha224")), "weaker than sha256"),
    "record-unknown-algorithm": (lambda: with_record(lambda record: record.replace("sha256=", "crc=")), "malformed"),
    "record-shake": (lambda: with_record(lambda record: record.replace("sha256=", "shake_256=")), "malformed"),
    "record-hash-without-algorithm": (lambda: with_record(lambda record: record.replace("sha256=", "")), "malformed"),
    "record-hash-padded": (lambda: with_record(lambda record: record.replace(B64, B64 + "=")), "malformed"),
    "record-hash-short": (lambda: with_record(lambda record: record.replace(B64, B64[:-1])), "malformed"),
    "record-hash-not-base64": (lambda: with_record(lambda record: record.replace(B64, "!" * 43)), "malformed"),
    "record-size-wrong": (lambda: with_record(lambda record: record.replace(",480\n", ",481\n")), "480 bytes and 481"),
    "record-size-text": (lambda: with_record(lambda record: record.replace(",480\n", ",many\n")), "no number"),
    "record-size-negative": (lambda: with_record(lambda record: record.replace(",480\n", ",-480\n")), "no number"),
    "record-size-huge": (lambda: with_record(lambda record: record.replace(",480\n", f",{'9' * 5000}\n")), "no number"),
    "record-hashes-itself": (
        lambda: with_record(lambda record: record.replace("RECORD,,", f"RECORD,sha256={B64},")),
        "hash of itself",
    ),
    "record-path-absolute": (
        lambda: with_record(lambda record: record + record_line("/etc/passwd", b"")),
        "not in the wheel",
    ),
    "record-path-other-spelling": (
        lambda: with_record(lambda record: record.replace("demo.py,", "./demo.py,")),
        "not in RECORD",
    ),
    # WHEEL.
    "wheel-missing": (lambda: without("WHEEL"), "no `demo-1.0.dist-info/WHEEL`"),
    "wheel-empty": (lambda: wheel_file(""), "0 lines `Wheel-Version`"),
    "wheel-garbage": (lambda: wheel_file("<html>\n"), "not `Key: value`"),
    "wheel-purelib-behind-blank-line": (
        lambda: wheel_file(WHEEL.decode().replace("Root-Is", "\nRoot-Is")),
        "behind a blank line",
    ),
    "wheel-second-purelib-behind-blank-line": (
        lambda: wheel_file(WHEEL.decode() + "\nRoot-Is-Purelib: false\n"),
        "behind a blank line",
    ),
    "wheel-text-behind-blank-line": (lambda: wheel_file(WHEEL.decode() + "\nhello\n"), "behind a blank line"),
    "wheel-tag-behind-blank-line-differs": (
        lambda: wheel_file(WHEEL.decode() + "\nTag: cp27-cp27m-any\n"),
        "the filename has",
    ),
    "wheel-version-2": (lambda: wheel_file(WHEEL.decode().replace("1.0", "2.0", 1)), "unknown Wheel-Version"),
    "wheel-version-0": (lambda: wheel_file(WHEEL.decode().replace("1.0", "0.1", 1)), "unknown Wheel-Version"),
    "wheel-version-text": (lambda: wheel_file(WHEEL.decode().replace("1.0", "one", 1)), "unknown Wheel-Version"),
    "wheel-version-twice": (lambda: wheel_file("Wheel-Version: 1.0\n" + WHEEL.decode()), "2 lines `Wheel-Version`"),
    "purelib-missing": (
        lambda: wheel_file(WHEEL.decode().replace("Root-Is-Purelib: true\n", "")),
        "0 lines `Root-Is-Purelib`",
    ),
    "purelib-maybe": (lambda: wheel_file(WHEEL.decode().replace("true", "maybe")), "Root-Is-Purelib: maybe"),
    "purelib-twice": (lambda: wheel_file(WHEEL.decode() + "Root-Is-Purelib: false\n"), "2 lines"),
    "tag-missing": (lambda: wheel_file(WHEEL.decode().replace("Tag: py3-none-any\n", "")), "no Tag"),
    "tag-of-other-python": (lambda: wheel_file(WHEEL.decode().replace("py3-none", "cp27-cp27m")), "the filename has"),
    "tag-of-other-platform": (lambda: wheel_file(WHEEL.decode().replace("-any", "-win_amd64")), "the filename has"),
    "tag-too-many": (lambda: wheel_file(WHEEL.decode() + "Tag: py2-none-any\n"), "the filename has"),
    "tag-malformed": (lambda: wheel_file(WHEEL.decode().replace("py3-none-any", "any")), "malformed"),
    "tag-multiplied": (
        lambda: wheel_file(WHEEL.decode() + "Tag: " + "-".join([".".join(["a"] * 200)] * 3) + "\n"),
        "malformed",
    ),
    "build-not-in-filename": (lambda: wheel_file(WHEEL.decode() + "Build: 7\n"), "Build: 7"),
    # METADATA.
    "metadata-missing": (lambda: without("METADATA"), "no `demo-1.0.dist-info/METADATA`"),
    "metadata-empty": (lambda: metadata(""), "0 lines `Name`"),
    "metadata-not-utf8": (lambda: forge(sound_wheel(metadata=METADATA + b"Author: \xff\n")), "not UTF-8"),
    "metadata-other-name": (lambda: metadata(METADATA.decode().replace("demo", "evil")), "METADATA has not"),
    "metadata-other-version": (lambda: metadata(METADATA.decode().replace(": 1.0", ": 1.1")), "METADATA has not"),
    "metadata-local-version": (lambda: metadata(METADATA.decode().replace(": 1.0", ": 1.0+x")), "METADATA has not"),
    "metadata-name-twice": (lambda: metadata(METADATA.decode() + "name: demo\n"), "2 lines `Name`"),
    "metadata-version-twice": (lambda: metadata(METADATA.decode() + "Version: 1.0\n"), "2 lines `Version`"),
    "metadata-name-in-body": (lambda: metadata("Metadata-Version: 2.1\n\nName: demo\nVersion: 1.0\n"), "0 lines"),
    "metadata-name-folded": (lambda: metadata(METADATA.decode().replace("demo", "demo\n evil")), "METADATA has not"),
    "metadata-name-after-bare-return": (lambda: metadata("Author: x\rName: evil\n" + METADATA.decode()), "2 lines"),
    "metadata-version-3": (lambda: metadata(METADATA.decode().replace("2.1", "3.0")), "Metadata-Version"),
    "metadata-version-huge": (lambda: metadata(METADATA.decode().replace(": 1.0", f": {'9' * 9000}")), "has not"),
    # .dist-info.
    "no-dist-info": (lambda: forge([Entry("demo.py", b"x")]), "0 `.dist-info` folders"),
    "two-dist-infos": (lambda: with_file("other-1.0.dist-info/METADATA"), "2 `.dist-info` folders"),
    "two-dist-infos-case": (lambda: with_file("other-1.0.DIST-INFO/METADATA"), "2 `.dist-info` folders"),
    "dist-info-of-other-name": (lambda: forge(sound_wheel(info="evil-1.0.dist-info")), "does not belong"),
    "dist-info-of-other-version": (lambda: forge(sound_wheel(info="demo-1.1.dist-info")), "does not belong"),
    "dist-info-without-version": (lambda: forge(sound_wheel(info="demo.dist-info")), "does not belong"),
    "dist-info-upper-case": (lambda: forge(sound_wheel(info="demo-1.0.DIST-INFO")), "does not belong"),
    "egg-info": (lambda: with_file("other.egg-info"), "another distribution"),
    "egg-link": (lambda: with_file("other.egg-link"), "another distribution"),
    "installer-file": (lambda: with_file(f"{INFO}/INSTALLER", b"pip"), "the installer's"),
    "requested-file": (lambda: with_file(f"{INFO}/REQUESTED", b""), "the installer's"),
    "direct-url": (lambda: with_file(f"{INFO}/direct_url.json", b"{}"), "the installer's"),
    # .data.
    "data-of-other-version": (lambda: with_file("demo-2.0.data/scripts/x"), "not the data folder"),
    "data-of-other-name": (lambda: with_file("evil-1.0.data/scripts/x"), "not the data folder"),
    "data-other-case": (lambda: with_file("demo-1.0.DATA/scripts/x"), "not the data folder"),
    "data-unknown-scheme": (lambda: with_file(f"{DATA}/stdlib/os.py"), "belongs to no scheme"),
    "data-upper-case-scheme": (lambda: with_file(f"{DATA}/Scripts/x"), "belongs to no scheme"),
    "data-file-without-scheme": (lambda: with_file(f"{DATA}/loose"), "belongs to no scheme"),
    "data-scheme-is-file": (lambda: with_file(f"{DATA}/scripts"), "belongs to no scheme"),
    "data-is-file": (lambda: with_file(DATA), "is a file"),
    "data-escapes": (lambda: with_file(f"{DATA}/data/../../evil"), "leaves the folder"),
    "data-replaces-configuration": (lambda: with_file(f"{DATA}/data/pyvenv.cfg"), "environment's own"),
    "data-replaces-configuration-case": (lambda: with_file(f"{DATA}/data/PyVenv.cfg"), "environment's own"),
    "data-replaces-marker": (lambda: with_file(f"{DATA}/data/.buildlock"), "environment's own"),
    "data-replaces-python": (lambda: with_file(f"{DATA}/data/bin/python"), "environment's own"),
    "data-replaces-windows-python": (lambda: with_file(f"{DATA}/data/Scripts/python.exe"), "environment's own"),
    "data-replaces-folder": (lambda: with_file(f"{DATA}/data/lib"), "environment's own"),
    "data-writes-into-library": (
        lambda: with_file(f"{DATA}/data/lib/python3.11/site-packages/evil.pth"),
        "environment's own",
    ),
    "data-writes-into-lib64": (lambda: with_file(f"{DATA}/data/lib64/python3.12/site.py"), "environment's own"),
    "data-writes-into-windows-library": (lambda: with_file(f"{DATA}/data/Lib/site-packages/x.py"), "environment's own"),
    "script-replaces-python": (lambda: with_file(f"{DATA}/scripts/python"), "environment's own"),
    "script-replaces-python3": (lambda: with_file(f"{DATA}/scripts/python3.11"), "environment's own"),
    "script-replaces-python-case": (lambda: with_file(f"{DATA}/scripts/PYTHON.EXE"), "environment's own"),
    "script-replaces-activate": (lambda: with_file(f"{DATA}/scripts/activate"), "environment's own"),
    "script-replaces-activate-ps1": (lambda: with_file(f"{DATA}/scripts/Activate.ps1"), "environment's own"),
    "script-in-folder-python": (lambda: with_file(f"{DATA}/scripts/python/x"), "environment's own"),
    "purelib-plants-dist-info": (lambda: with_file(f"{DATA}/purelib/evil-1.0.dist-info/METADATA"), "own files"),
    "platlib-replaces-own-record": (lambda: with_file(f"{DATA}/platlib/{INFO}/RECORD"), "own files"),
    "purelib-replaces-root-file": (lambda: with_file(f"{DATA}/purelib/demo.py"), "one place"),
    "platlib-replaces-root-file-case": (lambda: with_file(f"{DATA}/platlib/Demo.py"), "one place"),
    "script-and-data-in-one-place": (
        lambda: forge(sound_wheel({f"{DATA}/scripts/run": b"a", f"{DATA}/data/bin/run": b"b"})),
        "one place",
    ),
    # entry_points.txt.
    "points-not-utf8": (lambda: with_file(f"{INFO}/entry_points.txt", b"\xff"), "not UTF-8"),
    "points-garbage": (lambda: with_points("no section\n"), "entry_points.txt"),
    "points-section-twice": (lambda: with_points("[a]\n[a]\n"), "entry_points.txt"),
    "points-name-twice": (lambda: with_points("[console_scripts]\nx = a:b\nx = c:d\n"), "entry_points.txt"),
    "points-name-escapes": (lambda: with_points("[console_scripts]\n../x = a:b\n"), "name of a command"),
    "points-name-absolute": (lambda: with_points("[gui_scripts]\n/bin/x = a:b\n"), "name of a command"),
    "points-name-backslash": (lambda: with_points("[console_scripts]\na\\b = a:b\n"), "name of a command"),
    "points-name-option": (lambda: with_points("[console_scripts]\n-rf = a:b\n"), "name of a command"),
    "points-name-device": (lambda: with_points("[console_scripts]\nnul = a:b\n"), "name of a command"),
    "points-name-python": (lambda: with_points("[console_scripts]\npython3 = a:b\n"), "environment's own"),
    "points-name-activate": (lambda: with_points("[gui_scripts]\nactivate = a:b\n"), "environment's own"),
    "points-names-by-case": (lambda: with_points("[console_scripts]\nrun = a:b\nRUN = a:c\n"), "one place"),
    "points-name-of-script": (
        lambda: forge(
            sound_wheel({f"{DATA}/scripts/run": b"", f"{INFO}/entry_points.txt": b"[console_scripts]\nrun = a:b\n"})
        ),
        "one place",
    ),
    "points-object-code": (lambda: with_points("[console_scripts]\nx = a:b();import os\n"), "no object"),
    "points-object-newline": (lambda: with_points("[console_scripts]\nx = a:b\n  import os\n"), "no object"),
    "points-object-spaces": (lambda: with_points("[console_scripts]\nx = a b:c\n"), "no object"),
    "points-object-empty": (lambda: with_points("[console_scripts]\nx =\n"), "no object"),
    "points-object-digit": (lambda: with_points("[console_scripts]\nx = 1a:b\n"), "no object"),
    "points-object-keyword": (lambda: with_points("[console_scripts]\nx = a:class\n"), "no object"),
    "points-object-dots": (lambda: with_points("[console_scripts]\nx = a..b:c\n"), "no object"),
    "points-object-no-function": (lambda: with_points("[console_scripts]\nx = a\n"), "names no function"),
    "points-plugin-object": (lambda: with_points("[setuptools.finalizers]\nx = a:b; evil()\n"), "no object"),
}

RAW_NAMES: Mapping[str, tuple[bytes, int]] = {
    "latin-1": (b"caf\xe9.py", 0),
    "unmarked-utf-8": (b"caf\xc3\xa9.py", 0),
    "latin-1-marked-as-utf-8": (b"caf\xe9.py", 0x800),
}
"""Names in an unknown encoding, and the flags that they have."""


def with_clash(clash: str) -> bytes:
    more = [Entry(name, mode=0o40755 if name.endswith("/") else 0o100644) for name in CLASHES[clash]]
    return forge([*sound(), *more])


def with_raw_name(encoding: str) -> bytes:
    raw, flags = RAW_NAMES[encoding]
    return demo(flags=flags, local={"name": raw}, central={"name": raw})


def python_zip(*, streamed: bool = False, method: int = zipfile.ZIP_DEFLATED, wide: bool = False) -> bytes:
    """A wheel by the standard library's writer."""

    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return not streamed

        def tell(self) -> int:
            if streamed:
                raise OSError
            return super().tell()

        def seek(self, offset: int, whence: int = 0) -> int:
            if streamed:
                raise OSError
            return super().seek(offset, whence)

    buffer = Unseekable()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for entry in sound_wheel({"demo.py": CODE, "empty.py": b"", "gr\u00fc\u00dfe.txt": b"hallo"}):
            with archive.open(zipfile.ZipInfo(entry.name), "w", force_zip64=wide) as file:
                file.write(entry.data)
    return buffer.getvalue()


SOUND: Mapping[str, Callable[[], bytes]] = {
    "plain": lambda: forge(sound()),
    "stored": lambda: demo(method=0),
    "streamed": lambda: demo(streamed=True),
    "streamed-with-known-sizes": lambda: demo(
        streamed=True, local={"crc": zlib.crc32(CODE), "packed": len(PACKED), "size": len(CODE)}
    ),
    "streamed-without-signature": lambda: demo(streamed=True, descriptor=descriptor()[4:]),
    "streamed-stored": lambda: demo(streamed=True, method=0),
    "streamed-zip64": lambda: demo(streamed=True, wide=True),
    "zip64-entry": lambda: demo(wide=True),
    "zip64-entry-with-both-sizes": lambda: demo(
        local={"extra": field_of(1, struct.pack("<QQ", len(CODE), len(PACKED)))}
    ),
    "zip64-central": lambda: demo(
        central={"size": MAX32, "packed": MAX32, "extra": field_of(1, struct.pack("<QQ", len(CODE), len(PACKED)))}
    ),
    "zip64-central-with-all": lambda: demo(
        central={
            "size": MAX32,
            "packed": MAX32,
            "offset": MAX32,
            "extra": field_of(1, struct.pack("<QQQ", len(CODE), len(PACKED), 0)),
        }
    ),
    "zip64-end": lambda: forge(sound(), end64={}),
    "zip64-end-alone": lambda: forge(
        sound(), end64={}, end={"count": MAX16, "here": MAX16, "start": MAX32, "length": MAX32}
    ),
    "comment": lambda: forge(sound(), comment=b"made by hand, with love"),
    "timestamps": lambda: demo(
        local={"extra": field_of(0x5455, b"\3" + b"\0" * 8)}, central={"extra": field_of(0x5455, b"\3" + b"\0" * 4)}
    ),
    "unix-owner": lambda: demo(local={"extra": field_of(0x7875, b"\1\4\0\0\0\0\4\0\0\0\0")}),
    "same-unicode-path": lambda: demo(central={"extra": field_of(0x7075, b"\1\0\0\0\0demo.py")}),
    "without-mode": lambda: demo(mode=0),
    "from-windows": lambda: demo(central={"made": 20, "attributes": 0x20}),
    "world-writable": lambda: demo(mode=0o100777),
    "folders": lambda: forge(
        [Entry(f"{INFO}/", method=0, mode=0o40755, central={"attributes": 0o40755 << 16 | 0x10}), *sound()]
    ),
    "deflated-folder": lambda: forge([Entry("pkg/", mode=0o40755), *sound()]),
    "empty-file": lambda: with_file("pkg/__init__.py", b""),
    "unicode-names": lambda: with_file("grüße/日本.txt"),
    "comma-in-name": lambda: with_file("a,b.txt"),
    "spaces-in-name": lambda: with_file("my file.txt"),
    "leading-space": lambda: with_file(" .git-blame-ignore-revs"),
    "nested-zip": lambda: forge(changed(sound_wheel({"x.zip": forge(sound())}), "x.zip", method=0)),
    "record-crlf": lambda: with_record(lambda record: record.replace("\n", "\r\n")),
    "record-sha512": lambda: with_record(rehash("sha512")),
    "record-blake2": lambda: with_record(rehash("blake2b")),
    "record-hexadecimal": lambda: with_record(lambda record: record.replace(B64, HEX)),
    "record-without-size": lambda: with_record(lambda record: record.replace(",480\n", ",\n")),
    "record-without-itself": lambda: with_record(lambda record: record.replace(f"{INFO}/RECORD,,\n", "")),
    "signed-record": lambda: forge([*sound(), Entry(f"{INFO}/RECORD.jws", b"{}")]),
    "wheel-version-1.9": lambda: wheel_file(WHEEL.decode().replace("1.0", "1.9", 1)),
    "purelib-upper-case": lambda: wheel_file(WHEEL.decode().replace("true", "True")),
    "purelib-false": lambda: wheel_file(WHEEL.decode().replace("true", "false")),
    "wheel-tags-behind-blank-line": lambda: wheel_file(WHEEL.decode().replace("Tag:", "\nTag:")),
    "wheel-crlf": lambda: wheel_file(WHEEL.decode().replace("\n", "\r\n")),
    "metadata-name-spelling": lambda: metadata(METADATA.decode().replace("demo", "Demo")),
    "metadata-version-spelling": lambda: metadata(METADATA.decode().replace(": 1.0", ": 1.0.0")),
    "metadata-2.5": lambda: metadata(METADATA.decode().replace("2.1", "2.5") + "\nDescription\n"),
    "dist-info-spelling": lambda: forge(sound_wheel(info="Demo-1.0.0.dist-info")),
    "licenses": lambda: with_file(f"{INFO}/licenses/LICENSE"),
    "package-called-data": lambda: with_file("demo.data/x.txt"),
    "schemes": lambda: forge(
        sound_wheel(
            {
                f"{DATA}/purelib/a.py": b"",
                f"{DATA}/platlib/b.py": b"",
                f"{DATA}/scripts/run": b"#!python\n",
                f"{DATA}/scripts/python-argcomplete-check": b"#!python\n",
                f"{DATA}/headers/demo.h": b"",
                f"{DATA}/data/share/man/man1/demo.1": b"",
                f"{DATA}/data/lib/libdemo.so": b"",
                f"{DATA}/data/bin/tool": b"",
            }
        )
    ),
    "entry-points": lambda: with_points(
        "# comment\n[console_scripts]\nrun = demo:main\nrun-2 = demo.cli:App.run [extra]\n\n[some.plugins]\na b = demo"
    ),
    "python-deflated": python_zip,
    "python-stored": lambda: python_zip(method=zipfile.ZIP_STORED),
    "python-zip64": lambda: python_zip(wide=True),
    "python-streamed": lambda: python_zip(streamed=True),
    "python-streamed-stored": lambda: python_zip(streamed=True, method=zipfile.ZIP_STORED),
    "python-streamed-zip64": lambda: python_zip(streamed=True, wide=True),
}


def all_malformed() -> Iterator[tuple[str, bytes]]:
    """Every wheel that is to be refused, by what is wrong with it."""
    for defects in (ZIP_DEFECTS, CONTENT_DEFECTS):
        yield from ((defect, make()) for defect, (make, _) in defects.items())
    yield from ((f"name {ascii(name)[:40]}", with_extra(name)) for name in NAMES)
    yield from ((f"clash {clash}", with_clash(clash)) for clash in CLASHES)
    yield from ((f"encoding {encoding}", with_raw_name(encoding)) for encoding in RAW_NAMES)
