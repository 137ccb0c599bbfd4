"""The `buildlock` command: its subcommands, and the one place where errors become exit codes."""

import os
import sys
from typing import Annotated, NoReturn

import click
import typer

import buildlock
from buildlock.cli import build, check, export, install, lock, variants
from buildlock.cli.console import show_error
from buildlock.errors import BuildlockError

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
        app(prog_name="buildlock", standalone_mode=False)
    except BuildlockError as error:
        show_error(error)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output left; Python would complain of it once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(0)
