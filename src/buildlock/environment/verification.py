"""Reading what is kept to the last byte: whether it is what was recorded of it."""

import errno
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from buildlock.environment.contents import find_changed
from buildlock.environment.kept import read_kept
from buildlock.environment.marker import describe_marker, is_bytecode, observe_files, read_marker
from buildlock.environment.own_files import check_own, hash_file
from buildlock.environment.record import InvalidRecordError, parse_record
from buildlock.environment.store import find_changes, read_record
from buildlock.errors import EnvironmentPreparationError

_SHORT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""What says nothing of the file."""


def find_wheel_damage(entry: Path) -> str | None:
    """What is wrong with a wheel of the store.

    Raises:
        EnvironmentPreparationError: The machine has no descriptors or memory left.
    """

    def read() -> Iterator[str]:
        check_own(entry)
        yield from find_changes(read_record(entry, entry.name)[0])

    return _find(read)


def find_kept_damage(entry: Path, *, by_content: bool) -> str | None:
    """What is wrong with a file that is kept whole.

    Args:
        entry: Its folder.
        by_content: Whether the folder is named by the sha256 of the file.

    Raises:
        EnvironmentPreparationError: As of `find_wheel_damage`.
    """

    def read() -> Iterator[str]:
        kept = read_kept(entry, entry.name if by_content else None)
        if hash_file(kept.path) != kept.sha256:
            yield kept.path.name

    return _find(read)


def find_environment_damage(root: Path, note: str) -> str | None:
    """What is wrong with an environment of the cache; bytecode that commands left is replaced when it is used.

    Args:
        root: Its folder.
        note: What `describe_marker` was when it was made.

    Raises:
        EnvironmentPreparationError: As of `find_wheel_damage`.
    """

    def read() -> Iterator[str]:
        if note != describe_marker(root):
            raise ValueError("its marker was changed")
        marker = read_marker(root)
        now = observe_files(root)
        changed = (path for path in sorted({*now, *marker.files}) if now.get(path) != marker.files.get(path))
        yield from (path for path in changed if not is_bytecode(path))
        # Distributions that others have inside them, such as those in setuptools, are nowhere that their RECORD says.
        for folder in {root / marker.layout.purelib, root / marker.layout.platlib}:
            for record in folder.glob("*.dist-info/RECORD"):
                lines = parse_record(record.read_text(encoding="utf-8"))
                yield from find_changed(folder, [line for line in lines.values() if line.digest])

    return _find(read)


def _find(read: Callable[[], Iterator[str]]) -> str | None:
    """The first complaint: a file that is not what it was, or why that cannot be told."""
    try:
        return next((f"`{path}` was changed" for path in read()), None)
    except OSError as error:
        if error.errno in _SHORT:
            raise EnvironmentPreparationError(f"the cache cannot be read: {error.strerror or error}") from error
        return f"it cannot be read: {error.strerror or error}"
    except json.JSONDecodeError:
        return "what is recorded of it was changed"
    except (EnvironmentPreparationError, InvalidRecordError, ValueError) as error:
        return str(error)
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return "what is recorded of it was changed"
