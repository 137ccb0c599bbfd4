"""The backend's versions, specifiers and markers mean what packaging says they mean."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from packaging.markers import Marker, UndefinedComparison, default_environment
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from buildlock import backend

RELEASES = st.lists(st.integers(0, 3), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
ENDINGS = st.sampled_from(
    ["", "a1", "b2", "rc1", ".post1", ".dev1", "a1.dev2", "rc1.post2", ".post1.dev3", "-1", "c1", "alpha"]
)
LOCALS = st.sampled_from(["", "+cu124", "+cu124.1", "+1", "+abc.2", "+ABC-2"])
EPOCHS = st.sampled_from(["", "", "1!", "v"])
VERSIONS = st.builds("{}{}{}{}".format, EPOCHS, RELEASES, ENDINGS, LOCALS)
SPECIFIERS = st.one_of(
    st.builds("{}{}{}".format, st.sampled_from(["==", "!="]), VERSIONS, st.just("")),
    st.builds("{}{}.*".format, st.sampled_from(["==", "!="]), RELEASES),
    st.builds("{}{}{}".format, st.sampled_from(["<=", ">=", "<", ">", "~="]), RELEASES, ENDINGS),
)


@given(VERSIONS, VERSIONS)
def test_versions_compare(one: str, other: str) -> None:
    mine, theirs = (backend.parse_version(one), backend.parse_version(other)), (Version(one), Version(other))
    assert (mine[0] < mine[1], mine[0] == mine[1]) == (theirs[0] < theirs[1], theirs[0] == theirs[1])


@given(VERSIONS, st.lists(SPECIFIERS, max_size=3).map(",".join))
def test_specifiers_admit(version: str, specifiers: str) -> None:
    try:
        expected = SpecifierSet(specifiers).contains(version, prereleases=True)
    except InvalidSpecifier:
        assume(False)
    assert backend.satisfies(version, specifiers) == expected


ENVIRONMENT = {
    **{key: str(value) for key, value in default_environment().items()},
    "implementation_name": "cpython",
    "platform_machine": "x86_64",
    "python_full_version": "3.13.0rc1",
    "python_version": "3.13",
    "sys_platform": "linux",
}
CLAUSES = st.one_of(
    st.builds(
        "python_version {} '3.{}'".format, st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "~="]), st.integers(8, 15)
    ),
    st.builds("python_full_version {} '3.13.{}'".format, st.sampled_from(["<", ">=", "=="]), st.sampled_from("01")),
    st.just("python_full_version == '3.13.*'"),
    st.builds("sys_platform {} '{}'".format, st.sampled_from(["==", "!="]), st.sampled_from(["linux", "win32"])),
    st.builds("'{}' {} platform_machine".format, st.sampled_from(["x86", "arm"]), st.sampled_from(["in", "not in"])),
    st.just('implementation_name=="cpython"'),
    st.just("'3.12' <= python_version"),
    st.just("python_version in '3.12 3.13'"),
)
MARKERS = st.recursive(
    CLAUSES,
    lambda inner: st.builds("{} {} {}".format, inner, st.sampled_from(["and", "or"]), inner.map("({})".format) | inner),
    max_leaves=6,
)


@given(MARKERS)
def test_markers_are_true(marker: str) -> None:
    try:
        expected = Marker(marker).evaluate({**ENVIRONMENT}, context="requirement")
    except UndefinedComparison:
        assume(False)
    # `'3.12' <= python_version` compares the text on the left, as packaging does.
    assert backend.evaluate(marker, ENVIRONMENT) == expected


@pytest.mark.parametrize(
    "marker",
    [
        *(
            "",
            "python_version",
            "python_version ==",
            "'a' == 'a'",
            "extra == 'x'",
            "os_name < 'posix'",
            "os_name = 'a'",
        ),
        *(
            "(os_name == 'posix'",
            "os_name == 'posix' os_name",
            "os_name == 'posix' and",
            "a.b == '1'",
            "os_name == 'po",
        ),
        *("'x' in extras", "python_version == '3.13' or nonsense == '1'", "(" * 10_000, "not os_name == 'posix'"),
    ],
)
def test_what_is_no_marker_is_refused(marker: str) -> None:
    with pytest.raises(backend.Refused, match="is not an environment marker"):
        backend.evaluate(marker, ENVIRONMENT)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "torch",
            "Torch==2.4.0",
            "torch >=2,<3",
            "torch (>=2)",
            "a.b_c[x, Y]~=1.0; python_version<'4'",
            "a@https://x.y/z",
        ),
        *("a[x] @ https://x.y/z#sha256=0 ; os_name == 'a;b'", "  ninja ; sys_platform != 'win32'"),
    ],
)
def test_requirements_are_taken_apart(text: str) -> None:
    mine, theirs = backend.parse_requirement(text), Requirement(text)
    assert mine.name == backend.normalize(theirs.name)
    assert set(mine.extras) == {backend.normalize(extra) for extra in theirs.extras}
    assert SpecifierSet(mine.specifiers) == theirs.specifier
    assert bool(mine.marker) == bool(theirs.marker)
    if mine.marker:
        assert Marker(mine.marker) == theirs.marker


@pytest.mark.parametrize("text", ["", "-a", "a b", "[x]", "a @", "a==1, <2 os", "a>=1 && <2", "a=1"])
def test_what_is_no_requirement_is_refused(text: str) -> None:
    with pytest.raises(backend.Refused, match="is not a"):
        backend.satisfies("1", backend.parse_requirement(text).specifiers)
