"""`sources`: which index serves a package, and when, as the user wrote it."""

from collections.abc import Mapping
from dataclasses import dataclass

from packaging.markers import InvalidMarker, Marker
from packaging.utils import InvalidName, NormalizedName, canonicalize_name

from buildlock.project.document import Table, describe_type

_ELSEWHERE = ("git", "url", "path", "workspace")
_CONDITIONS = ("marker", "extra", "group")
_LONGEST_MARKER = 4000


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One entry of `sources`, before its index is looked up and its variants are known."""

    index: str | None
    """The name of the index; `None` where the package comes from elsewhere (`kind`), which is not supported yet."""
    kind: str = "index"
    marker: Marker | None = None
    extra: NormalizedName | None = None
    group: NormalizedName | None = None
    variant: str | None = None
    origin: str


def read_sources(table: Table, *, with_variants: bool) -> Mapping[NormalizedName, tuple[Source, ...]]:
    """Read a table of sources: to each package one entry, or a list of them.

    `variant` conditions are ours: `with_variants` is false for uv's table.
    """
    sources: dict[NormalizedName, tuple[Source, ...]] = {}
    for key in table:
        name = read_name(table, key)
        if name is None:
            continue
        if name in sources:
            table.fault(key, f"is the package `{name}` again")
        found = tuple(source for entry in _entries(table, key) if (source := _read_source(entry, with_variants)))
        _refuse_overlap(table, key, found)
        sources[name] = found
    return sources


def read_name(table: Table, key: str) -> NormalizedName | None:
    """The package that a key names."""
    try:
        return canonicalize_name(key, validate=True)
    except InvalidName:
        table.fault(key, "is not the name of a package")
        return None


def _entries(table: Table, key: str) -> tuple[Table, ...]:
    value = table.get(key)
    if isinstance(value, str):  # the index alone
        return (Table({"index": value}, document=table.document, faults=table.faults, name=f"{table.name}.{key}"),)
    if isinstance(value, dict):
        return (table.table(key),)
    if not isinstance(value, list):
        table.fault(key, f"must be a table, an array of tables or the name of an index, not {describe_type(value)}")
    elif not value:
        table.fault(key, "is empty: it must have at least one source")
    return table.tables(key) if isinstance(value, list) else ()


def _read_source(entry: Table, with_variants: bool) -> Source | None:  # noqa: FBT001 - private, named by its only caller
    kinds = [kind for kind in ("index", *_ELSEWHERE) if kind in entry]
    # uv allows `git` with the `path` of an archive in the repository.
    if len(kinds) != 1 and kinds != ["git", "path"]:
        what = "`index`" if not kinds else " and ".join(f"`{kind}`" for kind in kinds)
        entry.fault(None, f"{'has no' if not kinds else 'cannot have'} {what}{' together' if kinds else ''}")
        return None
    if kinds[0] == "index":
        entry.refuse_unknown(("index", *_CONDITIONS, *(("variant",) if with_variants else ())))
    index = entry.string("index")
    source = Source(
        index=index,
        kind=kinds[0],
        marker=_read_marker(entry),
        extra=read_condition(entry, "extra"),
        group=read_condition(entry, "group"),
        variant=entry.string("variant") if with_variants else None,
        origin=entry.place(),
    )
    if source.extra is not None and source.group is not None:
        entry.fault(None, "cannot have `extra` and `group` together")
        return None
    return None if kinds[0] == "index" and index is None else source


def read_condition(entry: Table, key: str) -> NormalizedName | None:
    """The extra or group that `key` names, normalised."""
    value = entry.string(key)
    if value is None:
        return None
    try:
        return canonicalize_name(value, validate=True)
    except InvalidName:
        entry.fault(key, f"is `{value}`, which cannot name an extra or group")
        return None


def _read_marker(entry: Table) -> Marker | None:
    value = entry.string("marker")
    if value is None:
        return None
    if len(value) > _LONGEST_MARKER:
        entry.fault("marker", f"has {len(value)} characters")
        return None
    try:
        return Marker(value)
    except (InvalidMarker, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0]
        entry.fault("marker", f"is `{value}`, which is not a marker: {reason}")
        return None


def _refuse_overlap(table: Table, key: str, sources: tuple[Source, ...]) -> None:
    """Two sources of one package must not apply together; markers that differ are taken for disjoint."""
    seen: dict[tuple[str | None, ...], list[Marker | None]] = {}
    for source in sources:
        markers = seen.setdefault((source.extra, source.group, source.variant), [])
        if markers and (source.marker is None or None in markers or source.marker in markers):
            table.fault(
                key, "has two sources for one case: give each a `marker`, `extra` or `group` that excludes the others"
            )
            return
        markers.append(source.marker)
