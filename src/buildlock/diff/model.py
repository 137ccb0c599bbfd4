"""A change of a lock as one value: what every rendering shows, and what a policy judges."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from packaging.utils import NormalizedName

from buildlock.published import ProjectLink
from buildlock.risks import KINDS, RISKS, Risk
from buildlock.values import dataclass, replace

State: TypeAlias = Literal["denied", "allowed", "expired"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where in a lock something holds.

    >>> str(Place(variant="cu124", build="foo==1.0", targets=("3.11 linux x86_64",)))
    'cu124, build of foo 1.0 (3.11 linux x86_64)'
    """

    variant: str
    outside: NormalizedName | None = None
    """The package from elsewhere that is built there; `None` for the project."""
    build: str | None = None
    """What is built there, where it is a locked package: `NAME==VERSION`."""
    targets: tuple[str, ...] = ()
    """Those that it holds for; all of the lock's where none is named."""

    @property
    def section(self) -> str:
        """The part of the lock that has one size: a variant, or a package from elsewhere for one."""
        return f"{self.outside} for {self.variant}" if self.outside is not None else self.variant

    def __str__(self) -> str:
        build = f", build of {self.build.replace('==', ' ')}" if self.build is not None else ""
        targets = f" ({', '.join(self.targets)})" if self.targets else ""
        return f"{self.section}{build}{targets}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the policy says of a finding."""

    state: State
    """`expired`: it was allowed, and is denied again."""
    reason: str | None = None
    """Why it is, or was, allowed; a sentence of the user's."""

    @property
    def refuses(self) -> bool:
        return self.state != "allowed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What the index says of the version that a finding is about."""

    uploaded: datetime | None = None
    """The last of its locked files; aware, UTC."""
    publishers: tuple[str, ...] = ()
    """Who attests its files, sorted."""
    link: ProjectLink | None = None
    """Where its project tells what is new."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Vulnerability:
    """What advisories say of a locked version."""

    ids: tuple[str, ...]
    """The advisories that say it, then the other names that they know it by."""
    summary: str = ""
    """A line of theirs."""
    severity: tuple[str, ...] = ()
    """As they give it: CVSS vectors, words of a distribution."""
    level: str | None = None
    """A word of theirs for it: `high`."""
    fixed: tuple[str, ...] = ()
    """The newer versions that do not have it any more, the lowest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that differs, wherever it does.

    In `message` and `details` all that comes from a lock is between backticks.
    """

    code: str
    packages: tuple[NormalizedName, ...] = ()
    """What it is about, sorted; none where it is about the environment as a whole."""
    message: str
    """What differs, without the packages' names: what follows them."""
    before: str | None = None
    after: str | None = None
    places: tuple[Place, ...]
    details: tuple[str, ...] = ()
    """A line each."""
    chain: tuple[str, ...] = ()
    """What brings it in, or brought it: a requirement, then the packages down to it."""
    follows: NormalizedName | None = None
    """The package whose change explains it."""
    vulnerability: Vulnerability | None = None
    """What the message is made of, where advisories say it."""
    verdict: Verdict | None = None
    facts: Facts | None = None
    """`None` where the index was not asked."""

    @property
    def risk(self) -> Risk:
        return KINDS[self.code].risk

    @property
    def refused(self) -> bool:
        """Whether the policy denies it."""
        return self.verdict is not None and self.verdict.refuses


class Findings(Protocol):
    """What has findings to show: two locks that differ, or one that was looked at."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The riskiest first."""

    @property
    def sections(self) -> tuple[str, ...]:
        """The variants, and packages from elsewhere, that they may hold in."""

    @property
    def unknown(self) -> tuple[str, ...]:
        """What was to be found out and could not be, a sentence each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """How much a build downloads at most: that of the target which needs most."""

    place: Place
    before: int | None
    """Bytes; `None` where it was not locked."""
    after: int | None
    """Bytes; `None` where it is no longer locked."""
    complete: bool
    """Whether the lock says the size of every file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Diff:
    """Two locks, and all that differs between them."""

    old: str
    """What the first was, for people: a revision, a path."""
    new: str
    findings: tuple[Finding, ...]
    """The riskiest first."""
    downloads: tuple[Download, ...] = ()
    reformatted: bool = False
    """Whether nothing differs but how the file is written."""
    unknown: tuple[str, ...] = ()
    """What was to be found out and could not be, a sentence each."""
    hidden: tuple[Finding, ...] = ()
    """Findings that are not to be shown, but for their number."""

    @property
    def refused(self) -> bool:
        """Whether the policy denies anything."""
        return any(finding.refused for finding in self.findings)

    @property
    def sections(self) -> tuple[str, ...]:
        """The variants, and packages from elsewhere, that both or either lock."""
        return tuple(dict.fromkeys(download.place.section for download in self.downloads))

    def count(self) -> Mapping[Risk, int]:
        """How many findings there are of each risk."""
        return count_risks(self.findings)

    def only_risk(self, risk: Risk) -> "Diff":
        """What is of this risk; the rest is `hidden`."""
        shown = tuple(finding for finding in self.findings if finding.risk == risk)
        return replace(self, findings=shown, hidden=tuple(each for each in self.findings if each.risk != risk))

    def only_variants(self, variants: Collection[str]) -> "Diff":
        """What holds in these variants alone."""
        downloads = tuple(download for download in self.downloads if download.place.variant in variants)
        return replace(self, findings=tuple(only_variants(self.findings, variants)), downloads=downloads)


def count_risks(findings: Iterable[Finding]) -> Mapping[Risk, int]:
    """How many there are of each risk."""
    counts = Counter(finding.risk for finding in findings)
    return {risk: counts[risk] for risk in RISKS}


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The riskiest first; of one code by package, then as they are."""
    order = {code: position for position, code in enumerate(KINDS)}
    return tuple(sorted(findings, key=lambda finding: (order[finding.code], finding.packages, finding.message)))


def only_variants(findings: Iterable[Finding], variants: Collection[str]) -> Iterator[Finding]:
    """What holds in these variants, and there alone."""
    for finding in findings:
        if places := tuple(place for place in finding.places if place.variant in variants):
            yield replace(finding, places=places)
