"""`buildlock matrix`."""

from typing import Annotated

from buildlock.cli.console import Console, write_data
from buildlock.cli.declared import Option
from buildlock.cli.options import HERE, Frozen, ProjectDir, Quiet, VariantNames, Verbose, open_workspace
from buildlock.workflows import matrix as workflow
from buildlock.workflows.matrix import MatrixFormat


def matrix(
    project: ProjectDir = HERE,
    variant: VariantNames = None,
    to: Annotated[
        MatrixFormat,
        Option(
            "--format",
            help="`github`: one line for `strategy.matrix`; `gitlab`: YAML with `parallel: matrix`; `json`: a list.",
        ),
    ] = "github",
    frozen: Frozen = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Print a CI matrix of the locked variants and targets.

    Each job has a cache key, which changes when its environment does.
    """
    console = Console(quiet=quiet, verbose=verbose)
    text = workflow.matrix(open_workspace(project, console), variants=tuple(variant or ()), to=to, frozen=frozen)
    write_data(text)
