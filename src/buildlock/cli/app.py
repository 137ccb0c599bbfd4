"""The `buildlock` command: its subcommands, and the one place where errors become exit codes."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

import buildlock
from buildlock.answers import recorder
from buildlock.cli import REMEMBERED
from buildlock.cli.again import ask_once
from buildlock.cli.console import show_error
from buildlock.errors import BuildlockError

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
        typer.echo(f"buildlock {buildlock.__version__}")
        raise typer.Exit


def _callback(
    _version: Annotated[
        bool, typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def make_app(arguments: Sequence[str]) -> typer.Typer:
    """The command line for these arguments: where they begin with a command, it has this one alone.

    To import them all takes longer than most of them run.
    """
    app = typer.Typer(
        name="buildlock",
        help="Lock the environment that a Python package is built in, per accelerator variant.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        callback=_callback,
    )
    for name in arguments[:1] if arguments[:1] and arguments[0] in _COMMANDS else _COMMANDS:
        function = name.replace("-", "_")
        module = import_module(f"buildlock.cli.{function}")
        command = getattr(module, function)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name, **_OPTIONS.get(name, {}))(command)
    return app


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
        app = make_app(arguments)
        # What libraries do when they are imported is no part of an answer.
        if arguments and arguments[0] in REMEMBERED:
            recorder.record(ask_once(arguments))
        app(prog_name="buildlock")
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
