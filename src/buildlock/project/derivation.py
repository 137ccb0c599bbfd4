"""Which variants a project has, and what each one's build environment is resolved from."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from buildlock.project.buildlock_settings import DeclaredVariant
from buildlock.project.faults import Faults, suggest
from buildlock.project.indexes import find_index
from buildlock.project.model import BuildInputs, BuildRequirement, BuildSystem, Index, Settings, SourceRule
from buildlock.project.requirements import name_of, refuse_direct_urls
from buildlock.project.runtime import RuntimeDependencies
from buildlock.project.sources import Source
from buildlock.targets import TargetName, choose_names
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
    sources = [source for each in declarations.sources.values() for source in each if source.kind == "index"]
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
    constraints = (*declarations.constraints, *(declared.constraints if declared else ()))
    inputs = BuildInputs(
        variant=variant,
        requires=(),
        constraints=_without_urls(constraints, needed, declarations.faults),
        runtime=_read_runtime_pins(variant, needed, declarations),
        overrides=_without_urls(declarations.overrides, needed, declarations.faults),
        sources=_assign_sources(variant, needed, declarations),
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
    )
    return add_requirements(inputs, requires)


def add_requirements(inputs: BuildInputs, requires: Sequence[BuildRequirement]) -> BuildInputs:
    """`inputs` with more build requirements, such as those that the backend asks for.

    What the variant's extra pins for their packages binds them, as it binds the static ones.
    """
    known = {name_of(each) for each in inputs.requires}
    added = {name_of(each) for each in requires} - known
    return replace(
        inputs,
        requires=(*inputs.requires, *requires),
        constraints=(*inputs.constraints, *(pin for pin in inputs.runtime if name_of(pin) in added)),
    )


def _replace_requirements(
    requires: Sequence[BuildRequirement], replacements: Sequence[BuildRequirement]
) -> tuple[BuildRequirement, ...]:
    """A replacement takes the place of every requirement of its name, or is added."""
    replaced = {name_of(each) for each in replacements}
    return (*(each for each in requires if name_of(each) not in replaced), *replacements)


def _read_runtime_pins(
    variant: Variant, needed: set[NormalizedName], declarations: Declarations
) -> tuple[BuildRequirement, ...]:
    """What the variant's extra and group say of versions."""
    runtime = declarations.runtime
    required = (
        *(runtime.requirements_of_extra(canonicalize_name(variant.extra)) if variant.extra else ()),
        *(runtime.requirements_of_group(canonicalize_name(variant.group)) if variant.group else ()),
    )
    pins = []
    for each in _without_urls(required, needed, declarations.faults):
        if each.requirement.specifier:
            requirement = Requirement(str(each.requirement))
            requirement.extras = set()  # a constraint binds the version alone
            pins.append(replace(each, requirement=requirement))
    return tuple(pins)


def _without_urls(
    requirements: Sequence[BuildRequirement], needed: set[NormalizedName], faults: Faults
) -> tuple[BuildRequirement, ...]:
    """A direct URL does not bind a build yet: a fault if it is for a build requirement, no concern of ours if not."""
    refuse_direct_urls((each for each in requirements if name_of(each) in needed), faults)
    return tuple(each for each in requirements if each.requirement.url is None)


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
    if source.index is None:
        # uv's sources are for direct requirements: what the build does not require itself does not meet them.
        if needed:
            faults.add(source.origin, f"takes `{name}` from a `{source.kind}` source, which is not supported yet")
        return None
    index = find_index(source.index, declarations.indexes, origin=source.origin, faults=faults)
    if index is None:
        return None
    if declarations.no_index:
        # As in uv: without indexes, what is assigned to one can come from nowhere; find-links must not step in.
        if needed:
            faults.add(source.origin, f"takes `{name}` from the index `{source.index}`, but `no-index` is set")
        return None
    return SourceRule(
        index=index,
        marker=source.marker,
        extra=source.extra,
        group=source.group,
        variant=source.variant,
        origin=source.origin,
    )
