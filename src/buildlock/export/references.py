"""Direct references (PEP 508), as pip and uv read them in a file of requirements."""

import re
from urllib.parse import quote, urldefrag

from buildlock.errors import LockfileError
from buildlock.lockfile.select import Locked, LockedArtifact

# What pip reads as a variable or a comment, whether it is quoted or not.
_SPECIAL = re.compile(r"\$\{|\s#")


def format_reference(locked: Locked) -> str:
    """`name @ URL#sha256=…`; a commit has no hash but its own, and a folder none that pip and uv know.

    Raises:
        LockfileError: It comes from a repository that has no URL.
    """
    if isinstance(locked, LockedArtifact):
        return f"{locked.name} @ {_locate(locked.url, locked.path)}{format_fragment(sha256=locked.sha256)}"
    if locked.origin == "vcs":
        location = format_repository(locked.name, locked.url, locked.path, locked.commit or "")
        return f"{locked.name} @ {location}{format_fragment(subdirectory=locked.subdirectory)}"
    if locked.origin == "directory":
        return f"{locked.name} @ {format_path('/'.join(filter(None, (locked.path, locked.subdirectory))))}"
    fragment = format_fragment(sha256=locked.sha256, subdirectory=locked.subdirectory)
    return f"{locked.name} @ {_locate(locked.url, locked.path)}{fragment}"


def format_path(path: str) -> str:
    """As a URL; pip and uv see a relative one from the folder that they run in."""
    return f"file:{quote(path if path.startswith('.') else f'./{path}')}"


def format_repository(name: str, url: str | None, path: str | None, commit: str) -> str:
    """A commit as pip and uv ask for it.

    Raises:
        LockfileError: The repository has no URL.
    """
    if url is None:
        raise LockfileError(
            f"`{name}` cannot be said in a requirements file: its repository `{path}` has no URL that "
            "is the same on every machine",
            hint="export a `pylock` instead",
        )
    return f"git+{url}@{commit}"


def format_fragment(*, sha256: str | None = None, subdirectory: str | None = None) -> str:
    """What follows a URL; nothing where there is nothing to say."""
    values = {"sha256": sha256, "subdirectory": subdirectory and quote(subdirectory)}
    said = "&".join(f"{key}={value}" for key, value in values.items() if value)
    return f"#{said}" if said else ""


def check_line(text: str) -> None:
    """Refuse what pip does not read as it is written.

    Raises:
        LockfileError: pip sees a variable or a comment in it.
    """
    if _SPECIAL.search(text):
        raise LockfileError(
            f"`{text.splitlines()[0]}` cannot be said in a requirements file: pip sees a variable or a comment",
            hint="export a `pylock` instead",
        )


def _locate(url: str | None, path: str | None) -> str:
    return format_path(path or "") if url is None else urldefrag(url).url
