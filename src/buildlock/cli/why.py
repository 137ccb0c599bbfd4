"""`buildlock why`."""

from typing import Annotated

from buildlock.cli.console import Console, terminal_width, write_json, write_text
from buildlock.cli.declared import Argument, Option
from buildlock.cli.options import (
    HERE,
    Json,
    LockedTarget,
    OutsideName,
    ProjectDir,
    Quiet,
    VariantNames,
    Verbose,
    open_workspace,
    parse_name,
)
from buildlock.graph.why import reasons_to_json, reasons_to_text
from buildlock.workflows import why as workflow
from buildlock.workflows.graphs import Scope
from buildlock.workflows.outdated import OutdatedOptions


def why(
    name: Annotated[str, Argument(metavar="PKG", help="A locked package.")],
    project: ProjectDir = HERE,
    variant: VariantNames = None,
    package: OutsideName = None,
    target: LockedTarget = None,
    online: Annotated[
        bool,
        Option("--online", help="Ask the indexes too: which newer versions there are, what holds them back."),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Say what a package is locked for, and where it is from.

    Each way from a build requirement down to it, through what is built from source too.
    """
    console = Console(quiet=quiet, verbose=verbose)
    scope = Scope(
        variants=tuple(variant or ()), package=parse_name(package) if package is not None else None, target=target
    )
    asking = OutdatedOptions() if online else None
    with console.watch():
        reasons = workflow.why(open_workspace(project, console), parse_name(name), scope, online=asking)
    if as_json:
        write_json(reasons_to_json(reasons))
    else:
        write_text(reasons_to_text(reasons, width=terminal_width()))
