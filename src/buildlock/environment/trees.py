"""The folder of a project as a value: what of it is source, its hash, and a copy of just that.

The hash is the SHA-256 of the line `buildlock-tree-v1` and then, for each file and link in the order of the UTF-8
bytes of its name: one byte for its kind (`f`, `x` for a file that its owner may execute, `l` for a link), the length of
its name as eight bytes (the highest first), the name (relative, with forward slashes, UTF-8), and the SHA-256 of its
content, for a link that of its target. Times, owners, other permissions and empty folders have no part in it. On
Windows no file is `x`.

What tools write beside the sources, or what keeps their history, is no source:

- folders and files called `.git`, `.hg`, `.svn`, `.bzr`, `_darcs`, `CVS`; `__pycache__`, `.eggs`, `.tox`, `.nox`,
  `.mypy_cache`, `.pytest_cache`, `.ruff_cache`, `.hypothesis`, `.ipynb_checkpoints`; `.DS_Store`, `Thumbs.db`
- folders that hold a `pyvenv.cfg`: virtual environments
- what ends in `.pyc`, `.pyo`, `.egg-info`
- `build`, `dist` and `build-lock.toml` in the project's folder itself, not below it
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from buildlock.errors import EnvironmentPreparationError, ProjectError
from buildlock.index.symlinks import find_link_fault
from buildlock.plain_files import PLAINLY
from buildlock.text import present
from buildlock.values import dataclass

DEFAULT_LIMIT = 16 << 30
"""Bytes of all files."""
MAX_FILES = 500_000
MAX_DEPTH = 64

_FORMAT = b"buildlock-tree-v1\n"
_ANYWHERE = frozenset(
    {
        ".DS_Store",
        ".bzr",
        ".eggs",
        ".git",
        ".hg",
        ".hypothesis",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".nox",
        ".pytest_cache",
        ".ruff_cache",
        ".svn",
        ".tox",
        "CVS",
        "Thumbs.db",
        "__pycache__",
        "_darcs",
    }
)
_SUFFIXES = (".pyc", ".pyo", ".egg-info")
_AT_THE_TOP = frozenset({"build", "dist", "build-lock.toml"})
_ENVIRONMENT = "pyvenv.cfg"
_HINT = "a project is built from a copy of its folder, which must hold all that it needs, and no more"
_CHUNK = 1 << 20


def hash_tree(folder: Path, *, limit: int = DEFAULT_LIMIT) -> str:
    """The SHA-256 of what is source in the folder of a project.

    Raises:
        ProjectError: It is no folder, cannot be read, or holds what no copy can hold: devices, links out of it,
            names that are no text; or it is too large, or too deep.
    """
    return _Pass(folder, None, limit).run()


def copy_tree(folder: Path, destination: Path, *, limit: int = DEFAULT_LIMIT) -> str:
    """Copy what is source in the folder of a project; the hash of what was copied.

    Everything is read once, so the hash is that of the copy whatever happens to the folder meanwhile. Files in the
    copy can be written.

    Args:
        folder: The folder of a project.
        destination: A folder that is empty, or missing in one that is there. Incomplete after an error.
        limit: Bytes of all files.

    Raises:
        ProjectError: As `hash_tree`.
        EnvironmentPreparationError: The destination cannot be written.
    """
    return _Pass(folder, destination, limit).run()


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    path: Path
    is_link: bool


@dataclass(slots=True)
class _Pass:
    """One reading of a tree, with or without a copy."""

    folder: Path
    destination: Path | None
    left: int
    """Bytes that may still come."""

    def run(self) -> str:
        # The list first: a destination inside the folder is no part of it.
        entries = sorted(self._list(), key=lambda entry: entry.name.encode())
        if self.destination is not None:
            with _writing(self.destination):
                self.destination.mkdir(exist_ok=True)
                if next(self.destination.iterdir(), None) is not None:
                    raise EnvironmentPreparationError(f"`{self.destination}` is not empty")
        digest = hashlib.sha256(_FORMAT)
        for entry in entries:
            copy = self._place(entry)
            kind, content = _take_link(entry, self.folder, copy) if entry.is_link else self._take_file(entry, copy)
            name = entry.name.encode()
            digest.update(kind + len(name).to_bytes(8, "big") + name + content)
        return digest.hexdigest()

    def _list(self) -> Iterator[_Entry]:
        """Every file and link that is source."""
        waiting = [("", self.folder)]
        found = 0
        while waiting:
            prefix, folder = waiting.pop()
            with _reading(folder):
                children = list(os.scandir(folder))
            if prefix and any(child.name == _ENVIRONMENT for child in children):
                continue
            if prefix.count("/") > MAX_DEPTH:
                raise ProjectError(present(f"`{folder}` is nested deeper than {MAX_DEPTH} folders"))
            for child in children:
                if _is_left_out(child.name, top=not prefix):
                    continue
                path = folder / child.name
                name = f"{prefix}{child.name}"
                if not _is_text(name):
                    raise ProjectError(present(f"`{path}` has a name that is no text"))
                with _reading(path):
                    mode = path.lstat().st_mode
                if stat.S_ISDIR(mode):
                    waiting.append((f"{name}/", path))
                    continue
                if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
                    raise ProjectError(present(f"`{path}` is no file, folder or link"), hint=_HINT)
                found += 1
                if found > MAX_FILES:
                    raise ProjectError(present(f"`{self.folder}` has more than {MAX_FILES} files"), hint=_HINT)
                yield _Entry(name, path, stat.S_ISLNK(mode))

    def _place(self, entry: _Entry) -> Path | None:
        if self.destination is None:
            return None
        place = self.destination / entry.name
        with _writing(place):
            place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def _take_file(self, entry: _Entry, copy: Path | None) -> tuple[bytes, bytes]:
        digest = hashlib.sha256()
        with ExitStack() as stack:
            with _reading(entry.path):
                source = stack.enter_context(os.fdopen(os.open(entry.path, PLAINLY), "rb"))
                mode = os.fstat(source.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise ProjectError(present(f"`{entry.path}` changed while it was read"))
            kind = b"x" if os.name == "posix" and mode & stat.S_IXUSR else b"f"
            target = None
            if copy is not None:
                with _writing(copy):
                    target = stack.enter_context(copy.open("xb"))
            while chunk := _read(source, entry.path):
                self.left -= len(chunk)
                if self.left < 0:
                    raise ProjectError(present(f"`{self.folder}` is larger than is accepted"), hint=_HINT)
                digest.update(chunk)
                if target is not None and copy is not None:
                    with _writing(copy):
                        target.write(chunk)
        if copy is not None:
            with _writing(copy):
                copy.chmod(0o755 if kind == b"x" else 0o644)
        return kind, digest.digest()


def _is_left_out(name: str, *, top: bool) -> bool:
    return name in _ANYWHERE or name.endswith(_SUFFIXES) or (top and name in _AT_THE_TOP)


def _is_text(name: str) -> bool:
    """Whether it is Unicode; Linux stores any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _take_link(entry: _Entry, folder: Path, copy: Path | None) -> tuple[bytes, bytes]:
    with _reading(entry.path):
        target = entry.path.readlink()
    # What is copied is what was judged, whatever becomes of the link.
    if fault := find_link_fault(entry.path, folder, target):
        raise ProjectError(present(f"`{entry.path}` {fault}"), hint=_HINT)
    text = target.as_posix()
    if not _is_text(text):
        raise ProjectError(present(f"`{entry.path}` is a link to a name that is no text"))
    if copy is not None:
        with _writing(copy):
            copy.symlink_to(target, target_is_directory=entry.path.is_dir())  # Windows has two kinds
    return b"l", hashlib.sha256(text.encode()).digest()


def _read(file: BinaryIO, path: Path) -> bytes:
    with _reading(path):
        return file.read(_CHUNK)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ProjectError(present(f"`{path}` cannot be read: {reason}")) from error


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise EnvironmentPreparationError(present(f"`{path}` cannot be written: {reason}")) from error
