"""Faults in what the user wrote, collected so that all are told at once."""

from collections.abc import Iterable

from buildlock.errors import InvalidProjectError
from buildlock.text import present

_SHOWN = 50


class Faults:
    """Collects faults; a reader adds one, leaves the value out and reads on.

    >>> faults = Faults()
    >>> faults.add("pyproject.toml: [build-system].requires", "is missing")
    >>> faults.raise_collected()
    Traceback (most recent call last):
    buildlock.errors.InvalidProjectError: the project's configuration is invalid: ...
    """

    def __init__(self) -> None:
        self._found: dict[str, None] = {}

    def add(self, place: str, what: str) -> None:
        """Note that `place` (file and key, or a variable) `what` (`must be …`, `names …`)."""
        self._found[present(f"`{place}` {what}")] = None

    def raise_collected(self, *, subject: str = "the project's configuration") -> None:
        """Do nothing if there is no fault.

        Args:
            subject: What has the faults.

        Raises:
            InvalidProjectError: There is at least one.
        """
        if not self._found:
            return
        faults = list(self._found)
        if len(faults) > _SHOWN:
            faults = [*faults[:_SHOWN], f"… and {len(faults) - _SHOWN} more"]
        raise InvalidProjectError(faults, subject=subject)


def suggest(word: str, known: Iterable[str]) -> str:
    """A question to append to a message, or nothing.

    >>> suggest("requries", ["requires"])
    '; did you mean `requires`?'
    """
    import difflib  # noqa: PLC0415 - most projects have no faults

    # difflib is quadratic, and no known word is long.
    close = difflib.get_close_matches(word[:80], list(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""
