"""A locked environment as a standard lock (PEP 751)."""

import sys

from packaging.pylock import Pylock

from buildlock.lockfile.layout import format_environments, format_package
from buildlock.lockfile.model import LockedEnvironment

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def export_pylock(environment: LockedEnvironment) -> str:
    """The text of a `pylock.toml`, or of a `pylock.NAME.toml`.

    Relative paths are those of the lockfile: the file belongs beside it.
    """
    head = f'lock-version = "1.0"\ncreated-by = "buildlock"\n{format_environments(environment)}'
    # PEP 751 requires `packages`; an array of tables without an element cannot be said by headers.
    blocks = [format_package("packages", package) for package in environment.packages] or ["packages = []"]
    text = "\n\n".join([head, *blocks]) + "\n"
    Pylock.from_dict(tomllib.loads(text))  # the specification's reader has the last word
    return text
