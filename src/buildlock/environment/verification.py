"""Reading what is kept to the last byte: whether it is what was recorded of it."""

import errno
import json
import posixpath
from collections.abc import Callable, Iterator
from pathlib import Path

from buildlock.environment.bytecode import is_bytecode, is_folder
from buildlock.environment.contents import find_changed
from buildlock.environment.kept import read_kept
from buildlock.environment.marker import describe_marker, read_marker, seal_environment
from buildlock.environment.mending import find_damage
from buildlock.environment.origin import read_origin
from buildlock.environment.own_files import check_own, hash_file
from buildlock.environment.record import InvalidRecordError, parse_record
from buildlock.environment.stored import read_wheel
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
        yield from filter(None, [find_damage(read_wheel(entry, entry.name[:64]))])

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
        if note != describe_marker(str(root)):
            raise ValueError("its marker was changed")
        marker = read_marker(str(root))
        changed = marker.seal.find_changed(seal_environment(str(root), linked=marker.seal.linked))
        yield from (path for path in sorted(changed) if not is_bytecode(path) and not is_folder(root / path))
        own = {name for name in marker.seal.names if not (root / name).is_symlink()}
        layout = read_origin(marker.origin).layout
        # Distributions that others have inside them, such as those in setuptools, are nowhere that their RECORD says.
        for library in {layout.purelib, layout.platlib}:
            for record in filter(_is_file, (root / library).glob("*.dist-info/RECORD")):
                lines = parse_record(record.read_text(encoding="utf-8")).values()
                # What is behind a link is the store's.
                here = [line for line in lines if posixpath.normpath(f"{library}/{line.path}") in own and line.digest]
                yield from find_changed(root / library, here)

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


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
