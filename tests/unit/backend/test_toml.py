"""The TOML reader of old Pythons reads what `tomllib` reads, and as that does."""

import sys
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from buildlock import backend

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[3]
FILES = sorted([ROOT / "pyproject.toml", *ROOT.glob("fixtures/**/*.toml")])
TRICKY = r'''
"quoted key" = "\t\u00e9\U0001F600\\ \" end"
'literal.key' = 'C:\path'
a.b.c = 1
a . "b" . d = [1, 2.5, inf, -nan, 0xFF, 1_000, 1979-05-27T07:32:00Z, 1979-05-27 07:32:00, 07:32:00, ]
empty = ""
lines = """
first \
    still first
"quoted" ""two"" and three: ""\" end"""
raw = \'\'\'
it\'s ''two'' \n\'\'\'
inline = { x = 1, y.z = "}", w = [{ v = true }, { v = false }] }
mixed = [ # a comment
  "]", # another ]
  [ ["nested"] ],
]
[table]  # comment
key = "value"
[table.sub]
[[array]]
n = 1
[[array]]
n = 2
[array.inner]
m = "#"
[[array.more]]
[later.deep]
[later]
x = 1
'''.replace("\\'\\'\\'", "'''").replace("it\\'s", "it's")


def plain(value: Any) -> Any:
    """Without what the reader does not tell apart: numbers and dates."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value if isinstance(value, str | bool) else "a scalar"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_read_as_tomllib_reads_them(path: Path) -> None:
    compare(path.read_bytes().decode("utf-8", "replace"))


def test_all_that_toml_can_say() -> None:
    compare(TRICKY)
    compare(TRICKY.replace("\n", "\r\n"))
    assert plain(backend.Toml(TRICKY).read()) == plain(tomllib.loads(TRICKY))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    TEXTS | st.booleans() | st.integers(-5, 5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_whatever_is_written(document: dict[str, Any]) -> None:
    assert plain(backend.Toml(tomli_w.dumps(document)).read()) == plain(document)
    assert plain(backend.Toml(tomli_w.dumps(document, multiline_strings=True).replace("\r", "")).read()) is not None


@given(st.lists(st.sampled_from(TRICKY.split("\n")), max_size=8).map("\n".join))
def test_whatever_is_shuffled(text: str) -> None:
    compare(text)


@given(st.integers(0, len(TRICKY)), st.integers(0, 10), st.text("[]{}\"'=.,#\n a1\\", max_size=3))
def test_whatever_is_broken(position: int, length: int, inserted: str) -> None:
    compare(TRICKY[:position] + inserted + TRICKY[position + length :])


def compare(text: str) -> None:
    """What `tomllib` reads is read so; what it refuses may be refused, by a `ValueError` or `RecursionError`."""
    try:
        expected = plain(tomllib.loads(text))
    except (ValueError, RecursionError):
        expected = None
    try:
        read = plain(backend.Toml(text).read())
    except (ValueError, RecursionError):
        read = None
    assert expected is None or read == expected
