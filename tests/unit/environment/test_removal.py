"""Folders that go, whatever is in them."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from buildlock.environment import private_folder as private_folders
from buildlock.environment.private_folder import private_folder
from buildlock.environment.removal import measure_tree, remove_tree
from buildlock.file_locks import try_lock

posix = pytest.mark.skipif(os.name != "posix", reason="modes and depths are those of POSIX")


def nest(folder: Path, depth: int) -> None:
    """Folders in folders, deeper than a path can say."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("a" * 20, dir_fd=here)
        inner = os.open("a" * 20, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


def test_files_and_folders_go_and_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "file").write_bytes(b"12345")
    (folder / "file").write_bytes(b"123")
    assert measure_tree(folder) == 8
    assert remove_tree(folder) == 8
    assert not folder.exists()
    assert remove_tree(folder) == 0


@posix
def test_what_a_link_leads_to_stays(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("mine")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(kept)
    (tmp_path / "other").symlink_to(kept)
    remove_tree(folder)
    remove_tree(tmp_path / "other")
    assert list(tmp_path.iterdir()) == [kept]
    assert (kept / "file").read_text() == "mine"


@posix
def test_no_depth_is_too_much(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    nest(folder, 250)
    remove_tree(folder)
    assert not folder.exists()


@posix
def test_no_mode_keeps_it(tmp_path: Path) -> None:
    inner = tmp_path / "folder" / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "file").write_text("")
    for folder in (inner, inner.parent, inner.parent.parent):
        folder.chmod(0)
    remove_tree(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


@posix
def test_what_a_build_left_deep_in_a_private_folder_goes(tmp_path: Path) -> None:
    with private_folder(tmp_path, "scratch-") as folder:
        nest(folder, 1100)  # more than Python recurses
    assert not list(tmp_path.iterdir())


def test_a_sweep_tries_no_lock_of_its_own_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many wheels are brought at a time, each in a folder of its own: they would try those of all others."""
    made: list[str] = []

    def count(path: Path) -> Callable[[], object] | None:
        made.append(path.name)
        return try_lock(path)

    monkeypatch.setattr(private_folders, "try_lock", count)
    with ExitStack() as stack:
        folders = [stack.enter_context(private_folder(tmp_path, "scratch-")) for _ in range(8)]
        assert len(made) == len(folders)
        (tmp_path / "scratch-left").mkdir()
        (tmp_path / "scratch-left.lock").touch()
        stack.enter_context(private_folder(tmp_path, "scratch-"))
        assert not (tmp_path / "scratch-left").exists()
        assert all(folder.is_dir() for folder in folders)
    assert not list(tmp_path.iterdir())
