"""Wheels made byte by byte, sound or with any defect.

forge([Entry("demo.py", b"x = 1\n"), ...])          # the bytes of a ZIP file
sound_wheel({"demo.py": b"x = 1\n"})                # the entries of a wheel with a complete RECORD
forge(changed(sound_wheel(), "demo.py", mode=0o120777))
"""

import base64
import hashlib
import struct
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

FILENAME = "demo-1.0-py3-none-any.whl"
INFO = "demo-1.0.dist-info"
DATA = "demo-1.0.data"
METADATA = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
WHEEL = b"Wheel-Version: 1.0\nGenerator: forge\nRoot-Is-Purelib: true\nTag: py3-none-any\n"

MAX16, MAX32 = 0xFFFF, 0xFFFFFFFF


@dataclass(frozen=True)
class Entry:
    """One entry; `local` and `central` replace fields of its two headers by name."""

    name: str
    data: bytes = b""
    method: int = 8
    mode: int = 0o100644
    flags: int = 0
    streamed: bool = False
    wide: bool = False
    """ZIP64 in its own header, and in its descriptor."""
    local: Mapping[str, Any] = field(default_factory=dict)
    central: Mapping[str, Any] = field(default_factory=dict)
    packed: bytes | None = None
    descriptor: bytes | None = None
    after: bytes = b""
    """Bytes that belong to nothing."""
    hidden: bool = False
    """Not in the central directory."""


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def field_of(identifier: int, content: bytes) -> bytes:
    """An extra field."""
    return struct.pack("<HH", identifier, len(content)) + content


def forge(
    entries: Sequence[Entry],
    *,
    prefix: bytes = b"",
    before_directory: bytes = b"",
    after_directory: bytes = b"",
    comment: bytes = b"",
    trailer: bytes = b"",
    end: Mapping[str, int] | None = None,
    end64: Mapping[str, int] | None = None,
) -> bytes:
    """A ZIP file of these entries. `end64`, even empty, adds the ZIP64 records."""
    body, directory, count = bytearray(prefix), b"", 0
    for entry in entries:
        offset = len(body)
        local, central = _headers(entry, offset)
        body += local
        if not entry.hidden:
            directory += central
            count += 1
    body += before_directory
    start = len(body)
    body += directory + after_directory
    if end64 is not None:
        fields = {
            "signature": b"PK\x06\x06", "size": 44, "made": 45, "version": 45, "disk": 0, "first": 0,
            "here": count, "count": count, "length": len(directory), "start": start, "locator": len(body), "disks": 1,
        } | dict(end64)  # fmt: skip
        locator = fields.pop("locator"), fields.pop("disks")
        body += struct.pack("<4sQ2H2I4Q", *fields.values()) + struct.pack("<4sIQI", b"PK\x06\x07", 0, *locator)
    record = {
        "disk": 0, "first": 0, "here": count, "count": count, "length": len(directory), "start": start,
        "comment": len(comment),
    } | dict(end or {})  # fmt: skip
    return bytes(body) + b"PK\x05\x06" + struct.pack("<4H2IH", *record.values()) + comment + trailer


def _headers(entry: Entry, offset: int) -> tuple[bytes, bytes]:
    packed = entry.packed
    if packed is None:
        packed = deflate(entry.data) if entry.method == 8 else entry.data
    raw = entry.name.encode()
    flags = entry.flags | (0 if entry.name.isascii() else 0x800) | (8 if entry.streamed else 0)
    crc, size = zlib.crc32(entry.data), len(entry.data)
    sums = (0, 0, 0) if entry.streamed else (crc, len(packed), size)
    extra = b""
    if entry.wide:
        extra = field_of(1, struct.pack("<QQ", sums[2], sums[1]))
        sums = (sums[0], MAX32, MAX32)
    own: dict[str, Any] = {
        "signature": b"PK\x03\x04", "version": 20, "flags": flags, "method": entry.method, "time": 0, "date": 33,
        "crc": sums[0], "packed": sums[1], "size": sums[2], "name": raw, "extra": extra,
    } | dict(entry.local)  # fmt: skip
    name, more = own.pop("name"), own.pop("extra")
    local = struct.pack("<4s5H3I2H", *own.values(), len(name), len(more)) + name + more
    descriptor = entry.descriptor
    if descriptor is None:
        layout = "<4sIQQ" if entry.wide else "<4sIII"
        descriptor = struct.pack(layout, b"PK\x07\x08", crc, len(packed), size) if entry.streamed else b""
    theirs: dict[str, Any] = {
        "signature": b"PK\x01\x02", "made": 0x314, "version": 20, "flags": flags, "method": entry.method, "time": 0,
        "date": 33, "crc": crc, "packed": len(packed), "size": size, "name": raw, "extra": b"", "comment": b"",
        "disk": 0, "internal": 0, "attributes": entry.mode << 16, "offset": offset,
    } | dict(entry.central)  # fmt: skip
    variable = [theirs.pop(key) for key in ("name", "extra", "comment")]
    values = list(theirs.values())
    central = struct.pack("<4s6H3I5H2I", *values[:10], *map(len, variable), *values[10:]) + b"".join(variable)
    return local + packed + descriptor + entry.after, central


def record_line(name: str, data: bytes, algorithm: str = "sha256") -> str:
    digest = base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).rstrip(b"=").decode()
    quoted = f'"{name}"' if "," in name else name
    return f"{quoted},{algorithm}={digest},{len(data)}\n"


def sound_wheel(
    files: Mapping[str, bytes] | None = None,
    *,
    metadata: bytes = METADATA,
    wheel: bytes = WHEEL,
    info: str = INFO,
    record: bytes | None = None,
) -> list[Entry]:
    """The entries of a wheel. `files` are its own beside `.dist-info`; a `record` replaces the true one."""
    content = dict({"demo.py": b"answer = 42\n" * 40} if files is None else files)
    content |= {f"{info}/METADATA": metadata, f"{info}/WHEEL": wheel}
    if record is None:
        lines = [record_line(name, data) for name, data in content.items() if not name.endswith("/")]
        record = "".join([*lines, f"{info}/RECORD,,\n"]).encode()
    content[f"{info}/RECORD"] = record
    return [
        Entry(name, data, method=0 if name.endswith("/") else 8, mode=0o40755 if name.endswith("/") else 0o100644)
        for name, data in content.items()
    ]


def changed(entries: Sequence[Entry], name: str, **fields: Any) -> list[Entry]:
    """The same entries, one of them with other fields."""
    assert any(entry.name == name for entry in entries)
    return [replace(entry, **fields) if entry.name == name else entry for entry in entries]


def make_wheel(
    name: str = "demo",
    version: str = "1.0",
    files: Mapping[str, bytes] | None = None,
    *,
    scripts: Mapping[str, str] | None = None,
    tag: str = "py3-none-any",
    purelib: bool = True,
    programs: Collection[str] = (),
) -> tuple[str, bytes]:
    """The filename and the bytes of a sound wheel; `scripts` are console scripts by name, `programs` executable."""
    module = f'NAME = "{name}"\n\n\ndef main():\n    print("{name} runs")\n'
    content = dict(files) if files is not None else {f"{name}.py": module.encode()}
    info = f"{name}-{version}.dist-info"
    if scripts:
        points = ["[console_scripts]\n", *(f"{key} = {value}\n" for key, value in scripts.items())]
        content[f"{info}/entry_points.txt"] = "".join(points).encode()
    entries = sound_wheel(
        content,
        metadata=f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        wheel=f"Wheel-Version: 1.0\nRoot-Is-Purelib: {str(purelib).lower()}\nTag: {tag}\n".encode(),
        info=info,
    )
    for program in programs:
        entries = changed(entries, program, mode=0o100755)
    return f"{name}-{version}-{tag}.whl", forge(entries)
