"""Files of the project are written whole or not at all."""

import os
import stat
import sys
from pathlib import Path

import pytest

from buildlock.errors import LockfileError
from buildlock.workflows.saving import clear_unfinished, save
from support.locks import LOCKS

GOLDEN = (LOCKS / "valid" / "cuda-variants.toml").read_text(encoding="utf-8")


def test_save_writes_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "build-lock.toml"
    assert save(path, GOLDEN)
    assert path.read_bytes() == GOLDEN.encode()
    before = path.stat()
    assert not save(path, GOLDEN)
    assert path.stat() == before
    assert save(path, GOLDEN + "\n")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_save_keeps_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "build-lock.toml"
    path.touch()
    path.chmod(0o640)
    save(path, GOLDEN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege")
def test_save_keeps_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.toml").touch()
    link = tmp_path / "build-lock.toml"
    link.symlink_to("real.toml")
    save(link, GOLDEN)
    assert link.is_symlink()
    assert (tmp_path / "real.toml").read_text(encoding="utf-8") == GOLDEN


def test_what_a_killed_save_has_left_goes(tmp_path: Path) -> None:
    path = tmp_path / "build-lock.toml"
    left = tmp_path / ".build-lock.toml.0123456789abcdef.tmp"
    others = [tmp_path / ".build-lock.toml.mine.tmp", tmp_path / ".other.toml.0123456789abcdef.tmp"]
    for each in (path, left, *others):
        each.write_text(GOLDEN)
    clear_unfinished(path)
    assert sorted(tmp_path.iterdir()) == sorted([path, *others])


def test_save_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "build-lock.toml"
    path.write_text("old", encoding="utf-8")

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(LockfileError, match=r"cannot be written: No space left on device"):
        save(path, GOLDEN)
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_save_into_no_folder(tmp_path: Path) -> None:
    with pytest.raises(LockfileError, match="cannot be written"):
        save(tmp_path / "absent" / "build-lock.toml", GOLDEN)
