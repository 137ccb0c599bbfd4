"""An audit of a lock as one value: what every rendering shows."""

from collections.abc import Sequence

from buildlock.diff.model import Finding
from buildlock.values import dataclass

_MOVABLE = frozenset({"vulnerable", "yanked"})
"""What another version mends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What knows of advisories, and was asked."""

    name: str
    """A path or a URL."""
    advisories: int
    """Of a database, how many it has; of a service, how many it has of what is locked."""
    newest: str | None
    """The day when the last of them was modified, if there are any."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """A lock, and all that is known against it."""

    sections: tuple[str, ...]
    """The variants, and packages from elsewhere, that were looked at."""
    packages: int
    """How many there are in them, each version counted."""
    sources: tuple[Source, ...]
    releases: int | None = None
    """Of how many the indexes were asked what they say today; `None` where they were not."""
    findings: tuple[Finding, ...]
    """The riskiest first."""
    unknown: tuple[str, ...] = ()
    """What was to be found out and could not be, a sentence each."""

    @property
    def refused(self) -> bool:
        """Whether the policy denies anything."""
        return any(finding.refused for finding in self.findings)

    def list_updates(self) -> tuple[str, ...]:
        """The commands that move what has a version without the fault, unless it is allowed: one for each section."""
        chosen: dict[str | None, tuple[set[str], set[str]]] = {}
        for finding in self.findings:
            if _is_mendable(finding):
                for place in finding.places:
                    variants, packages = chosen.setdefault(place.outside, (set(), set()))
                    variants.add(place.variant)
                    packages.update(finding.packages)
        return tuple(
            _format_update(outside, sorted(variants), sorted(packages))
            for outside, (variants, packages) in sorted(chosen.items(), key=lambda item: item[0] or "")
        )


def _is_mendable(finding: Finding) -> bool:
    allowed = finding.verdict is not None and not finding.refused
    fixed = finding.vulnerability is None or finding.vulnerability.fixed
    return finding.code in _MOVABLE and bool(fixed) and not allowed


def _format_update(outside: str | None, variants: Sequence[str], packages: Sequence[str]) -> str:
    words = ["buildlock", "lock"]
    words += ["--package", outside] if outside is not None else []
    # A project that declares no variant has this one.
    words += [word for variant in variants if variants != ["default"] for word in ("--variant", variant)]
    return " ".join([*words, *(word for package in packages for word in ("--upgrade-package", package))])
