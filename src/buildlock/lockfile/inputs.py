"""What an environment was resolved from, out of the tables of a lockfile."""

from collections.abc import Callable, Mapping

from buildlock.lockfile.fields import Table, show
from buildlock.lockfile.model import LockedInputs, Setting
from buildlock.lockfile.values import parse_host, parse_name, parse_plain, parse_requirement, parse_source, parse_target
from buildlock.patterns import compile_pattern

_RUNTIME = compile_pattern(r"uv\.lock|pylock(\.[^.\s]{1,64})?\.toml|--runtime-environment")
_PRODUCTS = ("wheel", "sdist", "editable")
_TEXT_SETTINGS = ("exclude-newer", "index-strategy", "prerelease")
_FLAG_SETTINGS = ("no-binary", "no-build")
_LIST_SETTINGS: Mapping[str, Callable[[str], str]] = {
    "allow-insecure-host": parse_host,
    **dict.fromkeys(
        ("exclude-newer-package", "find-links", "index", "no-binary-package", "no-build-package"), parse_plain
    ),
}


def read_inputs(table: Table) -> LockedInputs:
    """The inputs of a variant's environment."""
    return _read_all(table, extra_requires=())


def read_outside_inputs(table: Table) -> LockedInputs:
    """The inputs of the environment of a package from elsewhere."""
    return _read_all(table, extra_requires=_read_extra(table))


def _read_all(table: Table, *, extra_requires: tuple[str, ...]) -> LockedInputs:
    table.require("requires")
    inputs = LockedInputs(
        requires=table.texts("requires", parse_requirement),
        extra_requires=extra_requires,
        dynamic=_read_lists(table.table("dynamic"), parse_requirement, _PRODUCTS),
        targets=table.texts("targets", parse_target),
        constraints=table.texts("constraints", parse_requirement),
        overrides=table.texts("overrides", parse_requirement),
        indexes=_read_lists(table.table("indexes"), parse_source),
        settings=_read_settings(table.table("settings")),
        match_runtime=_read_matches(table.table("match-runtime")),
        backend=table.text("backend", parse_plain),
    )
    table.close()
    return inputs


def read_build_inputs(table: Table) -> LockedInputs:
    """The inputs of what a locked package is built in: what is its own, the rest is the variant's."""
    table.require("requires")
    inputs = LockedInputs(
        requires=table.texts("requires", parse_requirement),
        extra_requires=_read_extra(table),
        dynamic=_read_lists(table.table("dynamic"), parse_requirement, ("wheel",)),
        match_runtime=_read_matches(table.table("match-runtime")),
        backend=table.text("backend", parse_plain),
    )
    table.close()
    return inputs


def _read_extra(table: Table) -> tuple[str, ...]:
    """What is added to a package's own requirements; it is among them."""
    extra = table.texts("extra-requires", parse_requirement)
    requires = table.values.get("requires") if extra else None
    for text in extra:
        if not isinstance(requires, list) or text not in requires:
            table.fault("extra-requires", f"has {show(text)}, which is not in `requires`")
    return extra


def _read_lists(
    table: Table | None, parse: Callable[[str], str], keys: tuple[str, ...] | None = None
) -> Mapping[str, tuple[str, ...]]:
    """A table of arrays: by the given keys, or by package name."""
    if table is None:
        return {}
    lists = {}
    for key in table.values if keys is None else keys:
        if keys is None:
            table.check_key(key, parse_name)
        lists[key] = table.texts(key, parse)
    table.close()
    return lists


def _read_matches(table: Table | None) -> Mapping[str, tuple[str, ...]]:
    """Requirements by what said so: the name of a runtime lock, or an option."""
    if table is None:
        return {}
    for key in table.values:
        if not _RUNTIME.fullmatch(key):
            table.faults.append(f"`{table.path}`: {show(key)} is not what a runtime is read from")
    return _read_lists(table, parse_requirement, tuple(table.values))


def _read_settings(table: Table | None) -> Mapping[str, Setting]:
    if table is None:
        return {}
    settings: dict[str, Setting | None] = {}
    for key in _TEXT_SETTINGS:
        settings[key] = table.text(key, parse_plain)
    for key in _FLAG_SETTINGS:
        settings[key] = table.boolean(key)
    for key, parse in _LIST_SETTINGS.items():
        settings[key] = table.texts(key, parse) or None
    table.close()
    return {key: value for key, value in settings.items() if value is not None}
