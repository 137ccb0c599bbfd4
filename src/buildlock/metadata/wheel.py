"""The `METADATA` file inside a wheel."""

import struct
import zipfile
import zlib

from packaging.utils import canonicalize_name
from packaging.version import Version

from buildlock.artifacts import Artifact
from buildlock.errors import InvalidMetadataError
from buildlock.metadata.core import MAX_METADATA_SIZE
from buildlock.metadata.ranged import RangedFile
from buildlock.text import excerpt

_SUFFIX = ".dist-info"
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LOCAL_HEADER_SIZE = 512
"""Bytes before a member's data: 30, its name and its extra fields. More than that only costs a request."""

# What `zipfile` raises for a malformed archive. `RuntimeError` is for an encrypted member and, as
# `NotImplementedError`, for what it cannot unpack; `ValueError` for a name that is not UTF-8 or an offset below zero.
_ZIP_ERRORS = (zipfile.BadZipFile, RuntimeError, ValueError, EOFError, OSError, OverflowError, struct.error, zlib.error)


def read_wheel_metadata(file: RangedFile, artifact: Artifact) -> bytes:
    """Read the metadata file of a wheel, touching no more of `file` than that takes.

    Raises:
        InvalidMetadataError: It is no readable zip archive, or has not exactly one metadata file in a directory of
            the artifact's name and version.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            member = _find_metadata(archive, artifact)
            # One read of all that `zipfile` reads below in small steps: one request where `file` is a remote one.
            file.seek(member.header_offset)
            file.read(_LOCAL_HEADER_SIZE + member.compress_size)
            with archive.open(member) as opened:
                # Given a number, `zipfile` inflates no more than that at a time; it stops at the promised size and
                # compares the checksum there.
                content = opened.read(MAX_METADATA_SIZE)
    except _ZIP_ERRORS as error:
        reason = excerpt(str(error)) or "it ends too early"  # `EOFError` says nothing
        raise _refuse(artifact, f"it is not a readable zip archive: {reason}") from error
    if len(content) != member.file_size:
        raise _refuse(artifact, f"`{excerpt(member.filename)}` is cut short")
    return content


def _find_metadata(archive: zipfile.ZipFile, artifact: Artifact) -> zipfile.ZipInfo:
    # Names are compared as a file system that ignores case would: two that it takes for one are two candidates.
    directories = {name.split("/")[0] for name in archive.namelist() if name.split("/")[0].lower().endswith(_SUFFIX)}
    if len(directories) != 1:
        found = "several `.dist-info` directories" if directories else "no `.dist-info` directory"
        raise _refuse(artifact, f"it has {found}")
    (directory,) = directories
    if not _belongs_to(directory, artifact):
        raise _refuse(
            artifact, f"its directory `{excerpt(directory)}` is not that of `{artifact.name}` {artifact.version}"
        )
    path = f"{directory}/METADATA"
    members = [member for member in archive.infolist() if member.filename.lower() == path.lower()]
    if [member.orig_filename for member in members] != [path]:
        raise _refuse(artifact, f"it has not exactly one file `{excerpt(path)}`")
    (member,) = members
    if member.compress_type not in _COMPRESSIONS:
        raise _refuse(artifact, f"`{excerpt(path)}` is compressed by a method that wheels do not use")
    if max(member.file_size, member.compress_size) > MAX_METADATA_SIZE:
        raise _refuse(artifact, f"`{excerpt(path)}` is larger than {MAX_METADATA_SIZE} bytes")
    return member


def _belongs_to(directory: str, artifact: Artifact) -> bool:
    # "{distribution}-{version}.dist-info", both escaped as in the name of the wheel.
    name, _, version = directory[: -len(_SUFFIX)].rpartition("-")
    try:
        return canonicalize_name(name) == artifact.name and Version(version) == artifact.version
    except ValueError:
        return False


def _refuse(artifact: Artifact, fault: str) -> InvalidMetadataError:
    return InvalidMetadataError(f"the wheel `{artifact.filename}` is refused: {fault} ({artifact.url})")
