"""A file of the cache is held by one at a time."""

import threading
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from buildlock.environment.cache_use import hold_file
from buildlock.errors import EnvironmentPreparationError


def test_who_holds_it_is_waited_for(tmp_path: Path) -> None:
    other = FileLock(tmp_path / "a.lock", thread_local=False)
    other.acquire()
    held = threading.Event()

    def hold() -> None:
        # It is let go when somebody waits for it.
        with hold_file(tmp_path, "a.lock", other.release):
            held.set()

    waiting = threading.Thread(target=hold, daemon=True)
    waiting.start()
    waiting.join(30)
    assert held.is_set()
    with hold_file(tmp_path, "a.lock", pytest.fail):
        pass


def test_nobody_else_gets_it(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "a.lock")
    with hold_file(tmp_path, "a.lock", pytest.fail), pytest.raises(Timeout):
        lock.acquire(blocking=False)
    with pytest.raises(KeyError), hold_file(tmp_path, "a.lock", pytest.fail):
        raise KeyError
    lock.acquire(blocking=False)
    lock.release()


def test_it_has_to_be_one_that_can_be_opened(tmp_path: Path) -> None:
    (tmp_path / "a.lock").mkdir()
    with (
        pytest.raises(EnvironmentPreparationError, match=r"the cache `.*` cannot be written: "),
        hold_file(tmp_path, "a.lock", pytest.fail),
    ):
        pass
