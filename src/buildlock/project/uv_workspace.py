"""uv's workspaces: the folder of the member that a source with `workspace = true` means."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from packaging.utils import NormalizedName, canonicalize_name

from buildlock.answers.looking import glob, is_dir, is_file
from buildlock.project.document import Table, read_document
from buildlock.project.faults import Faults

_MAX_FOLDERS = 10_000
"""That a pattern of members may match."""


def find_member(name: NormalizedName, project: Table) -> Path:
    """The folder of the workspace's member `name`.

    As in uv: the workspace is that of the project itself, else of the next folder above that has a pyproject.toml, if
    its `members` include the project. The root is a member too.

    Args:
        name: The package.
        project: The whole pyproject.toml of the project.

    Raises:
        ValueError: There is no workspace, or no such member; the message is the end of a sentence.
    """
    workspace = project if _declares(project) else _find_above(project.document.folder)
    if workspace is None:
        raise ValueError("is a source of a workspace, and the project is in none: `[tool.uv.workspace]` was not found")
    return _find(name, workspace)


def find_member_at(name: NormalizedName, root: Path) -> Path:
    """The folder of the member `name` of the workspace whose root is `root`, as a source with a path there has it.

    Raises:
        ValueError: There is no such workspace, or no such member; the message is the end of a sentence.
    """
    workspace = _read(root)
    if workspace is None:
        raise ValueError(f"is of a workspace that is not there: `{root}` has no pyproject.toml")
    return _find(name, workspace)


def _find(name: NormalizedName, workspace: Table) -> Path:
    for folder in (workspace.document.folder, *_list_members(workspace)):
        member = workspace if folder == workspace.document.folder else _read(folder)
        if member is not None and _name(member) == name:
            return folder
    raise ValueError(f"is no member of the workspace of `{workspace.document.folder}`")


def _find_above(folder: Path) -> Table | None:
    for parent in folder.parents:
        found = _read(parent)
        if found is None:
            continue
        return found if _declares(found) and folder in _list_members(found) else None
    return None


def _declares(document: Table) -> bool:
    return "workspace" in document.table("tool").table("uv")


def _list_members(workspace: Table) -> list[Path]:
    table = workspace.table("tool").table("uv").table("workspace")
    root = workspace.document.folder
    excluded = set(_expand(root, table.strings("exclude")))
    members = (folder for folder in _expand(root, table.strings("members")) if folder not in excluded)
    return list(dict.fromkeys(members))


def _expand(root: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    """The folders that patterns such as `packages/*` and `../shared` match, sorted for each."""
    for pattern in patterns:
        parts = [part for part in PurePosixPath(pattern).parts if part != "."]
        base = root
        while parts and parts[0] == "..":  # which `glob` would not simplify
            base, parts = base.parent, parts[1:]
        if not parts:
            yield base
            continue
        try:
            found = glob(base, "/".join(parts))
            folders = [path for _, path in zip(range(_MAX_FOLDERS), found, strict=False) if is_dir(path)]
        except (OSError, ValueError, NotImplementedError, RecursionError):
            raise ValueError(
                f"is of a workspace whose `members` or `exclude` has `{pattern}`, which is no pattern"
            ) from None
        yield from sorted(folders)


def _read(folder: Path) -> Table | None:
    """The pyproject.toml of a folder; `None` where there is none that can be read."""
    path = folder / "pyproject.toml"
    faults = Faults()
    try:
        document = read_document(path, label=str(path), faults=faults) if is_file(path) else None
    except OSError:
        return None
    return document.root_table(faults) if document else None


def _name(document: Table) -> NormalizedName | None:
    name = document.table("project").get("name")
    return canonicalize_name(name) if isinstance(name, str) else None
