"""RECORD: the files of a wheel or of an installed distribution, with size and hash (recording installed projects)."""

import base64
import binascii
import csv
import hashlib
import io
import re
from collections.abc import Iterable
from typing import NamedTuple

_DIGEST_SIZES = {
    name: size
    for name in hashlib.algorithms_guaranteed
    if (size := hashlib.new(name).digest_size) >= 32  # noqa: PLR2004
}
"""Bytes of the digest, of those that are not weaker than sha256: 256 bits. SHAKE has no size of its own."""
MAX_LINES = 100_000
_HEXADECIMAL = re.compile(r"[0-9a-f]+")
_OF_32_BYTES = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
"""The base64 of 32 bytes: two bits of its last character stand for none, and are zero."""
_URLSAFE = bytes.maketrans(b"+/", b"-_")


class InvalidRecordError(ValueError):
    """A line of RECORD that is refused."""


class RecordLine(NamedTuple):
    """One file. `algorithm` and `digest` are empty for the files that cannot have a hash, as RECORD itself."""

    path: str
    algorithm: str = ""
    digest: str = ""
    """As RECORD writes it: urlsafe base64 without padding."""
    size: int | None = None


def parse_record(text: str) -> dict[str, RecordLine]:
    """The lines of a RECORD by path.

    Raises:
        InvalidRecordError: A line is not `path,algorithm=digest,size`, is there twice, or has a hash that is
            weaker than sha256.
    """
    lines: dict[str, RecordLine] = {}
    try:
        for row in csv.reader(io.StringIO(text, newline=""), strict=True):
            if len(lines) >= MAX_LINES:
                raise InvalidRecordError(f"it has more than {MAX_LINES} lines")
            line = _parse_line(row)
            if line.path in lines:
                raise InvalidRecordError(f"`{line.path}` is there twice")
            lines[line.path] = line
    except csv.Error as error:
        raise InvalidRecordError(str(error)) from error
    return lines


def _parse_line(row: list[str]) -> RecordLine:
    if len(row) != 3:  # noqa: PLR2004 - path, hash, size
        raise InvalidRecordError(f"`{','.join(row)}` is not `path,hash,size`")
    path, hashed, size = row
    algorithm, _, digest = hashed.partition("=")
    if hashed and (digest := _read_digest(algorithm, digest)) == "":
        raise InvalidRecordError(f"`{path}` has the hash `{hashed}`, which is malformed or weaker than sha256")
    # 20 digits hold any 64-bit number, and keep Python from parsing millions of them.
    if size and not (size.isascii() and size.isdigit() and len(size) <= 20):  # noqa: PLR2004
        raise InvalidRecordError(f"`{path}` has the size `{size}`, which is no number of bytes")
    return RecordLine(path=path, algorithm=algorithm, digest=digest, size=int(size) if size else None)


def _read_digest(algorithm: str, digest: str) -> str:
    """The one spelling of a digest; empty where it is none."""
    size = _DIGEST_SIZES.get(algorithm)
    if size is None:
        return ""
    if size == 32 and _OF_32_BYTES.fullmatch(digest):  # noqa: PLR2004
        return digest  # as all but a few are written
    if len(digest) == 2 * size and _HEXADECIMAL.fullmatch(digest):
        # Not to the specification, and found in published wheels (gmsh 4.15); no base64 has this length.
        return encode_digest(bytes.fromhex(digest))
    try:
        raw = base64.b64decode(digest + "=" * (-len(digest) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return ""
    # No padding, no stray bits.
    return digest if len(raw) == size and encode_digest(raw) == digest else ""


def encode_digest(raw: bytes) -> str:
    """As RECORD writes a digest."""
    return binascii.b2a_base64(raw, newline=False).rstrip(b"=").translate(_URLSAFE).decode()


def write_record(lines: Iterable[RecordLine]) -> str:
    r"""The text of a RECORD, sorted.

    >>> write_record([RecordLine(path="a.py", algorithm="sha256", digest="abc", size=3)])
    'a.py,sha256=abc,3\n'
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    for line in sorted(lines, key=lambda line: line.path):
        hashed = f"{line.algorithm}={line.digest}" if line.digest else ""
        writer.writerow([line.path, hashed, "" if line.size is None else line.size])
    return text.getvalue()
