"""The bytecode of an environment that commands share: what they wrote is replaced by what we compile.

Python runs a file in `__pycache__` in place of the source that it names, so one that a command left could be anything.
"""

import os
import subprocess
from collections.abc import Sequence
from importlib.util import source_from_cache
from pathlib import Path

from buildlock.environment.interpreter import Interpreter
from buildlock.environment.marker import Marker, is_bytecode, observe_files, read_marker, write_marker

_TIMEOUT = 600
"""Seconds."""
_COMPILE = """
import py_compile, sys

for line in sys.stdin.buffer.read().split(b"\\0"):
    try:
        py_compile.compile(
            line.decode("utf-8", "surrogateescape"),
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP,
        )
    except (py_compile.PyCompileError, OSError, ValueError, RecursionError, MemoryError):
        pass  # its import will say why
"""


def renew_bytecode(root: Path, identity: str, interpreter: Interpreter) -> None:
    """Remove the bytecode of an environment that its marker does not know, and compile what was used ourselves.

    Where anything else of it was changed too, nothing is done: it is to be made anew.

    Args:
        root: An environment that nobody else uses.
        identity: What it is to be made from.
        interpreter: Whose environment it is; none of its packages is imported.
    """
    try:
        marker = read_marker(root)
        if marker.identity != identity:
            return
        now = observe_files(root)
        strange = [path for path, facts in now.items() if marker.files.get(path) != facts]
        lost = marker.files.keys() - now.keys()
        if not strange or not all(map(is_bytecode, [*strange, *lost])):
            return
        for path in strange:
            (root / path).unlink()
        _compile(root, interpreter, sorted({source for path in strange if (source := _find_source(path)) in now}))
        write_marker(root, Marker(identity=marker.identity, layout=marker.layout, files=observe_files(root)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return  # it will not be opened


def _compile(root: Path, interpreter: Interpreter, sources: Sequence[str]) -> None:
    lines = b"\0".join(os.fsencode(root / source) for source in sources)
    command = [str(interpreter.executable), "-I", "-S", "-c", _COMPILE]
    try:
        subprocess.run(command, input=lines, capture_output=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return


def _find_source(path: str) -> str:
    """The source that bytecode stands for; empty where its name tells none."""
    try:
        return source_from_cache(path)
    except (ValueError, NotImplementedError):
        return ""
