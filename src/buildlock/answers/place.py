"""Where the cache is, and the remembered answers in it. It imports nothing that takes time."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWERS = "answers-v1"
"""The folder of the cache, with the version of its format."""


def find_cache(environ: Mapping[str, str]) -> str | None:
    """`BUILDLOCK_CACHE_DIR`, else the platform's place for caches; `None` where the user has no home folder."""
    if chosen := environ.get("BUILDLOCK_CACHE_DIR"):
        return os.path.abspath(chosen)  # a link that the user placed stays
    if sys.platform == "linux":
        # The XDG Base Directory Specification.
        caches = environ.get("XDG_CACHE_HOME", "").strip() or os.path.expanduser("~/.cache")
    elif sys.platform == "darwin":
        caches = os.path.expanduser("~/Library/Caches")
    else:
        return _ask_platform()
    return os.path.join(caches, "buildlock") if os.path.isabs(caches) else None


def _ask_platform() -> str | None:
    import platformdirs  # noqa: PLC0415 - it takes longer than a remembered answer

    try:
        place = platformdirs.user_cache_dir("buildlock", appauthor=False)
    except RuntimeError:
        return None
    return place if os.path.isabs(place) else None
