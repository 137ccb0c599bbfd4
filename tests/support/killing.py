"""Copies of this process: to end with all that they hold, or to be killed at any point of what they do."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any


def is_true_apart(act: Callable[[], object]) -> bool:
    """Whether something is true in a copy of this process, which leaves no lock held."""
    child = os.fork()
    if not child:
        true = False
        try:
            true = bool(act())
        finally:
            os._exit(not true)
    return os.waitpid(child, 0)[1] == 0


def kill_at(point: int, act: Callable[[], object]) -> bool:
    """Do something in a copy of this process, which kills itself when it does its so many-eth thing; whether it did.

    A thing is what Python tells its audit hooks: a file that is opened, a folder that is made, a name that is given.
    """
    child = os.fork()
    if not child:
        try:
            _count(point)
            act()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _count(point: int) -> None:
    left = point

    def hear(event: str, _: tuple[Any, ...]) -> None:
        nonlocal left
        if event == "open" or event.startswith("os."):
            left -= 1
            if left == -1:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hear)
