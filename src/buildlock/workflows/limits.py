"""What the user asks that backends are held to: their time, the network, and where they may write."""

from buildlock.values import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What the user asked for."""

    timeout: float | None = None
    """Seconds for one call of a hook; `None` for as long as it takes."""
    network: bool = True
    sandbox: bool = False
    """Backends have no network, and write into a copy of the source, their output and a temporary folder alone."""


NO_LIMITS = Limits()
