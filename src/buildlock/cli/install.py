"""`buildlock install`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from buildlock.cli.console import Console, write_data
from buildlock.cli.options import HERE, Frozen, Json, ProjectDir, Python, Quiet, VariantName, Verbose, open_workspace
from buildlock.workflows import install as workflow
from buildlock.workflows.install import InstallOptions


def install(
    project: ProjectDir = HERE,
    variant: VariantName = None,
    target: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the environment goes; default: into the cache.")
    ] = None,
    python: Python = None,
    frozen: Frozen = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Prepare a locked environment, print its path.

    The isolated build environment of a variant is made from the lock alone, every file verified.
    """
    console = Console(quiet=quiet, verbose=verbose)
    options = InstallOptions(
        variant=variant, target=target.absolute() if target else None, python=python, frozen=frozen
    )
    with console.watch():
        installed = workflow.install(open_workspace(project, console), options)
    what = f"{installed.packages} package{'' if installed.packages == 1 else 's'} of {installed.variant}"
    console.say(f"{'Found' if installed.reused else 'Installed'} {what}")
    root, python_path = str(installed.environment.root), str(installed.environment.python)
    if as_json:
        facts = {
            "variant": installed.variant,
            "environment": root,
            "python": python_path,
            "packages": installed.packages,
            "reused": installed.reused,
        }
        write_data(json.dumps(facts, indent=2) + "\n")
    else:
        write_data(f"{root}\n")
