"""What is held against others, whether they are threads, processes or `filelock`."""

import errno
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock, Timeout

from buildlock.file_locks import take_lock, try_lock

if TYPE_CHECKING:
    from buildlock.file_locks import Release

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has locks of its own")


@pytest.mark.parametrize("take", [take_lock, try_lock])
def test_one_at_a_time(tmp_path: Path, take: "Callable[[Path], Release | None]") -> None:
    path = tmp_path / "lock"
    release = take(path)
    assert release is not None
    assert try_lock(path) is None
    with pytest.raises(Timeout):
        FileLock(path).acquire(blocking=False)
    release()
    again = try_lock(path)
    assert again is not None
    again()


def test_who_waits_has_it_next(tmp_path: Path) -> None:
    path, said = tmp_path / "lock", list[str]()
    first = try_lock(path)
    assert first is not None

    def wait() -> None:
        said.append("waits")
        first()

    second = take_lock(path, wait)
    assert (said, try_lock(path)) == (["waits"], None)
    second()


@POSIX
def test_a_process_that_is_killed_holds_it_no_longer(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = (
        "import sys, time\nfrom buildlock.file_locks import try_lock\n"
        "held = try_lock(sys.argv[1])\nprint(held)\ntime.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-uc", program, path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert try_lock(path) is None
        process.kill()
        process.wait()
        release = try_lock(path)
    assert release is not None
    release()


@POSIX
def test_a_link_is_not_followed_and_the_file_is_the_users_own(tmp_path: Path) -> None:
    path, link = tmp_path / "lock", tmp_path / "link"
    link.symlink_to(path)
    for take in (take_lock, try_lock):
        with pytest.raises(OSError, match=r"."):
            take(link)
    assert not path.exists()
    take_lock(path)()
    assert path.stat().st_mode & 0o777 == 0o600


@POSIX
def test_where_there_are_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    take_lock(tmp_path / "lock")()
    # Nobody may take this for a sign that a process has ended.
    with pytest.raises(OSError, match="No locks"):
        try_lock(tmp_path / "lock")
