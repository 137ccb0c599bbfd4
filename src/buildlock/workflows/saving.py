"""Writing files of the project atomically: at every moment the old one is there, or the new one."""

from contextlib import suppress
from pathlib import Path

from buildlock.answers.looking import explained
from buildlock.errors import LockfileError
from buildlock.patterns import compile_pattern
from buildlock.plain_files import write_whole

_REST = compile_pattern(r"[0-9a-f]{16}\.tmp")
"""Of the name of an unfinished file, after that of what it was to be."""


def save(path: Path, text: str) -> bool:
    """Write a lockfile, or what is made of one. Returns whether it differed.

    Raises:
        LockfileError: It cannot be written; the old one is untouched.
    """
    try:
        return replace_content(path, text.encode())
    except OSError as error:
        raise LockfileError(f"`{path.resolve()}` cannot be written: {error.strerror or error}") from error


def replace_content(path: Path, content: bytes) -> bool:
    """Write a file whole, or leave it as it is. Returns whether it differed.

    Raises:
        OSError: It cannot be written; the old one is untouched.
    """
    path = path.resolve()  # a link stays one
    if path.exists() and path.read_bytes() == content:
        return False
    write_whole(str(path), content, private=False, flush=True)
    return True


@explained()  # what is left is no part of an answer
def clear_unfinished(path: Path) -> None:
    """Remove what a killed process has left of `write_whole` beside a file; for whoever is alone with the file."""
    path = path.resolve()
    beginning = f".{path.name}."
    with suppress(PermissionError):
        for each in path.parent.iterdir():
            if each.name.startswith(beginning) and _REST.fullmatch(each.name.removeprefix(beginning)):
                with suppress(OSError):  # it is in nobody's way
                    each.unlink()
