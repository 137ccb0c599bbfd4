"""What goes where in an environment, and which wheel it is of."""

import hashlib
import os
import posixpath
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

from installer.scripts import Script

from buildlock.environment.placing import Placement
from buildlock.environment.record import RecordLine, encode_digest, write_record
from buildlock.environment.skeleton import Layout
from buildlock.environment.store import StoredWheel
from buildlock.errors import EnvironmentPreparationError

Launcher: TypeAlias = Literal["posix", "win-ia32", "win-amd64", "win-arm64"]

_INSTALLER = b"buildlock\n"
_SHEBANG_LIMIT = 127
"""Bytes of a first line that every kernel reads."""


class Plan:
    """The files of an environment, collected wheel by wheel before any is written.

    Args:
        root: The environment as it is made; holds the skeleton already.
        final: Where it will be, which is what scripts must say.
        layout: Where things are in it.
        launcher: How a command is started on this platform.
    """

    def __init__(self, root: Path, final: Path, layout: Layout, launcher: Launcher) -> None:
        self._root = Path(os.path.realpath(root))
        self._layout = layout
        self._python = str(final / layout.python)
        self._launcher = launcher
        self._folders: dict[str, Path] = {}
        self._owners: dict[Path, tuple[str, str]] = {}
        self._placements: list[Placement] = []
        for folder, _, names in os.walk(self._root):
            self._owners |= {Path(folder, name): ("the virtual environment", "") for name in names}

    def add(self, wheel: StoredWheel) -> None:
        """Plan a wheel's files, its commands, and the record that it is installed.

        Raises:
            EnvironmentPreparationError: A file belongs where another one is, or outside the environment.
        """
        library = self._layout.purelib if wheel.facts.root_is_purelib else self._layout.platlib
        record = f"{wheel.facts.dist_info}/RECORD"
        lines = []
        for file in wheel.files:
            if file.line.path == record:
                continue
            scheme, path = wheel.facts.locate(file.line.path)
            path = self._layout.locate(scheme, wheel.name, path)
            source = wheel.tree / file.line.path
            if scheme == "scripts":
                lines.append(self._add_script(wheel, path, source, file.line))
            else:
                lines.append(self._add_file(wheel, path, source, file.line, executable=file.executable))
        for command in wheel.facts.commands:
            script = Script(command.name, command.module, command.attribute, command.kind)
            name, content = script.generate(self._python, self._launcher)
            lines.append(self._add_content(wheel, f"{self._layout.scripts}/{name}", content, executable=True))
        lines.append(self._add_content(wheel, f"{library}/{wheel.facts.dist_info}/INSTALLER", _INSTALLER))
        lines.append(RecordLine(path=f"{library}/{record}"))
        text = write_record(replace(line, path=posixpath.relpath(line.path, library)) for line in lines)
        self._add_content(wheel, f"{library}/{record}", text.encode())

    def finish(self) -> Sequence[Placement]:
        """All placements.

        Raises:
            EnvironmentPreparationError: What is a file of one wheel is a folder of another.
        """
        for path, (owner, _) in self._owners.items():
            for folder in path.parents:
                if folder in self._owners:
                    raise _clash(folder.relative_to(self._root), self._owners[folder][0], owner)
                if folder == self._root:
                    break
        return self._placements

    def _add_script(self, wheel: StoredWheel, path: str, source: Path, line: RecordLine) -> RecordLine:
        """A script of the wheel: `#!python` stands for the environment's Python (binary distribution format)."""
        content = source.read_bytes()
        first, newline, rest = content.partition(b"\n")
        if not first.startswith(b"#!python"):
            return self._add_file(wheel, path, source, line, executable=True)
        # What follows the name are arguments; `#!pythonw` differs on Windows alone, where the launcher decides.
        arguments = first.rstrip(b"\r").partition(b" ")[2].strip()
        return self._add_content(wheel, path, self._shebang(arguments) + newline + rest, executable=True)

    def _shebang(self, arguments: bytes) -> bytes:
        python = os.fsencode(self._python)
        simple = b" ".join(filter(None, [b"#!" + python, arguments]))
        if b" " not in python and len(simple) < _SHEBANG_LIMIT:
            return simple
        # The kernel takes no space and no long line. To the shell this is `exec`; to Python, a string.
        quoted = os.fsencode(shlex.quote(self._python))
        command = b" ".join(filter(None, [quoted, arguments]))
        return b"#!/bin/sh\n'''exec' " + command + b" \"$0\" \"$@\"\n' '''"

    def _add_content(self, wheel: StoredWheel, path: str, content: bytes, *, executable: bool = False) -> RecordLine:
        digest = encode_digest(hashlib.sha256(content).digest())
        line = RecordLine(path=path, algorithm="sha256", digest=digest, size=len(content))
        return self._add_file(wheel, path, content, line, executable=executable)

    def _add_file(
        self, wheel: StoredWheel, path: str, source: Path | bytes, line: RecordLine, *, executable: bool
    ) -> RecordLine:
        destination = self._resolve(wheel, path)
        content = f"{line.algorithm}={line.digest}"
        if known := self._owners.get(destination):
            # Wheels that share a namespace may bring the same `__init__.py`; nobody can tell whose it is, or must.
            if known[1] != content:
                raise _clash(destination.relative_to(self._root), known[0], wheel.filename)
        else:
            assert line.size is not None, "the store knows the size of every file"
            self._owners[destination] = (wheel.filename, content)
            self._placements.append(
                Placement(source=source, destination=destination, size=line.size, executable=executable)
            )
        return replace(line, path=path)

    def _resolve(self, wheel: StoredWheel, path: str) -> Path:
        """Where a path of the environment is in truth: `lib64` is a link to `lib`."""
        folder, _, name = path.rpartition("/")
        if (found := self._folders.get(folder)) is None:
            found = self._folders[folder] = Path(os.path.realpath(self._root / folder))
        if found != self._root and self._root not in found.parents:
            raise EnvironmentPreparationError(f"`{path}` of `{wheel.filename}` is outside the environment")
        return found / name


def _clash(path: Path, owner: str, other: str) -> EnvironmentPreparationError:
    return EnvironmentPreparationError(f"`{owner}` and `{other}` both claim `{path}`")
