"""Failures that may pass: what went wrong, and when to try again."""

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http.client import IncompleteRead

from urllib3 import exceptions

from buildlock.text import printable


class TransientError(Exception):
    """A failure that another attempt may not have. `HttpClient.attempt` makes that other attempt."""

    def __init__(self, reason: str, *, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        """Seconds."""


def describe_failure(error: exceptions.HTTPError) -> str:
    """What went wrong, without the objects that `urllib3` puts into its messages."""
    match error:
        case exceptions.ProxyError(original_error=exceptions.HTTPError() as cause):
            reason = f"the proxy cannot be used: {describe_failure(cause)}"
        case exceptions.ProxyError(original_error=cause):
            reason = f"the proxy cannot be used: {cause}"
        case exceptions.NameResolutionError():
            reason = "its host name cannot be resolved"
        case exceptions.NewConnectionError():
            reason = f"no connection: {error.__cause__ or error}"
        case exceptions.ConnectTimeoutError():
            reason = "no connection in time"
        case exceptions.TimeoutError():
            reason = "it stopped sending"
        case exceptions.ProtocolError(args=(_, IncompleteRead())):
            reason = "its answer was cut short"
        case exceptions.ProtocolError(args=(_, cause)):
            reason = f"the connection broke: {cause}"
        case _:
            reason = str(error)
    return printable(reason)


def read_retry_after(value: str) -> float:
    """Seconds to wait, from either form of `Retry-After` (RFC 9110, 10.2.3); 0 where there is none."""
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max((moment - datetime.now(timezone.utc)).total_seconds(), 0.0)
