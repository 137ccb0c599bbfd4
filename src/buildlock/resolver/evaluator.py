"""Why a release is passed over, or which of its files suits the target best."""

from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto
from functools import lru_cache

from packaging.specifiers import SpecifierSet
from packaging.utils import BuildTag
from packaging.version import Version

from buildlock.artifacts import Artifact, Release, select_by_name
from buildlock.resolver.needs import Needs
from buildlock.resolver.request import ResolutionRequest
from buildlock.text import without_credentials
from buildlock.values import dataclass, replace


class Reason(Enum):
    """Why a candidate is passed over, in the order in which it is looked at."""

    PRERELEASE = auto()
    NO_BINARY = auto()
    NO_BUILD = auto()
    TOO_NEW = auto()
    UNDATED = auto()
    YANKED = auto()
    PYTHON = auto()
    PLATFORM = auto()
    METADATA = auto()
    CONFLICT = auto()


@dataclass(frozen=True, kw_only=True, slots=True)
class PassedOver:
    """One reason against a candidate."""

    reason: Reason
    text: str
    """The same for all candidates that share the reason."""
    details: tuple[str, ...] = ()
    """What differs between them; as an index or a package wrote it."""
    label: str = ""
    """What stands before the details."""

    def __str__(self) -> str:
        return f"{self.text} ({self.label}{', '.join(self.details)})" if self.details else self.text


class Evaluator:
    """Judges releases one by one, each once, none before it is asked."""

    def __init__(self, request: ResolutionRequest, needs: Needs) -> None:
        self._request = request
        self._settings = request.settings
        self._needs = needs
        self._checks = tuple(self._list_checks())
        self._only_suits = self._checks[0] == self._check_yanked
        """Whether nothing is against a file but that it is yanked, or is for another target."""
        self._unsuited = f"no wheel for {request.target}"
        self._platforms = frozenset({"any", *map(str.lower, request.target.platforms)})
        self._pythons: dict[str | None, PassedOver | None] = {}
        # uv does not date files of flat indexes: they are collected by the user.
        flat = (index.location for index in self._settings.indexes if index.format == "flat")
        links = map(without_credentials, self._settings.find_links)
        self._undated_indexes = frozenset({*links, *flat})

    def evaluate(self, release: Release) -> Artifact | PassedOver:
        """The best file of a release: best tag, then highest build number; where no wheel fits its sdist."""
        if self._is_unwanted_prerelease(release):
            return PassedOver(reason=Reason.PRERELEASE, text="a pre-release, and pre-releases are not allowed for it")
        if self._only_suits and not release.yanked and (against := self._check_text(release.requires_python)):
            return against
        # Of most files their names say that they are for another platform; what else is against them matters only where
        # there is none to take.
        files = select_by_name(release.artifacts, self._platforms)
        fitting = [each for each in files if self._suits(each) and self._find_reason(release, each) is None]
        if fitting:
            candidates = [artifact for artifact in fitting if artifact.kind == "wheel"] or fitting
            # Sorted by name first, so that the order of the page never decides.
            # Of several sdists that leaves `.tar.gz` before `.zip`, which uv prefers too.
            candidates.sort(key=lambda artifact: (artifact.filename, artifact.url))
            return max(candidates, key=self._suitability) if len(candidates) > 1 else candidates[0]
        reasons = ((artifact, self._find_reason(release, artifact)) for artifact in release.artifacts)
        return _summarise([(artifact, against) for artifact, against in reasons if against is not None])

    def is_pinned(self, release: Release) -> bool:
        """Whether the user asked for exactly this version, or the lock holds it (PEP 592)."""
        return release.version == self._request.preferences.get(release.name) or any(
            specifier.operator in {"==", "==="}
            and not specifier.version.endswith(".*")
            and specifier.contains(release.version, prereleases=True)
            for need in self._needs.written(release.name)
            for specifier in need.specifier
        )

    def _is_unwanted_prerelease(self, release: Release) -> bool:
        if not release.version.is_prerelease:
            return False
        match self._settings.prerelease:
            case "disallow":
                return True
            case "explicit":
                # uv: a specifier of the user names a pre-release; `!=1.0a1` does not count.
                written = self._needs.written(release.name)
                return not any(specifier.prereleases for need in written for specifier in need.specifier)
            case "allow" | "if-necessary" | "if-necessary-or-explicit":
                return False

    def _list_checks(self) -> Iterator[Callable[[Release, Artifact], PassedOver | None]]:
        """What may be against a file, in the order in which it is told."""
        settings = self._settings
        if settings.no_binary or settings.no_binary_package or settings.no_build or settings.no_build_package:
            yield self._check_build_options
        if settings.exclude_newer is not None or settings.exclude_newer_package:
            yield self._check_upload_time
        yield self._check_yanked
        yield self._check_python
        yield self._check_platform

    def _find_reason(self, release: Release, artifact: Artifact) -> PassedOver | None:
        for check in self._checks:
            against = check(release, artifact)
            if against is not None:
                return against
        return None

    def _suits(self, artifact: Artifact) -> bool:
        """Whether it is for the target, as far as its name says."""
        return artifact.kind == "sdist" or not self._request.target.tag_ranks.keys().isdisjoint(artifact.tags)

    def _check_build_options(self, release: Release, artifact: Artifact) -> PassedOver | None:
        settings = self._settings
        if artifact.kind == "wheel":
            if settings.no_binary or release.name in settings.no_binary_package:
                setting = "no-binary" if settings.no_binary else "no-binary-package"
                return PassedOver(reason=Reason.NO_BINARY, text=f"`{setting}` excludes its wheels")
        elif settings.no_build or release.name in settings.no_build_package:
            setting = "no-build" if settings.no_build else "no-build-package"
            return PassedOver(reason=Reason.NO_BUILD, text=f"`{setting}` excludes its sdist")
        return None

    def _check_upload_time(self, release: Release, artifact: Artifact) -> PassedOver | None:
        cutoff = self._settings.exclude_newer_package.get(release.name, self._settings.exclude_newer)
        if cutoff is None or release.index in self._undated_indexes:
            return None
        if artifact.upload_time is None:
            text = "the index gives no upload time, which `exclude-newer` needs"
            return PassedOver(reason=Reason.UNDATED, text=text)
        if artifact.upload_time >= cutoff:
            text = f"not uploaded before `exclude-newer`, {cutoff.isoformat()}"
            return PassedOver(reason=Reason.TOO_NEW, text=text, details=(artifact.upload_time.isoformat(),))
        return None

    def _check_yanked(self, release: Release, artifact: Artifact) -> PassedOver | None:
        if artifact.yanked is None or self.is_pinned(release):
            return None
        details = (artifact.yanked,) if artifact.yanked else ()
        return PassedOver(reason=Reason.YANKED, text="yanked", details=details)

    def _check_python(self, _release: Release, artifact: Artifact) -> PassedOver | None:
        return self._check_text(artifact.requires_python)

    def _check_text(self, text: str | None) -> PassedOver | None:
        """Whether the target's Python is refused by what a page says; what is no specifier refuses none."""
        if text not in self._pythons:
            specifier = _parse_requires_python(text)
            self._pythons[text] = self.check_requires_python(specifier) if specifier is not None else None
        return self._pythons[text]

    def check_requires_python(self, specifier: SpecifierSet) -> PassedOver | None:
        """Whether the target's Python is refused by `Requires-Python` of a page or of metadata."""
        target = self._request.target
        if target.accepts_python(specifier):
            return None
        implementation = target.environment["platform_python_implementation"]
        text = f"does not run on {implementation} {target.python}"
        return PassedOver(reason=Reason.PYTHON, text=text, label="needs ", details=(str(specifier),))

    def _check_platform(self, _release: Release, artifact: Artifact) -> PassedOver | None:
        if self._suits(artifact):
            return None
        return PassedOver(
            reason=Reason.PLATFORM,
            text=self._unsuited,
            label="only ",
            details=(_shorten_tags(artifact),),
        )

    def _suitability(self, artifact: Artifact) -> tuple[bool, int, BuildTag]:
        ranks = self._request.target.tag_ranks
        best = min((ranks[tag] for tag in artifact.tags if tag in ranks), default=0)
        return artifact.yanked is None, -best, artifact.build


def _summarise(reasons: Sequence[tuple[Artifact, PassedOver]]) -> PassedOver:
    """One reason for a release: of the file that came furthest, and of its sdist where that is what would help."""
    if not reasons:
        return PassedOver(reason=Reason.PLATFORM, text="it has no files")
    furthest = _find_furthest([against for _, against in reasons])
    same = [against for _, against in reasons if against.reason is furthest.reason]
    furthest = replace(furthest, details=tuple(sorted({detail for against in same for detail in against.details})))
    wheels = [against for artifact, against in reasons if artifact.kind == "wheel"]
    sdists = [against for artifact, against in reasons if artifact.kind == "sdist"]
    if furthest.reason is Reason.NO_BINARY:
        return replace(furthest, text=f"{furthest.text}, and it has no sdist")
    if not wheels or not sdists or furthest.reason not in {Reason.NO_BUILD, Reason.PLATFORM}:
        return furthest
    wheel, sdist = _find_furthest(wheels), _find_furthest(sdists)
    if sdist.reason is Reason.NO_BUILD:
        return replace(furthest, reason=Reason.NO_BUILD, text=f"{wheel.text}, and {sdist.text}", label=wheel.label)
    return replace(furthest, text=f"{wheel.text}, and its sdist is out: {sdist.text}")


def _find_furthest(reasons: Sequence[PassedOver]) -> PassedOver:
    return max(reasons, key=lambda against: against.reason.value)


@lru_cache(maxsize=1024)
def _parse_requires_python(text: str | None) -> SpecifierSet | None:
    """Read what a page says; what is no specifier says nothing, as in pip: the metadata decides."""
    if text is None:
        return None
    try:
        specifier = SpecifierSet(text)
        specifier.contains(Version("3"), prereleases=True)
    except ValueError:
        return None
    return specifier


def _shorten_tags(artifact: Artifact) -> str:
    """What sets a wheel's tags apart: `cp310-win_amd64` for `…-cp310-cp310-win_amd64.whl`."""
    python, abi, platform = artifact.filename.removesuffix(".whl").rsplit("-", 3)[1:]
    parts = (
        [python, platform.partition(".")[0]] if abi in {python, "none"} else [python, abi, platform.partition(".")[0]]
    )
    return "-".join(parts)
