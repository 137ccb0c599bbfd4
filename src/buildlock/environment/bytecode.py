"""Bytecode of what commands share: what they wrote is replaced by what we compile.

Python runs a file in `__pycache__` in place of the source that it names, so one that a command left could be anything.
"""

import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import source_from_cache
from pathlib import Path

from buildlock.answers.looking import explained
from buildlock.environment.interpreter import Interpreter
from buildlock.environment.marker import Marker, read_marker, seal_environment, write_marker
from buildlock.environment.origin import read_origin

_TIMEOUT = 600
"""Seconds."""
_MAX_PROCESSES = 8
_SHARE = 50
"""Files that another process is worth."""
_COMPILE = """
import importlib.util, py_compile, sys

for line in sys.stdin.buffer.read().split(b"\\0"):
    bytecode = line.decode("utf-8", "surrogateescape")
    try:
        source = importlib.util.source_from_cache(bytecode)
        if importlib.util.cache_from_source(source) == bytecode:
            py_compile.compile(
                source, cfile=bytecode, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP
            )
    except (py_compile.PyCompileError, OSError, ValueError, RecursionError, MemoryError, NotImplementedError):
        pass  # its import will say why
"""


def is_bytecode(path: str) -> bool:
    """Whether Python wrote a file for itself, which is no damage; who is to run it is another question."""
    folder, _, name = path.rpartition("/")
    return name.endswith(".pyc") and folder.rpartition("/")[2] == "__pycache__"


def find_source(path: str) -> str:
    """The source that bytecode stands for; empty where its name tells none."""
    try:
        return source_from_cache(path)
    except (ValueError, NotImplementedError):
        return ""


def compile_bytecode(paths: Sequence[str | Path], interpreter: Interpreter) -> None:
    """Compile the sources that bytecode stands for, without importing any; what cannot be compiled is left out.

    Args:
        paths: Where the bytecode goes; what is not for this interpreter is passed over.
        interpreter: Who compiles.
    """
    command = [str(interpreter.executable), "-I", "-S", "-c", _COMPILE]

    @explained()  # no answer depends on it; and these are other threads than the one that may have said so
    def run(share: Sequence[str | Path]) -> None:
        with suppress(OSError, subprocess.TimeoutExpired):
            lines = b"\0".join(map(os.fsencode, share))
            subprocess.run(command, input=lines, capture_output=True, timeout=_TIMEOUT, check=False)

    number = min(os.cpu_count() or 1, _MAX_PROCESSES, -(-len(paths) // _SHARE))
    with ThreadPoolExecutor(max(number, 1), thread_name_prefix="compile") as pool:
        list(pool.map(run, (paths[start::number] for start in range(number))))


def renew_bytecode(root: Path, identity: str, interpreter: Interpreter) -> None:
    """Remove the bytecode in an environment that its marker does not know, and compile what was used ourselves.

    Where anything else of it was changed too, nothing is done: it is to be made anew.

    Args:
        root: An environment that nobody else uses.
        identity: What it is to be made from.
        interpreter: Whose environment it is; none of its packages is imported.
    """
    try:
        marker = read_marker(str(root))
        if read_origin(marker.origin).identity != identity:
            return
        now = seal_environment(str(root), linked=marker.seal.linked)
        there = set(now.names)
        changed = [name for name in marker.seal.find_changed(now) if not is_folder(root / name)]
        strange = [name for name in changed if name in there]
        if not strange or not all(map(is_bytecode, changed)):
            return
        for name in strange:
            (root / name).unlink()
        compile_bytecode([root / name for name in strange if find_source(name) in there], interpreter)
        write_marker(
            str(root), Marker(marker.origin, marker.place, seal_environment(str(root), linked=marker.seal.linked))
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return  # it will not be opened


def is_folder(path: Path) -> bool:
    """Whether it is a folder itself, and no link to one."""
    return path.is_dir() and not path.is_symlink()
