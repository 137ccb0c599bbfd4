"""`init --git`: git shows and merges the lock by buildlock; and the way back."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from buildlock.errors import HostError, ProjectError, UsageError
from buildlock.lockfile.model import FILENAME
from buildlock.project.editing import EditError, add_text, drop_additions
from buildlock.text import present
from buildlock.workflows.init import Initialised
from buildlock.workflows.project_files import encode_text, read_text, remove_file, write_files
from buildlock.workflows.workspace import Workspace

_ATTRIBUTES = ".gitattributes"
_MARK = "buildlock init --git"
_LINE = f"/{FILENAME} diff=buildlock merge=buildlock"
_SECTIONS = ("diff.buildlock", "merge.buildlock")
_TIMEOUT = 60.0
"""Seconds."""


def init_git(workspace: Workspace) -> Initialised:
    """Name buildlock's drivers in `.gitattributes`, and say in the configuration of this clone what they run.

    Raises:
        UsageError: The project is in no work tree of git.
        HostError: There is no git, or no command `buildlock` for it to run.
        ProjectError: Something cannot be read or written.
    """
    _check_work_tree(workspace)
    settings = _list_settings(_find_command())
    known = {key: _ask(workspace, "config", "--local", "--get-all", key) for key in settings}
    text, newline = _read(workspace)
    pristine = drop_additions(text, mark=_MARK)
    edited = add_text(pristine, [_LINE], mark=_MARK)
    written = list(write_files(workspace.root, {_ATTRIBUTES: encode_text(edited, newline)}))
    changed = [key for key, value in settings.items() if known[key] != value]
    for key in changed:
        _run(workspace, "config", "--local", "--replace-all", key, settings[key])
    notes = [] if not changed else ["each clone has a configuration of its own: run `buildlock init --git` there too"]
    return Initialised(written=(*written, *(["git's configuration of this clone"] if changed else ())), notes=(*notes,))


def undo_git(workspace: Workspace) -> Initialised:
    """Take out what `init_git` put in; the configuration stays while another lock of the repository needs it.

    Raises:
        UsageError, HostError, ProjectError: As of `init_git`.
    """
    _check_work_tree(workspace)
    text, newline = _read(workspace)
    content = encode_text(drop_additions(text, mark=_MARK), newline)
    written = list(write_files(workspace.root, {_ATTRIBUTES: content}))
    removed = []
    if written and not content and remove_file(workspace.root / _ATTRIBUTES):
        written, removed = [], [_ATTRIBUTES]
    if other := _find_other(workspace):
        note = f"`{present(other)}` names buildlock too: git's configuration stays as it is"
        return Initialised(written=tuple(written), removed=tuple(removed), notes=(note,))
    sections = [each for each in _SECTIONS if _ask(workspace, "config", "--local", "--get-regexp", f"^{each}\\.")]
    for section in sections:
        _run(workspace, "config", "--local", "--remove-section", section)
    return Initialised(
        written=(*written, *(["git's configuration of this clone"] if sections else ())), removed=tuple(removed)
    )


def _list_settings(command: str) -> Mapping[str, str]:
    """What git is to run. Where the command is gone, git does what it would do without.

    `git diff` runs the command, which sees both sides; `git show` and `git log` compare what `textconv` makes of each.
    Options end at `--`: a path may begin like one. git adds the arguments of the first two, quotes those of the third.
    """
    missing = f"test -x {command} ||"
    lines = 'git --no-pager diff --no-index --no-ext-diff --no-textconv -- "$2" "$5"'
    merge = "git merge-file -L ours -L base -L theirs %A %O %B"
    return {
        "diff.buildlock.command": f"{missing} {{ {lines}; exit 0; }}; {command} git-diff --",
        "diff.buildlock.textconv": f'{missing} exec cat -- "$1"; {command} git-text --',
        "merge.buildlock.name": "variant by variant, and locked anew where both sides have changed one",
        "merge.buildlock.driver": f"{missing} exec {merge}; {command} git-merge -- %O %A %B %P %X %Y",
        # Among common ancestors nobody is to be asked, and nothing to be locked.
        "merge.buildlock.recursive": "binary",
    }


def _find_command() -> str:
    """The installed command, quoted for a shell: wherever git runs it, whatever is on PATH then.

    `python -m buildlock` will not do: Python would look for modules in the work tree first.
    """
    name = "buildlock.exe" if os.name == "nt" else "buildlock"
    started, beside = Path(sys.argv[0]), Path(sys.executable).parent / name
    found = shutil.which("buildlock")
    candidates = [started] if started.name in {"buildlock", name} else []
    for path in (*candidates, beside, *([Path(found)] if found else ())):
        if path.is_file() and os.access(path, os.X_OK):
            return shlex.quote(path.absolute().as_posix())
    raise HostError(
        "there is no command `buildlock` for git to run",
        hint="install buildlock as a tool: `uv tool install buildlock`",
    )


def _check_work_tree(workspace: Workspace) -> None:
    ended = _start(workspace, ("rev-parse", "--is-inside-work-tree"))
    if ended.stdout.strip() != b"true":
        said = present(os.fsdecode(ended.stderr).strip().removeprefix("fatal: ")) or "it is a bare repository"
        raise UsageError(f"`{workspace.root}` is in no work tree of git: {said}")


def _find_other(workspace: Workspace) -> str | None:
    """The attributes of another project of the repository, if they name the drivers too."""
    for path in _ask(workspace, "ls-files", "-z", "--", f":(top,glob)**/{_ATTRIBUTES}").split("\0"):
        if path not in {"", _ATTRIBUTES} and _MARK in _read(workspace, path)[0]:
            return path
    return None


def _read(workspace: Workspace, path: str = _ATTRIBUTES) -> tuple[str, str]:
    try:
        return read_text(workspace.root / path)
    except EditError as error:
        raise ProjectError(f"`{present(path)}` cannot be edited: {error}") from error


def _ask(workspace: Workspace, *arguments: str) -> str:
    """What git answers; nothing where it fails."""
    ended = _start(workspace, arguments)
    return os.fsdecode(ended.stdout).removesuffix("\n") if ended.returncode == 0 else ""


def _run(workspace: Workspace, *arguments: str) -> None:
    ended = _start(workspace, arguments)
    if ended.returncode != 0:
        raise ProjectError(f"git's configuration cannot be written: {present(os.fsdecode(ended.stderr).strip())}")


def _start(workspace: Workspace, arguments: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("git", path=workspace.environ.get("PATH"))
    if program is None:
        raise HostError("there is no `git` on PATH", hint="install git")
    try:
        return subprocess.run(
            [program, "-c", "core.fsmonitor=false", *arguments],
            cwd=workspace.root,
            env={**workspace.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"`{program}` cannot be run: {present(str(error))}") from error
