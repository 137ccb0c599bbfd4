"""Which source of a package from elsewhere is built: one version, and one file, for all targets."""

from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from packaging.utils import NormalizedName

from buildlock.artifacts import Artifact, Release
from buildlock.errors import InvalidProjectError, NoSolutionError, RuntimeLockError
from buildlock.project.model import BuildRequirement, Settings
from buildlock.project.requirements import name_of
from buildlock.resolver.evaluator import PassedOver, Reason
from buildlock.resolver.request import ResolvedPackage
from buildlock.resolver.view import View
from buildlock.runtime.model import RuntimeFile
from buildlock.targets import Target
from buildlock.values import dataclass, replace

_SHOWN = 3
"""Of the versions that were passed over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OutsideSource:
    """A package from elsewhere that is to be locked, and which source of it."""

    requirement: BuildRequirement
    targets: tuple[Target, ...] | None = None
    """Those that build it; `None` for all."""
    file: RuntimeFile | None = None
    """The sdist that the runtime lock has; `None` where any will do."""

    @property
    def name(self) -> NormalizedName:
        return name_of(self.requirement)

    def verify(self, chosen: ResolvedPackage) -> ResolvedPackage:
        """`chosen`, whose file is the one that was to be taken.

        Raises:
            InvalidProjectError: It is a folder, which has no source that could be locked for itself.
            RuntimeLockError: It is another file.
        """
        artifact, file = chosen.artifact, self.file
        if artifact.origin is not None and artifact.origin.kind == "directory":
            raise InvalidProjectError(
                [f"`{self.name}` comes from a folder: only an sdist, an archive or a repository is locked by itself"]
            )
        if file is None:
            return chosen
        has = f"{self.requirement.origin} builds `{chosen.name}` {chosen.version} from `{file.url or file.filename}`"
        found = artifact.hashes.get("sha256")
        if file.filename != artifact.filename or (
            file.sha256 is None and unquote(file.url or "") != unquote(artifact.url)
        ):
            raise RuntimeLockError(
                f"{has}, and the variant's index offers `{artifact.url}`",
                hint=f"assign `{chosen.name}` to the same index: `[tool.uv.sources]`",
            )
        if file.sha256 is not None and found is not None and found != file.sha256:
            raise RuntimeLockError(
                f"{has} with sha256 {file.sha256}, and the variant's index offers `{artifact.url}` with {found}",
                hint="the same file name with other content: find out which of them is the right one",
            )
        # Where the index gives none, the file has this hash or is refused.
        hashes = {**artifact.hashes, **({"sha256": file.sha256} if file.sha256 else {})}
        return replace(chosen, artifact=replace(artifact, hashes=hashes))


def build_package(settings: Settings, name: NormalizedName) -> Settings:
    """`settings` by which a package is built, whether it has wheels or not."""
    return replace(settings, no_binary_package=settings.no_binary_package | {name})


def choose_source(wanted: BuildRequirement, views: Sequence[View]) -> ResolvedPackage:
    """The source of the best version of a package that a requirement accepts, and that every target can build.

    Args:
        wanted: Which package, and which version of it.
        views: What each target sees.

    Raises:
        NoSolutionError: There is none.
    """
    name = name_of(wanted)
    first = views[0]
    against: dict[str, None] = {}
    for release in first.fitting(name, first.needs.roots):
        verdicts = [_judge(view, release) for view in views]
        sources = {each.url: each for each in verdicts if isinstance(each, Artifact)}
        if len(sources) == 1 and all(isinstance(each, Artifact) for each in verdicts):
            (artifact,) = sources.values()
            return ResolvedPackage(
                name=name,
                version=release.version,
                index=release.index,
                artifact=artifact,
                requires=(),
                extras=frozenset(),
            )
        against.update(dict.fromkeys(_explain(release, verdicts, views)))
    if not against:
        raise NoSolutionError(
            f"no index offers a version of `{wanted.requirement}`",
            hint="it is looked for where the variant's sources say: `[tool.uv.sources]`, else on the indexes",
        )
    listed = "".join(f"\n  {line}" for line in list(against)[:_SHOWN])
    more = f"\n  and {len(against) - _SHOWN} more" if len(against) > _SHOWN else ""
    raise NoSolutionError(f"no source of `{wanted.requirement}` can be built for every target:{listed}{more}")


def _judge(view: View, release: Release) -> Artifact | PassedOver | None:
    """What a target takes of a release; `None` where it does not have it."""
    for each in view.fitting_at(release.name, view.needs.roots, release.version):
        if each.index == release.index:
            return view.verdict(each)
    return None


def _explain(
    release: Release, verdicts: Sequence[Artifact | PassedOver | None], views: Sequence[View]
) -> Iterator[str]:
    for verdict, view in zip(verdicts, views, strict=True):
        if isinstance(verdict, PassedOver) and verdict.reason is Reason.NO_BINARY:
            # That is what this module asked for.
            yield f"{release.name} {release.version}: it has wheels alone"
        elif isinstance(verdict, PassedOver):
            yield f"{release.name} {release.version} on {view.target}: {verdict}"
        elif verdict is None:
            yield f"{release.name} {release.version} on {view.target}: it is not offered there"
    if all(isinstance(verdict, Artifact) for verdict in verdicts):
        yield f"{release.name} {release.version}: the targets have files of their own of it"
