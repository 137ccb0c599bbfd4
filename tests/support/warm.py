"""`buildlock` in a process of its own that is forked from one which has imported it: most of a short run is imports."""

import multiprocessing
import os
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from io import TextIOWrapper
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from pkgutil import iter_modules

from buildlock import cli


def can_run() -> bool:
    """Whether the platform has it, and this is the thread that all of these processes are started and awaited by."""
    available = "forkserver" in multiprocessing.get_all_start_methods()
    return available and threading.current_thread() is threading.main_thread()


def run_warm(arguments: Sequence[str], *, cwd: Path, environment: Mapping[str, str]) -> tuple[int, str, str]:
    """Run `buildlock` with these arguments: its exit code, and what it wrote to stdout and stderr."""
    with tempfile.TemporaryDirectory(prefix="warm-") as name:
        printed = Path(name, "stdout"), Path(name, "stderr")
        process = start_warm(arguments, cwd=cwd, environment=environment, printed=printed)
        process.join()
        assert process.exitcode is not None
        # As `subprocess` reads text.
        out, err = (path.read_text(encoding="utf-8") for path in printed)
    return process.exitcode, out, err


def start_warm(
    arguments: Sequence[str], *, cwd: Path, environment: Mapping[str, str], printed: tuple[Path, Path]
) -> BaseProcess:
    """Start `buildlock` with these arguments; what it writes to stdout and stderr goes into two files."""
    process = _context().Process(target=_run, args=(list(arguments), cwd, dict(environment), *printed))
    process.start()
    return process


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    commands = [f"{cli.__name__}.{module.name}" for module in iter_modules(cli.__path__)]
    context.set_forkserver_preload(commands)
    return context


def _run(arguments: list[str], cwd: Path, environment: dict[str, str], stdout: Path, stderr: Path) -> None:
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in ((1, stdout), (2, stderr)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), number)
    assert isinstance(sys.stdout, TextIOWrapper)
    assert isinstance(sys.stderr, TextIOWrapper)
    # As Python opens them in its UTF-8 mode, which the tests ask for.
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")
    sys.argv = ["buildlock", *arguments]
    cli.main()
