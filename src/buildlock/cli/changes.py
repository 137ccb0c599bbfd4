"""How a change of the lock looks: one package a line."""

from buildlock.cli.console import count_packages
from buildlock.cli.talk import Line
from buildlock.lockfile.changes import Change
from buildlock.lockfile.model import LockedEnvironment, find_key, is_source


def describe_change(change: Change, environment: LockedEnvironment) -> Line:
    """A line for one of the changes that led to `environment`.

    An index is told where a source assigns it; a source, with the size of what it is built in.
    """
    owner = f"{change.build.partition('==')[0]}'s build: " if change.build is not None else ""
    subject = f"{owner}{change.name}"
    if change.before is None:
        line = Line((" + ", "green"), f"{subject} {change.after}")
    elif change.after is None:
        line = Line((" - ", "red"), f"{subject} {change.before}")
    elif change.files_only:
        line = Line((" ~ ", "yellow"), f"{subject} {change.after} (same version, other files)")
    else:
        line = Line((" ~ ", "yellow"), f"{subject} {change.before} → {change.after}")
    remarks = _describe_source(change, environment)
    if change.index and change.build is None and change.name in environment.inputs.indexes:
        remarks = [change.index, *remarks]
    return line.append(f"  ({', '.join(remarks)})", "dim") if remarks else line


def _describe_source(change: Change, environment: LockedEnvironment) -> list[str]:
    """What is locked of a package that has to be built, and what that takes; nothing where there are wheels alone."""
    inside = environment if change.build is None else environment.builds[change.build]
    if not environment.builds:
        return []
    for package in inside.packages:
        if package.name == change.name and package.version == change.after and is_source(package):
            build = environment.builds[find_key(package)]
            kind = (
                "git" if package.vcs else "folder" if package.directory else "archive" if package.archive else "sdist"
            )
            if package.wheels:
                kind = "sdist for some targets"
            return [kind, f"built in {count_packages(len(build.packages))}" if build.packages else "built as it is"]
    return []
