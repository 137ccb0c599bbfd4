"""A built wheel that says which versions it was built against: METADATA and RECORD written anew, all else as it is."""

import hashlib
import re
import shutil
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from buildlock.environment.record import InvalidRecordError, RecordLine, encode_digest, parse_record, write_record
from buildlock.environment.wheel import open_wheel
from buildlock.errors import BackendError, EnvironmentPreparationError

_SIGNATURES = ("RECORD.jws", "RECORD.p7s")
_END_OF_HEADERS = re.compile(rb"\r?\n(?=\r?\n|\Z)|\Z")
# A header goes on in the lines that begin with a space.
_REQUIREMENT = re.compile(rb"^requires-dist[ \t]*:(.*(?:\r?\n[ \t].*)*)(?:\r?\n|\Z)", re.IGNORECASE | re.MULTILINE)
_CHUNK = 1 << 20


def pin_wheel(path: Path, requirements: Sequence[Requirement]) -> None:
    """Add requirements to a wheel that was checked. The same wheel and requirements give the same bytes.

    Raises:
        BackendError: The wheel is signed, or requires what contradicts them.
        EnvironmentPreparationError: It cannot be written.
    """
    with open_wheel(path, filename=path.name) as wheel:
        dist_info = wheel.facts.dist_info
    pinned = path.with_name(f"{path.name}.pinned")
    try:
        with zipfile.ZipFile(path) as archive:
            replaced = _replace_files(archive, dist_info, path.name, requirements)
            _write(archive, pinned, replaced)
        pinned.replace(path)
    except OSError as error:
        raise EnvironmentPreparationError(f"`{path.name}` cannot be written: {error.strerror or error}") from error
    except (zipfile.BadZipFile, zlib.error, ValueError, RuntimeError) as error:  # RuntimeError: encrypted, or unknown
        raise BackendError(f"`{path.name}` cannot be read: {error}") from error
    # It is held to what every wheel is held to.
    with open_wheel(path, filename=path.name):
        pass


def add_requirements(metadata: bytes, requirements: Sequence[Requirement], filename: str) -> bytes:
    """Core metadata with more `Requires-Dist`, behind those that it has.

    Raises:
        BackendError: What it requires without a condition contradicts one of them, or it ends its lines oddly.
    """
    end = _find_end(metadata)
    headers = metadata[:end]
    newline = b"\r\n" if b"\r\n" in headers else b"\n"
    required = list(_REQUIREMENT.finditer(headers))
    texts = [b" ".join(match[1].split()).decode("utf-8", "replace") for match in required]
    for requirement in requirements:
        for text in texts:
            if _excludes(text, requirement):
                raise BackendError(
                    f"`{filename}` requires `{text}`, and was built against what is `{requirement}`",
                    hint="make the project's dependencies agree with what it is built against",
                )
    lines = [f"Requires-Dist: {each}".encode() for each in requirements if str(each) not in texts]
    place = required[-1].end() if required else end
    before, after = headers[:place], headers[place:] + metadata[end:]
    if before and not before.endswith(b"\n"):
        before += newline
    pinned = before + b"".join(line + newline for line in lines) + after
    raw, _ = parse_email(pinned)
    if not set(map(str, requirements)) <= set(raw.get("requires_dist", ())):
        raise BackendError(f"METADATA of `{filename}` is not laid out so that a requirement can be added")
    return pinned


def _find_end(metadata: bytes) -> int:
    """Where the headers end: behind the line end of the last one."""
    found = _END_OF_HEADERS.search(metadata)
    return found.end() if found else len(metadata)


def _excludes(text: str, pinned: Requirement) -> bool:
    try:
        requirement = Requirement(text)
    except (InvalidRequirement, RecursionError):
        return False
    if requirement.marker is not None or canonicalize_name(requirement.name) != canonicalize_name(pinned.name):
        return False
    return (requirement.specifier & pinned.specifier).is_unsatisfiable()


def _replace_files(
    archive: zipfile.ZipFile, dist_info: str, filename: str, requirements: Sequence[Requirement]
) -> dict[str, bytes]:
    """The files that are written anew, by their names."""
    names = set(archive.namelist())
    for signature in _SIGNATURES:
        if f"{dist_info}/{signature}" in names:
            raise BackendError(
                f"`{filename}` is signed (`{signature}`), and `pin-runtime` would break the signature",
                hint="sign the wheel after it is built, or do without `pin-runtime`",
            )
    path, record = f"{dist_info}/METADATA", f"{dist_info}/RECORD"
    metadata = add_requirements(archive.read(path), requirements, filename)
    digest = encode_digest(hashlib.sha256(metadata).digest())
    try:
        lines = parse_record(archive.read(record).decode())
    except InvalidRecordError as error:
        raise BackendError(f"RECORD of `{filename}` cannot be read: {error}") from error
    lines[path] = RecordLine(path=path, algorithm="sha256", digest=digest, size=len(metadata))
    return {path: metadata, record: write_record(lines.values()).encode()}


def _write(archive: zipfile.ZipFile, destination: Path, replaced: dict[str, bytes]) -> None:
    with zipfile.ZipFile(destination, "x") as pinned:
        for entry in archive.infolist():
            copy = zipfile.ZipInfo(entry.filename, entry.date_time)
            copy.compress_type = entry.compress_type
            copy.create_system = entry.create_system
            copy.external_attr = entry.external_attr
            if entry.filename in replaced:
                pinned.writestr(copy, replaced[entry.filename])
                continue
            copy.file_size = entry.file_size  # decides whether it needs ZIP64
            with archive.open(entry) as source, pinned.open(copy, "w") as target:
                shutil.copyfileobj(source, target, _CHUNK)
