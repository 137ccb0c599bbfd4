"""The project that buildlock exists for."""

import pytest

from buildlock.errors import ContradictionError
from buildlock.project.contradictions import check_contradictions
from buildlock.project.model import BuildRequirement, Overrides
from buildlock.variants import Variant
from unit.project.conftest import DEFAULT_INDEX, TORCH, Read

SEED = """\
[project.optional-dependencies]
cu118 = [
  "torch==2.2.0",
  "torchaudio==2.2.0",
  "torchvision==0.1.6",
]
cu124 = [
  "torch==2.4.0",
  "torchaudio==2.4.0",
  "torchvision==0.1.6",
]

[tool.uv]
conflicts = [
  [
    { extra = "cu118" },
    { extra = "cu124" },
  ],
]

[tool.uv.sources]
torch = [
  { index = "pytorch-cu118", extra = "cu118" },
  { index = "pytorch-cu124", extra = "cu124" },
]

[[tool.uv.index]]
name = "pytorch-cu118"
url = "https://download.pytorch.org/whl/cu118"
explicit = true


[[tool.uv.index]]
name = "pytorch-cu124"
url = "https://download.pytorch.org/whl/cu124"
explicit = true

[build-system]
requires = ["setuptools>=69.0.3", "wheel", "torch==2.4.0", "numpy", "ninja"]
build-backend = "setuptools.build_meta:__legacy__"
"""
SETTLED = """
[tool.buildlock.variants.cu118]
requires = ["torch==2.2.0"]
"""


def shown(requirements: tuple[BuildRequirement, ...]) -> list[str]:
    return [str(each.requirement) for each in requirements]


def test_its_extras_are_its_variants(read: Read) -> None:
    project = read(SEED)
    assert dict(project.variants) == {
        "cu118": Variant(name="cu118", extra="cu118"),
        "cu124": Variant(name="cu124", extra="cu124"),
    }
    assert (project.name, project.default_variant) == (None, None)
    assert project.build_system.backend == "setuptools.build_meta:__legacy__"


@pytest.mark.parametrize("variant", ["cu118", "cu124"])
def test_each_variant_takes_torch_from_its_index_and_the_rest_from_the_default(read: Read, variant: str) -> None:
    inputs = read(SEED).inputs[variant]
    url = f"https://download.pytorch.org/whl/{variant}"
    assert {name: [rule.index and rule.index.url for rule in rules] for name, rules in inputs.sources.items()} == {
        "torch": [url]
    }
    usable = [index.location for index in inputs.settings.indexes if not index.explicit]
    assert usable == [DEFAULT_INDEX]
    assert inputs.settings.indexes[-1].default


def test_cu124_is_bound_to_what_its_extra_pins(read: Read) -> None:
    inputs = read(SEED).inputs["cu124"]
    assert shown(inputs.requires) == ["setuptools>=69.0.3", "wheel", "torch==2.4.0", "numpy", "ninja"]
    # torchaudio and torchvision are not build requirements.
    assert shown(inputs.constraints) == ["torch==2.4.0"]
    assert inputs.constraints[0].origin == "pyproject.toml: [project.optional-dependencies].cu124"
    check_contradictions(inputs)


def test_cu118_contradicts_itself(read: Read) -> None:
    inputs = read(SEED).inputs["cu118"]
    with pytest.raises(ContradictionError) as caught:
        check_contradictions(inputs)
    assert caught.value.message == (
        "to build the variant `cu118`, no version of `torch` can satisfy both\n"
        "\n"
        "  torch==2.4.0  pyproject.toml:39: [build-system].requires\n"
        "  torch==2.2.0  pyproject.toml:3: [project.optional-dependencies].cu118"
    )
    assert caught.value.hint is not None
    assert caught.value.hint.endswith(
        'write in pyproject.toml\n\n  [tool.buildlock.variants.cu118]\n  requires = ["torch==2.2.0"]'
    )


def test_the_hint_settles_it(read: Read) -> None:
    inputs = read(SEED + SETTLED).inputs["cu118"]
    check_contradictions(inputs)
    assert shown(inputs.requires) == ["setuptools>=69.0.3", "wheel", "numpy", "ninja", "torch==2.2.0"]
    assert [rule.index and rule.index.name for rule in inputs.sources[TORCH]] == ["pytorch-cu118"]


def test_a_default_index_on_the_command_line_changes_nothing_else(read: Read) -> None:
    one, other = (
        read(SEED, overrides=Overrides(default_index=f"http://127.0.0.1:{port}/simple")).inputs["cu124"]
        for port in (8000, 9000)
    )
    assert one.sources == other.sources
    assert one.settings.indexes[:-1] == other.settings.indexes[:-1]
