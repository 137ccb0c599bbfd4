"""What indexes offer: artifacts, the releases they make up, and the metadata they carry.

These values are shared by what fetches them (`index`, `metadata`) and what chooses among them (`resolver`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Literal, TypeAlias, overload
from urllib.parse import quote

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag
from packaging.utils import (
    BuildTag,
    InvalidSdistFilename,
    InvalidWheelFilename,
    NormalizedName,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from buildlock.patterns import compile_pattern
from buildlock.text import without_credentials
from buildlock.values import dataclass, field

ArtifactKind: TypeAlias = Literal["wheel", "sdist"]
OriginKind: TypeAlias = Literal["archive", "vcs", "directory"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """A place that a package comes from without an index (PEP 508 direct reference; the words are PEP 751's)."""

    kind: OriginKind
    """A wheel or sdist file, a git repository, or a folder of this machine that holds a project."""
    url: str
    """Of the file, the repository or the folder (`file:`); may carry credentials, never a fragment."""
    subdirectory: str | None = None
    """Where the project is in it; relative, with forward slashes, never out of it."""
    revision: str | None = None
    """Of a repository: the branch, tag or commit that was asked for; `None` for its default branch."""
    commit: str | None = None
    """Of a repository: the full hash of the commit that `revision` is, once it is known."""
    hashes: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Of a file: what the user says its hashes are, as in `Artifact.hashes`."""

    @property
    def location(self) -> str:
        """The URL without credentials."""
        return without_credentials(self.url)

    def __str__(self) -> str:
        """As a direct reference has it (PEP 508), without credentials and the commit: what is shown and recorded.

        >>> str(Origin(kind="vcs", url="https://me:secret@git.example/foo", revision="main", subdirectory="py"))
        'git+https://git.example/foo@main#subdirectory=py'
        """
        fragment = [f"{algorithm}={digest}" for algorithm, digest in sorted(self.hashes.items())]
        if self.subdirectory is not None:
            fragment.append(f"subdirectory={quote(self.subdirectory)}")
        return "".join(
            (
                "git+" if self.kind == "vcs" else "",
                self.location,
                f"@{quote(self.revision)}" if self.revision is not None else "",
                f"#{'&'.join(fragment)}" if fragment else "",
            )
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """A wheel or sdist file as an index offers it.

    Hashes are lower-case hexadecimal by algorithm, as the index gave them and `hashlib` names them; none of them
    has been compared with the file yet.
    """

    name: NormalizedName
    version: Version
    kind: ArtifactKind
    filename: str
    url: str
    """Absolute; `file:` for a local file. Never with credentials or a fragment."""
    hashes: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None
    """Bytes."""
    upload_time: datetime | None = None
    """Aware, UTC (PEP 700)."""
    requires_python: str | None = None
    """As the index gave it; may be no specifier at all."""
    yanked: str | None = None
    """PEP 592: the reason, `""` where none is given; `None` where the file is not yanked."""
    core_metadata: Mapping[str, str] | None = None
    """PEP 658/714: hashes of the metadata file beside this one, `{}` where it has none given; `None`: not offered."""
    provenance: str | None = None
    """PEP 740: the URL of its attestations, where the index has any."""
    origin: Origin | None = None
    """Where it comes from if not from an index. What is no file (a commit, a folder) counts as an sdist, and has a
    `filename` that only names it."""

    @property
    def tags(self) -> frozenset[Tag]:
        """The tags of a wheel; empty for an sdist."""
        return wheel_tags(self.filename)[1] if self.kind == "wheel" else frozenset()

    @property
    def build(self) -> BuildTag:
        """The build number of a wheel; `()` where it has none."""
        return wheel_tags(self.filename)[0] if self.kind == "wheel" else ()


class LazyArtifacts(Sequence[Artifact]):
    """Artifacts that are read when they are first looked at: a page can hold thousands, of which few ever are.

    Args:
        read: Takes the positions of files, and reads them; those that are left out are `None`.
        names: Lists the names of the files.
        yanked: Whether all are yanked, as far as that is known before they are read.
        requires_python: What all of them say of that, as far as that is known.
    """

    def __init__(
        self,
        read: Callable[[Sequence[int]], Sequence[Artifact | None]],
        names: Callable[[], Sequence[str]],
        *,
        yanked: bool = False,
        requires_python: str | None = None,
    ) -> None:
        self._read = read
        self._list_names = names
        self._known: dict[int, Artifact | None] = {}
        self._selected: dict[frozenset[str], Sequence[Artifact]] = {}
        self.yanked = yanked
        self.requires_python = requires_python

    @cached_property
    def _names(self) -> Sequence[str]:
        return self._list_names()

    @cached_property
    def _artifacts(self) -> Sequence[Artifact]:
        return self._look_at(range(len(self._names)))

    def select(self, platforms: frozenset[str]) -> Sequence[Artifact]:
        """See `select_by_name`; no others are read. The same for all targets of one platform."""
        if platforms not in self._selected:
            positions = [position for position, name in enumerate(self._names) if _may_be_for(name, platforms)]
            self._selected[platforms] = self._look_at(positions)
        return self._selected[platforms]

    def _look_at(self, positions: Sequence[int]) -> Sequence[Artifact]:
        unknown = [position for position in positions if position not in self._known]
        if unknown:
            self._known.update(zip(unknown, self._read(unknown), strict=True))
        found = map(self._known.__getitem__, positions)
        return tuple(artifact for artifact in found if artifact is not None)

    def __len__(self) -> int:
        return len(self._artifacts)

    @overload
    def __getitem__(self, index: int) -> Artifact: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Artifact]: ...
    def __getitem__(self, index: int | slice) -> Artifact | Sequence[Artifact]:
        return self._artifacts[index]

    def __iter__(self) -> Iterator[Artifact]:
        return iter(self._artifacts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """One version of a package as one index offers it, and its files."""

    name: NormalizedName
    version: Version
    index: str
    """The URL of the index, without credentials."""
    artifacts: Sequence[Artifact]

    @property
    def yanked(self) -> bool:
        """Whether all its files are yanked (PEP 592)."""
        if isinstance(self.artifacts, LazyArtifacts):
            return self.artifacts.yanked
        return all(artifact.yanked is not None for artifact in self.artifacts)

    @property
    def requires_python(self) -> str | None:
        """What all its files say of that, where it is known without looking at them."""
        return self.artifacts.requires_python if isinstance(self.artifacts, LazyArtifacts) else None


def select_by_name(artifacts: Sequence[Artifact], platforms: frozenset[str]) -> Sequence[Artifact]:
    """Those whose names do not say that they are for other platforms than these, in small letters; in their order."""
    if isinstance(artifacts, LazyArtifacts):
        return artifacts.select(platforms)
    return [artifact for artifact in artifacts if _may_be_for(artifact.filename, platforms)]


def _may_be_for(filename: str, platforms: frozenset[str]) -> bool:
    if not filename.endswith(".whl"):
        return True
    named = filename[filename.rfind("-") + 1 : -len(".whl")].lower()
    return not platforms.isdisjoint(named.split("."))


def group_by_version(artifacts: Iterable[Artifact]) -> Sequence[tuple[Version, tuple[Artifact, ...]]]:
    """Artifacts of one package by version, the newest first; those of each version in their order."""
    versions: dict[Version, list[Artifact]] = {}
    for artifact in artifacts:
        versions.setdefault(artifact.version, []).append(artifact)
    return [(version, tuple(versions[version])) for version in sorted(versions, reverse=True)]


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexAnswer:
    """What one index said when it was asked for a package: for explanations."""

    index: str
    """The URL of the index, without credentials."""
    found: bool
    status: str | None = None
    """PEP 792 project status where it is not `active`: `archived`, `deprecated`, `quarantined`."""
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """All that the indexes which may serve a package offer of it.

    `releases` is in the order in which they are to be preferred, which the index strategy decides; before a
    resolver has looked at tags, dates, pre-releases or yanking.
    """

    name: NormalizedName
    releases: Sequence[Release]
    asked: tuple[IndexAnswer, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CoreMetadata:
    """The part of a distribution's core metadata that resolution needs."""

    name: NormalizedName
    version: Version
    requires_dist: Sequence[Requirement] = ()
    requires_python: SpecifierSet | None = None
    provides_extra: frozenset[NormalizedName] = frozenset()


_MAX_FILENAME = 255
"""Characters; what file systems can store."""
_MAX_DOTS = 30
"""The parts of a compressed tag set multiply: without a bound, 255 characters can mean 60,000 tags."""

_PLAIN_WHEEL = compile_pattern(
    r"([A-Za-z0-9]+(?:[._][A-Za-z0-9]+)*)-([A-Za-z0-9.+!_]+)(?:-[0-9][A-Za-z0-9_.]*)?"
    r"-[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*"
    r"(?:-[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*){2}\.whl"
)
_PLAIN_SDIST = compile_pattern(r"([A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*)-([A-Za-z0-9.+!_]+)\.(?:tar\.gz|zip)")


class InvalidFilenameError(ValueError):
    """Not the name of a wheel or sdist."""


def parse_filename(filename: str) -> tuple[NormalizedName, Version, ArtifactKind]:
    """Read what a file's name says of it.

    Raises:
        InvalidFilenameError: It is neither a wheel's (binary distribution format) nor an sdist's (PEP 625, and
            the older `.zip`).
    """
    if len(filename) > _MAX_FILENAME:
        raise InvalidFilenameError(f"The file name has {len(filename)} characters")
    if filename.count(".") > _MAX_DOTS:
        raise InvalidFilenameError(f"The file name has {filename.count('.')} dots")
    try:
        # Nearly every wheel's; a page can hold thousands, and working out their tags would take most of its time.
        if plain := _PLAIN_WHEEL.fullmatch(filename):
            return _canonicalize(plain[1]), _parse_version(plain[2]), "wheel"
        if plain := _PLAIN_SDIST.fullmatch(filename):
            with suppress(InvalidVersion):  # packaging says it better
                return _canonicalize(plain[1]), _parse_version(plain[2]), "sdist"
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename)
            return name, version, "wheel"
        name, version = parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion) as error:
        raise InvalidFilenameError(str(error)) from error
    return name, version, "sdist"


_parse_version = lru_cache(maxsize=4096)(Version)
_canonicalize = lru_cache(maxsize=1024)(canonicalize_name)


@lru_cache(maxsize=4096)
def wheel_tags(filename: str) -> tuple[BuildTag, frozenset[Tag]]:
    """The build number and the tags in the name of a wheel that `parse_filename` accepted."""
    _, _, build, tags = parse_wheel_filename(filename)
    return build, tags
