"""When the build and the run of a variant cannot share a package."""

import pytest
from packaging.requirements import Requirement

from buildlock.errors import ContradictionError
from buildlock.project.contradictions import check_contradictions
from buildlock.project.model import BuildInputs, BuildRequirement
from buildlock.variants import Variant


def make_inputs(requires: str, constraints: str, overrides: str = "", variant: str = "gpu") -> BuildInputs:
    def parse(text: str, origin: str) -> tuple[BuildRequirement, ...]:
        return tuple(
            BuildRequirement(requirement=Requirement(each), origin=origin) for each in text.split(",, ") if each
        )

    return BuildInputs(
        variant=Variant(name=variant),
        requires=parse(requires, "pyproject.toml: [build-system].requires"),
        constraints=parse(constraints, "pyproject.toml: [project.optional-dependencies].gpu"),
        overrides=parse(overrides, "UV_OVERRIDE"),
    )


@pytest.mark.parametrize(
    ("requires", "constraints", "overrides"),
    [
        ("torch==2.4.0", "torch==2.4.0+cu124", ""),
        ("torch", "torch==2.2", ""),
        ("torch>=2,<3", "Torch~=2.2", ""),
        ("torch==2.4", "numpy==1", ""),
        ("torch==2.4; sys_platform == 'linux'", "torch==2.2", ""),
        ("torch==2.4", "torch==2.2; sys_platform == 'linux'", ""),
        ("torch==2.4", "torch==2.2", "torch==2.3"),
        ("torch===2.4", "torch==2.4", ""),
    ],
)
def test_what_may_agree_is_left_to_the_resolver(requires: str, constraints: str, overrides: str) -> None:
    check_contradictions(make_inputs(requires, constraints, overrides))


@pytest.mark.parametrize(
    ("requires", "constraints"),
    [
        ("torch==2.4", "torch==2.2"),
        ("torch>=2.4", "Torch<2.4"),
        ("torch!=2.2", "torch==2.2"),
        ("torch===2.4", "torch===2.2"),
        ("torch==2.4+cpu", "torch==2.4+cu118"),
    ],
)
def test_what_cannot_agree_is_an_error(requires: str, constraints: str) -> None:
    with pytest.raises(ContradictionError, match="no version of `torch` can satisfy both"):
        check_contradictions(make_inputs(requires, constraints))


def test_all_contradictions_are_shown_and_settled_together() -> None:
    with pytest.raises(ContradictionError) as caught:
        check_contradictions(make_inputs("torch==2.4.0,, numpy>=2", "torch==2.2,, numpy==1.26", variant="rocm6.1"))
    assert caught.value.message.count("can satisfy both") == 2
    assert "  numpy>=2     pyproject.toml: [build-system].requires\n" in caught.value.message
    assert caught.value.hint is not None
    assert '[tool.buildlock.variants."rocm6.1"]\n  requires = ["torch==2.2", "numpy==1.26"]' in caught.value.hint
