"""Mirrors: where locked files are fetched from instead of where the lock says; the hash decides what is taken."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from buildlock.answers.looking import list_variables
from buildlock.project.document import Table
from buildlock.project.faults import Faults
from buildlock.project.locations import index_url
from buildlock.project.model import Index, Mirror
from buildlock.reporting import Reporter, Warned
from buildlock.text import without_credentials

_VARIABLE = "BUILDLOCK_MIRROR_"
_DEFAULT = "DEFAULT"


def read_mirrors(table: Table) -> tuple[Mirror, ...]:
    """Read `[tool.buildlock.mirrors]`: to the beginning of URLs what takes its place, a URL or a folder."""
    mirrors = []
    for prefix in table:
        url = table.string(prefix)
        if url is None:
            continue
        if without_credentials(prefix) != prefix:
            table.fault(None, "has a mirror for a URL with credentials: the lock holds none")
        elif not re.match(r"https?://[^/]|file:/", prefix):
            table.fault(prefix, "is no URL: name how those begin that the mirror stands in for")
        elif mirror := _make(
            prefix, url, folder=table.document.folder, origin=table.place(prefix), faults=table.faults
        ):
            mirrors.append(mirror)
    return tuple(mirrors)


def read_mirror_variables(
    environ: Mapping[str, str], indexes: Iterable[Index], report: Reporter, faults: Faults
) -> tuple[Mirror, ...]:
    """Read `BUILDLOCK_MIRROR_<NAME>`, the mirror of an index; `DEFAULT` is the default index.

    A name is spelled as in uv's `UV_INDEX_<NAME>_USERNAME`.
    """
    named: dict[str, Index] = {}
    for index in indexes:
        if index.default:
            named[_DEFAULT] = index
        if index.name is not None:
            named[re.sub(r"[^A-Za-z0-9]", "_", index.name).upper()] = index
    mirrors = []
    for variable, url in list_variables(environ, _VARIABLE):
        if not url:
            continue
        index_of = named.get(variable.upper().removeprefix(_VARIABLE))
        if index_of is None:
            # It may be set for all projects of a machine, of which this one does not have the index.
            names = ", ".join(f"`{_VARIABLE}{name}`" for name in sorted(named))
            report(
                Warned(f"`{variable}` names no index of the project", hint=f"there could be {names}" if names else None)
            )
        elif mirror := _make(index_of.location, url, folder=Path.cwd(), origin=variable, faults=faults):
            mirrors.append(mirror)
    return tuple(mirrors)


def names_default_mirror(environ: Mapping[str, str]) -> bool:
    """Whether a variable names a mirror of the default index."""
    return any(url for _, url in list_variables(environ, f"{_VARIABLE}{_DEFAULT}"))


def find_mirror(mirrors: Iterable[Mirror], url: str) -> str | None:
    """The URL of a mirror that takes the place of `url`; that of the longest prefix, of two such the first.

    >>> mirror = Mirror(prefix="https://pkgs.example", url="http://mirror.example", origin="")
    >>> find_mirror([mirror, replace(mirror, prefix="https://pkgs.example/a", url="http://a.example")],
    ...     "https://pkgs.example/a/b.whl")
    'http://a.example/b.whl'
    """
    fitting = [mirror for mirror in mirrors if mirror.replace(url) is not None]
    return max(fitting, key=lambda mirror: len(mirror.prefix)).replace(url) if fitting else None


def _make(prefix: str, given: str, *, folder: Path, origin: str, faults: Faults) -> Mirror | None:
    try:
        url = index_url(given, folder)
    except ValueError as error:
        faults.add(origin, f"names a mirror that {error}")
        return None
    return Mirror(prefix=prefix.rstrip("/"), url=url.rstrip("/"), origin=origin)
