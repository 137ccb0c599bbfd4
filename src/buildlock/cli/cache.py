"""`buildlock cache`: what is kept on this machine."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from buildlock.cli.console import Console, write_data, write_json
from buildlock.cli.declared import Argument, Option, for_typer
from buildlock.cli.options import Json, Quiet, Verbose, parse_name
from buildlock.diff.wording import format_size
from buildlock.text import present
from buildlock.workflows import cache as workflow
from buildlock.workflows.cache_removal import Removal
from buildlock.workflows.workspace import default_cache_dir

DAMAGED = 1
_MAX_DAYS = 36_500

DryRun: TypeAlias = Annotated[bool, Option("--dry-run", help="Say what would go, and remove nothing.")]

cache = typer.Typer(
    help="What is kept on this machine: how large, whether sound, what can go.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@cache.command("dir")
@for_typer
def show_dir() -> None:
    """Print where the cache is."""
    write_data(f"{_find()}\n")


@cache.command()
@for_typer
def size(as_json: Json = False) -> None:
    """Say how large the cache is, kind by kind."""
    sizes = workflow.measure(_find())
    total = sum(each.size for each in sizes)
    if as_json:
        kinds = [{"kind": each.kind, "entries": each.entries, "bytes": each.size} for each in sizes]
        write_json({"cache": str(_find()), "bytes": total, "kinds": kinds})
        return
    rows = [(each.kind, str(each.entries or ""), format_size(each.size)) for each in sizes]
    for kind, entries, text in [*rows, ("total", "", format_size(total))]:
        write_data(f"{kind:<12}  {entries:>7}  {text:>10}\n")


@cache.command()
@for_typer
def verify(as_json: Json = False, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Read every file in the cache, and take out what is damaged.

    It is fetched or built again when it is needed. Exits with 1 if something was damaged.
    """
    console = Console(quiet=quiet, verbose=verbose)
    with console.watch():
        found = workflow.verify(_find(), os.environ, console)
    if as_json:
        damaged = [
            {
                "kind": each.entry.kind,
                "path": str(each.entry.path),
                "reason": present(each.reason),
                "kept": each.entry.path in found.kept,
            }
            for each in found.damaged
        ]
        write_json({"entries": found.entries, "damaged": damaged})
    else:
        for each in found.damaged:
            left = " (left to the command that runs in it)" if each.entry.path in found.kept else ""
            write_data(present(f"{each.entry.path}: {each.reason}{left}") + "\n")
    console.say(f"Read {_count(found.entries)}: {len(found.damaged) or 'none'} damaged")
    if found.damaged:
        sys.exit(DAMAGED)


@cache.command()
@for_typer
def prune(
    older_than: Annotated[
        int,
        Option("--older-than", metavar="DAYS", min=0, max=_MAX_DAYS, help="How long what is not used is kept."),
    ] = 30,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Remove what was not used for 30 days, what is unfinished, and what older versions left.

    It waits until no other buildlock uses the cache. Environments that commands run in are kept.
    """
    console = Console(quiet=quiet, verbose=verbose)
    removal = workflow.prune(_find(), days=older_than, dry_run=dry_run, report=console)
    _show(removal, console, dry_run=dry_run, as_json=as_json)


@cache.command()
@for_typer
def clean(
    names: Annotated[list[str] | None, Argument(metavar="[NAME]...", help="Only what is of these packages.")] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Remove everything, or what is of some packages.

    It waits until no other buildlock uses the cache. Environments that commands run in are kept.
    """
    console = Console(quiet=quiet, verbose=verbose)
    packages = frozenset(map(parse_name, names or ()))
    removal = workflow.clean(_find(), packages, dry_run=dry_run, report=console)
    _show(removal, console, dry_run=dry_run, as_json=as_json)


def _find() -> Path:
    return default_cache_dir(os.environ)


def _show(removal: Removal, console: Console, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        facts: dict[str, Any] = {"removed": list(map(str, removal.paths)), "bytes": removal.size}
        write_json(facts | {"kept": list(map(str, removal.kept)), "dry_run": dry_run})
    elif dry_run:
        write_data("".join(f"{present(str(path))}\n" for path in removal.paths))
    done = "Would remove" if dry_run else "Removed"
    console.say(f"{done} {_count(len(removal.paths))}, {format_size(removal.size)}")
    for path in removal.kept:
        console.say(f"Kept {present(str(path))}: a command runs in it")


def _count(number: int) -> str:
    return f"{number} {'entry' if number == 1 else 'entries'}"
