import os
import stat
from pathlib import Path

import pytest

from buildlock.plain_files import read_plain, write_whole

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes, links and pipes are those of POSIX")


class TestWriteWhole:
    def test_pieces_take_the_place_of_what_was(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        for pieces in ((b"old",), (b"new", b" and whole"), ()):
            write_whole(str(path), *pieces, flush=True)
            assert path.read_bytes() == b"".join(pieces)
        assert list(tmp_path.iterdir()) == [path]

    def test_what_fails_leaves_what_was(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        for destination in (folder, tmp_path / "missing" / "file"):
            with pytest.raises(OSError, match=r"."):
                write_whole(str(destination), b"new")
        assert list(tmp_path.iterdir()) == [folder]

    @POSIX
    @pytest.mark.parametrize(("private", "expected"), [(True, 0o600), (False, 0o640)])
    def test_the_mode_of_the_file_that_is_there(self, tmp_path: Path, *, private: bool, expected: int) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"old")
        path.chmod(0o640)
        write_whole(str(path), b"new", private=private)
        assert stat.S_IMODE(path.stat().st_mode) == expected

    @POSIX
    def test_a_link_is_replaced(self, tmp_path: Path) -> None:
        target, link = tmp_path / "target", tmp_path / "link"
        target.write_bytes(b"of another")
        link.symlink_to(target)
        write_whole(str(link), b"ours")
        assert (target.read_bytes(), link.is_symlink()) == (b"of another", False)


@POSIX
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_took_the_place_of_a_file_is_not_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    if kind == "link":
        path.symlink_to(__file__)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises((OSError, ValueError)):
        read_plain(str(path))
