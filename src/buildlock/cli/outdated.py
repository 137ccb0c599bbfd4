"""`buildlock outdated`."""

import sys
from typing import Annotated

from buildlock.cli.console import Console, terminal_width, write_json, write_text
from buildlock.cli.declared import Option
from buildlock.cli.options import (
    HERE,
    Json,
    OutsideName,
    ProjectDir,
    Quiet,
    ShowTimings,
    VariantNames,
    Verbose,
    make_overrides,
    open_workspace,
    parse_name,
)
from buildlock.graph.outdated import outdated_to_json, outdated_to_text
from buildlock.workflows import outdated as workflow
from buildlock.workflows.graphs import Scope
from buildlock.workflows.outdated import OutdatedOptions

NEWER = 3


def outdated(
    project: ProjectDir = HERE,
    variant: VariantNames = None,
    package: OutsideName = None,
    python: Annotated[
        list[str] | None, Option(metavar="PYTHON", help="As of `lock`; may be given several times.")
    ] = None,
    platform: Annotated[
        list[str] | None, Option(metavar="PLATFORM", help="As of `lock`; may be given several times.")
    ] = None,
    no_dynamic: Annotated[bool, Option("--no-dynamic", help="Run no backend to learn what a source needs.")] = False,
    exit_code: Annotated[
        bool, Option("--exit-code", help="Exit with 3 where the project allows a newer version.")
    ] = False,
    offline: Annotated[bool, Option("--offline", help="Ask no network: what the cache has.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    timings: ShowTimings = False,
) -> None:
    """Say what is newer than the lock, and what holds it back.

    Of each locked package: the version that the project allows, and the latest one with what is against it. It
    asks the indexes, and writes nothing.
    """
    console = Console(quiet=quiet, verbose=verbose, timings=timings)
    options = OutdatedOptions(
        scope=Scope(variants=tuple(variant or ()), package=parse_name(package) if package is not None else None),
        pythons=tuple(python or ()),
        platforms=tuple(platform or ()),
        dynamic=not no_dynamic,
        overrides=make_overrides(offline=offline),
    )
    with console.watch():
        found = workflow.outdated(open_workspace(project, console), options)
    if as_json:
        write_json(outdated_to_json(found))
    else:
        write_text(outdated_to_text(found, width=terminal_width()))
        if found.upgradable:
            console.say(
                "\nhint: `buildlock lock --upgrade` takes what is allowed, `--upgrade-package NAME` one package of it"
            )
    if exit_code and found.upgradable:
        sys.exit(NEWER)
