"""Tests of the threads that have answers for others."""

import threading

import pytest

from buildlock.index.futures import Workers


def test_threads_are_there_when_there_is_work() -> None:
    before = threading.active_count()
    workers = Workers(2, "test-workers")
    assert threading.active_count() == before
    assert workers.submit(lambda: threading.current_thread().name).result().startswith("test-workers")
    assert workers.submit(int, "3").result() == 3
    workers.close(wait=True)
    assert threading.active_count() == before


@pytest.mark.parametrize("used", [False, True])
def test_closed_ones_begin_nothing(*, used: bool) -> None:
    workers = Workers(1, "test-workers")
    if used:
        workers.submit(int).result()
    workers.close(wait=True)
    with pytest.raises(RuntimeError):
        workers.submit(int)


def test_what_has_not_begun_is_given_up() -> None:
    workers = Workers(1, "test-workers")
    begun, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        go_on.wait()

    first, second = workers.submit(wait), workers.submit(int)
    assert begun.wait(30)
    workers.close(wait=False)
    assert second.cancelled()
    go_on.set()
    first.result()
