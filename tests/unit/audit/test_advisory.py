"""Reading an advisory: what is about locked packages has to have its form, all else is passed over."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name
from packaging.version import Version

from buildlock.audit.advisory import InvalidAdvisoryError, parse_advisory
from buildlock.audit.advisory_json import decode, outline
from buildlock.audit.ranges import evaluate, list_fixed
from support.advisories import ID, make_advisory, make_affected

NAMES = frozenset({"foo", "foo-bar"})
FOO = make_affected("foo", introduced="0")


class TestWhatItIsAbout:
    def test_names_are_normalised(self) -> None:
        advisory = parse_advisory(make_advisory(ID, make_affected("Foo_.Bar", versions=["1"])), NAMES)
        assert advisory is not None
        assert list(advisory.affected) == ["foo-bar"]

    def test_entries_of_one_package_are_kept_together(self) -> None:
        entries = [make_affected("foo", versions=["1"]), make_affected("bar"), make_affected("FOO", versions=["2"])]
        advisory = parse_advisory(make_advisory(ID, *entries), NAMES)
        assert advisory is not None
        [(name, found)] = advisory.affected.items()
        assert (name, [each.versions for each in found]) == ("foo", [("1",), ("2",)])

    @pytest.mark.parametrize(
        "affected",
        [
            make_affected("bar", introduced="0"),
            make_affected("foo", ecosystem="npm", introduced="0"),
            make_affected("foo", ecosystem="Root:PyPI", introduced="0"),
            {"ranges": [{"type": "GIT", "repo": "https://git.example/foo", "events": [{"introduced": "0"}]}]},
            {"package": None},
        ],
    )
    def test_what_is_about_nothing_locked(self, affected: Any) -> None:
        assert parse_advisory(make_advisory(ID, affected), NAMES) is None

    @pytest.mark.parametrize("ecosystem", ["PyPI", "pypi", "PyPI:https://pkgs.example"])
    def test_the_ecosystem(self, ecosystem: str) -> None:
        assert parse_advisory(make_advisory(ID, make_affected("foo", ecosystem=ecosystem)), NAMES) is not None

    @pytest.mark.parametrize("kind", ["SEMVER", "GIT"])
    def test_ranges_of_another_order_are_not_evaluated(self, kind: str) -> None:
        advisory = parse_advisory(make_advisory(ID, make_affected("foo", kind=kind, introduced="0")), NAMES)
        assert advisory is not None
        assert [entry.ranges for entries in advisory.affected.values() for entry in entries] == [()]


class TestWhatItSays:
    def test_null_is_absent(self) -> None:
        value = make_advisory(ID, FOO, aliases=None, withdrawn=None, severity=None, details=None, summary=None)
        advisory = parse_advisory(value, NAMES)
        assert advisory is not None
        assert (advisory.aliases, advisory.withdrawn, advisory.severity, advisory.summary) == ((), False, (), "")

    def test_the_summary_is_a_line(self) -> None:
        for more, expected in (
            ({"summary": "one\x1b[2J line\nanother"}, "one [2J line"),
            ({"summary": " ", "details": "\n# Title\n\ntext"}, "# Title"),
            ({"summary": "x" * 500}, "x" * 159 + "…"),
        ):
            advisory = parse_advisory(make_advisory(ID, FOO, **more), NAMES)
            assert advisory is not None
            assert advisory.summary == expected

    def test_its_severity(self) -> None:
        score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"
        severity = [{"type": "CVSS_V3", "score": score}]
        for specific, level in (({"severity": "HIGH"}, "high"), ({"severity": ["x"]}, None), (7, None)):
            advisory = parse_advisory(make_advisory(ID, FOO, severity=severity, database_specific=specific), NAMES)
            assert advisory is not None
            assert (advisory.severity, advisory.level) == ((score,), level)

    def test_times_are_compared_as_times(self) -> None:
        written = ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.1Z", "2026-01-31T12:00:00.123456789Z")
        parsed = [parse_advisory(make_advisory(ID, FOO, modified=each), NAMES) for each in written]
        times = [advisory.modified for advisory in parsed if advisory is not None]
        assert len(times) == 3
        assert times == sorted(times)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ([], "it is not an object"),
        (make_advisory("", FOO), "`id` is no identifier"),
        (make_advisory("x" * 999, FOO), "`id` is no identifier"),
        (make_advisory("a\nb", FOO), "`id` is no identifier"),
        (make_advisory(ID, FOO, id=7), "`id` is not a string"),
        (make_advisory(ID, FOO, aliases="CVE"), "`aliases` is not an array"),
        (make_advisory(ID, FOO, aliases=[None]), "`aliases[0]` is missing"),
        (make_advisory(ID, FOO, modified=None), "`modified` is missing"),
        (make_advisory(ID, FOO, modified="yesterday"), "`modified` is `yesterday`, not a time in UTC"),
        (make_advisory(ID, FOO, withdrawn=True), "`withdrawn` is not a string"),
        (make_advisory(ID, FOO, withdrawn=""), "`withdrawn` is ``, not a time"),
        (make_advisory(ID, affected={}), "`affected` is not an array"),
        (make_advisory(ID, 7), "`affected[0]` is not an object"),
        (make_advisory(ID, {"package": "foo"}), "`affected[0].package` is not an object"),
        (make_advisory(ID, {"package": {"name": "foo"}}), "`affected[0].package.ecosystem` is missing"),
        (make_advisory(ID, {"package": {"ecosystem": "PyPI"}}), "`affected[0].package.name` is missing"),
        (make_advisory(ID, FOO, severity=[{"type": "CVSS_V3"}]), "`severity[0].score` is missing"),
        (make_advisory(ID, {**FOO, "versions": [1.0]}), "`affected[0].versions[0]` is not a string"),
        (make_advisory(ID, make_affected("foo", kind="MAGIC", fixed="1")), "ranges[0].type` is `MAGIC`, which is"),
        (make_advisory(ID, make_affected("foo", fixed="1")), "`affected[0].ranges[0].events` introduces nothing"),
        (make_advisory(ID, {**FOO, "ranges": [{"type": "ECOSYSTEM"}]}), "introduces nothing"),
        (
            make_advisory(
                ID, {**FOO, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0", "fixed": "1"}]}]}
            ),
            "`affected[0].ranges[0].events[0]` is several events",
        ),
        (
            make_advisory(ID, {**FOO, "ranges": [{"type": "ECOSYSTEM", "events": [{}]}]}),
            "`affected[0].ranges[0].events[0]` is no event",
        ),
        (make_advisory(ID, make_affected("foo", introduced="0"), details=7, summary=""), "`details` is not a string"),
    ],
)
def test_what_is_no_advisory(value: Any, fault: str) -> None:
    with pytest.raises(InvalidAdvisoryError) as caught:
        parse_advisory(value, NAMES)
    assert fault in str(caught.value)


class TestOutline:
    @pytest.mark.parametrize(
        "content",
        [
            '{"name": "foo"}',
            '\ufeff {"name"\n:\t"FOO"} \n',
            '{"name": "Foo_-Bar"}',
            r'{"name": "f\u006fo"}',
            r'{"n\u0061me": "foo"}',
            r'{"name": "\"foo"}',
            '[{"id": "x"}]',
            '{"name": "x", "name": "foo"}',
        ],
    )
    def test_what_may_be_about_a_package(self, content: str) -> None:
        assert outline(content.encode()).may_concern(NAMES)

    @pytest.mark.parametrize("content", ['{"name": "fo"}', '{"x": "foo"}', "{}", r'{"name": "x", "y": "\u003c"}'])
    def test_what_is_not(self, content: str) -> None:
        assert not outline(content.encode()).may_concern(NAMES)

    @pytest.mark.parametrize("content", [b"", b"  \n", b"id: x", b'{"id"', b"7", b'"x"', '{"a": 1}'.encode("utf-16")])
    def test_what_is_no_whole_json(self, content: bytes) -> None:
        with pytest.raises(InvalidAdvisoryError):
            outline(content)

    def test_how_old_it_is(self) -> None:
        assert outline(json.dumps(make_advisory(ID, FOO)).encode()).modified == "2026-01-31"
        assert outline(b'{"modified": "long ago"}').modified is None


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b'{"a": 1, "a": 2}', "it has the key `a` twice"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": "\xff"}', "it is not UTF-8"),
        (b'{"a": "\n"}', "it is not JSON"),
        (b'{"a": }', "it is not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "it is nested too deeply"),
    ],
)
def test_what_is_no_json(content: bytes, fault: str) -> None:
    with pytest.raises(InvalidAdvisoryError) as caught:
        decode(content)
    assert fault in str(caught.value)


FULL = make_advisory(
    ID,
    {**make_affected("foo", versions=["1.0"], introduced="0", fixed="2"), "severity": [{"type": "x", "score": "y"}]},
    aliases=["A-1"],
    withdrawn="2026-01-31T12:00:00Z",
    severity=[{"type": "x", "score": "y"}],
    database_specific={"severity": "HIGH"},
)
anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=5,
)


def list_paths(value: Any) -> list[tuple[Any, ...]]:
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [(), *((key, *path) for key, item in items for path in list_paths(item))]


@given(st.sampled_from(list_paths(FULL)[1:]), anything)
def test_whatever_it_says_it_is_read_or_refused(path: tuple[Any, ...], replacement: Any) -> None:
    value = json.loads(json.dumps(FULL))
    inside = value
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = replacement
    with suppress(InvalidAdvisoryError):
        advisory = parse_advisory(value, NAMES)
        for entry in advisory.affected.get(canonicalize_name("foo"), ()) if advisory is not None else ():
            evaluate(entry, Version("1.5"))
            list(list_fixed(entry, Version("1.5")))
