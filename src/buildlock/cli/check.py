"""`buildlock check`."""

from collections.abc import Mapping

import typer

from buildlock.cli.console import Console, write_json
from buildlock.cli.options import HERE, Json, ProjectDir, Quiet, VariantNames, Verbose, open_workspace
from buildlock.workflows import check as workflow
from buildlock.workflows.backend_file import RELATIVE_PATH, FileState
from buildlock.workflows.check import LockStatus, VariantStatus

STALE = 3

_BACKEND: Mapping[FileState | None, str] = {
    "outdated": "of another version of buildlock",
    "edited": "not as buildlock wrote it",
    "missing": "not there, and `[build-system]` names it",
}


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
    unlocked = not status.lock_fresh or (variant and any(each.state != "fresh" for each in status.variants))
    if as_json:
        write_json(status_to_json(status))
    else:
        for each in status.variants:
            console.say(_describe(each))
        for name in status.orphans:
            console.say(f"{name}: locked, and no longer a variant of the project")
        if status.backend in _BACKEND:
            console.say(f"{RELATIVE_PATH}: {_BACKEND[status.backend]}: run `buildlock init --backend`")
        if unlocked:
            console.say(f"\nhint: run `buildlock lock {_choose_options(status)}`")
    if unlocked or not status.fresh:
        raise typer.Exit(STALE)


def _describe(variant: VariantStatus) -> str:
    match variant.state:
        case "fresh":
            return f"{variant.name}: fresh"
        case "unlocked":
            return f"{variant.name}: not locked"
        case "stale":
            return "\n  - ".join([f"{variant.name}: stale", *variant.moved])


def _choose_options(status: LockStatus) -> str:
    """Which variants to lock: those that are stale, else those that were asked for in vain."""
    if status.orphans:
        return "--all"
    stale = [each.name for each in status.variants if each.state == "stale"]
    return " ".join(f"--variant {name}" for name in stale or [v.name for v in status.variants if v.state != "fresh"])


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
                        "index": rule.index.location if rule.index else None,
                        "direct": str(rule.direct) if rule.direct else None,
                        "marker": str(rule.marker) if rule.marker else None,
                    }
                    for package, rule in variant.sources
                ],
            }
            for variant in status.variants
        ],
        "orphans": list(status.orphans),
        "backend": status.backend,
    }
