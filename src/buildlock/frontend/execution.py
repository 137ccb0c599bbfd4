"""Running the user's own command: in our place, or as a child whose signals and exit code are ours."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

from buildlock.errors import CommandError

_SIGNALLED = 128
_FORWARDED = ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGINT")


def become(command: Sequence[str], environ: Mapping[str, str], *, keep: int | None = None) -> NoReturn:
    """Be the command from now on: its output, its terminal, its signals and its end are those of this process.

    Args:
        command: What to run; found on the `PATH` of `environ`.
        environ: All of its variables.
        keep: A descriptor that it inherits.

    Raises:
        CommandError: There is no such command, or it cannot be run.
    """
    program = _find(command[0], environ)
    if sys.platform == "win32":
        # There `exec` is another process, for which whoever called us would not wait.
        sys.exit(run_child(command, environ))
    if keep is not None:
        os.set_inheritable(keep, True)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    # Python ignores them, and what is ignored stays so for the command.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execve(program, list(command), dict(environ))  # noqa: S606 - that is the job
    except OSError as error:
        raise _refuse(command[0], error) from error


def run_child(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command to its end, on our terminal; signals that we get reach it.

    Returns:
        Its exit code; where a signal ended it, 128 and the number of the signal, as shells have it.

    Raises:
        CommandError: There is no such command, or it cannot be run.
    """
    program = _find(command[0], environ)
    started: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def forward(number: int, _: FrameType | None) -> None:
        # A terminal sends Ctrl-C to both of us.
        if number == signal.SIGINT and sys.stdin is not None and sys.stdin.isatty():
            return
        if started:
            started[0].send_signal(number)
        else:
            early.append(number)

    before: dict[int, Any] = {}
    for name in _FORWARDED:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            before[number] = signal.signal(number, forward)
    try:
        try:
            process = subprocess.Popen([program, *command[1:]], env=dict(environ))
        except OSError as error:
            raise _refuse(command[0], error) from error
        started.append(process)
        for number in early:
            process.send_signal(number)
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else _SIGNALLED - code


def _find(name: str, environ: Mapping[str, str]) -> str:
    # As a shell looks: a name on the PATH of the environment, a path from this folder.
    if program := shutil.which(name, path=environ.get("PATH", os.defpath)):
        return os.path.abspath(program)  # noqa: PTH100 - a link to the interpreter of an environment is not followed
    if os.path.dirname(name) and os.path.exists(name):  # noqa: PTH110, PTH120 - a name as the user typed it
        raise CommandError(f"`{name}` is no program that can be run", hint="see whether it may be executed")
    raise CommandError(
        f"there is no command `{name}`, neither in the locked environment nor on PATH",
        hint="if a package has it, name that package among the build requirements and lock again",
    )


def _refuse(name: str, error: OSError) -> CommandError:
    return CommandError(f"`{name}` cannot be run: {error.strerror or error}")
