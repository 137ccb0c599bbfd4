"""`buildlock check`."""

import json

import typer

from buildlock.cli.console import Console, write_data
from buildlock.cli.options import HERE, Json, ProjectDir, Quiet, VariantNames, Verbose, open_workspace
from buildlock.workflows import check as workflow
from buildlock.workflows.check import LockStatus, VariantStatus

STALE = 3


def check(
    project: ProjectDir = HERE,
    variant: VariantNames = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Say whether the lock answers the project.

    Exits with 3, and says which input moved, if it does not. It needs neither a network nor an interpreter.
    """
    console = Console(quiet=quiet, verbose=verbose)
    status = workflow.check(open_workspace(project, console), tuple(variant or ()))
    if as_json:
        write_data(json.dumps(status_to_json(status), indent=2) + "\n")
    else:
        for each in status.variants:
            _say(console, each)
        for name in status.orphans:
            console.say(f"{name}: locked, and no longer a variant of the project\n\nhint: run `buildlock lock --all`")
    if not status.fresh or (variant and any(each.state != "fresh" for each in status.variants)):
        raise typer.Exit(STALE)


def _say(console: Console, variant: VariantStatus) -> None:
    match variant.state:
        case "fresh":
            console.say(f"{variant.name}: fresh")
        case "unlocked":
            console.say(f"{variant.name}: not locked")
        case "stale":
            moved = "".join(f"\n  - {line}" for line in variant.moved)
            console.say(f"{variant.name}: stale{moved}\n\nhint: run `buildlock lock --variant {variant.name}`")


def status_to_json(status: LockStatus) -> object:
    """What `check --json` and `variants --json` print."""
    return {
        "path": str(status.path),
        "fresh": status.fresh,
        "variants": [
            {
                "name": variant.name,
                "default": variant.default,
                "state": variant.state,
                "moved": list(variant.moved),
                "packages": variant.packages,
                "sources": [
                    {
                        "package": package,
                        "index": rule.index.location,
                        "marker": str(rule.marker) if rule.marker else None,
                    }
                    for package, rule in variant.sources
                ],
            }
            for variant in status.variants
        ],
        "orphans": list(status.orphans),
    }
