"""A copy of the folder of a project that a build may change: all of it, but for what no build makes or changes."""

import os
import shutil
import stat
from collections.abc import Collection
from pathlib import Path

from buildlock.errors import ProjectError
from buildlock.text import present

# The history, and what other tools keep for themselves.
_OTHERS = frozenset(
    {".git", ".hg", ".svn", ".bzr", "_darcs", ".tox", ".nox", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
)
_LEFT_OUT = frozenset({"__pycache__"})
_ENVIRONMENT = "pyvenv.cfg"


def copy_project(folder: Path, copy: Path, aside: Collection[Path] = ()) -> tuple[Path, ...]:
    """Copy the folder of a project, with its links and times of change, without what is no file, folder or link.

    Histories, virtual environments and caches of tools can be large, and a build only reads them: of these the copy
    has empty folders.

    Args:
        folder: The project's.
        copy: Not there yet, and not in `folder` but where that is put aside.
        aside: Further folders of which that is true.

    Returns:
        The folders that are empty in the copy.

    Raises:
        ProjectError: Something cannot be read, or not be copied.
    """
    folder = Path(os.path.realpath(folder))
    empty: list[Path] = []
    wanted = {os.path.realpath(path) for path in aside}

    def leave_out(parent: str, names: list[str]) -> list[str]:
        left_out = []
        for name in names:
            path = Path(parent, name)
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                if name in _LEFT_OUT:
                    left_out.append(name)
                elif name in _OTHERS or str(path) in wanted or (path / _ENVIRONMENT).exists():
                    left_out.append(name)
                    empty.append(path)
            elif not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
                left_out.append(name)
        return left_out

    try:
        shutil.copytree(folder, copy, symlinks=True, ignore=leave_out)
        for path in empty:
            (copy / path.relative_to(folder)).mkdir()
    except shutil.Error as error:
        faults = "".join(f"\n  - {present(f'`{source}`: {reason}')}" for source, _, reason in error.args[0][:10])
        raise ProjectError(f"`{folder}` cannot be copied for the build:{faults}") from error
    except OSError as error:
        raise ProjectError(f"`{folder}` cannot be copied for the build: {present(str(error))}") from error
    return tuple(empty)
