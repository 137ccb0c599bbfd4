"""Core metadata: from the bytes of a `METADATA` file to the values that resolution needs."""

import re
from collections.abc import Callable, Mapping
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
from buildlock.requirements import Requirements, read_requirement
from buildlock.text import excerpt

MAX_METADATA_SIZE = 8 * 1024 * 1024
"""Bytes of a metadata file, the long description included."""
_MAX_HEADER_LENGTH = 1024 * 1024  # a megabyte of requirements takes seconds to parse
# Python refuses to convert more than 4300 digits into a number, and packaging converts only when it compares: a
# shorter field cannot raise there.
MAX_FIELD_LENGTH = 4096
"""Characters."""
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
    metadata = MetadataFile(content, subject=artifact.filename, url=artifact.url).read()
    if (metadata.name, metadata.version) != (artifact.name, artifact.version):
        raise IntegrityError(
            f"the metadata of `{artifact.filename}` is that of `{metadata.name}` {metadata.version}, "
            f"not of `{artifact.name}` {artifact.version}: {artifact.url}",
            hint="the index serves another file under this name; report it to who runs the index",
        )
    return metadata


class MetadataFile:
    """A file of core metadata, whose fields are judged as they are asked for.

    Args:
        content: The bytes of the file.
        subject: What it is the metadata of, as messages name it: the name of a file.
        url: Where that is.

    Raises:
        InvalidMetadataError: Also from every method: it is no metadata, or not of a version that we read, or a field
            that is asked for cannot be used.
    """

    def __init__(self, content: bytes, *, subject: str, url: str) -> None:
        self._subject = subject
        self._url = url
        # Not `packaging.metadata.parse_email`: it reads the body too, where a `Content-Type` field makes the email
        # parser see a nest of messages.
        self._fields = self._parse(content)
        version = self._read_single("Metadata-Version", Version)
        # "Automated tools consuming metadata SHOULD warn if metadata_version is greater than the highest version they
        # support, and MUST fail if metadata_version has a greater major version than the highest version they support."
        if version is None or version.major > _SUPPORTED_MAJOR:
            found = "no `Metadata-Version`" if version is None else f"`Metadata-Version: {version}`"
            raise self._invalid(f"it has {found}; buildlock reads versions 1 and 2")
        self.version = version
        """That of the metadata."""

    @property
    def dynamic(self) -> frozenset[str]:
        """The fields that a build may change (PEP 643), in lower case."""
        return frozenset(self._read_all("Dynamic", str.lower))

    def read(self) -> CoreMetadata:
        """What resolution needs."""
        requires = self._read_all("Requires-Dist", lambda text: (text, parse_requirement(text)))
        return CoreMetadata(
            name=self._require(self._read_single("Name", parse_name), "Name"),
            version=self._require(self._read_single("Version", Version), "Version"),
            requires_dist=Requirements([text for text, _ in requires], parsed=[parsed for _, parsed in requires]),
            requires_python=self._read_single("Requires-Python", SpecifierSet),
            provides_extra=frozenset(self._read_all("Provides-Extra", parse_name)),
        )

    def read_project_urls(self) -> Mapping[str, str]:
        """`Project-URL`, and `Home-page` as one of them; the first of two with one label."""
        urls: dict[str, str] = {}
        for label, separator, url in self._read_all("Project-URL", _split_label):
            if separator:
                urls.setdefault(label.strip(), url.strip())
        for url in self._read_all("Home-page", str):
            urls.setdefault("Homepage", url)
        return urls

    def _parse(self, content: bytes) -> Message:
        if len(content) > MAX_METADATA_SIZE:
            raise self._invalid(f"it is larger than {MAX_METADATA_SIZE} bytes")
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self._invalid(f"byte {error.start} is not UTF-8") from error
        header = _BLANK_LINE.split(text, maxsplit=1)[0]
        if len(header) > _MAX_HEADER_LENGTH:
            raise self._invalid(f"its header has more than {_MAX_HEADER_LENGTH} characters")
        fields = HeaderParser().parsestr(header)
        # A line that is no field ends the header, and every `Requires-Dist` below it would be lost without a word.
        # (Older Pythons also miss the parts that a `Content-Type` of `multipart` promises.)
        if any(not isinstance(defect, MultipartInvariantViolationDefect) for defect in fields.defects):
            raise self._invalid("a line of its header is not a field")
        return fields

    def _read_all(self, name: str, parse: Callable[[str], _T]) -> list[_T]:
        values = []
        for raw in self._fields.get_all(name, ()):
            if len(raw) > MAX_FIELD_LENGTH:
                raise self._invalid(f"`{name}: {excerpt(raw)}` has more than {MAX_FIELD_LENGTH} characters")
            value = _FOLD.sub(" ", raw).strip()
            try:
                values.append(parse(value))
            except ValueError as error:
                raise self._invalid(f"`{name}: {excerpt(value)}` cannot be read") from error
        return values

    def _read_single(self, name: str, parse: Callable[[str], _T]) -> _T | None:
        values = self._read_all(name, parse)
        if len(values) > 1:
            raise self._invalid(f"it has {len(values)} fields `{name}`")
        return values[0] if values else None

    def _require(self, value: _T | None, name: str) -> _T:
        if value is None:
            raise self._invalid(f"it has no `{name}`")
        return value

    def _invalid(self, fault: str) -> InvalidMetadataError:
        return InvalidMetadataError(f"the metadata of `{self._subject}` is refused: {fault} ({self._url})")


def _split_label(value: str) -> tuple[str, str, str]:
    """`LABEL, URL`; a label has no comma."""
    return value.partition(",")


def parse_name(value: str) -> NormalizedName:
    """Read the name of a package or an extra.

    Raises:
        ValueError: It is none.
    """
    return canonicalize_name(value, validate=True)


def parse_requirement(value: str) -> Requirement:
    """Read a requirement that can be used without further errors (dependency specifiers specification).

    Raises:
        ValueError: It is none.
    """
    if len(value) > MAX_FIELD_LENGTH:
        raise ValueError(f"it has more than {MAX_FIELD_LENGTH} characters")
    try:
        requirement = read_requirement(value)
        if requirement.marker is not None:
            # `os_name ~= 'x'` is a marker by the grammar and an error when it is evaluated: find that here, not there.
            requirement.marker.evaluate()
    except (RecursionError, UndefinedEnvironmentName) as error:
        raise ValueError("its marker cannot be evaluated") from error
    return requirement
