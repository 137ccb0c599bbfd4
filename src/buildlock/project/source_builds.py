"""What the user says of packages that are built from source: their metadata, and what their builds are given."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from buildlock.project.document import Table, describe_type
from buildlock.project.model import BuildRequirement, ConfigSetting, DeclaredMetadata
from buildlock.project.names import package_names, read_name
from buildlock.project.requirements import keep_valid, name_of, parse_requirement, read_requirements
from buildlock.values import dataclass, field

KEYS = (
    "dependency-metadata",
    "extra-build-dependencies",
    "extra-build-variables",
    "config-settings",
    "config-settings-package",
)
_METADATA_KEYS = ("name", "version", "requires-dist", "requires-python", "provides-extra", "provides-extras")
_LONGEST_VERSION = 200
"""Characters: numbers of thousands of digits cannot be compared."""

_Value = TypeVar("_Value")
_Key = TypeVar("_Key")


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceBuilds:
    """What one place says, with the meanings that `BuildInputs` gives the words."""

    metadata: tuple[DeclaredMetadata, ...] = ()
    extra_requires: Mapping[NormalizedName, tuple[BuildRequirement, ...]] = field(default_factory=dict)
    extra_matches: Mapping[NormalizedName, frozenset[NormalizedName]] = field(default_factory=dict)
    extra_variables: Mapping[NormalizedName, Mapping[str, str]] = field(default_factory=dict)
    config_settings: Mapping[str, ConfigSetting] = field(default_factory=dict)
    config_settings_package: Mapping[NormalizedName, Mapping[str, ConfigSetting]] = field(default_factory=dict)

    @property
    def metadata_by_name(self) -> Mapping[NormalizedName, tuple[DeclaredMetadata, ...]]:
        found: dict[NormalizedName, list[DeclaredMetadata]] = {}
        for each in self.metadata:
            found.setdefault(each.name, []).append(each)
        return {name: tuple(entries) for name, entries in found.items()}


def merge_source_builds(places: Sequence[SourceBuilds]) -> SourceBuilds:
    """Merge places, the weightiest first, as uv does: a variable from the first that has it, all else joined."""
    return SourceBuilds(
        metadata=tuple(each for place in places for each in place.metadata),
        extra_requires=_join([place.extra_requires for place in places], lambda one, other: (*one, *other)),
        extra_matches=_join([place.extra_matches for place in places], lambda one, other: one | other),
        extra_variables=_join([place.extra_variables for place in places], lambda one, other: {**other, **one}),
        config_settings=_join_settings([place.config_settings for place in places]),
        config_settings_package=_join(
            [place.config_settings_package for place in places], lambda one, other: _join_settings([one, other])
        ),
    )


def _join(maps: Sequence[Mapping[_Key, _Value]], combine: Callable[[_Value, _Value], _Value]) -> Mapping[_Key, _Value]:
    joined: dict[_Key, _Value] = {}
    for each in maps:
        for key, value in each.items():
            joined[key] = combine(joined[key], value) if key in joined else value
    return joined


def _join_settings(maps: Sequence[Mapping[str, ConfigSetting]]) -> Mapping[str, ConfigSetting]:
    return _join(maps, lambda one, other: [*_as_list(one), *_as_list(other)])


def _as_list(value: ConfigSetting) -> list[str]:
    return [value] if isinstance(value, str) else value


def read_source_builds(table: Table) -> SourceBuilds:
    """Read the keys in `KEYS`."""
    extra_requires, extra_matches = _read_extra_requires(table.table("extra-build-dependencies"))
    return SourceBuilds(
        metadata=tuple(
            found for entry in table.tables("dependency-metadata") if (found := _read_metadata(entry)) is not None
        ),
        extra_requires=extra_requires,
        extra_matches=extra_matches,
        extra_variables=_read_by_name(table.table("extra-build-variables"), read_environment),
        config_settings=_read_config_settings(table.table("config-settings")),
        config_settings_package=_read_by_name(table.table("config-settings-package"), _read_config_settings),
    )


def read_environment(table: Table) -> Mapping[str, str]:
    """Read a table of environment variables; a fault for each that no operating system takes."""
    environment = {}
    for key in table:
        value = table.string(key)
        if not key or "=" in key or "\0" in key:
            table.fault(key, "cannot name an environment variable")
        elif value is not None and "\0" in value:
            table.fault(key, "has a null character")
        elif value is not None:
            environment[key] = value
    return environment


def _read_by_name(table: Table, read: Callable[[Table], _Value]) -> Mapping[NormalizedName, _Value]:
    found: dict[NormalizedName, _Value] = {}
    for key in table:
        name = read_name(table, key)
        if name is None:
            continue
        if name in found:
            table.fault(key, f"is the package `{name}` again")
        found[name] = read(table.table(key))
    return found


def _read_metadata(entry: Table) -> DeclaredMetadata | None:
    entry.refuse_unknown(_METADATA_KEYS)
    if "name" not in entry:
        entry.fault("name", "is missing")
    text = entry.string("name")
    names = package_names(() if text is None else (text,), origin=entry.place("name"), faults=entry.faults)
    version, python = entry.string("version"), entry.string("requires-python")
    provided = [key for key in ("provides-extra", "provides-extras") if key in entry]
    if len(provided) > 1:
        entry.fault("provides-extras", "is `provides-extra` again")
    metadata = [
        DeclaredMetadata(
            name=name,
            version=None if version is None else _parse(entry, "version", version, Version, "a version"),
            requires_dist=tuple(each.requirement for each in read_requirements(entry, "requires-dist")),
            requires_python=(
                None
                if python is None
                else _parse(entry, "requires-python", python, SpecifierSet, "a version specifier such as `>=3.10`")
            ),
            provides_extra=frozenset(canonicalize_name(extra) for key in provided for extra in entry.strings(key)),
            origin=entry.place(),
        )
        for name in names
    ]
    return metadata[0] if metadata else None


def _parse(entry: Table, key: str, text: str, parse: Callable[[str], _Value], what: str) -> _Value | None:
    try:
        if len(text) <= _LONGEST_VERSION:
            return parse(text)
    except ValueError:
        pass
    entry.fault(key, f"is `{text}`, which is not {what}")
    return None


def _read_extra_requires(
    table: Table,
) -> tuple[Mapping[NormalizedName, tuple[BuildRequirement, ...]], Mapping[NormalizedName, frozenset[NormalizedName]]]:
    requires: dict[NormalizedName, tuple[BuildRequirement, ...]] = {}
    matches: dict[NormalizedName, frozenset[NormalizedName]] = {}
    for key in table:
        name, items = read_name(table, key), table.get(key)
        if not isinstance(items, list):
            table.fault(key, f"must be a list of requirements, not {describe_type(items)}")
            continue
        found = [_read_extra(table, key, position, item) for position, item in enumerate(items)]
        if name is None:
            continue
        if name in requires:
            table.fault(key, f"is the package `{name}` again")
        requires[name] = keep_valid((each for each, _ in found if each is not None), table.faults)
        matched = frozenset(name_of(each) for each, match in found if each is not None and match)
        if matched:
            matches[name] = matched
    return requires, matches


def _read_extra(table: Table, key: str, position: int, item: object) -> tuple[BuildRequirement | None, bool]:
    """A requirement, and whether it is to be of the runtime's version."""
    place = f"{key}[{position}]"
    if isinstance(item, str):
        line = table.document.find_line(table.name, key, item)
        return parse_requirement(item, origin=table.place(key), line=line, faults=table.faults), False
    if not isinstance(item, dict):
        table.fault(place, f"must be a requirement or a table that has one, not {describe_type(item)}")
        return None, False
    entry = Table(item, document=table.document, faults=table.faults, name=f"{table.name}.{key}", position=position)
    entry.refuse_unknown(("requirement", "match-runtime"))
    if "requirement" not in entry:
        entry.fault("requirement", "is missing")
    text, match = entry.string("requirement"), entry.boolean("match-runtime") or False
    found = None if text is None else parse_requirement(text, origin=entry.place(), faults=table.faults)
    if match and found is not None and (found.requirement.specifier or found.requirement.url is not None):
        entry.fault("requirement", f"is `{text}`, which says a version itself, so `match-runtime` cannot")
        return None, False
    return found, match


def _read_config_settings(table: Table) -> Mapping[str, ConfigSetting]:
    settings: dict[str, ConfigSetting] = {}
    for key in table:
        value = table.get(key)
        if isinstance(value, str):
            settings[key] = value
        elif isinstance(value, list):
            settings[key] = list(table.strings(key))
        else:
            table.fault(key, f"must be a string or a list of strings, not {describe_type(value)}")
    return settings
