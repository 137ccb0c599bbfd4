"""Package indexes: their entries in a table, and which of all the named ones apply, in which order."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import get_args

from buildlock.patterns import compile_pattern
from buildlock.project.document import Table, describe_type
from buildlock.project.faults import Faults, suggest
from buildlock.project.locations import index_url, with_credentials
from buildlock.project.model import Authentication, Index, IndexFormat
from buildlock.text import without_credentials
from buildlock.values import replace

KEYS = (
    *("name", "url", "explicit", "default", "format"),
    *("authenticate", "ignore-error-codes", "cache-control"),
)
UNSUPPORTED_KEYS = {
    "exclude-newer": None,
    "hash-algorithm": None,
}
"""uv's keys that change downloads and that we cannot honour yet, with the value that changes nothing."""
WITHOUT_EFFECT = ("publish-url",)
_KNOWN = (*KEYS, *UNSUPPORTED_KEYS, *WITHOUT_EFFECT)

FORMATS: tuple[IndexFormat, ...] = get_args(IndexFormat)
POLICIES: tuple[Authentication, ...] = get_args(Authentication)

_NAME = compile_pattern(r"[A-Za-z0-9._-]+", re.ASCII)


def make_index(
    given: str,
    *,
    folder: Path,
    origin: str,
    faults: Faults,
    name: str | None = None,
    explicit: bool = False,
    default: bool = False,
) -> Index | None:
    """An index at a URL, or at a path relative to `folder`; `None`, with the fault noted, where it is neither."""
    try:
        url = index_url(given, folder)
    except ValueError as error:
        faults.add(origin, str(error))
        return None
    if name is not None and not _NAME.fullmatch(name):
        faults.add(origin, f"has the name `{name}`: letters, digits, `-`, `_` and `.` are allowed")
        return None
    location = without_credentials(url)
    return Index(url=url, location=location, name=name, explicit=explicit, default=default, origin=origin)


def read_indexes(table: Table, *, strict: bool) -> tuple[tuple[Index, ...], tuple[str, ...]]:
    """Read the array of tables `index`.

    Args:
        table: What it is in.
        strict: Whether a key that is not known is a fault. uv passes over it, so in its tables it is not supported.

    Returns:
        The indexes, and the places of settings that are not supported.
    """
    indexes: list[Index] = []
    unsupported: list[str] = []
    for entry in table.tables("index"):
        if strict:
            entry.refuse_unknown(_KNOWN)
        unsupported += [entry.place(key) for key in entry if key not in _KNOWN and not strict]
        index = _read_index(entry)
        unsupported += [
            entry.place(key)
            for key, default in UNSUPPORTED_KEYS.items()
            if entry.get(key) is not None and entry.get(key) != default
        ]
        if index is None:
            continue
        if index.name and any(index.name == other.name for other in indexes):
            entry.fault("name", f"is `{index.name}` again: names must be unique")
        if index.default and any(other.default for other in indexes):
            entry.fault("default", "is `true` in more than one index")
        indexes.append(index)
    return tuple(indexes), tuple(unsupported)


def _read_index(entry: Table) -> Index | None:
    name, url = entry.string("name"), entry.string("url")
    explicit, default = entry.boolean("explicit") or False, entry.boolean("default") or False
    index_format = entry.choice("format", FORMATS) or "simple"
    if explicit and "name" not in entry:
        entry.fault(None, "is `explicit` and has no `name`: no source could assign a package to it")
    if url is None:
        if "url" not in entry:
            entry.fault("url", "is missing")
        return None
    index = make_index(
        url,
        folder=entry.document.folder,
        origin=entry.place("url"),
        faults=entry.faults,
        name=name,
        explicit=explicit,
        default=default,
    )
    authenticate = entry.choice("authenticate", POLICIES) or "auto"
    ignored = _read_error_codes(entry)
    cache_control = _read_cache_control(entry.table("cache-control"))
    if index is None:
        return None
    return replace(
        index,
        format=index_format,
        authenticate=authenticate,
        ignore_error_codes=ignored,
        cache_control=cache_control,
        origin=entry.place(),
    )


def _read_error_codes(entry: Table) -> frozenset[int] | None:
    key = "ignore-error-codes"
    value = entry.get(key)
    if value is None:
        return None
    if not isinstance(value, list):
        entry.fault(key, f"must be a list of statuses, not {describe_type(value)}")
        return None
    codes = set()
    for position, code in enumerate(value):
        if isinstance(code, int) and not isinstance(code, bool) and 100 <= code <= 599:  # noqa: PLR2004
            codes.add(code)
        else:
            entry.fault(f"{key}[{position}]", "must be a status of HTTP, such as `403`")
    return frozenset(codes)


def _read_cache_control(table: Table) -> str | None:
    """What it says of pages. Files are kept by their hash, however long a server wants them kept."""
    for key in table:
        value = table.string(key)
        if key not in {"api", "files"}:
            table.fault(key, "is not a known key")
        elif value is not None and not (value.isascii() and value.isprintable()):
            table.fault(key, "is not the value of a header")
    return table.string("api")


def arrange_indexes(indexes: Iterable[Index], default: Index | None) -> tuple[Index, ...]:
    """The indexes that apply: of each name the first, `default` last.

    Another index that was to be the default serves what a source assigns to it by name, and nothing else.
    """
    arranged: list[Index] = []
    names: set[str] = set()
    for index in indexes:
        if index == default or (index.name is not None and index.name in names):
            continue
        if index.name is not None:
            names.add(index.name)
        if not index.default:
            arranged.append(index)
        elif index.name is not None:
            arranged.append(replace(index, default=False, explicit=True))
    return (*arranged, default) if default else tuple(arranged)


def add_credentials(index: Index, environ: Mapping[str, str]) -> Index:
    """`index` with the user name and password of `UV_INDEX_<NAME>_USERNAME` and `…_PASSWORD`, where they are set."""
    if index.name is None:
        return index
    prefix = "UV_INDEX_" + re.sub(r"[^A-Za-z0-9]", "_", index.name).upper()
    username, password = environ.get(f"{prefix}_USERNAME", ""), environ.get(f"{prefix}_PASSWORD", "")
    if not username and not password:
        return index
    return replace(index, url=with_credentials(index.url, username, password))


def find_index(name: str, indexes: Mapping[str, Index], *, origin: str, faults: Faults) -> Index | None:
    """The declared index of that name; `None`, with the fault noted, where there is none."""
    if name not in indexes:
        faults.add(origin, f"names the index `{name}`, which is not declared{suggest(name, indexes)}")
    return indexes.get(name)
