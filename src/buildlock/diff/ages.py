"""How long ago something was, in words."""

from datetime import timedelta

_UNITS = (
    (timedelta(days=2), timedelta(days=1), "day"),
    (timedelta(hours=2), timedelta(hours=1), "hour"),
    (timedelta(0), timedelta(minutes=1), "minute"),
)
"""From how much on which unit is used."""


def describe_age(age: timedelta) -> str:
    """When it was.

    >>> describe_age(timedelta(hours=30))
    '30 hours ago'
    >>> describe_age(timedelta(days=-1))
    'in the future'
    """
    return "in the future" if age < timedelta(0) else f"{describe_span(age)} ago"


def describe_span(span: timedelta) -> str:
    """How long it is, in its largest unit.

    >>> describe_span(timedelta(days=7, minutes=5))
    '7 days'
    """
    unit, name = next((unit, name) for least, unit, name in _UNITS if span >= least)
    count = span // unit
    return f"{count} {name}{'' if count == 1 else 's'}"
