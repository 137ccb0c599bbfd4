"""Which variants a project has, and what each is built from."""

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from buildlock.project.derivation import add_requirements
from buildlock.project.model import BuildRequirement
from buildlock.variants import Variant
from unit.project.conftest import Faults, Read, Warnings

INDEXES = """
[[tool.uv.index]]
name = "a"
url = "https://a.example"
[[tool.uv.index]]
name = "b"
url = "https://b.example"
"""
BUILD = "[build-system]\nrequires = ['torch', 'numpy']\n"


def test_a_project_that_declares_nothing_has_one_variant(read: Read) -> None:
    assert dict(read(BUILD).variants) == {"default": Variant(name="default")}


def test_extras_groups_declarations_and_conditions_make_variants(read: Read) -> None:
    project = read(f"""{INDEXES}
[project]
name = "demo"
optional-dependencies = {{ CU_118 = [], unrelated = [], xpu = [] }}
[dependency-groups]
Rocm = []
cpu = []
[tool.uv.sources]
torch = [{{ index = "a", extra = "cu.118" }}, {{ index = "b", group = "rocm" }}]
other = {{ path = ".", extra = "unrelated" }}
[tool.buildlock.sources]
jax = [{{ index = "a", variant = "tpu" }}, {{ index = "b", variant = "CU118-old" }}]
[tool.buildlock.variants.CPU]
[tool.buildlock.variants.cu118-old]
extra = "CU-118"
environment = {{ FLAG = "1" }}
host = {{ nvcc = ">=11.8,<11.9", "g++" = "<12" }}
[tool.buildlock.variants.xpu]
""")
    assert dict(project.variants) == {
        "CPU": Variant(name="CPU", group="cpu"),
        "CU_118": Variant(name="CU_118", extra="cu-118"),
        "cu118-old": Variant(
            name="cu118-old",
            extra="cu-118",
            environment={"FLAG": "1"},
            host={"nvcc": SpecifierSet(">=11.8,<11.9"), "g++": SpecifierSet("<12")},
        ),
        "Rocm": Variant(name="Rocm", group="rocm"),
        "tpu": Variant(name="tpu"),
        "xpu": Variant(name="xpu", extra="xpu"),
    }
    assert list(project.variants) == sorted(project.variants)


def test_a_variant_keeps_the_spelling_of_its_extra(read: Read) -> None:
    project = read(f"""{INDEXES}
[project]
optional-dependencies = {{ "rocm6.1" = [] }}
[tool.uv.sources]
torch = {{ index = "a", extra = "rocm6.1" }}
[tool.buildlock]
default-variant = "ROCM6-1"
""")
    assert dict(project.variants) == {"rocm6.1": Variant(name="rocm6.1", extra="rocm6-1")}
    assert (project.default_variant, project.default_detected) == ("rocm6.1", False)


def test_the_default_may_be_left_to_the_machine(read: Read) -> None:
    project = read("[tool.buildlock]\ndefault-variant = 'auto'\n[tool.buildlock.variants.cpu]")
    assert (project.default_variant, project.default_detected) == (None, True)


def test_rules_apply_to_their_variant_in_the_order_they_are_written(read: Read) -> None:
    project = read(f"""{INDEXES}
[project.optional-dependencies]
cu118 = []
[tool.buildlock.sources]
torch = [
  {{ index = "a", marker = "sys_platform == 'linux'" }},
  {{ index = "b", extra = "cu118" }},
  {{ index = "a", variant = "cpu" }},
]
""")
    rules = {
        name: [
            (rule.index and rule.index.name, rule.extra, rule.variant, rule.marker and str(rule.marker))
            for rule in rules
        ]
        for name, inputs in project.inputs.items()
        for rules in inputs.sources.values()
    }
    general = ("a", None, None, 'sys_platform == "linux"')
    assert rules == {
        "cpu": [general, ("a", None, "cpu", None)],
        "cu118": [general, ("b", "cu118", None, None)],
    }


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (
            "extra = 'cu119'",
            "names the extra `cu119`, which `[project.optional-dependencies]` does not declare; did you",
        ),
        ("group = 'cu119'", "names the group `cu119`, which `[dependency-groups]` does not declare"),
    ],
)
def test_a_condition_on_what_is_not_declared_is_a_fault(faults: Faults, condition: str, message: str) -> None:
    text = (
        f"{INDEXES}[project.optional-dependencies]\ncu118 = []\n[tool.uv.sources]\ntorch = {{index = 'a', {condition}}}"
    )
    assert message in faults(text)


def test_dynamic_extras_cannot_be_read(warnings_of: Warnings) -> None:
    (warning,) = warnings_of(f"""{INDEXES}
[project]
name = "demo"
dynamic = ["optional-dependencies"]
[tool.uv.sources]
torch = {{ index = "a", extra = "cu118" }}
""")
    assert "what they pin cannot bind the build of cu118" in warning.replace("`", "")


def test_a_variant_replaces_and_adds_requirements(read: Read) -> None:
    project = read("""
[build-system]
requires = ["torch==2.4; sys_platform == 'linux'", "torch; sys_platform != 'linux'", "wheel"]
[tool.buildlock.variants.cpu]
requires = ["Torch==2.2", "ninja"]
constraints = ["numpy<2"]
[tool.buildlock.variants.other]
""")
    cpu, other = project.inputs["cpu"], project.inputs["other"]
    assert [str(each.requirement) for each in cpu.requires] == ["wheel", "Torch==2.2", "ninja"]
    assert cpu.requires[1].origin == "pyproject.toml: [tool.buildlock.variants.cpu].requires"
    assert [str(each.requirement) for each in cpu.constraints] == ["numpy<2"]
    assert (len(other.requires), other.constraints) == (3, ())


def pins(read: Read, text: str) -> list[tuple[str, str]]:
    (inputs,) = read(f"{text}\n{BUILD}").inputs.values()
    return [(str(each.requirement), each.origin) for each in inputs.constraints]


def test_an_extra_binds_with_the_extras_it_names(read: Read) -> None:
    assert pins(read, """
[project]
name = "My.Demo"
[project.optional-dependencies]
gpu = ["my-demo[cu_118, none]", "scipy==1", "torch[opt]==2.2; os_name == 'posix'"]
cu118 = ["my_demo[gpu]"]
CU-118 = ["numpy>1", "NumPy", "MY_DEMO[gpu]"]
[tool.buildlock.variants.gpu]
""") == [
        ('torch==2.2; os_name == "posix"', "pyproject.toml: [project.optional-dependencies].gpu"),
        ("numpy>1", "pyproject.toml: [project.optional-dependencies].CU-118"),
    ]  # fmt: skip


def test_a_group_binds_with_the_groups_it_includes(read: Read) -> None:
    assert pins(read, """
[dependency-groups]
gpu = [{ include-group = "Base" }, { include-group = "more" }, "torch==2.2"]
base = [{ include-group = "more" }]
more = ["numpy<2"]
broken = [1]
[tool.buildlock.variants.gpu]
""") == [
        ("torch==2.2", "pyproject.toml: [dependency-groups].gpu"),
        ("numpy<2", "pyproject.toml: [dependency-groups].more"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("gpu", "message"),
    [
        ("gpu = 1", "[dependency-groups].gpu` must be a list of requirements, not an integer"),
        ("gpu = [1]", "[dependency-groups].gpu[0]` must be a string, not an integer"),
        ("gpu = ['=']", "[dependency-groups].gpu` has `=`, which is not a requirement"),
        ("gpu = [{include = 'a'}]", "[dependency-groups].gpu[0]` must be a requirement or `{ include-group"),
        ("gpu = [{include-group = 'none'}]", "includes the group `none`, which is not declared"),
        ("gpu = [{include-group = 'gpu'}]", "includes `gpu`, which includes it in turn"),
        (
            "gpu = [{include-group = 'a'}]\na = [{include-group = 'gpu'}]",
            "].a` includes `gpu`, which includes it in turn",
        ),
        ("gpu = ['torch @ https://a.example/t']", "has `torch` from a URL that leads to no wheel"),
    ],
)
def test_what_a_group_cannot_be(faults: Faults, gpu: str, message: str) -> None:
    assert message in faults(f"[dependency-groups]\n{gpu}\n[tool.buildlock.variants.gpu]\n{BUILD}")


def test_groups_that_include_each_other_twice_do_not_explode(read: Read) -> None:
    groups = "\n".join(f"g{i} = [{{include-group = 'g{i + 1}'}}, {{include-group = 'g{i + 1}'}}]" for i in range(2000))
    text = f"[dependency-groups]\n{groups}\ng2000 = ['torch==2']\n[tool.buildlock.variants.g0]"
    assert [requirement for requirement, _ in pins(read, text)] == ["torch==2"]


def test_what_the_backend_asks_for_is_bound_too(read: Read) -> None:
    inputs = read("""
[build-system]
requires = ["torch"]
[project]
optional-dependencies = { gpu = ["torch==2.2", "numpy[x]<2", "scipy==1"] }
[tool.buildlock.variants.gpu]
""").inputs["gpu"]
    asked = tuple(
        BuildRequirement(requirement=Requirement(each), origin="a hook") for each in ("NumPy", "torch", "ninja")
    )
    bound = add_requirements(inputs, asked)
    assert [str(each.requirement) for each in inputs.constraints] == ["torch==2.2"]
    assert [str(each.requirement) for each in bound.requires] == ["torch", "NumPy", "torch", "ninja"]
    assert [str(each.requirement) for each in bound.constraints] == ["torch==2.2", "numpy<2"]


def test_a_variant_has_its_own_say_on_what_is_matched_with_the_runtime(read: Read) -> None:
    project = read("""
[tool.buildlock]
match-runtime = ["Torch", "torch_vision"]
[tool.buildlock.variants]
cpu.match-runtime = []
cu118.match-runtime = ["torch"]
cu124 = {}
""")
    assert {name: sorted(inputs.match_runtime) for name, inputs in project.inputs.items()} == {
        "cpu": [],
        "cu118": ["torch"],
        "cu124": ["torch", "torch-vision"],
    }
