"""An entry of the store that was changed: what was left in it is taken out, what is damaged is found.

Commands reach the files of the store through their environments. Python leaves bytecode there, which could be anything:
it is taken out, to be compiled by us. What else is new goes too, and a file that is changed makes the entry useless.
"""

import json
import os
import stat
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from buildlock.environment.bytecode import compile_bytecode, find_source, is_bytecode
from buildlock.environment.contents import find_changed
from buildlock.environment.interpreter import Interpreter
from buildlock.environment.own_files import hash_file
from buildlock.environment.removal import remove_tree
from buildlock.environment.seal import SEAL, Seal, find_broken, make_seal, read_seal
from buildlock.environment.stored import BYTECODE, UNCOMPILED, StoredWheel
from buildlock.environment.wheel import UnpackedFile
from buildlock.plain_files import read_plain, write_whole
from buildlock.values import dataclass

_CACHE = "__pycache__"
_MAX_BYTECODE = 64 << 20
"""Bytes of a file; what is larger was not compiled by us."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mended:
    """What was found in an entry, and is mended but for `damaged`."""

    left: tuple[str, ...]
    """What was in it and is no part of the wheel, without bytecode."""
    damaged: str | None
    """A file of the wheel that is not what it was."""


def mend(wheel: StoredWheel, written: Path) -> Mended:
    """Make the folder of a wheel what it was, and seal it. The caller sees to it that nobody else does meanwhile.

    Args:
        wheel: Whose folder it is.
        written: A file that says of it that commands have written into it; made where they did, before that is undone.

    Raises:
        OSError: It cannot be read or written.
        EnvironmentPreparationError, ValueError: What is recorded of it was changed.
    """
    tree, files = wheel.tree, {file.line.path: file for file in wheel.read_files()}
    before = _read_seal(wheel.entry)
    linked = before is not None and before.linked
    seal = make_seal(str(tree), linked=linked)
    bytecode = {path: digest for path, digest in wheel.read_bytecode().items() if _is_as_compiled(tree / path, digest)}
    strange = _list_strange(tree, seal.names, {*files, *bytecode})
    left = tuple(path for path in strange if not is_bytecode(path))
    if left:
        written.touch(mode=0o600)
    for path in strange:
        remove_tree(tree / path)  # or it went with the folder that it was in
    if strange:
        seal = make_seal(str(tree), linked=linked)
    # The files are read after they were looked at: what is written meanwhile is found the next time.
    rebooted = before is not None and before.boot not in ("", seal.boot)
    touched = seal.names if before is None or rebooted else before.find_changed(seal)
    if rebooted and not strange:
        seal.boot = ""  # what is read now is on the disk
    damaged = _find_damage(tree, files, seal.names, touched)
    if damaged is None:
        note_uncompiled(wheel.entry, filter(is_bytecode, strange))
        write_whole(str(wheel.entry / SEAL), seal.write())
    return Mended(left=left, damaged=damaged)


def find_damage(wheel: StoredWheel) -> str | None:
    """Read a wheel to the last byte: a file of it, or in its folder, that is not what it was.

    Bytecode that commands left is not run before it is replaced.

    Raises:
        OSError: It cannot be read.
        EnvironmentPreparationError, ValueError: What is recorded of it was changed.
    """
    files, bytecode = {file.line.path: file for file in wheel.read_files()}, wheel.read_bytecode()
    names = make_seal(str(wheel.tree), linked=True).names
    strange = (name for name in _list_strange(wheel.tree, names, {*files, *bytecode}) if not is_bytecode(name))
    compiled = (path for path, digest in bytecode.items() if not _is_as_compiled(wheel.tree / path, digest))
    return next(strange, None) or _find_damage(wheel.tree, files, names, names) or next(compiled, None)


def expect_hard_links(wheels: Iterable[StoredWheel]) -> None:
    """Seal wheels so that hard links to their files, made and removed at any time, are no changes.

    Raises:
        OSError: They cannot be read or written.
        ValueError: One of them is not as it was.
    """
    for wheel in wheels:
        seal = read_seal(str(wheel.entry))
        if not seal.linked:
            now = make_seal(str(wheel.tree), linked=True)
            if find_broken([str(wheel.entry)]):
                raise ValueError(f"`{wheel.entry}` was changed meanwhile")
            write_whole(str(wheel.entry / SEAL), now.write())


def read_uncompiled(entry: Path) -> Sequence[str]:
    """The bytecode that commands made for themselves, by path in the wheel."""
    try:
        return os.fsdecode(read_plain(str(entry / UNCOMPILED))).split("\0")
    except (OSError, ValueError):
        return ()


def note_uncompiled(entry: Path, paths: Iterable[str]) -> None:
    """Note what is to be compiled, beside what is noted.

    Raises:
        OSError: It cannot be written.
    """
    noted = read_uncompiled(entry)
    if wanted := sorted({*noted, *filter(find_source, paths)}):
        write_whole(str(entry / UNCOMPILED), os.fsencode("\0".join(wanted)))


def keep_bytecode(wheel: StoredWheel, interpreter: Interpreter) -> None:
    """Compile what is noted as uncompiled into the folder of a wheel, and seal it. The caller keeps others from it.

    Raises:
        OSError: It cannot be written.
        ValueError: The wheel was changed meanwhile.
    """
    noted = read_uncompiled(wheel.entry)
    wanted = [path for path in noted if path.endswith(interpreter.bytecode_suffix)]
    if not wanted:
        return
    before = read_seal(str(wheel.entry))
    sources = set(before.names)
    compiled = [path for path in wanted if find_source(path) in sources]
    compile_bytecode([wheel.tree / path for path in compiled], interpreter)
    bytecode = dict(wheel.read_bytecode()) | {
        path: hash_file(wheel.tree / path) for path in compiled if (wheel.tree / path).is_file()
    }
    after = make_seal(str(wheel.tree), linked=before.linked)
    expected = {str(folder) for path in compiled for folder in (Path(path), *Path(path).parents[:2])}
    if not expected.issuperset(before.find_changed(after)):
        raise ValueError(f"`{wheel.entry}` was changed meanwhile")
    write_whole(str(wheel.entry / BYTECODE), json.dumps(bytecode).encode())
    write_whole(str(wheel.entry / SEAL), after.write())
    if rest := [path for path in noted if path not in set(wanted)]:
        write_whole(str(wheel.entry / UNCOMPILED), os.fsencode("\0".join(rest)))
    else:
        (wheel.entry / UNCOMPILED).unlink()


def _read_seal(entry: Path) -> Seal | None:
    try:
        return read_seal(str(entry))
    except (OSError, ValueError):
        return None


def _is_as_compiled(path: Path, digest: str) -> bool:
    try:
        status = path.lstat()
        return stat.S_ISREG(status.st_mode) and status.st_size <= _MAX_BYTECODE and hash_file(path) == digest
    except OSError:
        return False


def _list_strange(tree: Path, names: Iterable[str], known: Collection[str]) -> list[str]:
    """What is neither known nor a folder on the way to it; folders for bytecode may stay."""
    folders = {str(folder) for path in known for folder in PurePosixPath(path).parents} | {"."}

    def is_cache(name: str) -> bool:
        path = PurePosixPath(name)
        return path.name == _CACHE and str(path.parent) in folders and stat.S_ISDIR((tree / name).lstat().st_mode)

    return [name for name in names if name not in known and name not in folders and not is_cache(name)]


def _find_damage(
    tree: Path, files: Mapping[str, UnpackedFile], names: Collection[str], touched: Collection[str]
) -> str | None:
    """The first file of a wheel that is not what was recorded, of those that were touched or are not there."""
    there, suspect = set(names), set(touched)
    for path, file in files.items():
        if path not in there:
            return path
        if path in suspect and (not _looks_whole(tree / path, file) or any(find_changed(tree, [file.line]))):
            return path
    return None


def _looks_whole(path: Path, file: UnpackedFile) -> bool:
    """Whether there is a file of its size and mode: nothing else is opened, or read for as long as it is."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or file.line.size not in {None, status.st_size}:
        return False
    return os.name != "posix" or bool(status.st_mode & stat.S_IXUSR) == file.executable
