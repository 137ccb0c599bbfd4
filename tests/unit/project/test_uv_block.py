"""The block of constraints in pyproject.toml: ours between two comments, everything else as it was."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildlock.project.uv_block import BlockError, BlockOptions, blank_block, read_block, write_block

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CU124 = BlockOptions(variant="cu124")
TORCH = "torch @ https://files.example/torch.whl#sha256=00 ; python_version == '3.11'"
LAYOUTS = {
    "empty": "",
    "no uv": '# mine\n[project]\nname = "x"  # the name\n',
    "no line break": '[project]\nname = "x"',
    "uv": "[project]\n\n[tool.uv]  # uv's\nmanaged = true\n\n[tool.other]\na = 1\n",
    "uv spelled widely": "[ tool . uv ]\nmanaged = true\n",
    "only tables below": '[tool.uv.sources]\ntorch = { index = "a" }\n',
    "windows": "[tool.uv]\r\nmanaged = true\r\n",
}


def without(text: str) -> object:
    document = tomllib.loads(text)
    if uv := document.get("tool", {}).get("uv"):
        uv.pop("build-constraint-dependencies", None)
    return document


@pytest.mark.parametrize("name", LAYOUTS)
def test_written_changed_and_read(name: str) -> None:
    text = LAYOUTS[name]
    first = write_block(text, CU124, ["wheel @ https://files.example/wheel.whl"])
    second = write_block(first, CU124, [TORCH])
    assert second == write_block(text, CU124, [TORCH])
    assert write_block(second, CU124, [TORCH]) == second
    block = read_block(second)
    assert block is not None
    assert (block.options, block.constraints) == (CU124, (TORCH,))
    assert tomllib.loads(second)["tool"]["uv"]["build-constraint-dependencies"] == [TORCH]
    assert ("\r\n" in second) == ("\r\n" in text)
    # All that was there is there, line by line, and where it was.
    ours = [line for line in second.splitlines() if line not in text.splitlines()]
    rest = [line for line in second.splitlines() if line not in ours]
    assert [line for line in rest if line] == [line for line in text.splitlines() if line]
    blank = blank_block(second)
    assert blank.count("\n") == second.count("\n")
    assert "build-constraint-dependencies" not in blank


@given(
    constraints=st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")), max_size=30)),
    options=st.builds(
        BlockOptions,
        variant=st.sampled_from(["cpu", "cu12.4"]),
        pythons=st.lists(st.sampled_from(["3.12", "3.13t"]), max_size=2).map(tuple),
        platforms=st.lists(st.sampled_from(["linux", "x86_64-musllinux_1_2"]), max_size=2).map(tuple),
    ),
)
def test_read_back(constraints: list[str], options: BlockOptions) -> None:
    block = read_block(write_block(LAYOUTS["uv"], options, constraints))
    assert block is not None
    assert (block.options, block.constraints) == (options, tuple(constraints))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.uv]\nbuild-constraint-dependencies = []\n", "is there already"),
        ("[tool]\nuv = { managed = true }\n", "is laid out so that"),
        ("tool.uv.managed = true\n", "is laid out so that"),
        ('text = """\n[tool.uv]\n"""\n', "is laid out so that"),
        ("[tool]\nuv = 1\n", "`uv` is not a table"),
        ("[tool\n", "is not TOML"),
    ],
)
def test_what_cannot_be_added_to(text: str, said: str) -> None:
    with pytest.raises(BlockError, match=said):
        write_block(text, CU124, [TORCH])


def test_no_block() -> None:
    assert read_block(LAYOUTS["uv"]) is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("# <<< written by buildlock export --format uv\n", "", "has no"),
        ("--variant cu124", "", "does not say of which variant"),
        ("--variant cu124", "--variant 'cu124", "no longer TOML"),
        ("--variant cu124", "--variant a --other b", "does not say of which variant"),
        ("]\n#", "#", "no longer TOML"),
    ],
)
def test_a_block_that_was_edited(old: str, new: str, said: str) -> None:
    text = write_block(LAYOUTS["uv"], CU124, [TORCH])
    assert text.count(old) == 1
    with pytest.raises(BlockError, match=said):
        read_block(text.replace(old, new))


def test_other_values_are_read_as_they_are() -> None:
    text = write_block(LAYOUTS["no uv"], CU124, [TORCH])
    block = read_block(text.replace("torch @", "torch2 @"))
    assert block is not None
    assert block.constraints == (TORCH.replace("torch @", "torch2 @"),)
