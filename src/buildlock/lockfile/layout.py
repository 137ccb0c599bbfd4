"""How one locked environment looks in TOML: one package a block, one artifact a line."""

from collections.abc import Iterator, Mapping
from typing import Any

from packaging.pylock import Package, PackageWheel

from buildlock.lockfile.model import LockedEnvironment, LockedInputs, Setting, format_marker
from buildlock.lockfile.toml_text import format_array, format_inline_table, format_key, format_string


def format_variant(name: str, environment: LockedEnvironment) -> str:
    """The section of a variant, from its first header to its last line."""
    prefix = f"variants.{format_key(name)}"
    return "\n\n".join(
        [
            f"[{prefix}]\n{format_environments(environment)}",
            *_format_inputs(f"{prefix}.inputs", environment.inputs),
            *(format_package(f"{prefix}.packages", package) for package in environment.packages),
        ]
    )


def format_environments(environment: LockedEnvironment) -> str:
    """The `environments` of PEP 751."""
    return format_array("environments", (format_string(format_marker(marker)) for marker in environment.environments))


def format_package(key: str, package: Package) -> str:
    """One element of the array of tables `key`."""
    lines = [f"[[{key}]]", f"name = {format_string(package.name)}", f"version = {format_string(str(package.version))}"]
    if package.marker is not None:
        lines.append(f"marker = {format_string(format_marker(package.marker))}")
    if package.index is not None:
        lines.append(f"index = {format_string(package.index)}")
    if package.dependencies:
        lines.append(format_array("dependencies", map(_format_dependency, package.dependencies)))
    lines.append(format_array("wheels", map(_format_wheel, package.wheels or ()), split=True))
    return "\n".join(lines)


def _format_dependency(dependency: Mapping[str, Any]) -> str:
    keys = ("name", "version", "index")
    return format_inline_table({key: format_string(dependency[key]) for key in keys if key in dependency})


def _format_wheel(wheel: PackageWheel) -> str:
    items = {}
    for key, text in (("name", wheel.name), ("url", wheel.url), ("path", wheel.path)):
        if text is not None:
            items[key] = format_string(text)
    if wheel.size is not None:
        items["size"] = str(wheel.size)
    hashes = {algorithm: format_string(digest) for algorithm, digest in wheel.hashes.items()}
    return format_inline_table({**items, "hashes": format_inline_table(hashes)})


def _format_inputs(key: str, inputs: LockedInputs) -> Iterator[str]:
    lines = [f"[{key}]", _format_strings("requires", inputs.requires)]
    if inputs.backend is not None:
        lines.append(f"backend = {format_string(inputs.backend)}")
    for name, values in (
        ("targets", inputs.targets),
        ("constraints", inputs.constraints),
        ("overrides", inputs.overrides),
    ):
        if values:
            lines.append(_format_strings(name, values))
    yield "\n".join(lines)
    tables: Mapping[str, Mapping[str, Setting]] = {
        "dynamic": inputs.dynamic,
        "indexes": inputs.indexes,
        "match-runtime": inputs.match_runtime,
        "settings": inputs.settings,
    }
    for name, table in tables.items():
        if table:
            yield "\n".join([f"[{key}.{name}]", *(_format_setting(format_key(k), value) for k, value in table.items())])


def _format_setting(key: str, value: Setting) -> str:
    if isinstance(value, tuple):
        return _format_strings(key, value)
    return f"{key} = {str(value).lower() if isinstance(value, bool) else format_string(value)}"


def _format_strings(key: str, values: tuple[str, ...]) -> str:
    return format_array(key, map(format_string, values))
