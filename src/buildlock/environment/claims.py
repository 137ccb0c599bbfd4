"""Who uses an environment of the cache: it is replaced only by who is alone with it."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from buildlock.errors import EnvironmentPreparationError

if sys.platform != "win32":
    import fcntl


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A hold on what a file stands for. It outlasts `exec`, and ends with the last process that has the descriptor.

    Windows keeps files that are in use from being replaced by itself: there a claim holds nothing.
    """

    descriptor: int
    alone: bool
    """Whether nobody else had it when it was taken."""

    def share(self) -> None:
        """Let others have it too, from now on."""
        if sys.platform != "win32":
            fcntl.flock(self.descriptor, fcntl.LOCK_SH)

    def release(self) -> None:
        """Give it up; the processes that inherited it still hold it."""
        os.close(self.descriptor)


def take_claim(path: Path) -> Claim:
    """Take the claim that the file `path` stands for: alone where nobody has it, else with those who share it.

    Who has it alone makes others wait until it is shared or released.

    Raises:
        EnvironmentPreparationError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EnvironmentPreparationError(f"`{path}` cannot be written: {error.strerror or error}") from error
    if sys.platform == "win32":
        return Claim(descriptor=descriptor, alone=True)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        return Claim(descriptor=descriptor, alone=False)
    except OSError:
        # Some network file systems have no locks; one user seldom runs two commands there.
        return Claim(descriptor=descriptor, alone=True)
    return Claim(descriptor=descriptor, alone=True)
