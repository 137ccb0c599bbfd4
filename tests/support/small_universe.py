"""A universe written down in a few lines, for tests of the resolver.

>>> universe = SmallUniverse({"https://index.example/simple": {"a": {"1.0": {"requires": ["b>=2"]}}}})
>>> [str(release.version) for release in universe.listing("a").releases]
['1.0']
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, cast

from packaging.markers import Environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from buildlock.artifacts import Artifact, ArtifactKind, CoreMetadata, IndexAnswer, Listing, Release
from buildlock.errors import InvalidMetadataError
from buildlock.project.model import BuildRequirement
from buildlock.targets import Target

Packages = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By package and version: `requires`, `extras`, `wheels` (tags, with a build number in front if any), `sdist`,
`requires-python` (of the page), `metadata-requires-python`, `yanked`, `uploaded`, `broken`.

`sdist` is `true`, or a table of what is otherwise with the sdist; there `formats` are its file extensions."""


class SmallUniverse:
    """Indexes in priority order: the first that has a package serves it, as in the first-index strategy."""

    def __init__(self, indexes: Mapping[str, Packages], quarantined: Iterable[str] = ()) -> None:
        self.indexes = indexes
        self.quarantined = frozenset(quarantined)
        self.listed: list[str] = []
        self.read: list[str] = []
        self.anticipated: list[str] = []
        self.expected: list[str] = []

    def listing(self, name: NormalizedName) -> Listing:
        self.listed.append(name)
        asked = []
        for index, packages in self.indexes.items():
            if name in self.quarantined:
                asked.append(IndexAnswer(index=index, found=True, status="quarantined", reason="malware"))
                break
            asked.append(IndexAnswer(index=index, found=name in packages))
            if name in packages:
                releases = [make_release(index, name, version, entry) for version, entry in packages[name].items()]
                releases.sort(key=lambda release: release.version, reverse=True)
                return Listing(name=name, releases=tuple(releases), asked=tuple(asked))
        return Listing(name=name, releases=(), asked=tuple(asked))

    def metadata(self, artifact: Artifact) -> CoreMetadata:
        self.read.append(artifact.filename)
        index, _, _ = artifact.url.partition("#")
        versions = self.indexes[index][artifact.name]
        entry = next(entry for version, entry in versions.items() if Version(version) == artifact.version)
        if artifact.kind == "sdist":
            entry = describe_sdist(entry)
        if "broken" in entry:
            raise InvalidMetadataError(f"`{artifact.filename}`: {entry['broken']}")
        requires_python = entry.get("metadata-requires-python")
        requires = list(entry.get("requires", []))
        for extra, wanted in entry.get("extras", {}).items():
            requires += [_condition(requirement, f"extra == '{extra}'") for requirement in wanted]
        return CoreMetadata(
            name=artifact.name,
            version=artifact.version,
            requires_dist=tuple(map(Requirement, requires)),
            requires_python=SpecifierSet(requires_python) if requires_python is not None else None,
            provides_extra=frozenset(map(canonicalize_name, entry.get("extras", {}))),
        )

    def anticipate(self, names: Iterable[NormalizedName]) -> Mapping[NormalizedName, Future[Listing]]:
        self.anticipated += names
        return {}

    def anticipate_metadata(self, artifact: Artifact) -> Future[CoreMetadata] | None:
        self.expected.append(artifact.filename)
        return None


def make_release(index: str, name: str, version: str, entry: Mapping[str, Any]) -> Release:
    stem = f"{name.replace('-', '_')}-{version}"
    artifacts = [
        make_artifact(index, name, version, f"{stem}-{tags}.whl", entry)
        for tags in entry.get("wheels", ["py3-none-any"])
    ]
    if entry.get("sdist"):
        sdist = describe_sdist(entry)
        artifacts += [
            make_artifact(index, name, version, f"{stem}.{extension}", sdist)
            for extension in sdist.get("formats", ["tar.gz"])
        ]
    return Release(name=canonicalize_name(name), version=Version(version), index=index, artifacts=tuple(artifacts))


def describe_sdist(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return entry if entry["sdist"] is True else {**entry, **entry["sdist"]}


def make_artifact(index: str, name: str, version: str, filename: str, entry: Mapping[str, Any]) -> Artifact:
    kind: ArtifactKind = "wheel" if filename.endswith(".whl") else "sdist"
    return Artifact(
        name=canonicalize_name(name),
        version=Version(version),
        kind=kind,
        filename=filename,
        url=f"{index}#{filename}",
        requires_python=entry.get("requires-python"),
        yanked=None if entry.get("yanked") is False else entry.get("yanked"),
        upload_time=entry.get("uploaded"),
    )


def make_target(
    python: str = "3.11.0",
    platforms: Sequence[str] = ("manylinux_2_17_x86_64", "manylinux_2_5_x86_64", "linux_x86_64"),
    changes: Mapping[str, str] | None = None,
) -> Target:
    short = ".".join(python.split(".")[:2])
    environment = {
        "implementation_name": "cpython",
        "implementation_version": python,
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": python,
        "python_version": short,
        "sys_platform": "linux",
        **(changes or {}),
    }
    return Target(
        environment=cast("Environment", environment),
        abi=f"cp{short.replace('.', '')}",
        platforms=tuple(platforms),
    )


def written(
    *requirements: str, origin: str = "pyproject.toml: [build-system].requires"
) -> tuple[BuildRequirement, ...]:
    """Requirements as the user wrote them in one place."""
    return tuple(BuildRequirement(requirement=Requirement(text), origin=origin) for text in requirements)


def _condition(requirement: str, marker: str) -> str:
    text, _, own = requirement.partition(";")
    return f"{text} ; ({own}) and {marker}" if own else f"{text} ; {marker}"
