"""`buildlock export`."""

from typing import Annotated

import typer

from buildlock.cli.console import Console, write_data
from buildlock.cli.options import HERE, Frozen, ProjectDir, Quiet, VariantName, Verbose, open_workspace
from buildlock.workflows import export as workflow
from buildlock.workflows.export import ExportFormat


def export(
    project: ProjectDir = HERE,
    variant: VariantName = None,
    to: Annotated[
        ExportFormat, typer.Option("--format", help="`requirements`: name==version with hashes; `pylock`: PEP 751.")
    ] = "requirements",
    frozen: Frozen = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Print a lock in another tool's format."""
    console = Console(quiet=quiet, verbose=verbose)
    write_data(workflow.export(open_workspace(project, console), variant=variant, to=to, frozen=frozen))
