"""Core metadata: from the bytes of a `METADATA` file to the values that resolution needs."""

import re
from collections.abc import Callable
from email.errors import MultipartInvariantViolationDefect
from email.message import Message
from email.parser import HeaderParser
from typing import TypeVar

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from buildlock.artifacts import Artifact, CoreMetadata
from buildlock.errors import IntegrityError, InvalidMetadataError
from buildlock.text import excerpt

MAX_METADATA_SIZE = 8 * 1024 * 1024
"""Bytes of a metadata file, the long description included."""
_MAX_HEADER_LENGTH = 1024 * 1024  # a megabyte of requirements takes seconds to parse
# Python refuses to convert more than 4300 digits into a number, and packaging converts only when it compares: a
# shorter field cannot raise there.
_MAX_FIELD_LENGTH = 4096
_SUPPORTED_MAJOR = 2

_FOLD = re.compile(r"[\r\n]+[ \t]*")
_BLANK_LINE = re.compile(r"(?:\r\n|\r(?!\n)|\n){2}")
_T = TypeVar("_T")


def parse_core_metadata(content: bytes, *, artifact: Artifact) -> CoreMetadata:
    """Read the metadata of `artifact` (core metadata specification, versions 1 and 2).

    Strict about the fields that resolution needs, silent about all others.

    Raises:
        InvalidMetadataError: The bytes are no metadata, or one of those fields cannot be used.
        IntegrityError: They are the metadata of another name or version than the artifact's.
    """
    # Not `packaging.metadata.parse_email`: it reads the body too, where a `Content-Type` field makes the email
    # parser see a nest of messages.
    fields = _parse_fields(content, artifact)
    version = _read_single(fields, "Metadata-Version", Version, artifact)
    # "Automated tools consuming metadata SHOULD warn if metadata_version is greater than the highest version they
    # support, and MUST fail if metadata_version has a greater major version than the highest version they support."
    if version is None or version.major > _SUPPORTED_MAJOR:
        found = "no `Metadata-Version`" if version is None else f"`Metadata-Version: {version}`"
        raise _invalid(artifact, f"it has {found}; buildlock reads versions 1 and 2")
    metadata = CoreMetadata(
        name=_require(_read_single(fields, "Name", _parse_name, artifact), "Name", artifact),
        version=_require(_read_single(fields, "Version", Version, artifact), "Version", artifact),
        requires_dist=tuple(_read_all(fields, "Requires-Dist", parse_requirement, artifact)),
        requires_python=_read_single(fields, "Requires-Python", SpecifierSet, artifact),
        provides_extra=frozenset(_read_all(fields, "Provides-Extra", _parse_name, artifact)),
    )
    if (metadata.name, metadata.version) != (artifact.name, artifact.version):
        raise IntegrityError(
            f"the metadata of `{artifact.filename}` is that of `{metadata.name}` {metadata.version}, "
            f"not of `{artifact.name}` {artifact.version}: {artifact.url}",
            hint="the index serves another file under this name; report it to who runs the index",
        )
    return metadata


def _parse_fields(content: bytes, artifact: Artifact) -> Message:
    if len(content) > MAX_METADATA_SIZE:
        raise _invalid(artifact, f"it is larger than {MAX_METADATA_SIZE} bytes")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _invalid(artifact, f"byte {error.start} is not UTF-8") from error
    header = _BLANK_LINE.split(text, maxsplit=1)[0]
    if len(header) > _MAX_HEADER_LENGTH:
        raise _invalid(artifact, f"its header has more than {_MAX_HEADER_LENGTH} characters")
    fields = HeaderParser().parsestr(header)
    # A line that is no field ends the header, and every `Requires-Dist` below it would be lost without a word.
    # (Older Pythons also miss the parts that a `Content-Type` of `multipart` promises.)
    if any(not isinstance(defect, MultipartInvariantViolationDefect) for defect in fields.defects):
        raise _invalid(artifact, "a line of its header is not a field")
    return fields


def _read_all(fields: Message, name: str, parse: Callable[[str], _T], artifact: Artifact) -> list[_T]:
    values = []
    for raw in fields.get_all(name, ()):
        if len(raw) > _MAX_FIELD_LENGTH:
            raise _invalid(artifact, f"`{name}: {excerpt(raw)}` has more than {_MAX_FIELD_LENGTH} characters")
        value = _FOLD.sub(" ", raw).strip()
        try:
            values.append(parse(value))
        except ValueError as error:
            raise _invalid(artifact, f"`{name}: {excerpt(value)}` cannot be read") from error
    return values


def _read_single(fields: Message, name: str, parse: Callable[[str], _T], artifact: Artifact) -> _T | None:
    values = _read_all(fields, name, parse, artifact)
    if len(values) > 1:
        raise _invalid(artifact, f"it has {len(values)} fields `{name}`")
    return values[0] if values else None


def _require(value: _T | None, name: str, artifact: Artifact) -> _T:
    if value is None:
        raise _invalid(artifact, f"it has no `{name}`")
    return value


def _parse_name(value: str) -> NormalizedName:
    return canonicalize_name(value, validate=True)


def parse_requirement(value: str) -> Requirement:
    """Read a requirement that can be used without further errors (dependency specifiers specification).

    Raises:
        ValueError: It is none.
    """
    if len(value) > _MAX_FIELD_LENGTH:
        raise ValueError(f"it has more than {_MAX_FIELD_LENGTH} characters")
    try:
        requirement = Requirement(value)
        if requirement.marker is not None:
            # `os_name ~= 'x'` is a marker by the grammar and an error when it is evaluated: find that here, not there.
            requirement.marker.evaluate()
    except (RecursionError, UndefinedEnvironmentName) as error:
        raise ValueError("its marker cannot be evaluated") from error
    return requirement


def _invalid(artifact: Artifact, fault: str) -> InvalidMetadataError:
    return InvalidMetadataError(f"the metadata of `{artifact.filename}` is refused: {fault} ({artifact.url})")
