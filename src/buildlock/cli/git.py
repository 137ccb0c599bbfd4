"""What `init --git` has git run, beside `git-text`: `git-diff` and `git-merge`. They are not for people."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from buildlock.cli.console import Console, terminal_width, write_data, write_text
from buildlock.diff.render_text import render_text
from buildlock.errors import BuildlockError, UsageError
from buildlock.reporting import Reporter, silence
from buildlock.text import printable
from buildlock.workflows.diff import diff_files
from buildlock.workflows.git_merge import merge_files
from buildlock.workflows.workspace import Workspace, default_cache_dir

_UNMERGED, _USUAL, _RENAMED = 1, 7, 9
"""How many arguments git gives."""


def git_diff(
    arguments: Annotated[list[str], typer.Argument(help="As git gives them to a program that shows a diff.")],
) -> None:
    """Show a change of the lock for git, as an external diff."""
    path = arguments[0]
    if len(arguments) == _UNMERGED:
        write_data(f"* Unmerged path {printable(path)}\n")
        return
    if len(arguments) not in {_USUAL, _RENAMED}:
        raise UsageError("`git-diff` takes the 7 arguments that git gives, or 9 of a renamed file")
    _, old, _, _, new, _, _, *renamed = arguments
    labels = f"a/{printable(path)}", f"b/{printable(renamed[0] if renamed else path)}"
    lines = [Text(f"diff --git {' '.join(labels)}", style="bold")]
    try:
        found = diff_files(_open(path), Path(old), Path(new), labels=labels)
        lines.append(render_text(found, width=terminal_width()))
    except BuildlockError as error:
        # git breaks off whatever it shows where a program of its fails.
        lines.append(Text(f"{error.message}\n(`git diff --no-ext-diff` shows its lines)"))
    write_text(Text("\n").join(lines))


def git_merge(base: Path, ours: Path, theirs: Path, path: str, our_label: str, their_label: str) -> None:
    """Merge two locks for git, into the second file: as a merge driver, 0 if it is done, 1 if something is in conflict.

    The labels are those that git has for the two sides; an older one has none, and leaves the placeholders.
    """
    console = Console()
    labels = (_name_side(our_label, "ours"), _name_side(their_label, "theirs"))
    merged = merge_files(_open(path, console), base, ours, theirs, labels=labels)
    ours.write_bytes(merged.content)
    for name in merged.relocked:
        console.say(f"{printable(path)}: locked `{name}` anew, with the pins of both sides")
    if merged.conflicts:
        console.say(f"{printable(path)}: both sides have changed {', '.join(merged.conflicts)}: {merged.reason}")
        console.say("When the rest is merged, run `buildlock lock`, then `git add` the lock")
        raise typer.Exit(1)


def _name_side(label: str, usual: str) -> str:
    return printable(label) if label and not label.startswith("%") else usual


def _open(path: str, report: Reporter = silence) -> Workspace:
    """The project of a lock that git names from the top of the work tree, where it runs programs."""
    environ = dict(os.environ)
    root = Path(path).absolute().parent
    return Workspace(root=root, cache_dir=default_cache_dir(environ), environ=environ, report=report)
