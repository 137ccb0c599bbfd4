from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename

from buildlock.artifacts import InvalidFilenameError, parse_filename, wheel_tags

PARTS = st.sampled_from(
    ["foo", "Foo_bar", "a.b", "1", "1.0+cu124", "2!3.dev1", "py3", "cp311", "none", "any", "_", "", "x y"]
)
NAMES = st.lists(PARTS | st.text(max_size=3), min_size=2, max_size=6).map("-".join)


@given(NAMES.map("{}.whl".format))
def test_wheels_are_read_as_packaging_reads_them(filename: str) -> None:
    try:
        name, version, kind = parse_filename(filename)
    except InvalidFilenameError:
        with pytest.raises(InvalidWheelFilename):
            parse_wheel_filename(filename)
        return
    expected_name, expected_version, build, tags = parse_wheel_filename(filename)
    assert (name, version, kind) == (expected_name, expected_version, "wheel")
    assert wheel_tags(filename) == (build, tags)


@given(NAMES.map("{}.tar.gz".format) | NAMES.map("{}.zip".format))
def test_sdists_are_read_as_packaging_reads_them(filename: str) -> None:
    try:
        name, version, kind = parse_filename(filename)
    except InvalidFilenameError:
        return
    assert (name, version) == parse_sdist_filename(filename)
    assert kind == "sdist"


@given(st.text())
def test_any_text_is_a_file_name_or_refused(filename: str) -> None:
    with suppress(InvalidFilenameError):
        parse_filename(filename)


@pytest.mark.parametrize(
    "filename",
    [
        "foo-1-" + "9" * 5000 + "-py3-none-any.whl",
        "foo-" + "9" * 5000 + ".tar.gz",
        f"foo-1-{'.'.join('p' * 40)}-{'.'.join('a' * 40)}-{'.'.join('x' * 40)}.whl",
    ],
)
def test_names_that_cost_too_much_are_refused(filename: str) -> None:
    with pytest.raises(InvalidFilenameError):
        parse_filename(filename)
