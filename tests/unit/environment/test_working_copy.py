"""The copy of a project that a build may change."""

import os
import sys
from pathlib import Path

import pytest

from buildlock.environment.working_copy import copy_project
from buildlock.errors import ProjectError


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def list_files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_has_what_a_build_may_read_or_change(tmp_path: Path) -> None:
    project, copy = tmp_path / "project", tmp_path / "copy"
    write(project, "pyproject.toml", "build-lock.toml", "build/tool.py", "demo.egg-info/PKG-INFO", "src/x/__init__.py")
    (project / "pyproject.toml").chmod(0o755)
    os.utime(project / "pyproject.toml", (1, 2))
    assert copy_project(project, copy) == ()
    assert list_files(copy) == list_files(project)
    assert (copy / "pyproject.toml").stat().st_mtime == 2
    assert (copy / "src/x/__init__.py").read_text() == "src/x/__init__.py"
    if sys.platform != "win32":
        assert (copy / "pyproject.toml").stat().st_mode & 0o777 == 0o755


def test_has_empty_folders_for_what_is_large_and_only_read(tmp_path: Path) -> None:
    project, copy = tmp_path / "project", tmp_path / "copy"
    write(project, ".git/HEAD", "sub/.git/HEAD", ".venv/pyvenv.cfg", ".tox/x", "cache/store/x", "src/__pycache__/x.pyc")
    left_out = copy_project(project, copy, [project / "cache", tmp_path / "elsewhere"])
    assert {path.relative_to(project.resolve()).as_posix() for path in left_out} == {
        *(".git", ".tox", ".venv", "cache", "sub/.git")
    }
    assert list_files(copy) == [".git", ".tox", ".venv", "cache", "src", "sub", "sub/.git"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_has_links_and_no_pipes(tmp_path: Path) -> None:
    project, copy = tmp_path / "project", tmp_path / "copy"
    write(project, ".git")  # of a worktree
    (project / "nowhere").symlink_to("missing")
    (project / "folder").symlink_to(tmp_path)
    os.mkfifo(project / "pipe")
    assert copy_project(project, copy) == ()
    assert sorted(path.name for path in copy.iterdir()) == [".git", "folder", "nowhere"]
    assert (copy / "folder").readlink() == tmp_path


def test_of_what_is_not_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="cannot be copied for the build"):
        copy_project(tmp_path / "none", tmp_path / "copy")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_of_what_cannot_be_read_names_it(tmp_path: Path) -> None:
    write(tmp_path / "project", "secret")
    (tmp_path / "project" / "secret").chmod(0)
    with pytest.raises(ProjectError, match=r"secret`: .*denied"):
        copy_project(tmp_path / "project", tmp_path / "copy")
