"""Work that this process shares with copies of itself, one for each processor. It imports nothing that takes time.

Threads would wait for each other: what is shared asks the kernel, in the shortest of steps.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing takes longer to import than all else here
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

MAX_TASKS: Final = 256
_MAX_PROCESSES: Final = 8
_FAILED: Final = 255
"""The status of a copy that failed otherwise than by an error of the system."""


class Shared:
    """Tasks that are begun by copies of this process from now on; it is alone where there can be none.

    Args:
        do: Called with the number of a task. Who finds that it raises, or returns no truth, does no more.
        tasks: How many there are, at most `MAX_TASKS`.
    """

    def __init__(self, do: Callable[[int], bool], tasks: int) -> None:
        self._do = do
        self._children: list[int] = []
        # A byte in the pipe is a task that nobody has taken.
        self._queue, end = os.pipe()
        os.write(end, bytes(range(tasks)))
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
        """Do what nobody has begun, and wait for the copies: whether each task returned truth.

        Raises:
            OSError: A task raised it, here or in a copy.
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
            if not self._do(taken[0]):
                return False
        return True


def can_share() -> bool:
    """Whether others can help: a copy of a process has one thread alone, and what others held stays held in it."""
    threads = sys.modules.get("threading")
    return hasattr(os, "fork") and (threads is None or threads.active_count() == 1) and _count_helpers() > 0


def _count_helpers() -> int:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(count, _MAX_PROCESSES) - 1
