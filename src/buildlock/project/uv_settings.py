"""uv's settings: `[tool.uv]` of pyproject.toml, and the same keys at the top of a uv.toml."""

from collections.abc import Mapping

from buildlock.project.choices import Choices
from buildlock.project.document import Table, describe_type
from buildlock.project.model import BuildRequirement
from buildlock.project.requirements import parse_requirement, read_requirements
from buildlock.project.settings import KEYS, assigned_only, read_settings
from buildlock.values import replace

PROJECT_KEYS = ("sources", "conflicts")
"""uv reads these in pyproject.toml alone."""
TARGET_KEYS = ("environments", "required-environments")
"""Read where the project's targets are."""

_REQUIREMENTS = ("constraint-dependencies", "build-constraint-dependencies", "override-dependencies")

# What neither changes which files are found and chosen for a build, nor how they are downloaded.
_WITHOUT_EFFECT = frozenset(
    {
        *("add-bounds", "audit", "build-backend", "cache-dir", "cache-keys", "check-url", "compile-bytecode"),
        *("concurrent-builds", "concurrent-installs", "default-groups", "dependency-groups"),
        *("dev-dependencies", "managed", "no-cache", "package", "pip", "preview", "preview-features"),
        *("publish-url", "pypy-install-mirror", "python-downloads", "python-downloads-json-url"),
        *("python-install-mirror", "python-preference", "reinstall", "reinstall-package", "required-version"),
        *("trusted-publishing", "workspace"),
    }
)

# Settings that are not supported, where their value is uv's default.
_DEFAULTS: Mapping[str, object] = {
    "fork-strategy": "requires-python",
    "resolution": "highest",
}


def read_uv_settings(table: Table) -> Choices:
    """Read the table. What it says beyond what we know is named in `unsupported`: uv may well act on it."""
    if not table.name:
        for key in PROJECT_KEYS:
            if key in table:
                table.fault(key, "is not allowed here: uv reads it in pyproject.toml alone")
    _check_conflicts(table)
    settings = read_settings(table, strict=False)
    overrides, tables = _read_overrides(table)
    known = {*KEYS, *PROJECT_KEYS, *_REQUIREMENTS, *_WITHOUT_EFFECT, *(TARGET_KEYS if table.name else ())}
    unsupported = [
        table.place(key)
        for key in table
        if key not in known and table.get(key) not in (False, [], {}, _DEFAULTS.get(key))
    ]
    return replace(
        settings,
        constraints=(
            *read_requirements(table, "constraint-dependencies"),
            *read_requirements(table, "build-constraint-dependencies"),
        ),
        overrides=overrides,
        unsupported=(*unsupported, *settings.unsupported, *tables),
    )


def keep_project_only(choices: Choices) -> Choices:
    """What is left of `[tool.uv]` where a uv.toml stands in for it, or uv is told to read no configuration.

    As in uv: sources still find the indexes that the project declares, and its constraints and overrides hold.
    """
    return Choices(indexes=assigned_only(choices), constraints=choices.constraints, overrides=choices.overrides)


def _read_overrides(table: Table) -> tuple[tuple[BuildRequirement, ...], tuple[str, ...]]:
    """The overrides that are requirements, and the places of those that are tables, which only newer uv knows."""
    key = "override-dependencies"
    value = table.get(key)
    if value is not None and not isinstance(value, list):
        table.fault(key, f"must be an array, not {describe_type(value)}")
    found, tables = [], []
    for position, item in enumerate(value if isinstance(value, list) else ()):
        if isinstance(item, dict):
            tables.append(table.place(f"{key}[{position}]"))
        elif isinstance(item, str):
            found.append(parse_requirement(item, origin=table.place(key), faults=table.faults))
        else:
            table.fault(f"{key}[{position}]", f"must be a string, not {describe_type(item)}")
    return tuple(override for override in found if override), tuple(tables)


def _check_conflicts(table: Table) -> None:
    """`conflicts` must be what uv accepts. It says which extras exclude each other; each variant is locked alone."""
    value = table.get("conflicts")
    if value is None:
        return
    if not isinstance(value, list):
        table.fault("conflicts", f"must be an array of arrays of tables, not {describe_type(value)}")
        return
    for position, conflict in enumerate(value):
        place = f"conflicts[{position}]"
        if not isinstance(conflict, list) or len(conflict) < 2:  # noqa: PLR2004 - a conflict is between two
            table.fault(place, "must be an array of two or more tables")
            continue
        for number, item in enumerate(conflict):
            if not _is_conflict_item(item):
                table.fault(f"{place}[{number}]", "must be a table with an `extra`, a `group` or a `package`")


def _is_conflict_item(item: object) -> bool:
    return (
        isinstance(item, dict)
        and item.keys() <= {"package", "extra", "group"}
        and bool(item)
        and not {"extra", "group"} <= item.keys()
        and all(isinstance(value, str) for value in item.values())
    )
