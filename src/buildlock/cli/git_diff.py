"""`buildlock git-diff`: what `init --git` has git run to show a change of a lock. It is not for people."""

from pathlib import Path
from typing import Annotated

from rich.text import Text

from buildlock.cli.console import terminal_width, write_data, write_text
from buildlock.cli.declared import Argument
from buildlock.cli.options import open_project_of
from buildlock.diff.render_text import render_text
from buildlock.errors import BuildlockError, UsageError
from buildlock.text import printable
from buildlock.workflows.diff import diff_files

_UNMERGED, _USUAL, _RENAMED = 1, 7, 9
"""How many arguments git gives."""


def git_diff(
    arguments: Annotated[list[str], Argument(help="As git gives them to a program that shows a diff.")],
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
        found = diff_files(open_project_of(path), Path(old), Path(new), labels=labels)
        lines.append(render_text(found, width=terminal_width()))
    except BuildlockError as error:
        # git breaks off whatever it shows where a program of its fails.
        lines.append(Text(f"{error.message}\n(`git diff --no-ext-diff` shows its lines)"))
    write_text(Text("\n").join(lines))
