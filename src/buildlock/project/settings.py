"""The settings that `[tool.uv]`, uv.toml and `[tool.buildlock]` share, with uv's names."""

from pathlib import Path
from typing import get_args

from packaging.utils import NormalizedName

from buildlock.project import network_settings, source_builds
from buildlock.project.choices import Choices
from buildlock.project.cutoffs import Cutoff, parse_cutoff
from buildlock.project.document import Table, describe_type
from buildlock.project.faults import Faults
from buildlock.project.indexes import make_index, read_indexes
from buildlock.project.locations import links_location
from buildlock.project.model import Index, IndexStrategy, LinkMode, PrereleaseMode
from buildlock.project.names import package_names, read_name
from buildlock.values import replace

_ISOLATION_KEYS = ("no-build-isolation", "no-build-isolation-package")
KEYS = (
    "index",
    "index-url",
    "extra-index-url",
    "find-links",
    "no-index",
    "index-strategy",
    "prerelease",
    "exclude-newer",
    "exclude-newer-package",
    "no-binary",
    "no-binary-package",
    "no-build",
    "no-build-package",
    "offline",
    "link-mode",
    *network_settings.KEYS,
    *source_builds.KEYS,
    *_ISOLATION_KEYS,
)
STRATEGIES: tuple[IndexStrategy, ...] = get_args(IndexStrategy)
LINK_MODES: tuple[LinkMode, ...] = get_args(LinkMode)
PRERELEASE_MODES: tuple[PrereleaseMode, ...] = get_args(PrereleaseMode)


def read_settings(table: Table, *, strict: bool) -> Choices:
    """Read the keys in `KEYS`; relative paths begin at the folder of the file. `strict` as `read_indexes` takes it."""
    indexes, unsupported = read_indexes(table, strict=strict)
    return Choices(
        indexes=(*indexes, *_read_index_url(table, has_default=any(index.default for index in indexes))),
        extra_indexes=_read_extra_index_urls(table),
        find_links=find_links(
            table.strings("find-links"),
            folder=table.document.folder,
            origin=table.place("find-links"),
            faults=table.faults,
        ),
        no_index=table.boolean("no-index"),
        index_strategy=table.choice("index-strategy", STRATEGIES),
        prerelease=table.choice("prerelease", PRERELEASE_MODES),
        exclude_newer=_read_cutoff(table, "exclude-newer"),
        exclude_newer_package=_read_package_cutoffs(table.table("exclude-newer-package")),
        no_binary=table.boolean("no-binary"),
        no_binary_package=_read_packages(table, "no-binary-package"),
        no_build=table.boolean("no-build"),
        no_build_package=_read_packages(table, "no-build-package"),
        offline=table.boolean("offline"),
        link_mode=table.choice("link-mode", LINK_MODES),
        network=network_settings.read_network(table),
        source_builds=source_builds.read_source_builds(table),
        unisolated=tuple(table.place(key) for key in _ISOLATION_KEYS if table.get(key) not in (None, False, [])),
        unsupported=unsupported,
    )


def find_links(given: tuple[str, ...], *, folder: Path, origin: str, faults: Faults) -> tuple[str, ...]:
    """The places of `find-links`, absolute; a fault for each that is neither a URL nor a path."""
    places = []
    for number, link in enumerate(given, start=1):
        try:
            places.append(links_location(link, folder))
        except ValueError as error:  # noqa: PERF203 - each link has its fault
            # Of a malformed URL nobody can tell what in it is secret.
            faults.add(origin, f"has a place, number {number}, that {error}")
    return tuple(places)


def _read_index_url(table: Table, *, has_default: bool) -> tuple[Index, ...]:
    """The default index as pip names it."""
    url = table.string("index-url")
    if url is None:
        return ()
    origin = table.place("index-url")
    index = make_index(url, folder=table.document.folder, origin=origin, faults=table.faults, default=True)
    # As in uv, an index table with `default = true` goes before it.
    return (index,) if index is not None and not has_default else ()


def _read_extra_index_urls(table: Table) -> tuple[Index, ...]:
    origin = table.place("extra-index-url")
    indexes = (
        make_index(url, folder=table.document.folder, origin=origin, faults=table.faults)
        for url in table.strings("extra-index-url")
    )
    return tuple(index for index in indexes if index is not None)


def _read_packages(table: Table, key: str) -> frozenset[NormalizedName]:
    return package_names(table.strings(key), origin=table.place(key), faults=table.faults)


def _read_cutoff(table: Table, key: str) -> Cutoff | None:
    value = table.get(key)
    if value is None:
        return None
    if value is False:
        return Cutoff(moment=None)
    if not isinstance(value, str):
        table.fault(key, f"must be a string (`2025-03-01`) or `false`, not {describe_type(value)}")
        return None
    try:
        return parse_cutoff(value)
    except ValueError as error:
        table.fault(key, f"is invalid: {error}")
        return None


def _read_package_cutoffs(table: Table) -> dict[NormalizedName, Cutoff]:
    cutoffs = {}
    for key in table:
        name, cutoff = read_name(table, key), _read_cutoff(table, key)
        if name is not None and cutoff is not None:
            cutoffs[name] = cutoff
    return cutoffs


def assigned_only(choices: Choices) -> tuple[Index, ...]:
    """The named indexes of `choices`, for what sources assign to them alone."""
    return tuple(replace(index, explicit=True, default=False) for index in choices.indexes if index.name)
