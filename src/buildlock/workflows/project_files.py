"""The files of a project that buildlock edits."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from buildlock.errors import ProjectError
from buildlock.project.editing import EditError
from buildlock.workflows.saving import replace_content


def read_text(path: Path) -> tuple[str, str]:
    """The text of a file with plain line ends, and the line ends it has; nothing where it is not there.

    Raises:
        EditError: It cannot be read.
    """
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return "", "\n"
    except (OSError, UnicodeDecodeError) as error:
        raise EditError(f"it cannot be read: {error}") from error
    windows = "\r\n" in text and text.count("\r\n") == text.count("\n")
    return (text.replace("\r\n", "\n"), "\r\n") if windows else (text, "\n")


def encode_text(text: str, newline: str) -> bytes:
    """The bytes of what `read_text` has read."""
    return text.replace("\n", newline).encode()


def write_files(root: Path, changes: Mapping[str, bytes]) -> Iterator[str]:
    """Write what differs, each file atomically, and say which did.

    Raises:
        ProjectError: A file cannot be written.
    """
    for relative, content in changes.items():
        path = (root / relative).resolve()  # a link stays one
        try:
            if not content and not path.exists():
                continue
            path.parent.mkdir(exist_ok=True)
            differed = replace_content(path, content)
        except OSError as error:
            raise ProjectError(f"`{path}` cannot be written: {error.strerror or error}") from error
        if differed:
            yield relative


def remove_file(path: Path) -> bool:
    """Remove a file that may not be there, and say whether it was.

    Raises:
        ProjectError: It cannot be removed.
    """
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ProjectError(f"`{path}` cannot be removed: {error.strerror or error}") from error
    return True
