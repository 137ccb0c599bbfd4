"""Whether a version is affected, as the OSV schema says."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from buildlock.audit.advisory import Affected, Event, EventKind
from buildlock.audit.ranges import Evaluation, evaluate, list_fixed


def make_range(*events: tuple[EventKind, str]) -> Affected:
    return Affected(ranges=(tuple(Event(kind=kind, version=version) for kind, version in events),))


def find_affected(affected: Affected, *versions: str) -> list[str]:
    return [version for version in versions if evaluate(affected, Version(version)).affected]


class TestVersions:
    def test_versions_are_compared_as_versions(self) -> None:
        listed = Affected(versions=("1.0", "v2.0.0-RC1", "no version", "9" * 9000))
        assert find_affected(listed, "1", "1.0.0", "2rc1", "2.0", "1.0.post1") == ["1", "1.0.0", "2rc1"]

    def test_a_local_label_counts_where_it_is_written(self) -> None:
        listed = Affected(versions=("2.4.0", "2.5.0+cu118"))
        versions = ("2.4.0+cu124", "2.4.0", "2.5.0", "2.5.0+cu124", "2.5.0+cu118")
        assert find_affected(listed, *versions) == ["2.4.0+cu124", "2.4.0", "2.5.0+cu118"]


class TestRanges:
    def test_the_first_range_holds_what_comes_before_everything(self) -> None:
        affected = make_range(("introduced", "0"), ("fixed", "1.0"))
        assert find_affected(affected, "0.dev0", "0", "0.9", "1.0rc1", "1.0", "1!0") == ["0.dev0", "0", "0.9", "1.0rc1"]

    def test_several_in_one(self) -> None:
        affected = make_range(("introduced", "1"), ("fixed", "1.2"), ("introduced", "2"), ("fixed", "2.3"))
        assert find_affected(affected, "0.9", "1.1", "1.2", "1.9", "2.0", "2.2.9", "2.3") == ["1.1", "2.0", "2.2.9"]

    def test_events_need_not_be_sorted(self) -> None:
        affected = make_range(("fixed", "2.3"), ("introduced", "2"), ("fixed", "1.2"), ("introduced", "0"))
        assert find_affected(affected, "1.1", "1.2", "2.0", "2.3") == ["1.1", "2.0"]

    def test_last_affected_is_affected(self) -> None:
        affected = make_range(("introduced", "1"), ("last_affected", "1.5"))
        versions = ("0.9", "1", "1.5", "1.5+cu124", "1.5.post1", "1.6")
        assert find_affected(affected, *versions) == ["1", "1.5", "1.5+cu124"]

    @pytest.mark.parametrize(
        ("limits", "expected"),
        [(["2"], ["1", "1.9"]), (["2", "3"], ["1", "1.9", "2"]), (["*"], ["1", "1.9", "2", "9"]), (["2", "*"], [])],
    )
    def test_limits(self, limits: Sequence[str], expected: list[str]) -> None:
        affected = make_range(("introduced", "1"), *(("limit", limit) for limit in limits))
        assert find_affected(affected, "1", "1.9", "2", "9") == (expected or ["1", "1.9", "2", "9"])

    def test_a_local_label_is_looked_at_where_the_bound_has_one(self) -> None:
        patched = make_range(("introduced", "0"), ("fixed", "1.0+patched.1"))
        assert find_affected(patched, "1.0", "1.0+patched", "1.0+patched.1", "1.0+patched.2") == ["1.0", "1.0+patched"]
        plain = make_range(("introduced", "1.0"), ("fixed", "1.1"))
        assert find_affected(plain, "1.0+cu124", "1.1+cu124") == ["1.0+cu124"]

    @pytest.mark.parametrize("bound", ["2019-09-12", "", "9" * 9000])
    def test_a_bound_that_is_no_version_counts_against_the_version(self, bound: str) -> None:
        affected = make_range(("introduced", "0"), ("fixed", bound))
        assert evaluate(affected, Version("1")) == Evaluation(affected=True, unreadable=(bound,))
        listed = Affected(versions=("1",), ranges=affected.ranges)
        assert evaluate(listed, Version("1")) == Evaluation(affected=True)
        assert list(list_fixed(affected, Version("1"))) == []

    def test_nothing_listed_is_nothing_affected(self) -> None:
        assert not evaluate(Affected(), Version("1")).affected


def test_what_is_fixed_is_above_what_is_locked() -> None:
    affected = make_range(("introduced", "0"), ("fixed", "1.2"), ("introduced", "2"), ("fixed", "2.3"))
    assert list(map(str, list_fixed(affected, Version("1.0")))) == ["1.2", "2.3"]
    assert list(map(str, list_fixed(affected, Version("2.0+cpu")))) == ["2.3"]


numbers = st.integers(min_value=1, max_value=8)
kinds: st.SearchStrategy[EventKind] = st.sampled_from(["introduced", "fixed", "last_affected", "limit"])
starts: st.SearchStrategy[tuple[EventKind, int]] = st.just(("introduced", 0))


@given(st.lists(st.tuples(kinds, numbers) | starts, max_size=8), st.integers(min_value=0, max_value=9))
def test_the_schema_s_own_algorithm_on_whole_numbers(events: list[tuple[EventKind, int]], version: int) -> None:
    """`IncludedInRanges`, word for word."""
    limits = [number for kind, number in events if kind == "limit"]
    vulnerable = False
    for kind, number in sorted((e for e in events if e[0] != "limit"), key=lambda event: event[1]):
        if kind == "introduced" and version >= number:
            vulnerable = True
        elif (kind == "fixed" and version >= number) or (kind == "last_affected" and version > number):
            vulnerable = False
    expected = vulnerable and (not limits or any(version < limit for limit in limits))
    affected = make_range(*((kind, str(number)) for kind, number in events))
    assert evaluate(affected, Version(str(version))).affected == expected
