"""`buildlock init`."""

from typing import Annotated

from buildlock.cli.console import Console
from buildlock.cli.declared import Option
from buildlock.cli.options import HERE, ProjectDir, Quiet, Verbose, open_workspace
from buildlock.errors import UsageError
from buildlock.workflows.init import init_backend, undo_backend
from buildlock.workflows.init_git import init_git, undo_git


def init(
    project: ProjectDir = HERE,
    backend: Annotated[
        bool, Option("--backend", help="Let every frontend, such as pip and uv, build from the lock.")
    ] = False,
    git: Annotated[bool, Option("--git", help="Let git show and merge the lock by buildlock, in this clone.")] = False,
    undo: Annotated[bool, Option("--undo", help="Put everything back as it was.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Set the project up.

    What is added to its files stands between two comments; everything else keeps its bytes.
    """
    if backend == git:
        raise UsageError("`init` sets up one thing: `--backend` or `--git`")
    console = Console(quiet=quiet, verbose=verbose)
    workspace = open_workspace(project, console)
    if git:
        done = undo_git(workspace) if undo else init_git(workspace)
    else:
        done = undo_backend(workspace) if undo else init_backend(workspace)
    for path in done.written:
        console.say(f"Wrote {path}")
    for path in done.removed:
        console.say(f"Removed {path}")
    if not done.written and not done.removed:
        console.say("Nothing to change")
    for note in done.notes:
        console.say(f"note: {note}")
