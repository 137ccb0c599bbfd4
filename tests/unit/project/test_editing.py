"""A file is edited so that it means what it is to mean, and so that the way back is exact."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildlock.project.editing import (
    EditError,
    add_table,
    add_text,
    add_to_array,
    drop_additions,
    end_of_table,
    parse,
    rename_table,
)

CACHE_KEYS = ("tool", "uv", "cache-keys")
LAYOUTS = {
    "nothing": "",
    "no line break at the end": "[project]\nname = 'a'",
    "other tables": "[project]\nname = 'a'\n\n# about uv\n[tool.uv.sources]\nfoo = { index = 'x' }\n",
    "the table": "[tool.uv]\nconflicts = [\n  [],\n]\n\n# a comment of the next\n[z]\n",
    "the table last": "[tool.uv]\n",
    "the array": '[tool.uv]\ncache-keys = [{ file = "x" }]\nmore = 1\n',
    "the array, empty": "[tool.uv]\ncache-keys = []\n",
    "the array in lines": '[tool.uv]\ncache-keys = [  # why\n  { file = "x" },\n]\n',
    "dotted": '[tool]\nuv.cache-keys = [\n"x"]\n',
    "at the top": 'tool.uv."cache-keys" = [ ]\n',
    "quoted": '["tool".uv]\n"cache-keys"=["a"]\n',
    "a string that looks like a table": 'text = """\n[tool.uv]\n"""\n\n[tool.uv]\na = 1\n',
}


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS)
def test_items_are_added_and_taken_out(text: str) -> None:
    edited = add_to_array(text, CACHE_KEYS, ['{ env = "V" }', '"b"'])
    before = parse(text).get("tool", {}).get("uv", {}).get("cache-keys", [])
    assert parse(edited)["tool"]["uv"]["cache-keys"] == [{"env": "V"}, "b", *before]
    assert drop_additions(edited) == text


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS)
def test_several_additions_are_taken_out(text: str) -> None:
    edited = add_to_array(text, CACHE_KEYS, ['"b"'])
    edited = add_to_array(edited, ("tool", "uv", "extra-build-dependencies", "my.pkg"), ['{ requirement = "torch" }'])
    edited = add_table(edited, ("build-system",), {"requires": "[]"})
    assert parse(edited)["tool"]["uv"]["extra-build-dependencies"] == {"my.pkg": [{"requirement": "torch"}]}
    assert drop_additions(edited) == text


@pytest.mark.parametrize(
    "text",
    [
        '[tool]\nuv = { cache-keys = ["a"] }\n',
        "[tool]\nuv = { }\n",
        "[tool.uv]\ncache-keys = 1\n",
        "tool = 1\n",
        "[[tool.uv]]\n",
        "[tool.uv]\ncache-keys =\\\n",
    ],
)
def test_what_is_laid_out_too_unusually_is_refused(text: str) -> None:
    with pytest.raises(EditError):
        add_to_array(text, CACHE_KEYS, ['"b"'])


def test_a_table_is_renamed_and_renamed_back() -> None:
    for header in ("[build-system]", '[ "build-system" ]  # [x]', "  [build-system]"):
        text = f'a = 1\n{header}\nrequires = ["x"]  # why\n\n# more\n[z]\n'
        moved = rename_table(text, ("build-system",), ("tool", "buildlock", "build-system"))
        assert parse(moved)["tool"]["buildlock"]["build-system"] == {"requires": ["x"]}
        assert rename_table(moved, ("tool", "buildlock", "build-system"), ("build-system",)).replace(
            " ", ""
        ) == text.replace(" ", "")


def test_renaming_the_usual_header_back_gives_the_same_bytes() -> None:
    text = "[build-system]   # why\nrequires = []\n"
    moved = rename_table(text, ("build-system",), ("tool", "buildlock", "build-system"))
    assert rename_table(moved, ("tool", "buildlock", "build-system"), ("build-system",)) == text
    end = end_of_table(moved, ("tool", "buildlock", "build-system"))
    assert end == len(moved)
    assert end_of_table(moved, ("build-system",)) is None


@pytest.mark.parametrize("text", ["build-system.requires = []\n", "build-system = {}\n", "[a]\n", "[build-system.x]\n"])
def test_a_table_without_a_header_is_not_renamed(text: str) -> None:
    with pytest.raises(EditError):
        rename_table(text, ("build-system",), ("tool", "buildlock", "build-system"))


def test_a_key_that_is_there_is_not_overwritten() -> None:
    with pytest.raises(EditError, match="is there already"):
        add_table("[a]\nb = 1\n", ("a",), {"b": "2"})


LINES = st.lists(st.sampled_from(["", "a", "# x", "  b"]), max_size=6)


@given(LINES, st.sampled_from(["", "\n"]), st.lists(st.tuples(st.integers(0, 9), LINES), max_size=3))
def test_whatever_is_added_anywhere_is_taken_out(
    lines: list[str], end: str, additions: list[tuple[int, list[str]]]
) -> None:
    text = original = "\n".join(lines) + end
    for position, added in additions:
        starts = [0, *itertools.accumulate(len(line) for line in text.splitlines(keepends=True))]
        # Not inside another addition, where nobody would add.
        outside = [start for start in starts if text[:start].count("# >>>") == text[:start].count("# <<<")]
        where = outside[position % len(outside)]
        text = add_text(text, added, None if where == len(text) else where)
    assert drop_additions(text) == original
