"""The `METADATA` file inside a wheel."""

from collections.abc import Sequence

from packaging.utils import canonicalize_name
from packaging.version import Version

from buildlock.artifacts import Artifact
from buildlock.errors import InvalidMetadataError
from buildlock.metadata.core import MAX_METADATA_SIZE
from buildlock.metadata.ranged import RangedFile
from buildlock.metadata.zip_directory import (
    DEFLATED,
    STORED,
    BadZipError,
    Member,
    list_members,
    read_member,
)
from buildlock.text import excerpt

_SUFFIX = ".dist-info"  # no letter beyond ASCII becomes one of these when its case is changed


def read_wheel_metadata(file: RangedFile, artifact: Artifact) -> bytes:
    """Read the metadata file of a wheel, touching no more of `file` than that takes.

    Raises:
        InvalidMetadataError: It is no readable zip archive, or has not exactly one metadata file in a directory of
            the artifact's name and version.
    """
    try:
        member = _find_metadata(list_members(file, _SUFFIX.encode()), artifact)
        return read_member(file, member)
    except (BadZipError, OSError, UnicodeError) as error:
        raise _refuse(artifact, f"it is not a readable zip archive: {excerpt(str(error))}") from error


def _find_metadata(members: Sequence[Member], artifact: Artifact) -> Member:
    # Names are compared as a file system that ignores case would: two that it takes for one are two candidates.
    names = [member.name for member in members]
    directories = {name.split("/")[0] for name in names}
    directories = {name for name in directories if name.lower().endswith(_SUFFIX)}
    if len(directories) != 1:
        found = "several `.dist-info` directories" if directories else "no `.dist-info` directory"
        raise _refuse(artifact, f"it has {found}")
    (directory,) = directories
    if not _belongs_to(directory, artifact):
        raise _refuse(
            artifact, f"its directory `{excerpt(directory)}` is not that of `{artifact.name}` {artifact.version}"
        )
    path = f"{directory}/METADATA"
    # To some readers a name ends at a null byte.
    same = [(name, each) for name, each in zip(names, members, strict=True) if _fold(name) == path.lower()]
    if [name for name, _ in same] != [path]:
        raise _refuse(artifact, f"it has not exactly one file `{excerpt(path)}`")
    ((_, member),) = same
    if member.method not in {STORED, DEFLATED}:
        raise _refuse(artifact, f"`{excerpt(path)}` is compressed by a method that wheels do not use")
    if max(member.size, member.packed_size) > MAX_METADATA_SIZE:
        raise _refuse(artifact, f"`{excerpt(path)}` is larger than {MAX_METADATA_SIZE} bytes")
    return member


def _fold(name: str) -> str:
    return name.partition("\0")[0].lower()


def _belongs_to(directory: str, artifact: Artifact) -> bool:
    # "{distribution}-{version}.dist-info", both escaped as in the name of the wheel.
    name, _, version = directory[: -len(_SUFFIX)].rpartition("-")
    try:
        return canonicalize_name(name) == artifact.name and Version(version) == artifact.version
    except ValueError:
        return False


def _refuse(artifact: Artifact, fault: str) -> InvalidMetadataError:
    return InvalidMetadataError(f"the wheel `{artifact.filename}` is refused: {fault} ({artifact.url})")
