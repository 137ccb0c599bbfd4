"""`[tool.buildlock]`: uv's ideas under uv's names for those who do not use uv, and variants."""

import re
from collections.abc import Callable, Mapping

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name

from buildlock.patterns import compile_pattern
from buildlock.platforms import parse_platform
from buildlock.project.audit import read_audit_table
from buildlock.project.choices import Choices
from buildlock.project.document import Table
from buildlock.project.mirrors import read_mirrors
from buildlock.project.model import BuildRequirement, Mirror, OutsidePackage, PinPrecision, Policy
from buildlock.project.names import package_names
from buildlock.project.outside_packages import read_outside_packages
from buildlock.project.policy import read_policy_table
from buildlock.project.requirements import keep_valid, read_requirements
from buildlock.project.settings import KEYS, read_settings
from buildlock.project.source_builds import read_environment
from buildlock.project.sources import Source, read_condition, read_sources
from buildlock.targets import parse_python
from buildlock.values import dataclass, field, replace
from buildlock.variants import is_variant_name

_TARGET_KEYS = ("python", "platforms")
_OWN_KEYS = (
    *("default-variant", "variants", "sources", "constraints", "overrides", "match-runtime", "pin-runtime"),
    *("dynamic-requires", "packages", "mirrors", "policy", "pass-environment", *_TARGET_KEYS),
    *("build-system", "unlocked"),  # the backend in the project's tree reads these
    "audit",  # `buildlock audit` reads it
)
_VARIANT_KEYS = ("extra", "group", "requires", "constraints", "environment", "host", "match-runtime", *_TARGET_KEYS)
_PRODUCTS = ("wheel", "sdist", "editable")
_PRECISIONS: tuple[PinPrecision, ...] = ("minor", "exact")
_UNLOCKED = ("refuse", "resolve")
_AUTO = "auto"
_VARIABLE_PATTERN = compile_pattern(r"[A-Za-z0-9_.()*?-]+", re.ASCII)
_LONGEST_PATTERN = 200
_TOOL_NAME = compile_pattern(r"[A-Za-z0-9_][A-Za-z0-9._+-]*", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredVariant:
    """One `[tool.buildlock.variants.NAME]`."""

    name: str
    extra: NormalizedName | None = None
    group: NormalizedName | None = None
    requires: tuple[BuildRequirement, ...] = ()
    constraints: tuple[BuildRequirement, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    host: Mapping[str, SpecifierSet] = field(default_factory=dict)
    match_runtime: frozenset[NormalizedName] | None = None
    """None where the variant does not say, and the project's holds."""
    pythons: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    origin: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildlockSettings:
    """All of `[tool.buildlock]`."""

    choices: Choices
    sources: Mapping[NormalizedName, tuple[Source, ...]]
    variants: tuple[DeclaredVariant, ...]
    default_variant: str | None
    """As written; whether there is such a variant is known later."""
    default_detected: bool
    """It is `auto`."""
    match_runtime: frozenset[NormalizedName]
    pin_runtime: Mapping[NormalizedName, PinPrecision]
    pythons: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    dynamic: Mapping[str, tuple[BuildRequirement, ...]] | None = None
    packages: Mapping[NormalizedName, OutsidePackage] = field(default_factory=dict)
    """Whether there are the variants that they name is known later."""
    pass_environment: tuple[str, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    policy: Policy = field(default_factory=Policy)


def read_buildlock_settings(table: Table) -> BuildlockSettings:
    """Read the table. Unlike uv's it is ours: what we do not know is a fault."""
    table.refuse_unknown((*_OWN_KEYS, *KEYS))
    settings = read_settings(table, strict=True)
    for place in settings.unsupported:
        table.faults.add(place, "is not supported yet")
    table.choice("unlocked", _UNLOCKED)
    read_audit_table(table.table("audit"))
    default_variant = table.string("default-variant")
    return BuildlockSettings(
        choices=replace(
            settings,
            constraints=read_requirements(table, "constraints"),
            overrides=read_requirements(table, "overrides"),
            unsupported=(),
        ),
        sources=read_sources(table.table("sources"), with_variants=True),
        variants=_read_variants(table.table("variants")),
        default_variant=None if default_variant == _AUTO else default_variant,
        default_detected=default_variant == _AUTO,
        match_runtime=_read_match_runtime(table) or frozenset(),
        pin_runtime=_read_pin_runtime(table),
        pythons=_read_names(table, "python", parse_python),
        platforms=_read_names(table, "platforms", parse_platform),
        dynamic=_read_dynamic(table) if "dynamic-requires" in table else None,
        packages=read_outside_packages(table.table("packages")),
        pass_environment=_read_pass_environment(table),
        mirrors=read_mirrors(table.table("mirrors")),
        policy=read_policy_table(table.table("policy")),
    )


def _read_names(table: Table, key: str, parse: Callable[[str], object]) -> tuple[str, ...]:
    """The Pythons or the platforms of targets; a fault for each that there is not."""
    names = []
    for name in table.strings(key):
        try:
            parse(name)
        except ValueError as error:  # noqa: PERF203 - each name has its fault
            table.fault(key, f"has `{name}`, which {error}")
        else:
            names.append(name)
    return tuple(dict.fromkeys(names))


def _read_pass_environment(table: Table) -> tuple[str, ...]:
    """Names and patterns of variables; a fault for what can be neither, and for what would pass all of them."""
    key = "pass-environment"
    patterns = []
    for text in table.strings(key):
        if not _VARIABLE_PATTERN.fullmatch(text):
            table.fault(key, f"has `{text}`, which is neither the name of a variable nor a pattern such as `NAME_*`")
        elif len(text) > _LONGEST_PATTERN:
            table.fault(key, f"has a name of {len(text)} characters")
        elif not text.strip("*?"):
            table.fault(key, f"has `{text}`, which would pass every variable, secrets among them")
        else:
            patterns.append(text)
    return tuple(dict.fromkeys(patterns))


def _read_dynamic(table: Table) -> Mapping[str, tuple[BuildRequirement, ...]]:
    """What the backend would ask for: a list for whatever it builds, or a table of lists by product."""
    key = "dynamic-requires"
    if isinstance(table.get(key), list):
        requirements = keep_valid(read_requirements(table, key), table.faults)
        return dict.fromkeys(_PRODUCTS, requirements)
    products = table.table(key)
    products.refuse_unknown(_PRODUCTS)
    return {product: keep_valid(read_requirements(products, product), table.faults) for product in _PRODUCTS}


def _read_variants(table: Table) -> tuple[DeclaredVariant, ...]:
    variants: dict[NormalizedName, DeclaredVariant] = {}
    for key in table:
        if not is_variant_name(key):
            table.fault(key, "cannot name a variant: letters, digits, `-`, `_` and `.` are allowed, at most 64")
            continue
        name = canonicalize_name(key)
        if name in variants:
            table.fault(key, f"is the variant `{variants[name].name}` again")
        variants[name] = _read_variant(table.table(key), key)
    return tuple(variants.values())


def _read_variant(table: Table, name: str) -> DeclaredVariant:
    table.refuse_unknown(_VARIANT_KEYS)
    return DeclaredVariant(
        name=name,
        extra=read_condition(table, "extra"),
        group=read_condition(table, "group"),
        requires=keep_valid(read_requirements(table, "requires"), table.faults),
        constraints=read_requirements(table, "constraints"),
        environment=read_environment(table.table("environment")),
        host=_read_host(table.table("host")),
        match_runtime=_read_match_runtime(table),
        pythons=_read_names(table, "python", parse_python),
        platforms=_read_names(table, "platforms", parse_platform),
        origin=table.place(),
    )


def _read_match_runtime(table: Table) -> frozenset[NormalizedName] | None:
    key = "match-runtime"
    if key not in table:
        return None
    return package_names(table.strings(key), origin=table.place(key), faults=table.faults)


def _read_pin_runtime(table: Table) -> Mapping[NormalizedName, PinPrecision]:
    """A list of packages, which is `minor` for all of them, or a table that says it of each."""
    key = "pin-runtime"
    if not isinstance(table.get(key), dict):
        return dict.fromkeys(package_names(table.strings(key), origin=table.place(key), faults=table.faults), "minor")
    pins: dict[NormalizedName, PinPrecision] = {}
    precisions = table.table(key)
    for written in precisions:
        precision = precisions.choice(written, _PRECISIONS)
        for name in package_names((written,), origin=table.place(key), faults=table.faults):
            if name in pins:
                precisions.fault(written, f"is the package `{name}` again")
            pins[name] = precision or "minor"
    return pins


def _read_host(table: Table) -> Mapping[str, SpecifierSet]:
    host = {}
    for key in table:
        value = table.string(key)
        if not _TOOL_NAME.fullmatch(key):
            table.fault(key, "cannot name a tool: it is the name of a command, such as `nvcc`")
        elif value is not None:
            try:
                specifier = SpecifierSet(value)
                specifier.contains("1")  # a version of endless digits is an error only when it is compared
            except ValueError:
                table.fault(key, f"is `{value}`, which is not a version specifier such as `>=12.4,<12.5`")
            else:
                host[key] = specifier
    return host
