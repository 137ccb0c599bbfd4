"""What the user wrote, parsed: the values that every later step works from."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal, TypeAlias

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.artifacts import Origin
from buildlock.project.network import InsecureHost, Network
from buildlock.targets import TargetName
from buildlock.values import dataclass, field
from buildlock.variants import Variant

IndexFormat: TypeAlias = Literal["simple", "flat"]
IndexStrategy: TypeAlias = Literal["first-index", "unsafe-first-match", "unsafe-best-match"]
Authentication: TypeAlias = Literal["auto", "always", "never"]
PinPrecision: TypeAlias = Literal["minor", "exact"]
ConfigSetting: TypeAlias = str | list[str]
LinkMode: TypeAlias = Literal["symlink", "clone", "hardlink", "copy"]
"""As of uv: how the files of the store come into an environment. A `clone` shares its blocks with the original until
one of them is written, and is a copy where the file system cannot do that."""
PrereleaseMode: TypeAlias = Literal["disallow", "allow", "if-necessary", "explicit", "if-necessary-or-explicit"]

DEFAULT_DENIED = frozenset(
    {
        "hash-changed",
        "index-moved",
        "source-moved",
        "insecure-index",
        "index-differs",
        "quarantined",
        "file-removed",
        "yanked",
        "vulnerable",
    }
)
"""What no update does by itself, a file was exchanged or taken back, or someone chose another place; and what nobody
should use any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildRequirement:
    """A requirement and the place where the user wrote it."""

    requirement: Requirement
    origin: str
    """File and key, for messages: `pyproject.toml: [build-system].requires`."""
    line: int | None = field(default=None, compare=False)
    """The line of that file, counted from one, where it is known for certain."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildSystem:
    """`[build-system]` (PEP 517, PEP 518)."""

    requires: tuple[BuildRequirement, ...]
    backend: str
    """An object reference, `module:object.path` or `module`."""
    backend_path: tuple[str, ...] = ()
    """Directories relative to the project, inside it."""
    declared: bool = True
    """Whether the table is there; without it PEP 517's setuptools defaults apply."""
    locked: bool = False
    """Whether frontends build from the lock: `[build-system]` names buildlock's backend, which stands in for this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """A package index, with uv's meaning of the words."""

    url: str
    """May carry credentials: `location` is what is shown and recorded."""
    location: str
    """The URL without credentials."""
    name: str | None = None
    explicit: bool = False
    """It serves only the packages that a source assigns to it."""
    default: bool = False
    """It comes last and stands in for the default index."""
    format: IndexFormat = "simple"
    authenticate: Authentication = "auto"
    """Whether it is asked with credentials: where it wants them, without fail, or not at all."""
    ignore_error_codes: frozenset[int] | None = None
    """The statuses that say that it does not have a package; `None`: the usual ones."""
    cache_control: str | None = None
    """What stands in for the `Cache-Control` of its pages."""
    origin: str
    """Where it was written, for messages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mirror:
    """A place to fetch files from, which stands in for another."""

    prefix: str
    """How the URLs of the files, or of the index, begin that it stands in for; without a slash at the end."""
    url: str
    """What takes its place; may carry credentials. Without a slash at the end."""
    origin: str
    """Where it was written, for messages."""

    def replace(self, url: str) -> str | None:
        """`url` at the mirror; `None` where it is not one that the mirror stands in for.

        >>> mirror = Mirror(prefix="https://pkgs.example", url="http://mirror.example/pkgs", origin="")
        >>> mirror.replace("https://pkgs.example/foo-1.0.tar.gz"), mirror.replace("https://pkgs.example.com/")
        ('http://mirror.example/pkgs/foo-1.0.tar.gz', None)
        """
        if not f"{url}/".startswith(f"{self.prefix}/"):
            return None
        return self.url + url.removeprefix(self.prefix)


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceRule:
    """Where a package comes from, and when: one entry of `sources`, or a direct reference (PEP 508).

    It has either an `index` or a `direct` origin.
    """

    index: Index | None = None
    direct: Origin | None = None
    marker: Marker | None = None
    extra: str | None = None
    group: str | None = None
    variant: str | None = None
    origin: str
    """Where the user wrote it, for messages."""

    @property
    def location(self) -> str:
        """The place, without credentials."""
        return self.index.location if self.index else str(self.direct)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredMetadata:
    """What the user says that a package's metadata is, so that it need not be built to find out."""

    name: NormalizedName
    version: Version | None = None
    """`None`: of every version that no other entry is for."""
    requires_dist: tuple[Requirement, ...] = ()
    requires_python: SpecifierSet | None = None
    provides_extra: frozenset[NormalizedName] = frozenset()
    origin: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OutsidePackage:
    """A package that is not the project's, to be locked and built for itself."""

    name: NormalizedName
    requirement: BuildRequirement
    """Which version of it."""
    variants: tuple[str, ...] | None = None
    """Those of the project whose sources and settings it is built with; `None`: all of them."""
    requires: tuple[BuildRequirement, ...] = ()
    """What its build needs beyond what it says itself. They come from where the variant's sources say."""
    origin: str

    def is_for(self, variant: str) -> bool:
        """Whether it is built for a variant of the project."""
        return self.variants is None or variant in self.variants


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What changes which files are found and chosen, and how they are fetched, the same for every variant."""

    indexes: tuple[Index, ...] = ()
    """In priority order, the default index last; explicit ones included."""
    find_links: tuple[str, ...] = ()
    """Absolute paths or URLs; their files are offered beside those of any index that is not explicit."""
    index_strategy: IndexStrategy = "first-index"
    prerelease: PrereleaseMode = "if-necessary-or-explicit"
    exclude_newer: datetime | None = None
    exclude_newer_span: str | None = None
    """The duration as the user wrote it, where `exclude_newer` is relative to now: `7 days`."""
    exclude_newer_package: Mapping[NormalizedName, datetime | None] = field(default_factory=dict)
    """Overrides of `exclude_newer` by package; `None` lifts it."""
    exclude_newer_package_spans: Mapping[NormalizedName, str] = field(default_factory=dict)
    """The durations as the user wrote them, for those overrides that are relative to now."""
    no_binary: bool = False
    no_binary_package: frozenset[NormalizedName] = frozenset()
    no_build: bool = False
    no_build_package: frozenset[NormalizedName] = frozenset()
    link_mode: LinkMode | None = None
    """`None`: the first that works."""
    network: Network = Network()


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildInputs:
    """All that one variant's build environment is resolved from."""

    variant: Variant
    requires: tuple[BuildRequirement, ...]
    """The static build requirements, the variant's replacements and additions applied."""
    constraints: tuple[BuildRequirement, ...] = ()
    """They bind a package that is needed, and need none: settings, and what the variant's extra pins."""
    runtime: tuple[BuildRequirement, ...] = ()
    """What the variant's extra and group pin. In `constraints` are those of them for what `requires` names."""
    overrides: tuple[BuildRequirement, ...] = ()
    """They replace every requirement of their name, wherever it comes from."""
    sources: Mapping[NormalizedName, tuple[SourceRule, ...]] = field(default_factory=dict)
    """The rules that apply to this variant; their markers are still to be evaluated for a target."""
    settings: Settings = field(default_factory=Settings)
    targets: tuple[TargetName, ...] = ()
    """Those that the project names; none where it leaves them to the machine."""
    declared: Settings = field(default_factory=Settings)
    """What the project's own files say of these, wherever it is run: what a lock records."""
    match_runtime: frozenset[NormalizedName] = frozenset()
    """Packages that are to be those which the project runs with."""
    metadata: Mapping[NormalizedName, tuple[DeclaredMetadata, ...]] = field(default_factory=dict)
    extra_requires: Mapping[NormalizedName, tuple[BuildRequirement, ...]] = field(default_factory=dict)
    """By package that is built from source, what its build needs beyond what it says itself."""
    extra_matches: Mapping[NormalizedName, frozenset[NormalizedName]] = field(default_factory=dict)
    """Those of `extra_requires` that are to be of the version which the environment has that the package is for."""
    extra_variables: Mapping[NormalizedName, Mapping[str, str]] = field(default_factory=dict)
    """By package that is built from source, environment variables for its backend."""
    pass_environment: tuple[str, ...] = ()
    """Names and patterns of the user's environment variables that such backends see besides those of any compiler."""
    config_settings: Mapping[str, ConfigSetting] = field(default_factory=dict)
    """PEP 517: for the backend of every package that is built from source."""
    config_settings_package: Mapping[NormalizedName, Mapping[str, ConfigSetting]] = field(default_factory=dict)
    mirrors: tuple[Mirror, ...] = ()
    """Where locked files are fetched from; of several that stand in for a URL, the first with the longest prefix."""
    offline: bool = False
    """Ask no network."""

    @property
    def indexes(self) -> tuple[Index, ...]:
        """Every index that may be asked: those of the settings, and those that sources assign packages to."""
        assigned = (rule.index for rules in self.sources.values() for rule in rules if rule.index)
        return tuple(dict.fromkeys((*self.settings.indexes, *assigned)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Overrides:
    """What the command line says above all files and variables."""

    default_index: str | None = None
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    no_build: bool = False
    no_build_package: frozenset[NormalizedName] = frozenset()
    no_binary: bool = False
    no_binary_package: frozenset[NormalizedName] = frozenset()
    offline: bool = False
    link_mode: LinkMode | None = None
    insecure_hosts: tuple[InsecureHost, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """One entry of `allow`: what is denied by its code, and not for this package, until a day."""

    code: str
    package: NormalizedName | None
    """`None` for a code that is about no package."""
    id: str | None = None
    """The advisory, by any of its names, that alone is meant; `None`: any."""
    reason: str
    expires: date
    """The last day on which it holds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What the project demands of its lock."""

    deny: frozenset[str] = DEFAULT_DENIED
    allow: tuple[Allowance, ...] = ()
    indexes: tuple[str, ...] | None = None
    """The places that packages may come from, and those below them; `None`: any."""
    hosts: tuple[str, ...] | None = None
    """The hosts that files of an index may be on beside the index's own, perhaps with a port; `None`: any."""
    sdists: frozenset[NormalizedName] | None = None
    """The packages that may be built from source; `None`: any."""
    minimum_age: timedelta | None = None
    """How long ago a file has to be uploaded; `None`: any time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """A project as its author describes it."""

    root: Path
    name: str | None
    build_system: BuildSystem
    variants: Mapping[str, Variant]
    """By name, sorted; never empty: a project that declares none has the one variant `default`."""
    default_variant: str | None
    default_detected: bool = False
    """Whether the default is the variant that fits the machine which is asked."""
    pin_runtime: Mapping[NormalizedName, PinPrecision] = field(default_factory=dict)
    """The packages whose version a built wheel requires, and how much of it."""
    dynamic: Mapping[str, tuple[BuildRequirement, ...]] | None = None
    """What the backend requires beyond the static requirements, by product; `None` where it has to be asked."""
    packages: Mapping[NormalizedName, OutsidePackage] = field(default_factory=dict)
    """Packages from elsewhere that are built with the project's variants."""
    policy: Policy = field(default_factory=Policy)
    """What it demands of its lock."""
    inputs: Mapping[str, BuildInputs] = field(repr=False)
    """By variant. Contradictions are found when `check_contradictions` is asked, not here."""
