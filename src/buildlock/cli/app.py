"""The `buildlock` command: its subcommands, and the one place where errors become exit codes."""

import os
import sys
from typing import Annotated, NoReturn

import typer

import buildlock
from buildlock.cli import build, check, export, install, lock, variants
from buildlock.cli.console import show_error
from buildlock.errors import BuildlockError

_INTERRUPTED = 130
"""What typer makes of Ctrl-C, as shells do."""

app = typer.Typer(
    name="buildlock",
    help="Lock the environment that a Python package is built in, per accelerator variant.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (lock.lock, install.install, build.build, check.check, variants.variants, export.export):
    app.command()(command)


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
    try:
        app(prog_name="buildlock")
    except BuildlockError as error:
        show_error(error)
        sys.exit(error.exit_code)
    except SystemExit as ended:
        if ended.code == _INTERRUPTED:
            # At exit Python waits for threads: here for servers to answer, for as long as they like.
            os._exit(_INTERRUPTED)
        raise
    sys.exit(0)
