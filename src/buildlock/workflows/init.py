"""`init --backend`: every frontend builds the project from its lock; and the way back."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.utils import NormalizedName, canonicalize_name

from buildlock.errors import ProjectError
from buildlock.lockfile.model import FILENAME
from buildlock.lockfile.toml_text import format_array, format_inline_table, format_string
from buildlock.project.build_system import STAND_IN, STAND_IN_FOLDER
from buildlock.project.editing import (
    EditError,
    add_text,
    add_to_array,
    drop_additions,
    end_of_table,
    find_table,
    parse,
    rename_table,
)
from buildlock.project.model import Project
from buildlock.values import dataclass
from buildlock.workflows.backend_file import RELATIVE_PATH, STAMP_PATH, render_backend
from buildlock.workflows.project_files import encode_text, read_text, remove_file, write_files
from buildlock.workflows.sdist_contents import MANIFEST, carry_in_sdist
from buildlock.workflows.workspace import Workspace

_PYPROJECT = "pyproject.toml"
_STANDARD = ("build-system",)
_MOVED = ("tool", "buildlock", "build-system")
_IGNORE = f"{STAND_IN_FOLDER}/.gitignore"
_UV_KEYS = ('{ file = "pyproject.toml" }', '{ file = "setup.py" }', '{ file = "setup.cfg" }', '{ dir = "src" }')
"""What uv looks at where a project does not say."""
_OUR_KEYS = tuple(
    format_inline_table({kind: format_string(value)})
    for kind, value in (("file", FILENAME), ("file", STAMP_PATH), ("env", "BUILDLOCK_VARIANT"))
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Initialised:
    """What was done."""

    written: tuple[str, ...]
    """The files that changed, relative to the project."""
    removed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What the user has to see to, or should know."""


def init_backend(workspace: Workspace) -> Initialised:
    """Name buildlock's backend in `[build-system]`, the project's own in `[tool.buildlock.build-system]`.

    What an earlier run has added is taken out first, so that a second run changes nothing, or brings it up to date.

    Raises:
        ProjectError: The project's configuration is invalid, cannot be edited, or cannot be written.
    """
    project = workspace.read_project()
    root = workspace.root
    try:
        text, newline = read_text(root / _PYPROJECT)
        restored = _restore(text)
        document = parse(restored)
        contents = carry_in_sdist(project.build_system.backend, _move_build_system(restored, project), document)
        edited, notes = _add_uv_settings(contents.pyproject, document, project)
        manifest, manifest_newline = read_text(root / MANIFEST)
    except EditError as error:
        raise _refuse(error) from error
    pristine = drop_additions(manifest)
    changes = {
        _PYPROJECT: encode_text(edited, newline),
        MANIFEST: encode_text(
            add_text(pristine, contents.manifest) if contents.manifest else pristine, manifest_newline
        ),
        RELATIVE_PATH: render_backend().encode(),
        _IGNORE: f"/{Path(STAMP_PATH).name}\n".encode(),
    }
    if not workspace.lock_path.exists():
        notes = (*notes, f"there is no `{FILENAME}` yet: run `buildlock lock --all`, and commit it with the rest")
    return Initialised(written=tuple(write_files(root, changes)), notes=(*filter(None, [contents.note]), *notes))


def undo_backend(workspace: Workspace) -> Initialised:
    """Take out what `init_backend` put in: what was not edited since is as it was, byte for byte.

    Raises:
        ProjectError: pyproject.toml cannot be edited, or something cannot be written.
    """
    root = workspace.root
    try:
        text, newline = read_text(root / _PYPROJECT)
        restored = _restore(text)
        parse(restored)
        manifest, manifest_newline = read_text(root / MANIFEST)
    except EditError as error:
        raise _refuse(error) from error
    changes = {
        _PYPROJECT: encode_text(restored, newline),
        MANIFEST: encode_text(drop_additions(manifest), manifest_newline),
    }
    written = tuple(write_files(root, changes))
    removed = [path for path in (RELATIVE_PATH, _IGNORE, STAMP_PATH) if remove_file(root / path)]
    shutil.rmtree(root / STAND_IN_FOLDER / "__pycache__", ignore_errors=True)
    _remove_empty(root / STAND_IN_FOLDER)
    emptied = [path for path in written if not changes[path] and remove_file(root / path)]
    return Initialised(written=tuple(path for path in written if path not in emptied), removed=(*emptied, *removed))


def _restore(text: str) -> str:
    """pyproject.toml without buildlock's backend.

    Raises:
        EditError: It was edited so that the way back is not to be found.
    """
    restored = drop_additions(text)
    document = parse(restored)
    if _MOVED[-1] in find_table(document, _MOVED[:-1]) and _STANDARD[0] not in document:
        return rename_table(restored, _MOVED, _STANDARD)
    if find_table(document, _STANDARD).get("build-backend") == STAND_IN:
        raise EditError(
            "`build-system` names buildlock's backend, and not in the lines that `init --backend` has added"
        )
    return restored


def _move_build_system(text: str, project: Project) -> str:
    """pyproject.toml with the project's own build system out of the way, and buildlock's backend in its place."""
    standard = [
        "[build-system]",
        "requires = []",
        f"build-backend = {format_string(STAND_IN)}",
        f"backend-path = [{format_string(STAND_IN_FOLDER)}]",
    ]
    if _STANDARD[0] not in parse(text):
        requires = (format_string(str(each.requirement)) for each in project.build_system.requires)
        own = [
            f"[{'.'.join(_MOVED)}]",
            format_array("requires", requires),
            f"build-backend = {format_string(project.build_system.backend)}",
        ]
        return add_text(text, [*standard, "", *own])
    moved = rename_table(text, _STANDARD, _MOVED)
    return add_text(moved, standard, end_of_table(moved, _MOVED))


def _add_uv_settings(text: str, document: Mapping[str, Any], project: Project) -> tuple[str, tuple[str, ...]]:
    """What makes uv build anew when the variant changes, and know the variant of `uv sync --extra`."""
    uv = find_table(document, ("tool", "uv"))
    keys = _OUR_KEYS if "cache-keys" in uv else (*_UV_KEYS, *_OUR_KEYS)
    text = add_to_array(text, ("tool", "uv", "cache-keys"), keys)
    telling = sorted(_find_telling(project))
    if not telling or project.name is None:
        return text, ()
    dynamic = find_table(document, ("project",)).get("dynamic")
    if isinstance(dynamic, list) and any(each in dynamic for each in ("dependencies", "optional-dependencies")):
        note = "the project's dependencies are dynamic, so uv cannot tell the variant from `uv sync --extra`"
        return text, (f"{note}: pass `-C variant=NAME` or set `BUILDLOCK_VARIANT`",)
    known = find_table(uv, ("extra-build-dependencies",)).get(project.name)
    items = [
        format_inline_table({"requirement": format_string(name), "match-runtime": "true"})
        for name in telling
        if not isinstance(known, list) or {"requirement": name, "match-runtime": True} not in known
    ]
    if items:
        text = add_to_array(text, ("tool", "uv", "extra-build-dependencies", project.name), items)
    names = " and ".join(f"`{name}`" for name in telling)
    return text, (
        f"uv takes the variant from {names} of `uv sync --extra`; `uv build` and `uv pip` need `--no-config`",
    )


def _find_telling(project: Project) -> Iterator[NormalizedName]:
    """The packages that tell variants apart, for the build and at runtime: an extra or a group brings its own."""
    inputs = project.inputs.values()
    if len(inputs) < 2:  # noqa: PLR2004 - one variant has nothing to be told from
        return
    required = [{canonicalize_name(each.requirement.name) for each in one.requires} for one in inputs]
    runtime = [
        {canonicalize_name(each.requirement.name): str(each.requirement) for each in one.runtime} for one in inputs
    ]
    for name in set.intersection(*required, *map(set, runtime)):
        sources = {tuple(rule.location for rule in one.sources.get(name, ())) for one in inputs}
        if len(sources) > 1 or len({one[name] for one in runtime}) > 1:
            yield name


def _remove_empty(folder: Path) -> None:
    """Remove a folder that has nothing in it; one that has something is the user's."""
    if folder.is_dir() and not any(os.scandir(folder)):
        folder.rmdir()


def _refuse(error: EditError) -> ProjectError:
    return ProjectError(
        f"`{_PYPROJECT}` cannot be edited: {error}",
        hint="the documentation, under Frontends, says what it has to hold; write that yourself",
    )
