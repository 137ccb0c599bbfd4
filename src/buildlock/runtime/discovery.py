"""Which runtime lock holds for a variant.

`uv.lock` first: it is what the project installs from, and what its other locks are exported from. Else
`pylock.VARIANT.toml`, else `pylock.toml`.
"""

from pathlib import Path

from packaging.pylock import is_valid_pylock_path
from packaging.utils import canonicalize_name

from buildlock.answers.looking import exists, is_file
from buildlock.errors import UsageError
from buildlock.runtime.model import ListedRuntimeLock, RuntimeLock
from buildlock.runtime.pylock import StandardLock
from buildlock.runtime.uv_lock import FILENAME, UvLock
from buildlock.variants import Variant


def read_runtime_lock(path: Path) -> ListedRuntimeLock:
    """Read the runtime lock that a user names: a `uv.lock`, `pylock.toml` or `pylock.NAME.toml`.

    Raises:
        UsageError: It is none of these by its name, or not there.
        InvalidProjectError: It cannot be read.
    """
    if path.name != FILENAME and not is_valid_pylock_path(path):
        raise UsageError(f"`{path}` is neither a `{FILENAME}` nor a `pylock.toml`")
    if not is_file(path):
        raise UsageError(f"there is no file `{path}`")
    return UvLock(path) if path.name == FILENAME else StandardLock(path)


class RuntimeLocks:
    """The runtime locks of a project, each read once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: dict[str, RuntimeLock] = {}

    def find(self, variant: Variant) -> RuntimeLock | None:
        """The lock that holds for a variant; `None` where there is none.

        Raises:
            InvalidProjectError: It cannot be read.
        """
        # PEP 751: a name between the dots has none itself, so `rocm6.1` is `pylock.rocm6-1.toml`.
        named = dict.fromkeys(name for name in (variant.name, canonicalize_name(variant.name)) if "." not in name)
        for filename in (FILENAME, *(f"pylock.{name}.toml" for name in named), "pylock.toml"):
            path = self._root / filename
            if filename not in self._read and exists(path):
                self._read[filename] = UvLock(path) if filename == FILENAME else StandardLock(path)
            if filename in self._read:
                return self._read[filename]
        return None
