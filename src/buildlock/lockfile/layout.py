"""How a locked environment looks in TOML: one package a block, one artifact a line."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from packaging.pylock import Package, PackageArchive, PackageSdist, PackageVcs, PackageWheel

from buildlock.lockfile.model import LockedEnvironment, LockedInputs, Setting, format_marker
from buildlock.lockfile.toml_text import format_array, format_inline_table, format_key, format_string


def format_section(key: Sequence[str], environment: LockedEnvironment) -> str:
    """The section of an environment below a key such as `("variants", "cu124")`, from its first header to its end."""
    return "\n\n".join(_list_blocks(".".join(map(format_key, key)), environment))


def _list_blocks(key: str, environment: LockedEnvironment) -> Iterator[str]:
    yield f"[{key}]\n{format_environments(environment)}"
    if environment.source is not None:
        yield "\n".join([f"[{key}.source]", *_list_values(environment.source)])
    yield from _format_inputs(f"{key}.inputs", environment.inputs)
    for package in environment.packages:
        yield format_package(f"{key}.packages", package)
    for name, build in environment.builds.items():
        yield from _list_blocks(f"{key}.builds.{format_key(name)}", build)


def format_environments(environment: LockedEnvironment) -> str:
    """The `environments` of PEP 751."""
    return format_array("environments", (format_string(format_marker(marker)) for marker in environment.environments))


def format_package(key: str, package: Package) -> str:
    """One element of the array of tables `key`."""
    return "\n".join([f"[[{key}]]", *_list_values(package)])


def _list_values(package: Package) -> Iterator[str]:
    yield f"name = {format_string(package.name)}"
    yield f"version = {format_string(str(package.version))}"
    if package.marker is not None:
        yield f"marker = {format_string(format_marker(package.marker))}"
    if package.index is not None:
        yield f"index = {format_string(package.index)}"
    if package.dependencies:
        yield format_array("dependencies", map(_format_dependency, package.dependencies))
    if package.sdist is not None:
        yield f"sdist = {_format_file(package.sdist)}"
    if package.archive is not None:
        yield f"archive = {_format_file(package.archive)}"
    if package.vcs is not None:
        yield f"vcs = {_format_vcs(package.vcs)}"
    if package.directory is not None:
        folder = {"path": package.directory.path, "subdirectory": package.directory.subdirectory}
        yield f"directory = {_format_texts(folder)}"
    if package.tool is not None:
        yield f"tool = {_format_tool(package.tool)}"
    if package.wheels:
        yield format_array("wheels", map(_format_file, package.wheels), split=True)


def _format_dependency(dependency: Mapping[str, Any]) -> str:
    keys = ("name", "version", "index")
    return format_inline_table({key: format_string(dependency[key]) for key in keys if key in dependency})


def _format_file(file: PackageWheel | PackageSdist | PackageArchive) -> str:
    texts = {"url": file.url, "path": file.path}
    if not isinstance(file, PackageArchive):
        texts = {"name": file.name, **texts}
    items = {key: format_string(text) for key, text in texts.items() if text is not None}
    if file.size is not None:
        items["size"] = str(file.size)
    if isinstance(file, PackageArchive) and file.subdirectory is not None:
        items["subdirectory"] = format_string(file.subdirectory)
    return format_inline_table({**items, "hashes": _format_texts(file.hashes)})


def _format_vcs(vcs: PackageVcs) -> str:
    return _format_texts(
        {
            "type": vcs.type,
            "url": vcs.url,
            "path": vcs.path,
            "requested-revision": vcs.requested_revision,
            "commit-id": vcs.commit_id,
            "subdirectory": vcs.subdirectory,
        }
    )


def _format_tool(tool: Mapping[str, Any]) -> str:
    return format_inline_table({name: _format_texts(values) for name, values in tool.items()})


def _format_texts(texts: Mapping[str, str | None]) -> str:
    return format_inline_table({key: format_string(text) for key, text in texts.items() if text is not None})


def _format_inputs(key: str, inputs: LockedInputs) -> Iterator[str]:
    lines = [f"[{key}]", _format_strings("requires", inputs.requires)]
    if inputs.backend is not None:
        lines.append(f"backend = {format_string(inputs.backend)}")
    for name, values in (
        ("extra-requires", inputs.extra_requires),
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
