"""Work that this process shares with copies of itself, one for each processor. It imports nothing that takes time.

Threads would wait for each other: what is shared asks the kernel, in the shortest of steps.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing takes longer to import than all else here
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Final

MAX_TASKS: Final = 256
"""A task is a byte; of more items than that each one has several."""
_MAX_PROCESSES: Final = 8
_FAILED: Final = 255
"""The status of a copy that failed otherwise than by an error of the system."""


class Shared:
    """Items that copies of this process begin with from now on; it is alone where there can be none.

    Args:
        do: Called with the values of an item. Who finds that it raises, or returns no truth, does no more.
        items: The first ones are begun first.
    """

    def __init__(self, do: Callable[..., bool], items: Sequence[tuple[Any, ...]]) -> None:
        self._do = do
        self._items = items
        self._tasks = min(len(items), MAX_TASKS)
        self._children: list[int] = []
        # A byte in the pipe is a task that nobody has taken.
        self._queue, end = os.pipe()
        os.write(end, bytes(range(self._tasks)))
        os.close(end)
        for _ in range(_count_helpers()):
            try:
                child = os.fork()
            except OSError:
                break  # the system has no more processes: fewer do it
            if not child:
                self._help()
            self._children.append(child)

    def finish(self) -> bool:
        """Do what nobody has begun, and wait for the copies: whether all that was done returned truth.

        Raises:
            OSError: It was raised by what is done, here or in a copy.
        """
        try:
            done = self._work()
        finally:
            os.close(self._queue)
            statuses = [os.waitpid(child, 0)[1] for child in self._children]
        for status in map(os.waitstatus_to_exitcode, statuses):
            if 0 < status < _FAILED:
                raise OSError(status, os.strerror(status))
        return done and not any(statuses)

    def _help(self) -> None:
        status = _FAILED
        try:
            status = 0 if self._work() else _FAILED
        except OSError as error:
            status = error.errno or _FAILED
        finally:
            os._exit(status)

    def _work(self) -> bool:
        while taken := os.read(self._queue, 1):
            if not all(self._do(*item) for item in self._items[taken[0] :: self._tasks]):
                return False
        return True


def can_share() -> bool:
    """Whether others can help: a copy of a process has one thread alone, and what others held stays held in it."""
    threads = sys.modules.get("threading")
    return hasattr(os, "fork") and (threads is None or threads.active_count() == 1) and _count_helpers() > 0


def count_processors() -> int:
    """Those that this process may use, where the platform says."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _count_helpers() -> int:
    return min(count_processors(), _MAX_PROCESSES) - 1
