"""Whether the folders and files of this machine that a lock holds as sources are still what was locked."""

from collections.abc import Iterator
from pathlib import Path

from buildlock.answers.looking import is_dir, is_file
from buildlock.environment.own_files import hash_file
from buildlock.environment.trees import hash_tree
from buildlock.errors import ProjectError
from buildlock.lockfile.model import LockedEnvironment


def find_changed(environment: LockedEnvironment, lock_dir: Path) -> Iterator[str]:
    """A sentence for each source with a path that is not what it was when it was locked; all of them are read.

    Args:
        environment: What is locked, with what its sources are built in.
        lock_dir: The lockfile's folder, which the paths are relative to.
    """
    for path, sha256 in sorted(_list_content(environment).items()):
        place = lock_dir / path
        # What else there may be, such as a pipe, is not read.
        if not is_dir(place) and not is_file(place):
            yield f"`{path}` was locked, and is not there any more"
            continue
        try:
            found = hash_tree(place) if is_dir(place) else hash_file(place)
        except OSError as error:
            yield f"`{path}` was locked, and cannot be read: {error.strerror or error}"
            continue
        except ProjectError as error:
            yield f"`{path}` was locked, and cannot be used: {error.message}"
            continue
        if found != sha256:
            yield f"the content of `{path}` changed since it was locked"


def _list_content(environment: LockedEnvironment) -> dict[str, str]:
    """The sha256 of local sources by their paths."""
    content: dict[str, str] = {}
    for package in (package for each in (environment, *environment.builds.values()) for package in each.packages):
        if package.directory is not None and package.directory.path is not None:
            content[package.directory.path] = (package.tool or {})["buildlock"]["sha256"]
        if package.archive is not None and package.archive.path is not None:
            content[package.archive.path] = package.archive.hashes["sha256"]
    return content
