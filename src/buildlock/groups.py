"""Ending a program with what it started."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads a group, and the whole group; where there are none, it alone."""
    if sys.platform == "win32":
        process.kill()
        return
    # Not there any more; or, on macOS, only waiting to be collected.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
