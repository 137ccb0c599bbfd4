"""Whether the build and the run of a variant can share the packages that both need."""

from collections.abc import Iterable, Mapping

from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.errors import ContradictionError
from buildlock.project.model import BuildInputs, BuildRequirement
from buildlock.project.requirements import name_of


def check_contradictions(inputs: BuildInputs) -> None:
    """Compare each build requirement with the constraints on its package, such as what the variant's extra pins.

    A pair of which one has a marker is left to the resolver, which knows the target.

    Raises:
        ContradictionError: No version can satisfy both. It shows both lines, and the TOML that settles it.
    """
    overridden = {name_of(override) for override in inputs.overrides}
    pairs = [
        (required, constraint)
        for required in inputs.requires
        for constraint in inputs.constraints
        if name_of(required) == name_of(constraint)
        and name_of(required) not in overridden
        and _exclude_each_other(required, constraint)
    ]
    if not pairs:
        return
    variant = inputs.variant.name
    blocks = [
        f"to build the variant `{variant}`, no version of `{name_of(required)}` can satisfy both\n\n"
        + _show_lines((required, constraint))
        for required, constraint in pairs
    ]
    # The version of a package that is matched with the runtime need not be said a second time.
    settled = dict.fromkeys(
        name_of(constraint) if name_of(constraint) in inputs.match_runtime else str(constraint.requirement)
        for _, constraint in pairs
    )
    requires = ", ".join(f'"{requirement}"' for requirement in settled)
    raise ContradictionError(
        "\n\n".join(blocks),
        hint=(
            f"build `{variant}` with what it will run with; write in pyproject.toml\n\n"
            f"  [tool.buildlock.variants.{_toml_key(variant)}]\n"
            f"  requires = [{requires}]"
        ),
    )


def check_overrides(
    requires: Iterable[BuildRequirement],
    overrides: Iterable[BuildRequirement],
    versions: Mapping[NormalizedName, Version],
) -> None:
    """Compare what was resolved with what is required, where an override that the lock does not record stood between.

    Args:
        requires: The build requirements.
        overrides: Those that the machine adds to the project's.
        versions: What was resolved.

    Raises:
        ContradictionError: The lock would contradict what it says it was made from.
    """
    for override in overrides:
        name = name_of(override)
        for required in requires:
            requirement, version = required.requirement, versions.get(name)
            if name_of(required) != name or requirement.marker is not None:
                continue
            if version is None or not requirement.specifier.contains(version, prereleases=True):
                raise ContradictionError(
                    f"an override that is not the project's contradicts what the project requires to be built\n\n"
                    f"{_show_lines((required, override))}",
                    hint=(
                        f"to lock it so for everyone, write in pyproject.toml\n\n"
                        f"  [tool.uv]\n  override-dependencies = ['{override.requirement}']"
                    ),
                )


def _exclude_each_other(required: BuildRequirement, constraint: BuildRequirement) -> bool:
    if required.requirement.marker is not None or constraint.requirement.marker is not None:
        return False
    return (required.requirement.specifier & constraint.requirement.specifier).is_unsatisfiable()


def _show_lines(requirements: Iterable[BuildRequirement]) -> str:
    """The requirements and their places, one a line, in two columns."""
    rows = [(str(each.requirement), _show_place(each)) for each in requirements]
    width = max(len(requirement) for requirement, _ in rows)
    return "\n".join(f"  {requirement:<{width}}  {place}" for requirement, place in rows)


def _show_place(requirement: BuildRequirement) -> str:
    """`pyproject.toml:12: [table].key`, as editors and terminals open it; without the line where it is not known."""
    file, colon, key = requirement.origin.partition(": [")
    if requirement.line is None or not colon:
        return requirement.origin
    return f"{file}:{requirement.line}: [{key}"


def _toml_key(name: str) -> str:
    return f'"{name}"' if "." in name else name
