"""`init --git`: what it writes, that a second run changes nothing, and the way back."""

import os
import subprocess
from pathlib import Path

import pytest

from buildlock.errors import HostError, ProjectError, UsageError
from buildlock.workflows.init_git import init_git, undo_git
from buildlock.workflows.workspace import Workspace
from support.git import ENVIRON, GitRepository, run_git

ATTRIBUTES = "# >>> buildlock init --git\n/build-lock.toml diff=buildlock merge=buildlock\n# <<< buildlock init --git\n"
CLONE = "git's configuration of this clone"


def open_workspace(root: Path, **variables: str) -> Workspace:
    return Workspace(root=root, cache_dir=root / "cache", environ={**ENVIRON, **variables})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return open_workspace(GitRepository(tmp_path / "repository").folder)


def read_config(workspace: Workspace) -> str:
    return run_git(workspace.root, "config", "--local", "--list")


@pytest.mark.parametrize("content", [b"*.png binary", b"*.png binary\n", b"*.png binary\r\n", None])
def test_there_and_back(workspace: Workspace, content: bytes | None) -> None:
    path = workspace.root / ".gitattributes"
    if content is not None:
        path.write_bytes(content)
    before = read_config(workspace)
    done = init_git(workspace)
    assert done.written == (".gitattributes", CLONE)
    assert done.notes == ("each clone has a configuration of its own: run `buildlock init --git` there too",)
    written = path.read_bytes()
    assert (
        written.replace(b"\r\n", b"\n").decode().endswith(ATTRIBUTES if content != b"*.png binary" else ATTRIBUTES[:-1])
    )
    assert written.count(b"\r\n") in {0, written.count(b"\n")}
    config = read_config(workspace)
    again = init_git(workspace)
    assert (again.written, again.notes) == ((), ())
    assert (path.read_bytes(), read_config(workspace)) == (written, config)
    undone = undo_git(workspace)
    assert (undone.written, undone.removed) == (
        ((CLONE,), (".gitattributes",)) if content is None else ((".gitattributes", CLONE), ())
    )
    assert (path.read_bytes() if path.exists() else None) == content
    assert read_config(workspace) == before
    nothing = undo_git(workspace)
    assert (nothing.written, nothing.removed) == ((), ())


def test_the_command_is_brought_up_to_date(workspace: Workspace) -> None:
    init_git(workspace)
    for _ in range(2):
        run_git(workspace.root, "config", "--add", "merge.buildlock.driver", "/elsewhere/buildlock")
    assert init_git(workspace).written == (CLONE,)
    assert "elsewhere" not in read_config(workspace)


def test_two_projects_of_a_repository_share_the_configuration(workspace: Workspace) -> None:
    (workspace.root / "a b").mkdir()
    inner = open_workspace(workspace.root / "a b")
    for each in (workspace, inner):
        init_git(each)
    run_git(workspace.root, "add", "--all")
    undone = undo_git(inner)
    assert undone.removed == (".gitattributes",)
    assert undone.notes == ("`../.gitattributes` names buildlock too: git's configuration stays as it is",)
    assert "git-text" in read_config(workspace)
    assert undo_git(workspace).written == (CLONE,)
    assert "buildlock" not in read_config(workspace)


def test_a_work_tree_of_another_repository_will_do(workspace: Workspace, tmp_path: Path) -> None:
    run_git(workspace.root, "commit", "--quiet", "--allow-empty", "--message=x")
    run_git(workspace.root, "worktree", "add", "--quiet", str(tmp_path / "other"))
    init_git(open_workspace(tmp_path / "other"))
    assert "git-text" in read_config(workspace)
    assert not (workspace.root / ".gitattributes").exists()


@pytest.mark.parametrize("act", [init_git, undo_git])
def test_where_there_is_no_work_tree(tmp_path: Path, act: object) -> None:
    assert callable(act)
    outside = open_workspace(tmp_path, GIT_CEILING_DIRECTORIES=str(tmp_path.parent))
    with pytest.raises(UsageError, match="is in no work tree of git: not a git repository"):
        act(outside)
    run_git(tmp_path, "init", "--quiet", "--bare", "bare.git")
    with pytest.raises(UsageError, match="it is a bare repository"):
        act(open_workspace(tmp_path / "bare.git"))
    with pytest.raises(HostError, match="there is no `git` on PATH"):
        act(open_workspace(tmp_path, PATH=str(tmp_path)))
    assert not (tmp_path / ".gitattributes").exists()


def test_what_cannot_be_edited_is_left_as_it_is(workspace: Workspace) -> None:
    (workspace.root / ".gitattributes").write_bytes(b"\xff")
    with pytest.raises(ProjectError, match=r"`.gitattributes` cannot be edited: it cannot be read"):
        init_git(workspace)
    assert "buildlock" not in read_config(workspace)


def test_a_configuration_that_is_locked(workspace: Workspace) -> None:
    (workspace.root / ".git" / "config.lock").touch()
    with pytest.raises(ProjectError, match=r"git's configuration cannot be written: .*could not lock"):
        init_git(workspace)


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
def test_a_module_in_the_work_tree_is_not_run(workspace: Workspace) -> None:
    """As `python -m buildlock` would run it."""
    for name in ("buildlock", "typer", "json"):
        (workspace.root / f"{name}.py").write_text("raise SystemExit('run')", encoding="utf-8")
    init_git(workspace)
    command = run_git(workspace.root, "config", "diff.buildlock.textconv")
    (workspace.root / "-x").write_text('lock-version = "1.0"\n', encoding="utf-8")
    ran = subprocess.run(
        ["sh", "-c", f'{command} "$@"', "sh", "-x"], cwd=workspace.root, capture_output=True, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")
