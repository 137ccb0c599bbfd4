"""Putting into an environment what its plan says: links to the store, copies from it, and content of its own.

Called before anything that takes time is imported.
"""

from __future__ import annotations

import os
import sys

from buildlock.environment.copying import Copier, clone, create, write
from buildlock.environment.sharing import Shared, can_share

TYPE_CHECKING = False  # typing takes longer to import than all else here
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Final

    from buildlock.environment.steps import Step
    from buildlock.project.model import LinkMode

_WORKERS: Final = 2
"""More of them wait for each other: Python runs in one at a time."""
_BATCH: Final = 64
_SHARED_FROM: Final = 1000
"""Hard links; fewer are made sooner than another process is started."""
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
    links: list[tuple[str, str, tuple[str, ...]]] = []
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
            links.append((path, f"{step[2]}/{step[3]}", step[4]))
        else:
            copies.append(step)
    _link_all(links)
    copier = Copier()
    _copy_all(copier, root, copies)
    for _, path, source, library, lines, scripts in records:
        missing = (_describe(root, library, script) for script in scripts)
        copier.copy(source, f"{root}/{path}", executable=False, more=b"".join([lines, *missing]))


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

    with open(f"{root}/{path}", "rb") as file:  # noqa: PTH123
        content = file.read()
    digest = b2a_base64(_sha256(content), newline=False).rstrip(b"=").translate(_URLSAFE)
    name = os.fsencode(os.path.relpath(path, library).replace(os.sep, "/"))
    if b"," in name or b'"' in name:
        name = b'"' + name.replace(b'"', b'""') + b'"'
    return name + b",sha256=" + digest + b",%d\n" % len(content)


def _sha256(content: bytes) -> bytes:
    try:
        # Where `hashlib` has it from, which loads OpenSSL besides: that takes as long as to make all links.
        module = __import__("_sha2" if sys.version_info >= (3, 12) else "_sha256")
    except ImportError:
        module = __import__("hashlib")
    digest: bytes = module.sha256(content).digest()
    return digest


def _link_all(links: list[tuple[str, str, tuple[str, ...]]]) -> None:
    """Make hard links: the folder, that of the originals, and their names."""
    if sum(len(names) for _, _, names in links) > _SHARED_FROM and can_share():
        # The most first: nobody helps with a folder that is begun.
        links.sort(key=lambda link: len(link[2]), reverse=True)
        if not Shared(_link_hard, links).finish():
            raise OSError("a process that made links was killed")
    else:
        for link in links:
            _link_hard(*link)


def _link_hard(folder: str, source: str, names: Iterable[str]) -> bool:
    """Make the hard links of a folder: true, so that it can be shared."""
    if os.link not in os.supports_dir_fd:
        for name in names:
            os.link(f"{source}/{name}", f"{folder}/{name}", follow_symlinks=False)
        return True
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
    return True


def _copy_all(copier: Copier, root: str, copies: Sequence[Step]) -> None:
    if len(copies) <= _BATCH:
        _copy_files(copier, root, copies)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - links need none

    from buildlock.answers.looking import for_thread  # noqa: PLC0415

    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="place") as pool:
        batches = [copies[start : start + _BATCH] for start in range(0, len(copies), _BATCH)]
        futures = [pool.submit(for_thread(_copy_files), copier, root, batch) for batch in batches]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _copy_files(copier: Copier, root: str, copies: Iterable[Step]) -> None:
    for step in copies:
        if step[0] == "copy":
            copier.copy(step[2], f"{root}/{step[1]}", executable=step[3])


def _write(path: str, content: bytes, *, executable: bool) -> None:
    file = create(path, executable=executable)
    try:
        write(file, content)
    finally:
        os.close(file)


def _try_clone(original: str, path: str) -> None:
    with open(original, "rb", buffering=0) as file, open(path, "xb", buffering=0) as copy:  # noqa: PTH123
        clone(file.fileno(), copy.fileno())


def _works(attempt: Callable[[str, str], None], original: str, trial: str) -> bool:
    try:
        attempt(original, trial)
    except OSError:
        return False
    finally:
        if os.path.lexists(trial):
            os.unlink(trial)  # noqa: PTH108
    return True
