"""`buildlock export`."""

from typing import Annotated

import typer

from buildlock.cli.console import Console, write_data
from buildlock.cli.options import HERE, Frozen, ProjectDir, Quiet, VariantName, Verbose, open_workspace, parse_name
from buildlock.workflows import export as workflow
from buildlock.workflows.export import ExportFormat


def export(
    project: ProjectDir = HERE,
    variant: VariantName = None,
    package: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What this package, which is not the project's, is built in."),
    ] = None,
    to: Annotated[
        ExportFormat, typer.Option("--format", help="`requirements`: name==version with hashes; `pylock`: PEP 751.")
    ] = "requirements",
    frozen: Frozen = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Print a lock in another tool's format."""
    console = Console(quiet=quiet, verbose=verbose)
    text = workflow.export(
        open_workspace(project, console),
        variant=variant,
        to=to,
        package=parse_name(package) if package is not None else None,
        frozen=frozen,
    )
    write_data(text)
