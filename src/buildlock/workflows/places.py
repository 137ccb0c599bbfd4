"""Where a source is that is to be built, and what it has to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import unquote, urlsplit

from buildlock.artifacts import Artifact, Origin
from buildlock.index.urls import to_path
from buildlock.values import dataclass, field

if TYPE_CHECKING:
    from buildlock.workflows.files import LockedFile

PlaceKind: TypeAlias = Literal["file", "commit", "folder"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a source is, and what it has to be."""

    kind: PlaceKind
    label: str
    """What messages call it: `foo-1.0.tar.gz`."""
    url: str
    """Of the file, the repository or the folder; may carry credentials."""
    hashes: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What is promised of a file."""
    size: int | None = None
    """Bytes of a file."""
    content: str | None = None
    """The sha256 that a folder's content has to have."""
    commit: str | None = None
    subdirectory: str | None = None
    file: LockedFile | None = field(default=None, hash=False)
    """The locked file that it is."""


def place_of_artifact(artifact: Artifact) -> Place:
    """Where an sdist that an index offers is."""
    return Place(kind="file", label=artifact.filename, url=artifact.url, hashes=artifact.hashes, size=artifact.size)


def place_of_origin(origin: Origin) -> Place:
    """Where a direct source is; of a repository the commit has to be known."""
    if origin.kind == "vcs":
        assert origin.commit is not None
        label = f"{origin.location}@{origin.commit[:12]}"
        return Place(
            kind="commit",
            label=label,
            url=origin.url,
            commit=origin.commit,
            subdirectory=origin.subdirectory,
        )
    if origin.kind == "directory":
        return Place(kind="folder", label=str(to_path(origin.url)), url=origin.url, subdirectory=origin.subdirectory)
    return Place(
        kind="file",
        label=filename_of(origin.url),
        url=origin.url,
        hashes=origin.hashes,
        subdirectory=origin.subdirectory,
    )


def filename_of(url: str) -> str:
    """The file name in a URL.

    >>> filename_of("https://files.example/a%20b/foo-1.0%2Bcu124.tar.gz?x=y")
    'foo-1.0+cu124.tar.gz'
    """
    return unquote(urlsplit(url).path.rpartition("/")[2])
