"""Ending a process with all that it started, as POSIX has it: its session, and who left that and still writes to us."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

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
    _kill(lambda process: process != leader and _is_of_session(process, leader))


def end_writers(pipe: int) -> None:
    """Kill every process that can write to a pipe; Linux alone tells which those are.

    Args:
        pipe: Its inode. This process can only read it.
    """
    if sys.platform == "linux":
        _kill(lambda process: _can_write(process, pipe))


def _kill(is_meant: Callable[[int], bool]) -> None:
    killed: set[int] = set()
    for _ in range(_ROUNDS):
        found = {process for process in _list_processes() if process not in killed and is_meant(process)}
        if not found:
            return
        for process in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        killed |= found


def _list_processes() -> Iterator[int]:
    names: Sequence[str] = ()
    # Where that is kept from us, the group has to do.
    with suppress(OSError):
        if sys.platform == "linux":
            names = os.listdir("/proc")  # noqa: PTH208 - hundreds of names, of which no path is made
        else:
            ps = ("ps", "-A", "-o", "pid=")
            names = subprocess.run(ps, capture_output=True, text=True, check=False).stdout.split()
    return (int(name) for name in names if name.isdecimal())


def _is_of_session(process: int, leader: int) -> bool:
    with suppress(OSError):
        return os.getsid(process) == leader
    return False


def _can_write(process: int, pipe: int) -> bool:
    folder = Path("/proc", str(process))
    # It may have ended, or be another user's.
    with suppress(OSError, ValueError):
        for link in (folder / "fd").iterdir():
            with suppress(FileNotFoundError):
                if str(link.readlink()) == f"pipe:[{pipe}]":
                    # `proc_pid_fdinfo(5)`: "flags: the file access mode and file status flags", octal.
                    fields = (folder / "fdinfo" / link.name).read_text(encoding="ascii").split()
                    if int(fields[fields.index("flags:") + 1], 8) & os.O_ACCMODE != os.O_RDONLY:
                        return True
    return False
