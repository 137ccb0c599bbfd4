"""What is wrong with an entry of the cache, found by reading all of it."""

from collections.abc import Mapping
from pathlib import Path

from buildlock.answers.records import read_record
from buildlock.environment.claims import read_note
from buildlock.environment.verification import find_environment_damage, find_kept_damage, find_wheel_damage
from buildlock.errors import HostError
from buildlock.index.git_command import find_git
from buildlock.index.git_repository import find_repository_damage
from buildlock.index.http_cache import read_page
from buildlock.reporting import Reporter, Warned
from buildlock.workflows.cache_contents import Entry
from buildlock.workflows.workspace import CLAIMS


def find_damage(entry: Entry, cache: Path, environ: Mapping[str, str], report: Reporter) -> str | None:
    """What is wrong with an entry; `None` where it is as it was left.

    Args:
        entry: What is read.
        cache: The folder that it is in.
        environ: Where `git` is found.
        report: Warned of a repository that cannot be read without `git`.

    Raises:
        EnvironmentPreparationError: The machine cannot read it now, which says nothing about it.
    """
    match entry.kind:
        case "wheels":
            return find_wheel_damage(entry.path)
        case "files" | "sources" | "built":
            return find_kept_damage(entry.path, by_content=entry.kind != "built")
        case "environments":
            return find_environment_damage(entry.path, read_note(cache / CLAIMS / entry.path.name))
        case "pages" | "answers":
            path = entry.path
            sound = read_page(path) if entry.kind == "pages" else read_record(str(path.parent), path.name)
            return None if sound else "it is not as it was written"
        case "repositories":
            try:
                git = find_git(environ, entry.path.parent, purpose=str(entry.path))
            except HostError as error:
                report(Warned(error.message, error.hint))
                return None
            return find_repository_damage(git, entry.path)
