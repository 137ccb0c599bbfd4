"""Putting into an environment what its plan says: links to the store, copies from it, and content of its own.

Called before anything that takes time is imported.
"""

from __future__ import annotations

import os
import sys
from stat import S_ISREG

from buildlock.plain_files import PLAINLY

TYPE_CHECKING = False  # typing takes longer to import than all else here
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Final

    from buildlock.environment.steps import Step
    from buildlock.project.model import LinkMode

_WORKERS: Final = 4
_BATCH: Final = 64
_CHUNK: Final = 1 << 20
_FICLONE: Final = 0x40049409
_URLSAFE: Final = bytes.maketrans(b"+/", b"-_")
"""`base64` imports half of the library."""
_SHEBANG_LIMIT: Final = 127
"""Bytes of a first line that every kernel reads."""


def choose_mode(original: str, folder: str) -> LinkMode:
    """The first way that works from a file of the store to a folder: a link, a clone, a hard link, a copy.

    To another file system nothing but a copy does: it may be there when the store is not.

    Raises:
        OSError: The file cannot be read, or the folder not be written.
    """
    trial = f"{folder}/trial"
    if os.stat(original).st_dev != os.stat(folder).st_dev:  # noqa: PTH116
        return "copy"
    if _works(os.symlink, original, trial):
        return "symlink"
    if _works(_try_clone, original, trial):
        return "clone"
    return "hardlink" if _works(os.link, original, trial) else "copy"


def place(root: str, steps: Sequence[Step], *, python: str) -> None:
    """Do what a plan says, in its order; nothing of it may exist yet.

    Args:
        root: The environment.
        steps: What is done.
        python: The path of its Python, when it is in its place.

    Raises:
        OSError: Something cannot be written, or the store not be read.
        ValueError: A file of the store is not what it was.
    """
    copies: list[Step] = []
    records = []
    for step in steps:
        path = f"{root}/{step[1]}"
        if step[0] == "folder":
            os.mkdir(path)  # noqa: PTH102
        elif step[0] == "link":
            os.symlink(step[2], path, target_is_directory=sys.platform == "win32" and os.path.isdir(step[2]))  # noqa: PTH112, PTH211
        elif step[0] == "content":
            _write(path, step[2], executable=step[3])
        elif step[0] == "script":
            _write(path, _start_with(python, step[2]) + step[3], executable=True)
        elif step[0] == "record":
            records.append(step)
        elif step[0] == "hardlink":
            _link_hard(path, f"{step[2]}/{step[3]}", step[4])
        else:
            copies.append(step)
    _place_all(root, copies)
    for _, path, source, library, lines, scripts in records:
        missing = (_describe(root, library, script) for script in scripts)
        _copy(source, f"{root}/{path}", executable=False, more=b"".join([lines, *missing]))


def _start_with(python: str, arguments: bytes) -> bytes:
    """The first line of a script, or what has its effect."""
    path = os.fsencode(python)
    simple = b" ".join(filter(None, [b"#!" + path, arguments]))
    if b" " not in path and len(simple) < _SHEBANG_LIMIT:
        return simple
    # The kernel takes no space and no long line. To the shell this is `exec`; to Python, a string.
    quoted = b"'" + path.replace(b"'", b"'\"'\"'") + b"'"
    command = b" ".join(filter(None, [quoted, arguments]))
    return b"#!/bin/sh\n'''exec' " + command + b" \"$0\" \"$@\"\n' '''"


def _describe(root: str, library: str, path: str) -> bytes:
    """The line of a RECORD for a file that is there."""
    from binascii import b2a_base64  # noqa: PLC0415 - few environments have no scripts
    from hashlib import sha256  # noqa: PLC0415

    with open(f"{root}/{path}", "rb") as file:  # noqa: PTH123
        content = file.read()
    digest = b2a_base64(sha256(content).digest(), newline=False).rstrip(b"=").translate(_URLSAFE)
    name = os.fsencode(os.path.relpath(path, library).replace(os.sep, "/"))
    if b"," in name or b'"' in name:
        name = b'"' + name.replace(b'"', b'""') + b'"'
    return name + b",sha256=" + digest + b",%d\n" % len(content)


def _link_hard(folder: str, source: str, names: Iterable[str]) -> None:
    if os.link not in os.supports_dir_fd:
        for name in names:
            os.link(f"{source}/{name}", f"{folder}/{name}", follow_symlinks=False)
        return
    # A name in an open folder is found sooner than a long path.
    flags = os.O_RDONLY | os.O_DIRECTORY
    original = os.open(source, flags)
    try:
        place = os.open(folder, flags)
        try:
            for name in names:
                os.link(name, name, src_dir_fd=original, dst_dir_fd=place, follow_symlinks=False)
        finally:
            os.close(place)
    finally:
        os.close(original)


def _place_all(root: str, copies: Sequence[Step]) -> None:
    if len(copies) <= _BATCH:
        _place_files(root, copies)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - links need none

    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="place") as pool:
        batches = [copies[start : start + _BATCH] for start in range(0, len(copies), _BATCH)]
        futures = [pool.submit(_place_files, root, batch) for batch in batches]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _place_files(root: str, copies: Iterable[Step]) -> None:
    for step in copies:
        if step[0] == "copy":
            _copy(step[2], f"{root}/{step[1]}", executable=step[3])


def _create(path: str, *, executable: bool) -> int:
    # O_EXCL: never through a link, never over what is there.
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.open(path, flags, 0o777 if executable else 0o666)


def _write(path: str, content: bytes, *, executable: bool) -> None:
    with os.fdopen(_create(path, executable=executable), "wb", buffering=0) as file:
        file.write(content)


def _copy(source: str, path: str, *, executable: bool, more: bytes = b"") -> None:
    with open(source, "rb", buffering=0, opener=_open_plain) as original:
        status = os.fstat(original.fileno())
        if not S_ISREG(status.st_mode):
            raise ValueError(f"`{source}` is no file any more")
        with os.fdopen(_create(path, executable=executable), "wb", buffering=0) as copy:
            if not _clone(original.fileno(), copy.fileno()):
                _share(original.fileno(), copy.fileno(), status.st_size)
                while chunk := original.read(_CHUNK):
                    copy.write(chunk)
            if os.fstat(copy.fileno()).st_size != status.st_size:
                raise ValueError(f"`{source}` changed while it was copied")
            copy.seek(0, os.SEEK_END)
            copy.write(more)
    # Compilers and build tools compare times: a header must not be newer in every environment.
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _open_plain(path: str, flags: int) -> int:
    return os.open(path, flags | PLAINLY)


def _clone(original: int, copy: int) -> bool:
    """Let both files have the same blocks until one is written, where the file system can."""
    if sys.platform != "linux":
        return False
    from fcntl import ioctl  # noqa: PLC0415 - links need none

    try:
        ioctl(copy, _FICLONE, original)
    except OSError:
        return False
    return True


def _share(original: int, copy: int, size: int) -> None:
    """Let the kernel copy as much as it can; both files stand where it ended."""
    if not hasattr(os, "copy_file_range"):
        return
    try:
        while size > 0 and (copied := os.copy_file_range(original, copy, size)):
            size -= copied
    except OSError:
        return  # another file system, or a kernel that cannot: the rest is copied by hand


def _try_clone(original: str, path: str) -> None:
    with open(original, "rb", buffering=0) as file, open(path, "xb", buffering=0) as copy:  # noqa: PTH123
        if not _clone(file.fileno(), copy.fileno()):
            raise OSError


def _works(attempt: Callable[[str, str], None], original: str, trial: str) -> bool:
    try:
        attempt(original, trial)
    except OSError:
        return False
    finally:
        if os.path.lexists(trial):
            os.unlink(trial)  # noqa: PTH108
    return True
