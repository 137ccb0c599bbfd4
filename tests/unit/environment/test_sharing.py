"""Work that a process shares with copies of itself."""

import errno
import os
import signal
import time
from pathlib import Path

import pytest

from buildlock.environment import sharing
from buildlock.environment.sharing import MAX_TASKS, Shared

TASKS = [(number,) for number in range(MAX_TASKS)]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes share the work by fork")


@pytest.fixture(autouse=True)
def helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "_count_helpers", lambda: 2)


def test_each_task_is_done_once(tmp_path: Path) -> None:
    def do(task: int) -> bool:
        (tmp_path / str(task)).touch(exist_ok=False)
        return True

    assert Shared(do, TASKS).finish()
    assert len(list(tmp_path.iterdir())) == MAX_TASKS


def test_of_more_items_than_tasks_each_is_done_once(tmp_path: Path) -> None:
    def do(number: int) -> bool:
        (tmp_path / str(number)).touch(exist_ok=False)
        return True

    assert Shared(do, [(number,) for number in range(2 * MAX_TASKS + 3)]).finish()
    assert len(list(tmp_path.iterdir())) == 2 * MAX_TASKS + 3


def test_an_error_here_is_raised() -> None:
    here = os.getpid()

    def do(_: int) -> bool:
        if os.getpid() == here:
            raise OSError(errno.ENOSPC, "full")
        time.sleep(0.001)  # so that a task is left
        return True

    with pytest.raises(OSError, match="full"):
        Shared(do, TASKS).finish()


def test_an_error_in_a_copy_is_raised() -> None:
    here = os.getpid()

    def do(_: int) -> bool:
        if os.getpid() != here:
            raise OSError(errno.ENOSPC, "full")
        time.sleep(0.001)  # so that others take a task
        return True

    with pytest.raises(OSError, match="No space") as caught:
        Shared(do, TASKS).finish()
    assert caught.value.errno == errno.ENOSPC


def test_no_process_is_left_where_one_was_killed() -> None:
    here = os.getpid()

    def do(_: int) -> bool:
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.001)  # so that others take a task
        return True

    assert not Shared(do, TASKS).finish()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_it_is_done_alone_where_the_system_has_no_more_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    done: list[int] = []

    def do(task: int) -> bool:
        done.append(task)
        return True

    assert Shared(do, TASKS[:10]).finish()
    assert done == list(range(10))
