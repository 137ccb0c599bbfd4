"""The `buildlock` command: its subcommands, and the one place where errors become exit codes."""

import os
import signal
import sys
from types import FrameType
from typing import Annotated, NoReturn

import typer

import buildlock
from buildlock.cli import (
    audit,
    build,
    check,
    comment,
    diff,
    download,
    export,
    git,
    init,
    install,
    lock,
    matrix,
    outdated,
    run,
    tree,
    variants,
    why,
)
from buildlock.cli.console import show_error
from buildlock.errors import BuildlockError

_SIGNALLED = 128
"""Added to the number of the signal that ended us, as shells do, and as typer does for Ctrl-C."""

app = typer.Typer(
    name="buildlock",
    help="Lock the environment that a Python package is built in, per accelerator variant.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS = (
    lock.lock,
    install.install,
    build.build,
    check.check,
    diff.diff,
    comment.comment,
    audit.audit,
    tree.tree,
    why.why,
    outdated.outdated,
    variants.variants,
    export.export,
    matrix.matrix,
    init.init,
)
for command in _COMMANDS:
    app.command()(command)
app.command()(download.download)
for hidden in (git.git_diff, git.git_merge):
    app.command(hidden=True)(hidden)
# What follows the command's name is the command's.
app.command(context_settings={"allow_interspersed_args": False})(run.run)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"buildlock {buildlock.__version__}")
        raise typer.Exit


@app.callback()
def callback(
    _version: Annotated[
        bool, typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 it failed, 2 wrong usage, 3 the lock is stale or differs."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # `nohup` has it ignored, and so it stays.
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _end)
    try:
        app(prog_name="buildlock")
    except BuildlockError as error:
        show_error(error)
        sys.exit(error.exit_code)
    except SystemExit as ended:
        if isinstance(ended.code, int) and ended.code > _SIGNALLED:
            # At exit Python waits for threads: here for servers to answer, for as long as they like.
            os._exit(ended.code)
        raise
    sys.exit(0)


def _end(number: int, _: FrameType | None) -> NoReturn:
    """End as after Ctrl-C: the backend is stopped, and nothing half made is left."""
    signal.signal(number, signal.SIG_IGN)  # a second one would break off the clearing away
    raise SystemExit(_SIGNALLED + number)
