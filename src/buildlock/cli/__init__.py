"""The command line: one module a command. It imports nothing that takes time."""

from __future__ import annotations

import atexit
import errno
import gc
import os
import sys

from buildlock.answers.replay import replay
from buildlock.cli.again import ask_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["REMEMBERED", "main", "run_program"]

REMEMBERED = frozenset({"check", "install", "lock"})
"""The commands whose answers are remembered."""


def run_program() -> NoReturn:
    """Run the command line, and end the process: Python would take apart all that was made, which nobody needs."""
    try:
        main()
    except SystemExit as ended:
        if _is_over():
            code = ended.code or 0
            if isinstance(code, int):
                os._exit(code)
        raise


def _is_over() -> bool:
    """Whether all is done that is done at exit."""
    threads = sys.modules.get("threading")
    if threads is not None and sum(not each.daemon for each in threads.enumerate()) > 1:
        return False  # they are waited for; not so daemons, which Python ends, and aborts where no file may be opened
    atexit._run_exitfuncs()  # noqa: SLF001 - no public way does this and not the rest; a test sees that it is there
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except (OSError, ValueError):
        return False  # Python says so
    return True


def main() -> NoReturn:
    """Run the command line, and exit."""
    try:
        _run(sys.argv[1:])
    except (OSError, ImportError) as error:
        # Modules are imported at any time. What shows other errors may be among those that cannot be.
        told = explain_loading(error)
        if told is None:
            raise
        if sys.stderr is not None:
            sys.stderr.write(told)
        sys.exit(1)


def _run(arguments: list[str]) -> NoReturn:
    if arguments[:1] == ["git-text"]:
        from buildlock.cli.git_text import git_text  # noqa: PLC0415 - without all that the other commands import

        sys.exit(git_text(arguments[1:]))
    if arguments and arguments[0] in REMEMBERED and (code := replay(ask_once(arguments), arguments)) is not None:
        # All is written; to take an interpreter apart takes a tenth of an answer.
        os._exit(code)
    # A command keeps nearly all that it makes, and is over soon: to look for cycles as often as usual is a tenth of it.
    gc.set_threshold(200_000)
    from buildlock.cli import app  # noqa: PLC0415 - the other way round

    app.main()


def explain_loading(error: OSError | ImportError) -> str | None:
    """What to tell where a module cannot be loaded, or no more files may be open; `None` of all other errors."""
    if isinstance(error, ImportError):
        lacks_files = os.strerror(errno.EMFILE) in str(error)  # for a library
        reason = str(error)
    else:
        lacks_files = error.errno in {errno.EMFILE, errno.ENFILE}
        if not lacks_files and not _came_of_import(error):
            return None
        reason = f"{error.strerror}: `{error.filename}`" if error.filename else str(error)
    hint = "raise `ulimit -n`" if lacks_files else "install buildlock again, where all of it can be read"
    return f"error: buildlock cannot go on: {reason}\n\nhint: {hint}\n"


def _came_of_import(error: OSError) -> bool:
    trace = error.__traceback__
    while trace is not None:
        # Python leaves out of a traceback what it does to import, unless that is what failed.
        if trace.tb_frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        trace = trace.tb_next
    return False
