"""What an index says today of what is locked: values that those who ask share with those who tell."""

from datetime import datetime
from typing import Literal, TypeAlias

from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.values import dataclass

FileState: TypeAlias = Literal["there", "changed", "removed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedRelease:
    """The files of one version that a lock takes from an index: what the index can be asked about."""

    index: str
    """The URL, without credentials."""
    name: NormalizedName
    version: Version
    files: tuple[tuple[str, str], ...]
    """The name and the sha256 of each, sorted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Publisher:
    """Who published a file, as its index states (PEP 740). Nobody has verified a signature.

    >>> str(Publisher(kind="GitHub", source="org/repo", workflow="release.yml"))
    'GitHub org/repo (release.yml)'
    """

    kind: str
    source: str | None = None
    """The repository, or whatever stands for it with this kind."""
    workflow: str | None = None

    def __str__(self) -> str:
        workflow = f" ({self.workflow})" if self.workflow is not None else ""
        return f"{self.kind} {self.source}{workflow}" if self.source is not None else f"{self.kind}{workflow}"

    def is_same(self, other: "Publisher") -> bool:
        """Whether the two are one: forges tell no repositories apart by case."""
        mine, theirs = ((each.kind, (each.source or "").casefold(), each.workflow) for each in (self, other))
        return mine == theirs


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectLink:
    """A page of a project, as its metadata names it."""

    title: Literal["release notes", "source", "home page"]
    url: str
    """`http:` or `https:`, without credentials, of the characters of RFC 3986 alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedFile:
    """What the index says of one locked file."""

    filename: str
    state: FileState
    """`changed`: a file of this name has another hash than the locked one, or two hashes at once."""
    sha256: str | None = None
    """What the index says today, if it does. Of a file that is not `there`, it says nothing else."""
    upload_time: datetime | None = None
    """Aware, UTC (PEP 700)."""
    yanked: str | None = None
    """PEP 592: the reason, `""` where none is given; `None` where the file is not yanked."""
    provenance: str | None = None
    """PEP 740: the URL of its attestations, where the index has any."""
    publishers: tuple[Publisher, ...] | None = None
    """Who attests it; `None` where that was not asked, or cannot be read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What the index says of a `LockedRelease`."""

    files: tuple[PublishedFile, ...] = ()
    """One for each locked file, in their order; none where nothing is known, or the project is quarantined."""
    status: str | None = None
    """PEP 792: `archived`, `deprecated` or `quarantined`; `None` where the project is active."""
    status_reason: str | None = None
    link: ProjectLink | None = None
    """Where the project tells what is new; `None` also where that was not asked."""
    unknown: str | None = None
    """Why nothing is known, a sentence."""
