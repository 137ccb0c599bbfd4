"""Where the time went, by a clock that the test moves."""

import threading

import pytest

from buildlock.cli.timings import Timings
from buildlock.reporting import Asked, Event, Received, Transferred, phase


class Clock:
    """Says what it is set to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timings(clock: Clock) -> Timings:
    return Timings(clock, spent=lambda: 0.5)


def read(timings: Timings) -> dict[str, float]:
    """The rows of the table that are not zero."""
    rows = [line.rsplit(maxsplit=1) for line in timings.render() if line.startswith("  ")]
    return {name.strip(): float(seconds) for name, seconds in rows if float(seconds)}


def test_start_up_is_what_was_computed_before(timings: Timings) -> None:
    assert read(timings) == {"start-up": 0.5, "total": 0.5}


def test_the_innermost_phase_counts(timings: Timings, clock: Clock) -> None:
    clock.now += 1
    with phase(timings.take, "resolution"):
        clock.now += 2
        with phase(timings.take, "pages and metadata"):
            clock.now += 4
        clock.now += 8
    with phase(timings.take, "pages and metadata"):
        clock.now += 16
    assert read(timings) == {"start-up": 0.5, "resolution": 10, "pages and metadata": 20, "other": 1, "total": 31.5}


def test_a_phase_that_fails_has_ended(timings: Timings, clock: Clock) -> None:
    def fail() -> None:
        with phase(timings.take, "downloads"):
            clock.now += 1
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        fail()
    clock.now += 2
    assert read(timings) == {"start-up": 0.5, "downloads": 1, "other": 2, "total": 3.5}


def test_what_is_waited_for_is_shared_out(timings: Timings, clock: Clock) -> None:
    def work() -> None:
        with phase(timings.take, "unpacking"):
            clock.now += 1
            with phase(timings.take, "downloads"):
                clock.now += 3

    with phase(timings.take, "waiting"):
        for _ in range(2):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        clock.now += 8
    assert read(timings) == {"start-up": 0.5, "unpacking": 4, "downloads": 12, "total": 16.5}


def test_other_threads_count_only_while_they_are_waited_for(timings: Timings, clock: Clock) -> None:
    def work() -> None:
        with phase(timings.take, "resolution"):
            clock.now += 5

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    with phase(timings.take, "waiting"):
        clock.now += 2
    assert read(timings) == {"start-up": 0.5, "other": 7, "total": 7.5}


def test_requests_bytes_and_files_are_counted(timings: Timings) -> None:
    events: tuple[Event, ...] = (
        *(Asked("asked"), Received(1 << 20), Received(1 << 19), Asked("asked")),
        *(Transferred("a.whl", 5, 10), Transferred("a.whl", 10, 10), Transferred("b.whl", 1, None)),
    )
    for event in events:
        timings.take(event)
    assert "requests: 2, received: 1.5 MiB, files fetched: 1" in list(timings.render())
