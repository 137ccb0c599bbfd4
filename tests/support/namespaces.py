"""Whether this machine lets a process have namespaces of its own."""

import os
import sys
from functools import cache

import pytest

from buildlock.errors import ConfinementError
from buildlock.frontend.confinement import Confinement
from buildlock.reporting import silence


def skip_without_namespaces() -> None:
    """Skip the test, with the reason, where it cannot run."""
    if fault := _find_fault():
        pytest.skip(fault)


@cache
def _find_fault() -> str | None:
    command = [sys.executable, "-I", "-S", "-c", ""]
    try:
        Confinement(mounts=()).run(command, directory=None, environ=os.environ, report=silence, timeout=60)
    except ConfinementError as error:
        return error.message
    return None
