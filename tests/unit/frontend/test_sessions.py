"""Which processes are ended with the one that started them."""

import os
import shutil
import subprocess
import sys

import pytest

from buildlock.frontend.sessions import end_session, end_writers

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has no sessions")

# Prints what it started, in a group of its own, once that is so.
_START = """
import os, time
started = os.fork()
if started == 0:
    os.setpgid(0, 0)
    print(os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_a_session_is_ended_with_all_its_groups(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    if platform != sys.platform:
        if sys.platform != "linux" or shutil.which("ps") is None:
            pytest.skip("this platform has another way, or no `ps`")
        monkeypatch.setattr(sys, "platform", platform)
    with (
        subprocess.Popen([sys.executable, "-c", _START], stdout=subprocess.PIPE, start_new_session=True) as leader,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as other,
    ):
        assert leader.stdout is not None
        assert int(leader.stdout.readline()) != leader.pid
        end_session(leader.pid)
        # Nobody has the other end any more.
        assert leader.stdout.read() == b""
        assert other.poll() is None
        other.communicate(b"\n")
        assert other.returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="no other platform tells")
def test_writers_of_a_pipe_are_ended_and_readers_are_not() -> None:
    read, write = os.pipe()
    sleep = [sys.executable, "-c", "input()"]
    with (
        subprocess.Popen(sleep, stdin=subprocess.PIPE, pass_fds=(write,)) as writer,
        subprocess.Popen(sleep, stdin=subprocess.PIPE, pass_fds=(read,)) as reader,
    ):
        os.close(write)
        end_writers(os.fstat(read).st_ino)
        assert writer.wait() < 0
        reader.communicate(b"\n")
        assert reader.returncode == 0
    os.close(read)
