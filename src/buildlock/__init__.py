"""Locks the environment that a Python package is built in, per accelerator variant."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    __version__: str


def __getattr__(name: str) -> str:
    """Look the version up when it is asked for: that takes longer than some commands do."""
    if name != "__version__":
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    from importlib.metadata import version  # noqa: PLC0415 - it takes 30 ms

    return version("buildlock")
