"""Which variants a project has, and what each one's build environment is resolved from."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from buildlock.errors import InvalidProjectError
from buildlock.project.buildlock_settings import DeclaredVariant
from buildlock.project.faults import Faults, suggest
from buildlock.project.indexes import find_index
from buildlock.project.model import BuildInputs, BuildRequirement, BuildSystem, Index, Mirror, Settings, SourceRule
from buildlock.project.requirements import direct_rule, keep_valid, name_of
from buildlock.project.runtime import RuntimeDependencies
from buildlock.project.source_builds import SourceBuilds
from buildlock.project.sources import Source
from buildlock.targets import TargetName, choose_names
from buildlock.values import dataclass, field, replace
from buildlock.variants import DEFAULT, Variant, is_variant_name


@dataclass(frozen=True, kw_only=True, slots=True)
class Declarations:
    """All that was read and concerns variants."""

    build_system: BuildSystem
    runtime: RuntimeDependencies
    variants: tuple[DeclaredVariant, ...]
    sources: Mapping[NormalizedName, tuple[Source, ...]]
    indexes: Mapping[str, Index]
    """By name: those that a source may name."""
    no_index: bool
    constraints: tuple[BuildRequirement, ...]
    overrides: tuple[BuildRequirement, ...]
    targets: tuple[TargetName, ...]
    settings: Settings
    declared: Settings
    match_runtime: frozenset[NormalizedName] = frozenset()
    source_builds: SourceBuilds = SourceBuilds()
    pass_environment: tuple[str, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    offline: bool = False
    faults: Faults = field(compare=False)


def derive_variants(declarations: Declarations) -> Mapping[str, Variant]:
    """The variants by name, sorted: what `[tool.buildlock.variants]` declares, every extra or group that a source's
    index is conditioned on, and what a `variant` condition names; `default` where there is none of these.

    Two spellings of a name (PEP 685, PEP 735) are one variant, called as its declaration spells it: that in
    `[tool.buildlock.variants]`, else that of the extra or group.
    """
    runtime, faults = declarations.runtime, declarations.faults
    declared = {canonicalize_name(variant.name): variant for variant in declarations.variants}
    for variant in declarations.variants:
        _has_extra(runtime, variant.extra, variant.origin, faults)
        _has_group(runtime, variant.group, variant.origin, faults)
    # Only an index makes variants: what comes from elsewhere is the same for all.
    sources = [source for each in declarations.sources.values() for source in each if source.index is not None]
    extras = {each.extra for each in sources if _has_extra(runtime, each.extra, each.origin, faults)}
    groups = {each.group for each in sources if _has_group(runtime, each.group, each.origin, faults)}
    spellings = {name: variant.name for name, variant in declared.items()}
    for source in sources:
        extra = runtime.spell_extra(source.extra) if source.extra is not None else None
        group = runtime.spell_group(source.group) if source.group is not None else None
        for name in (source.variant, extra, group):
            if name is not None and not is_variant_name(name):
                faults.add(source.origin, f"has the condition `{name}`, which cannot name a variant")
            elif name is not None:
                spellings.setdefault(canonicalize_name(name), name)
    variants = [
        Variant(
            name=spelling,
            extra=_choose(declared[name].extra if name in declared else None, name, extras | runtime.extras),
            group=_choose(declared[name].group if name in declared else None, name, groups | runtime.groups),
            environment=declared[name].environment if name in declared else {},
            host=declared[name].host if name in declared else {},
        )
        for name, spelling in sorted(spellings.items(), key=lambda item: item[1])
    ]
    return {variant.name: variant for variant in variants or [Variant(name=DEFAULT)]}


def _choose(
    written: NormalizedName | None, own: NormalizedName, there: Collection[str | None]
) -> NormalizedName | None:
    """The extra (or group) that was written, else the one of the variant's own name, if there is one."""
    return written or (own if own in there else None)


def _has_extra(runtime: RuntimeDependencies, extra: str | None, origin: str, faults: Faults) -> bool:
    """Whether there is this extra, as far as we can know; a fault if there is not."""
    if extra is None:
        return False
    if runtime.extras_known and extra not in runtime.extras:
        what = "which `[project.optional-dependencies]` does not declare"
        faults.add(origin, f"names the extra `{extra}`, {what}{suggest(extra, runtime.extras)}")
        return False
    return True


def _has_group(runtime: RuntimeDependencies, group: str | None, origin: str, faults: Faults) -> bool:
    """Whether there is this group; a fault if there is not."""
    if group is None:
        return False
    if group not in runtime.groups:
        what = "which `[dependency-groups]` does not declare"
        faults.add(origin, f"names the group `{group}`, {what}{suggest(group, runtime.groups)}")
        return False
    return True


def derive_inputs(variant: Variant, declarations: Declarations) -> BuildInputs:
    """All that the build environment of `variant` is resolved from."""
    declared = next(
        (each for each in declarations.variants if canonicalize_name(each.name) == canonicalize_name(variant.name)),
        None,
    )
    requires = _replace_requirements(declarations.build_system.requires, declared.requires if declared else ())
    needed = {name_of(each) for each in requires}
    constraints = keep_valid(
        (*declarations.constraints, *(declared.constraints if declared else ())), declarations.faults
    )
    overrides = keep_valid(declarations.overrides, declarations.faults)
    inputs = BuildInputs(
        variant=variant,
        requires=(),
        # One with a URL says where its package comes from, and nothing of versions.
        constraints=tuple(each for each in constraints if each.requirement.url is None),
        runtime=_read_runtime_pins(variant, needed, declarations),
        overrides=overrides,
        sources=_add_rules(_assign_sources(variant, needed, declarations), (*constraints, *overrides)),
        settings=declarations.settings,
        targets=choose_names(
            declarations.targets,
            pythons=declared.pythons if declared else (),
            platforms=declared.platforms if declared else (),
        ),
        declared=declarations.declared,
        match_runtime=(
            declarations.match_runtime if declared is None or declared.match_runtime is None else declared.match_runtime
        ),
        metadata=declarations.source_builds.metadata_by_name,
        extra_requires=declarations.source_builds.extra_requires,
        extra_matches=declarations.source_builds.extra_matches,
        extra_variables=declarations.source_builds.extra_variables,
        pass_environment=declarations.pass_environment,
        config_settings=declarations.source_builds.config_settings,
        config_settings_package=declarations.source_builds.config_settings_package,
        mirrors=declarations.mirrors,
        offline=declarations.offline,
    )
    return add_requirements(inputs, requires)


def add_requirements(inputs: BuildInputs, requires: Sequence[BuildRequirement]) -> BuildInputs:
    """`inputs` with more build requirements, such as those that the backend asks for.

    What the variant's extra pins for their packages binds them, as it binds the static ones.
    """
    known = {name_of(each) for each in inputs.requires}
    added = {name_of(each) for each in requires} - known
    pins = [pin for pin in inputs.runtime if name_of(pin) in added]
    return replace(
        inputs,
        requires=(*inputs.requires, *requires),
        constraints=(*inputs.constraints, *(pin for pin in pins if pin.requirement.url is None)),
        sources=_add_rules(inputs.sources, (*requires, *pins)),
    )


def _add_rules(
    sources: Mapping[NormalizedName, tuple[SourceRule, ...]], requirements: Iterable[BuildRequirement]
) -> Mapping[NormalizedName, tuple[SourceRule, ...]]:
    """`sources` with a rule for every requirement that has a URL, but where a source says something else.

    Raises:
        InvalidProjectError: A URL leads to nothing that could be.
    """
    # As in uv: a source goes before the URL that is written in a requirement.
    decided = {name for name, rules in sources.items() if any(rule.marker is None for rule in rules)}
    added: dict[NormalizedName, dict[SourceRule, None]] = {}
    for each in requirements:
        name = name_of(each)
        if each.requirement.url is None or name in decided:
            continue
        try:
            rule = direct_rule(each)
        except ValueError as error:
            raise InvalidProjectError([f"{each.origin} has `{name}` from a URL that {error}"]) from error
        added.setdefault(name, dict.fromkeys(sources.get(name, ())))[rule] = None
    return {**sources, **{name: tuple(rules) for name, rules in added.items()}}


def _replace_requirements(
    requires: Sequence[BuildRequirement], replacements: Sequence[BuildRequirement]
) -> tuple[BuildRequirement, ...]:
    """A replacement takes the place of every requirement of its name, or is added."""
    replaced = {name_of(each) for each in replacements}
    return (*(each for each in requires if name_of(each) not in replaced), *replacements)


def _read_runtime_pins(
    variant: Variant, needed: set[NormalizedName], declarations: Declarations
) -> tuple[BuildRequirement, ...]:
    """What the variant's extra and group say of versions and of places."""
    runtime = declarations.runtime
    required = (
        *(runtime.requirements_of_extra(canonicalize_name(variant.extra)) if variant.extra else ()),
        *(runtime.requirements_of_group(canonicalize_name(variant.group)) if variant.group else ()),
    )
    # What the build does not need may come from where only others can get it.
    valid = keep_valid((each for each in required if name_of(each) in needed), declarations.faults)
    pins = []
    for each in (*valid, *(each for each in required if name_of(each) not in needed)):
        if each.requirement.specifier or each.requirement.url is not None:
            requirement = Requirement(str(each.requirement))
            requirement.extras = set()  # a constraint binds the version alone
            pins.append(replace(each, requirement=requirement))
    return tuple(pins)


def _assign_sources(
    variant: Variant, needed: set[NormalizedName], declarations: Declarations
) -> Mapping[NormalizedName, tuple[SourceRule, ...]]:
    """The rules that apply to `variant`, in the order in which they were written."""
    assigned: dict[NormalizedName, tuple[SourceRule, ...]] = {}
    for name, sources in declarations.sources.items():
        rules = (_assign(name, source, name in needed, declarations) for source in sources if _applies(source, variant))
        if found := tuple(rule for rule in rules if rule is not None):
            assigned[name] = found
    return assigned


def _applies(source: Source, variant: Variant) -> bool:
    if source.extra is not None and source.extra != variant.extra:
        return False
    if source.group is not None and source.group != variant.group:
        return False
    return source.variant is None or canonicalize_name(source.variant) == canonicalize_name(variant.name)


def _assign(
    name: NormalizedName,
    source: Source,
    needed: bool,  # noqa: FBT001 - private, named by its only caller
    declarations: Declarations,
) -> SourceRule | None:
    faults = declarations.faults
    rule = SourceRule(
        direct=source.direct,
        marker=source.marker,
        extra=source.extra,
        group=source.group,
        variant=source.variant,
        origin=source.origin,
    )
    if source.index is None:
        if source.refused is not None and needed:
            faults.add(source.origin, f"says where `{name}` comes from, but {source.refused}")
        return None if source.refused is not None else rule
    index = find_index(source.index, declarations.indexes, origin=source.origin, faults=faults)
    if index is None:
        return None
    if declarations.no_index:
        # As in uv: without indexes, what is assigned to one can come from nowhere; find-links must not step in.
        if needed:
            faults.add(source.origin, f"takes `{name}` from the index `{source.index}`, but `no-index` is set")
        return None
    return replace(rule, index=index)
