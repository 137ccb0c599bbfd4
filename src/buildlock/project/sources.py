"""`sources`: which index serves a package, or where else it comes from, and when, as the user wrote it."""

from collections.abc import Mapping, Sequence

from packaging.markers import InvalidMarker, Marker
from packaging.utils import InvalidName, NormalizedName, canonicalize_name

from buildlock.artifacts import Origin
from buildlock.project.document import Table, describe_type
from buildlock.project.faults import Faults
from buildlock.project.names import read_name
from buildlock.project.origins import absolute_path, folder_origin, git_origin, path_origin, url_origin
from buildlock.project.uv_workspace import find_member, find_member_at
from buildlock.values import dataclass

_KINDS: Mapping[str, tuple[str, ...]] = {
    "index": (),
    "git": ("rev", "tag", "branch", "subdirectory", "lfs", "path"),
    "url": ("subdirectory",),
    "path": ("editable", "package"),
    "workspace": ("editable",),
}
"""The keys that say where a package comes from, and those that may stand beside each."""
_REVISIONS = ("rev", "tag", "branch")
_CONDITIONS = ("marker", "extra", "group")
_LONGEST_MARKER = 4000


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One entry of `sources`, before its index is looked up and its variants are known.

    It has one of `index`, `direct` and `refused`.
    """

    index: str | None = None
    """The name of the index."""
    direct: Origin | None = None
    refused: str | None = None
    """Why nothing can come from there: the end of a sentence. It matters only if the package is needed."""
    ignored: tuple[str, ...] = ()
    """The places of settings that do not apply."""
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
        found = tuple(source for entry in _entries(table, key) if (source := _read_source(name, entry, with_variants)))
        _refuse_overlap(table, key, found)
        sources[name] = found
    return sources


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


def _read_source(
    name: NormalizedName,
    entry: Table,
    with_variants: bool,  # noqa: FBT001 - private, named by its only caller
) -> Source | None:
    kinds = [kind for kind in _KINDS if kind in entry]
    # uv allows `git` with the `path` of an archive in the repository.
    if len(kinds) != 1 and kinds != ["git", "path"]:
        what = _list(kinds, "and") if kinds else _list(list(_KINDS), "or")
        entry.fault(None, f"cannot have {what} together" if kinds else f"has no {what}")
        return None
    kind = kinds[0]
    entry.refuse_unknown((kind, *_KINDS[kind], *_CONDITIONS, *(("variant",) if with_variants else ())))
    place = _read_place(name, kind, entry)
    source = Source(
        index=entry.string("index"),
        direct=place if isinstance(place, Origin) else None,
        refused=place if isinstance(place, str) else None,
        ignored=(entry.place("lfs"),) if entry.boolean("lfs") else (),
        marker=_read_marker(entry),
        extra=read_condition(entry, "extra"),
        group=read_condition(entry, "group"),
        variant=entry.string("variant") if with_variants else None,
        origin=entry.place(),
    )
    if source.extra is not None and source.group is not None:
        entry.fault(None, "cannot have `extra` and `group` together")
        return None
    return None if source.index is None and place is None else source


def _read_place(name: NormalizedName, kind: str, entry: Table) -> Origin | str | None:
    """Where a source leads, if to no index: an origin, or why to none, as `Source.refused`; `None` after a fault.

    An `editable` source is installed for a build like any other: there is nobody to edit it.
    """
    entry.boolean("editable")
    try:
        match kind:
            case "git":
                return _read_git(entry)
            case "url":
                url = entry.string(kind)
                return None if url is None else url_origin(url, entry.string("subdirectory"))
            case "path":
                path = entry.string(kind)
                if entry.boolean("package") is False:
                    return "has `package = false`, so there is nothing in it to be installed"
                return None if path is None else path_origin(path, entry.document.folder)
            case "workspace":
                return _find_member(name, entry)
    except ValueError as error:
        entry.fault(kind, str(error))
    return None


def _read_git(entry: Table) -> Origin | str | None:
    url, subdirectory = entry.string("git"), entry.string("subdirectory")
    revisions = [key for key in _REVISIONS if key in entry]
    if len(revisions) > 1:
        entry.fault(None, f"cannot have {_list(revisions, 'and')} together")
        return None
    if "path" in entry:
        return "is a file in a git repository, which is not supported yet"
    revision = entry.string(revisions[0]) if revisions else None
    return None if url is None else git_origin(url, revision=revision, subdirectory=subdirectory)


def _find_member(name: NormalizedName, entry: Table) -> Origin | str | None:
    value, document = entry.get("workspace"), entry.document
    if value is not True and not isinstance(value, str):
        entry.fault("workspace", "must be `true`, or the path of another workspace")
        return None
    root = absolute_path(value, document.folder) if isinstance(value, str) else None
    try:
        # What is wrong with the rest of the file is told by its reader.
        project = document.root_table(Faults())
        return folder_origin(find_member_at(name, root) if root else find_member(name, project))
    except ValueError as error:
        return str(error)


def _list(words: Sequence[str], conjunction: str) -> str:
    *rest, last = (f"`{word}`" for word in words)
    return f"{', '.join(rest)} {conjunction} {last}" if rest else last


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
    seen: dict[tuple[str | None, ...], set[str | None]] = {}
    for source in sources:
        markers = seen.setdefault((source.extra, source.group, source.variant), set())
        marker = None if source.marker is None else str(source.marker)
        if markers and (marker is None or None in markers or marker in markers):
            table.fault(
                key, "has two sources for one case: give each a `marker`, `extra` or `group` that excludes the others"
            )
            return
        markers.add(marker)
