"""The moments of `exclude-newer`, as uv writes them."""

import re
from datetime import datetime, timedelta, timezone

from buildlock.answers.looking import get_time
from buildlock.patterns import compile_pattern
from buildlock.values import dataclass

_DATE = compile_pattern(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIMESTAMP = compile_pattern(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(?:([Zz])|([+-]\d{2}:\d{2}))", re.ASCII
)
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_FRIENDLY = compile_pattern(
    r"(?:(\d{1,6}) ?w(?:eeks?|ks?)?)?,? ?(?:(\d{1,6}) ?d(?:ays?)?)?,? ?(?:(\d{1,6}) ?h(?:ours?|rs?)?)?"
    r",? ?(?:(\d{1,6}) ?m(?:inutes?|ins?)?)?,? ?(?:(\d{1,6}) ?s(?:econds?|ecs?)?)?(?: ago)?",
    re.ASCII,
)
_ISO = compile_pattern(
    r"P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?", re.ASCII | re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cutoff:
    """What `exclude-newer` says: files uploaded at `moment` or later do not count; `None`: all count."""

    moment: datetime | None
    """Aware, UTC."""
    span: str | None = None
    """The duration as written, where the moment is relative to now."""


def parse_cutoff(text: str) -> Cutoff:
    """Read a timestamp (RFC 3339), a date, or a duration before now (`7 days`, `P7D`).

    A date stands for its end, as in uv, but in UTC: the lock must not depend on the clock of the machine.

    Raises:
        ValueError: It is none of them; the message says so.
    """
    try:
        if _DATE.fullmatch(text):
            return Cutoff(moment=datetime.fromisoformat(text).replace(tzinfo=timezone.utc) + timedelta(days=1))
        if match := _TIMESTAMP.fullmatch(text):
            date, time, fraction, _, offset = match.groups()
            moment = datetime.fromisoformat(f"{date}T{time}.{(fraction or '').ljust(6, '0')[:6]}{offset or '+00:00'}")
            return Cutoff(moment=moment.astimezone(timezone.utc))
        if (span := parse_span(text)) is not None:
            return Cutoff(moment=get_time() - span, span=text)
    except (ValueError, OverflowError):
        pass  # a thirteenth month, or before the first year
    raise ValueError(f"`{text}` is no date (`2025-03-01`), timestamp (`2025-03-01T00:00:00Z`) or duration (`7 days`)")


def parse_span(text: str) -> timedelta | None:
    """Read a duration (`7 days`, `P7D`); `None` where it is none.

    >>> parse_span("1 week, 2 days")
    datetime.timedelta(days=9)
    """
    match = _FRIENDLY.fullmatch(text) or _ISO.fullmatch(text)
    if match is None or not any(match.groups()):
        return None
    return timedelta(**{unit: int(amount or 0) for unit, amount in zip(_UNITS.values(), match.groups(), strict=True)})
