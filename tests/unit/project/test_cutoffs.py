"""The moments of `exclude-newer`."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildlock.project.cutoffs import parse_cutoff


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-02-28", datetime(2025, 3, 1, tzinfo=timezone.utc)),
        ("2025-03-01T12:30:45Z", datetime(2025, 3, 1, 12, 30, 45, tzinfo=timezone.utc)),
        ("2025-03-01t12:30:45.123456789z", datetime(2025, 3, 1, 12, 30, 45, 123456, tzinfo=timezone.utc)),
        ("2025-03-01 12:30:45.5+05:30", datetime(2025, 3, 1, 7, 0, 45, 500000, tzinfo=timezone.utc)),
    ],
)
def test_a_moment_is_absolute(text: str, moment: datetime) -> None:
    cutoff = parse_cutoff(text)
    assert (cutoff.moment, cutoff.span) == (moment, None)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("7 days", 168),
        ("1 week", 168),
        ("P7D", 168),
        ("p1w", 168),
        ("1w 2d", 216),
        ("1 day, 2 hours", 26),
        ("PT36H", 36),
    ],
)
def test_a_duration_is_relative_to_now(text: str, hours: int) -> None:
    before = datetime.now(timezone.utc)
    cutoff = parse_cutoff(text)
    assert cutoff.span == text
    assert cutoff.moment is not None
    assert before <= cutoff.moment + timedelta(hours=hours) <= datetime.now(timezone.utc)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "P", "PT", "ago", "soon", "2025", "2025-02-30", "9999-12-31", "0001-01-01T00:00:00+01:00"),
        *("2025-03-01T12:00:00", "2025-03-01T25:00:00Z", "1 month", "1 year", "999999 weeks", "-7 days", "٢٠٢٥-01-01"),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no date"):
        parse_cutoff(text)


@given(st.text() | st.from_regex(r"[0-9PTWDZ:+ -]{1,30}", fullmatch=True))
def test_no_text_is_too_strange(text: str) -> None:
    try:
        moment = parse_cutoff(text).moment
    except ValueError:
        return
    assert moment is not None
    assert moment.utcoffset() == timedelta(0)
