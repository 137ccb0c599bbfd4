"""Metadata that a source says of itself, so that nothing has to be built to learn it (PEP 643, PEP 621)."""

from collections.abc import Iterator
from copy import copy
from urllib.parse import urlsplit

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.artifacts import CoreMetadata
from buildlock.errors import IntegrityError, InvalidMetadataError, InvalidProjectError
from buildlock.metadata.core import MAX_FIELD_LENGTH, MetadataFile, parse_name, parse_requirement
from buildlock.project.document import Table, parse_document
from buildlock.project.faults import Faults
from buildlock.text import present

_RELIABLE_SINCE = Version("2.2")
"""Before that version of the metadata nobody knows which fields a build changes."""
_NEEDED = frozenset({"name", "version", "requires-dist", "requires-python", "provides-extra"})
_NEEDED_OF_PROJECT = frozenset({"name", "dependencies", "optional-dependencies", "requires-python"})


def read_static_metadata(
    *,
    pkg_info: bytes | None,
    pyproject: bytes | None,
    name: NormalizedName | None,
    version: Version | None,
    where: str,
) -> CoreMetadata | None:
    """What an sdist or a source tree says that a build will not change; `None`: it has to be built to know.

    PKG-INFO counts from version 2.2 of the metadata on, if none of the fields that resolution needs is `Dynamic` in it;
    else `[project]` in pyproject.toml, if none of its keys for them is in `dynamic`. As in uv, only the version may be,
    where the name of the file says it; and what cannot be read says nothing, for the build may know what it means.

    Args:
        pkg_info: The sdist's PKG-INFO. That of a source tree is what an earlier build left: it does not count.
        pyproject: The content of pyproject.toml.
        name: What the package must be called, where that is known.
        version: Which version it must be, where that is known.
        where: The sdist or source tree, as messages name it.

    Raises:
        IntegrityError: It is another package or another version than it must be.
    """
    metadata = _read_pkg_info(pkg_info, where)
    source = "PKG-INFO"
    if metadata is None:
        metadata = _read_project(pyproject, version)
        source = "pyproject.toml"
    if metadata is None:
        return None
    expected = (name or metadata.name, version or metadata.version)
    if (metadata.name, metadata.version) != expected:
        raise IntegrityError(
            present(
                f"{source} of `{where}` is that of `{metadata.name}` {metadata.version}, "
                f"not of `{expected[0]}` {expected[1]}"
            )
        )
    return metadata


def declares_version(pyproject: bytes | None) -> bool:
    """Whether `[project]` in pyproject.toml says the version, so that it depends on nothing else."""
    document = parse_document(pyproject, label="pyproject.toml", faults=Faults()) if pyproject is not None else None
    if document is None:
        return False
    project = document.root_table(Faults()).table("project")
    return project.string("version") is not None and "version" not in project.strings("dynamic")


def _read_pkg_info(content: bytes | None, where: str) -> CoreMetadata | None:
    if content is None:
        return None
    try:
        file = MetadataFile(content, subject=where, url="PKG-INFO")
        if file.version < _RELIABLE_SINCE or file.dynamic & _NEEDED:
            return None
        return file.read()
    except InvalidMetadataError:
        return None


def _read_project(content: bytes | None, version: Version | None) -> CoreMetadata | None:
    if content is None:
        return None
    faults = Faults()
    document = parse_document(content, label="pyproject.toml", faults=faults)
    try:
        if document is None:
            return None
        metadata = _read_table(document.root_table(faults), version)
        faults.raise_collected()
    except (ValueError, InvalidProjectError):
        return None
    return metadata


def _read_table(pyproject: Table, version: Version | None) -> CoreMetadata | None:
    """What `[project]` says; `None` where that is not all.

    Raises:
        ValueError: A name, version or requirement is none.
    """
    project = pyproject.table("project")
    name, written, dynamic = project.string("name"), project.string("version"), frozenset(project.strings("dynamic"))
    if name is None or dynamic & _NEEDED_OF_PROJECT or ("version" in dynamic) == (written is not None):
        return None
    # Poetry takes them from its own table instead.
    if "dependencies" not in project and "dependencies" in pyproject.table("tool").table("poetry"):
        return None
    if written is not None:
        version = Version(_limit(written))
    if version is None:
        return None
    extras = project.table("optional-dependencies")
    names = [parse_name(_limit(extra)) for extra in extras]
    if len(set(names)) != len(names):
        return None
    requires_python = project.string("requires-python")
    return CoreMetadata(
        name=parse_name(_limit(name)),
        version=version,
        requires_dist=(*map(_read_requirement, project.strings("dependencies")), *_read_extras(extras)),
        requires_python=None if requires_python is None else SpecifierSet(_limit(requires_python)),
        provides_extra=frozenset(names),
    )


def _read_extras(extras: Table) -> Iterator[Requirement]:
    """The requirements of extras as core metadata has them: with the extra in their markers."""
    for extra in extras:
        marker = Marker(f'extra == "{parse_name(extra)}"')
        for text in extras.strings(extra):
            requirement = copy(_read_requirement(text))
            requirement.marker = marker if requirement.marker is None else requirement.marker & marker
            yield requirement


def _read_requirement(text: str) -> Requirement:
    requirement = parse_requirement(text)
    if requirement.url is not None and not urlsplit(requirement.url).scheme:
        # `foo @ {root:uri}/foo`: a template of the backend's.
        raise ValueError("its URL is none")
    return requirement


def _limit(text: str) -> str:
    if len(text) > MAX_FIELD_LENGTH:
        raise ValueError(f"it has more than {MAX_FIELD_LENGTH} characters")
    return text
