"""`buildlock run`."""

import sys
from typing import Annotated

from buildlock.cli.console import Console
from buildlock.cli.declared import Argument, Option
from buildlock.cli.options import (
    HERE,
    FindLinks,
    Frozen,
    InsecureHosts,
    LinkModeName,
    Offline,
    ProjectDir,
    Python,
    Quiet,
    VariantName,
    Verbose,
    make_overrides,
    open_workspace,
)
from buildlock.frontend.execution import become, run_child
from buildlock.workflows import run as workflow
from buildlock.workflows.run import RunOptions


def run(
    command: Annotated[list[str], Argument(metavar="-- COMMAND...", help="What to run.")],
    project: ProjectDir = HERE,
    variant: VariantName = None,
    frontend: Annotated[
        bool, Option("--frontend", help="COMMAND is a frontend (pip, build, uv, hatch): it builds from the lock.")
    ] = False,
    python: Python = None,
    frozen: Frozen = False,
    offline: Offline = False,
    link_mode: LinkModeName = None,
    find_links: FindLinks = None,
    allow_insecure_host: InsecureHosts = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Run a command in the locked environment.

    Or, with `--frontend`, a frontend that builds from the lock. The exit code is the command's.
    """
    console = Console(quiet=quiet, verbose=verbose)
    workspace = open_workspace(project, console)
    options = RunOptions(
        variant=variant,
        python=python,
        frozen=frozen,
        overrides=make_overrides(
            offline=offline,
            find_links=find_links,
            allow_insecure_host=allow_insecure_host,
            link_mode=link_mode,
        ),
    )
    if not frontend:
        with console.watch():
            ready = workflow.prepare_command(workspace, command, options)
        become(ready.command, ready.environ, keep=ready.claim.descriptor if ready.claim else None)
    with workflow.open_frontend(workspace, command, options) as ready:
        code = run_child(ready.command, ready.environ)
    sys.exit(code)
