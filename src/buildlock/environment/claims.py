"""Who uses an environment of the cache: it is replaced only by who is alone with it."""

import os
import sys
from pathlib import Path

from buildlock.errors import EnvironmentPreparationError
from buildlock.values import dataclass

if sys.platform != "win32":
    import fcntl

_MAX_NOTE = 1024
"""Bytes."""


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

    def write_note(self, text: str) -> None:
        """Note something in the file, in place of what was.

        Raises:
            OSError: It cannot be written.
        """
        os.ftruncate(self.descriptor, 0)
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        os.write(self.descriptor, text.encode("ascii"))

    def release(self) -> None:
        """Give it up; the processes that inherited it still hold it."""
        os.close(self.descriptor)


def read_note(path: Path) -> str:
    """What is noted in the file of a claim; empty where there is none."""
    try:
        with path.open("rb") as file:
            return file.read(_MAX_NOTE).decode("ascii", "replace")
    except OSError:
        return ""


def take_claim(path: Path) -> Claim:
    """Take the claim that the file `path` stands for: alone where nobody has it, else with those who share it.

    Who has it alone makes others wait until it is shared or released.

    Raises:
        EnvironmentPreparationError: The file cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
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
