"""`buildlock git-merge`: what `init --git` has git run to merge two locks. It is not for people."""

import sys
from pathlib import Path

from buildlock.cli.console import Console
from buildlock.cli.options import open_project_of
from buildlock.text import printable
from buildlock.workflows.git_merge import merge_files


def git_merge(base: Path, ours: Path, theirs: Path, path: str, our_label: str, their_label: str) -> None:
    """Merge two locks for git, into the second file: as a merge driver, 0 if it is done, 1 if something is in conflict.

    The labels are those that git has for the two sides; an older one has none, and leaves the placeholders.
    """
    console = Console()
    labels = (_name_side(our_label, "ours"), _name_side(their_label, "theirs"))
    merged = merge_files(open_project_of(path, console), base, ours, theirs, labels=labels)
    ours.write_bytes(merged.content)
    for name in merged.relocked:
        console.say(f"{printable(path)}: locked `{name}` anew, with the pins of both sides")
    if merged.conflicts:
        console.say(f"{printable(path)}: both sides have changed {', '.join(merged.conflicts)}: {merged.reason}")
        console.say("When the rest is merged, run `buildlock lock`, then `git add` the lock")
        sys.exit(1)


def _name_side(label: str, usual: str) -> str:
    return printable(label) if label and not label.startswith("%") else usual
