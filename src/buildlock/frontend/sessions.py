"""Ending a process with all that it started, as POSIX has it: its group, and the other groups of its session."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

_ROUNDS = 100
"""So often those are looked for that were started meanwhile."""


def end_session(leader: int) -> None:
    """Kill every process of a session.

    Its own group is not enough: ninja and `timeout` give the commands that they run groups of their own.

    Args:
        leader: Whose session it is; that process may have ended.
    """
    # Not there any more; or, on macOS, only waiting to be collected.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    killed = {leader}
    for _ in range(_ROUNDS):
        found = {process for process in _list_processes() if process not in killed and _is_in(process, leader)}
        if not found:
            return
        for process in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        killed |= found


def _list_processes() -> Iterator[int]:
    if sys.platform == "linux":
        names = os.listdir("/proc")  # noqa: PTH208 - hundreds of names, of which no path is made
    else:
        names = subprocess.run(["ps", "-A", "-o", "pid="], capture_output=True, text=True, check=False).stdout.split()
    return (int(name) for name in names if name.isdecimal())


def _is_in(process: int, leader: int) -> bool:
    with suppress(OSError):
        return os.getsid(process) == leader
    return False
