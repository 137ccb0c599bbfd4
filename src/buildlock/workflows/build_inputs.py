"""What the build of a package that is not the project itself is resolved from, for locking and for checking it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import NormalizedName

from buildlock.lockfile.freshness import format_requirement, inputs_of
from buildlock.lockfile.model import LockedEnvironment, LockedInputs
from buildlock.project.derivation import add_requirements
from buildlock.project.model import BuildInputs, BuildRequirement, Project
from buildlock.values import replace


def add_extra(inputs: BuildInputs, project: Project, name: NormalizedName) -> BuildInputs:
    """A variant's inputs for a package from elsewhere: `[tool.buildlock.packages]` may add to what its build needs."""
    if name not in project.packages:
        return inputs
    extra = (*inputs.extra_requires.get(name, ()), *project.packages[name].requires)
    return replace(inputs, extra_requires={**inputs.extra_requires, name: extra})


def inputs_of_build(inputs: BuildInputs, name: NormalizedName, own: Sequence[BuildRequirement]) -> BuildInputs:
    """What a package is built with: its `own` requirements and those that the user adds, by the variant's rules.

    Raises:
        InvalidProjectError: A URL among them leads to nothing that could be.
    """
    requires = (*own, *inputs.extra_requires.get(name, ()))
    return add_requirements(replace(inputs, requires=()), requires)


def list_added(inputs: BuildInputs, name: NormalizedName, own: Sequence[BuildRequirement]) -> tuple[str, ...]:
    """What the user adds for the build of a package, as the lock records it: what it does not say itself."""
    said = {format_requirement(each.requirement) for each in own}
    added = (format_requirement(each.requirement) for each in inputs.extra_requires.get(name, ()))
    return tuple(text for text in added if text not in said)


def bind_package(inputs: BuildInputs, wanted: BuildRequirement) -> BuildInputs:
    """`inputs` with what binds a package from elsewhere itself: a pin of the variant's extra, a URL.

    Raises:
        InvalidProjectError: The URL leads to nothing that could be.
    """
    return replace(add_requirements(inputs, (wanted,)), requires=inputs.requires)


def list_own(locked: LockedInputs) -> tuple[BuildRequirement, ...]:
    """What a package says itself that its build requires, as it is locked."""
    own = (text for text in locked.requires if text not in locked.extra_requires)
    return tuple(BuildRequirement(requirement=Requirement(text), origin="the package itself") for text in own)


def record_outside(
    inputs: BuildInputs, environment: LockedEnvironment, *, root: Path, matched: Mapping[str, Sequence[str]]
) -> LockedInputs:
    """The inputs of the environment of a package from elsewhere, as the project gives them.

    Args:
        inputs: What `add_extra` gives.
        environment: Where it is built; what is its own (requirements, backend, dynamic requirements) stays.
        root: The project's folder.
        matched: What is matched with the runtime, by what says so.
    """
    assert environment.source is not None
    name, own = environment.source.name, list_own(environment.inputs)
    bound = bind_package(inputs, BuildRequirement(requirement=Requirement(name), origin="the package itself"))
    recorded = inputs_of(
        inputs_of_build(bound, name, own),
        backend=environment.inputs.backend,
        dynamic=environment.inputs.dynamic,
        packages=environment.names | {name},
        root=root,
        matched=matched,
    )
    return replace(recorded, extra_requires=list_added(inputs, name, own))
