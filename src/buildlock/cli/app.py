"""The `buildlock` command: its subcommands, and the one place where errors become exit codes."""

import errno
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import buildlock
from buildlock.answers import recorder
from buildlock.cli import REMEMBERED
from buildlock.cli.again import ask_once
from buildlock.cli.console import show_error, silence, write_data
from buildlock.cli.declared import Option, for_typer
from buildlock.cli.plain import read_plainly
from buildlock.errors import BuildlockError

if TYPE_CHECKING:
    import typer

_SIGNALLED = 128
"""Added to the number of the signal that ended us, as shells do, and as typer does for Ctrl-C."""

_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "git-diff": {"hidden": True},
    "git-merge": {"hidden": True},
    # What follows the command's name is the command's.
    "run": {"context_settings": {"allow_interspersed_args": False}},
}
_COMMANDS = (
    *("lock", "install", "build", "check", "diff", "comment", "audit", "tree", "why", "outdated", "variants"),
    *("export", "matrix", "init", "download", "run", "cache", "git-diff", "git-merge"),
)
"""In the order of the help. Each is what has its name in the module of its name: a function, or commands of its own."""


def _print_version(wanted: bool) -> None:
    if wanted:
        write_data(f"buildlock {buildlock.__version__}\n")
        sys.exit(0)


def _callback(
    _version: Annotated[
        bool, Option("--version", "-V", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def make_app(arguments: Sequence[str]) -> "typer.Typer":
    """The command line for these arguments: where they begin with a command, it has this one alone.

    To import them all takes longer than most of them run.
    """
    import typer  # noqa: PLC0415 - it takes a third of the time of a short command, which most need not wait for

    app = typer.Typer(
        name="buildlock",
        help="Lock the environment that a Python package is built in, per accelerator variant.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        callback=for_typer(_callback),
    )
    for name in arguments[:1] if arguments[:1] and arguments[0] in _COMMANDS else _COMMANDS:
        command = _find_command(name)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name, **_OPTIONS.get(name, {}))(for_typer(command))
    return app


def _find_command(name: str) -> Any:
    function = name.replace("-", "_")
    return getattr(import_module(f"buildlock.cli.{function}"), function)


def _read(arguments: Sequence[str]) -> Callable[[], object]:
    """What runs the command that the arguments name."""
    # On Windows typer finds the files that a pattern names.
    if arguments and arguments[0] in _COMMANDS and arguments[0] not in _OPTIONS and sys.platform != "win32":
        command = _find_command(arguments[0])
        given = read_plainly(command, arguments[1:])
        if given is not None:
            return partial(_run_plainly, partial(command, **given))
    return partial(make_app(arguments), prog_name="buildlock")


def _run_plainly(command: Callable[[], object]) -> NoReturn:
    """Run a command, and exit as typer does."""
    try:
        command()
    except KeyboardInterrupt:
        sys.exit(_SIGNALLED + signal.SIGINT)
    except OSError as error:
        if error.errno != errno.EPIPE:
            raise
        # Nobody reads any more what is still to be written.
        for stream in filter(None, (sys.stdout, sys.stderr)):
            silence(stream)
        sys.exit(1)
    sys.exit(0)


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 it failed, 2 wrong usage, 3 the lock is stale or differs."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # `nohup` has it ignored, and so it stays.
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _end)
    run()


def run() -> NoReturn:
    """Run a command, and have its answer remembered where it is one that can be."""
    arguments = sys.argv[1:]
    try:
        run_command = _read(arguments)
        # What libraries do when they are imported is no part of an answer.
        if arguments and arguments[0] in REMEMBERED:
            recorder.record(ask_once(arguments))
        run_command()
    except BuildlockError as error:
        show_error(error)
        sys.exit(error.exit_code)
    except SystemExit as ended:
        if isinstance(ended.code, int):
            if ended.code > _SIGNALLED:
                # At exit Python waits for threads: here for servers to answer, for as long as they like.
                os._exit(ended.code)
            recorder.finish(ended.code)
        raise
    sys.exit(0)


def _end(number: int, _: FrameType | None) -> NoReturn:
    """End as after Ctrl-C: the backend is stopped, and nothing half made is left."""
    signal.signal(number, signal.SIG_IGN)  # a second one would break off the clearing away
    raise SystemExit(_SIGNALLED + number)
