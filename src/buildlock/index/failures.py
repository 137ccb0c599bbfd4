"""Failures that may pass: what went wrong, and when to try again."""

from datetime import datetime, timezone


class TransientError(Exception):
    """A failure that another attempt may not have. `HttpClient.attempt` makes that other attempt."""

    def __init__(self, reason: str, *, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        """Seconds."""


def read_retry_after(value: str) -> float:
    """Seconds to wait, from either form of `Retry-After` (RFC 9110, 10.2.3); 0 where there is none."""
    if value.isascii() and value.isdigit():
        return float(value[:9])
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - few servers send it

    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max((moment - datetime.now(timezone.utc)).total_seconds(), 0.0)
