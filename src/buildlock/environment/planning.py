"""What goes where in an environment, and which wheel it is of."""

import os
import posixpath
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias, cast

from installer.scripts import Script

from buildlock.environment.entry_points import Command
from buildlock.environment.record import RecordLine, write_record
from buildlock.environment.skeleton import Layout
from buildlock.environment.steps import Step
from buildlock.environment.stored import StoredWheel
from buildlock.environment.wheel import Scheme
from buildlock.errors import EnvironmentPreparationError
from buildlock.project.model import LinkMode
from buildlock.values import dataclass

Launcher: TypeAlias = Literal["posix", "win-ia32", "win-amd64", "win-arm64"]

_VENV = "the virtual environment"
"""Whose that is which no wheel brought."""


@dataclass(kw_only=True, slots=True)
class _File:
    """A file that a wheel brings, or that is made for this environment."""

    owner: str
    wheel: StoredWheel | None = None
    path: str = ""
    """In the wheel."""
    made: tuple[Any, ...] = ()
    """How it is made, if it is no file of the store: a step without its place."""
    own: bool = False
    """Whether the environment needs its own, whatever the mode."""
    executable: bool = False
    """Whether it is to be executed, whatever the store says."""


@dataclass(kw_only=True, slots=True)
class _Folder:
    """A folder of a wheel as it is in the store, or one with `children`, which is real."""

    wheel: StoredWheel | None = None
    path: str = ""
    """In the wheel."""
    children: "dict[str, _Folder | _File] | None" = None
    is_there: bool = False
    is_merged: bool = False
    """Whether it is not of one wheel alone."""

    def list(self) -> "Iterator[tuple[str, _Folder | _File]]":
        """What the store has in it."""
        assert self.wheel is not None
        with os.scandir(self.wheel.tree / self.path) as found:
            children = sorted((child.name, child.is_dir(follow_symlinks=False)) for child in found)
        above = f"{self.path}/" if self.path else ""
        for name, is_folder in children:
            if is_folder:
                yield name, _Folder(wheel=self.wheel, path=above + name)
            else:
                yield name, _File(owner=self.wheel.filename, wheel=self.wheel, path=above + name)

    def open(self) -> "dict[str, _Folder | _File]":
        """What is in it, one by one: it is real from now on."""
        if self.children is None:
            self.children = dict(self.list())
        return self.children


class Plan:
    """What is to be done for an environment, collected wheel by wheel before anything is.

    A folder of the store is linked as a whole, unless two wheels share it, or what is in it looks for others from where
    it is.

    Args:
        skeleton: What the empty environment was made by.
        layout: Where things are in it.
        launcher: How a command is started on this platform.
        python: The path of its Python, when it is in its place.
        mode: How the files of the store come into it.
    """

    def __init__(
        self, skeleton: Sequence[Step], layout: Layout, launcher: Launcher, *, python: str, mode: LinkMode
    ) -> None:
        self._layout = layout
        self._launcher = launcher
        self._python = python
        self._mode = mode
        self._root = _Folder(children={}, is_there=True, is_merged=True)
        self._aliases = {step[1]: step[2] for step in skeleton if step[0] == "link" and "/" not in step[2]}
        """`lib64` is `lib`."""
        self._wheels: list[StoredWheel] = []
        self._trees: dict[str, str] = {}
        """Where the files of each wheel are; to make the path anew for each takes longer than to copy it."""
        self._lines: dict[str, Mapping[str, RecordLine]] = {}
        for step in skeleton:
            folder, name = posixpath.split(step[1])
            known = self._enter(folder).open()
            if step[0] == "folder":
                known[name] = _Folder(children={}, is_there=True, is_merged=True)
            else:
                known[name] = _File(owner=_VENV)

    def add(self, wheel: StoredWheel) -> None:
        """Plan a wheel's files, its commands, and the record that it is installed.

        Raises:
            EnvironmentPreparationError: A file belongs where another one is, or what the store recorded was changed.
            OSError: The store cannot be read.
        """
        facts = wheel.facts
        self._wheels.append(wheel)
        self._trees[wheel.sha256] = str(wheel.tree)
        lines = self._lines[wheel.sha256] = {file.line.path: file.line for file in wheel.read_files()}
        library = self._library(wheel)
        scripts: list[str] = []
        for name, node in _Folder(wheel=wheel).list():
            if name == facts.data and isinstance(node, _Folder):
                scripts += self._add_data(wheel, node)
            elif name != facts.dist_info:
                self._put(library, name, node)
        scripts += [self._add_command(wheel, command) for command in facts.commands]
        self._add_description(wheel, lines, scripts)

    def finish(self) -> Sequence[Step]:
        """All that is to be done, in its order.

        Raises:
            OSError: The store cannot be read.
        """
        if self._mode == "symlink":
            self._open_reaching()
            self._open_programs()
        return list(self._emit(self._root, ""))

    def _add_data(self, wheel: StoredWheel, data: _Folder) -> Iterator[str]:
        """Plan what the wheel has for other places; the scripts that are written anew."""
        for scheme, folder in data.list():
            assert isinstance(folder, _Folder), "a wheel with a file there is refused"
            for name, node in folder.list():
                if scheme == "scripts" and (script := self._add_script(wheel, name, node)):
                    yield script
                elif scheme != "scripts":
                    place = self._layout.locate(cast(Scheme, scheme), wheel.name, name)
                    self._put(posixpath.dirname(place), name, node)

    def _add_script(self, wheel: StoredWheel, name: str, node: "_Folder | _File") -> str | None:
        """Plan a script; its path where it is written anew: `#!python` stands for the environment's Python."""
        if isinstance(node, _File):
            source = wheel.tree / node.path
            content = source.read_bytes()
            first, newline, rest = content.partition(b"\n")
            if first.startswith(b"#!python"):
                # What follows the name are arguments; `#!pythonw` differs on Windows alone, where the launcher decides.
                arguments = first.rstrip(b"\r").partition(b" ")[2].strip()
                made = ("script", arguments, newline + rest)
                return self._put(self._layout.scripts, name, _File(owner=wheel.filename, made=made))
            # Text finds what is beside it from where it is; and whatever the archive says, it is to be executed.
            node.own = first.startswith(b"#!") or not source.stat().st_mode & stat.S_IXUSR
            node.executable = True
        self._put(self._layout.scripts, name, node)
        return None

    def _add_command(self, wheel: StoredWheel, command: Command) -> str:
        script = Script(command.name, command.module, command.attribute, command.kind)
        if self._launcher == "posix":
            name, content = script.generate("/python", self._launcher)
            made: tuple[Any, ...] = ("script", b"", b"\n" + content.partition(b"\n")[2])
        else:
            name, content = script.generate(self._python, self._launcher)
            made = ("content", content, True)
        return self._put(self._layout.scripts, name, _File(owner=wheel.filename, made=made))

    def _add_description(self, wheel: StoredWheel, lines: Mapping[str, RecordLine], scripts: Sequence[str]) -> None:
        """Plan the `.dist-info` folder, with a RECORD of its own where there is more than the folders of the wheel."""
        library, facts, data = self._library(wheel), wheel.facts, f"{wheel.facts.data}/"
        description = _Folder(wheel=wheel, path=facts.dist_info)
        # uv sees no distribution where this is a link.
        children = description.open()
        elsewhere = [
            line._replace(path=posixpath.relpath(place, library))
            for path, line in lines.items()
            if path.startswith(data) and (place := self._place(wheel, path)) not in scripts
        ]
        if elsewhere or scripts:
            known = str(wheel.tree / facts.dist_info / "RECORD")
            made = ("record", known, library, write_record(elsewhere).encode(), tuple(scripts))
            children["RECORD"] = _File(owner=wheel.filename, made=made)
        self._put(library, facts.dist_info, description)

    def _library(self, wheel: StoredWheel) -> str:
        return self._layout.purelib if wheel.facts.root_is_purelib else self._layout.platlib

    def _resolve(self, path: str) -> str:
        """A path of the environment without the links that the skeleton has."""
        top, slash, rest = path.partition("/")
        return f"{self._aliases.get(top, top)}{slash}{rest}"

    def _enter(self, path: str) -> _Folder:
        """A folder of the environment, as a real one."""
        folder = self._root
        for at, name in enumerate(path.split("/") if path else ()):
            child = folder.open().setdefault(name, _Folder(children={}))
            if isinstance(child, _File):
                raise _clash(posixpath.join(*path.split("/")[: at + 1]), child.owner, self._wheels[-1].filename)
            child.open()
            folder = child
        return folder

    def _find(self, path: str) -> "_Folder | _File | None":
        """What is at a path; nothing is opened for it."""
        node: _Folder | _File | None = self._root
        for name in path.split("/"):
            if not isinstance(node, _Folder) or node.children is None:
                return None
            node = node.children.get(name)
        return node

    def _put(self, place: str, name: str, node: "_Folder | _File") -> str:
        """Plan something in a folder of the environment; its path."""
        path = self._resolve(posixpath.join(place, name))
        place, name = posixpath.split(path)
        folder = self._enter(place)
        known = folder.open().setdefault(name, node)
        if known is node:
            return path
        if isinstance(known, _Folder) and isinstance(node, _Folder):
            known.is_merged = True
            known.open()
            for inner, child in node.open().items():
                self._put(path, inner, child)
        elif isinstance(known, _Folder) or isinstance(node, _Folder) or not self._are_same(known, node):
            raise _clash(path, _owner(known), _owner(node))
        return path

    def _are_same(self, known: _File, other: _File) -> bool:
        """Wheels that share a namespace may bring the same `__init__.py`; nobody can tell whose it is, or must."""
        if known.made or other.made:
            return known.made == other.made and known.made[0] != "record"
        if known.wheel is None or other.wheel is None:
            return False
        lines = [self._lines[each.wheel.sha256].get(each.path) for each in (known, other) if each.wheel is not None]
        # What is not recorded is bytecode that we made: of the same source.
        return all(line is None for line in lines) or (
            None not in lines and len({(line.algorithm, line.digest) for line in lines if line is not None}) == 1
        )

    def _open_reaching(self) -> None:
        """Open the folders of libraries that look for others in folders which their wheel has not, or not alone."""
        waiting = [
            (self._place(wheel, folder), wheel, folder, target)
            for wheel in self._wheels
            for folder, targets in wheel.linkage.reaches.items()
            for target in targets
        ]
        opened = True
        while opened:
            opened = False
            for each in list(waiting):
                place, wheel, folder, target = each
                if self._leaves(wheel, folder, target):
                    self._enter(place)
                    for program in wheel.linkage.programs:
                        if posixpath.dirname(program) == folder:
                            self._own(wheel, program)
                    waiting.remove(each)
                    opened = True

    def _leaves(self, wheel: StoredWheel, folder: str, target: str) -> bool:
        """Whether a folder that is looked for is another in the environment than in the store."""
        place = self._place(wheel, folder)
        wanted = self._resolve(posixpath.normpath(posixpath.join(place, posixpath.relpath(target, folder))))
        if not self._has(wanted):
            return False
        # `os.path` says no of what no path can be; what a library looks for is a stranger's.
        if not os.path.isdir(wheel.tree / target) or self._place(wheel, target) != wanted:  # noqa: PTH112
            return True
        found = self._find(wanted)
        return isinstance(found, _Folder) and found.is_merged

    def _has(self, path: str) -> bool:
        """Whether something will be at a path of the environment."""
        node: _Folder | _File = self._root
        names = path.split("/")
        for at, name in enumerate(names):
            if not isinstance(node, _Folder):
                return False
            if node.children is None:
                assert node.wheel is not None
                return os.path.exists(node.wheel.tree.joinpath(node.path, *names[at:]))  # noqa: PTH110 - as above
            if name not in node.children:
                return False
            node = node.children[name]
        return True

    def _open_programs(self) -> None:
        """Give the environment its own of a program whose folder is beside those of other wheels."""
        for wheel in self._wheels:
            for program in wheel.linkage.programs:
                around = self._find(posixpath.dirname(posixpath.dirname(self._place(wheel, program))))
                if isinstance(around, _Folder) and around.is_merged and around.wheel is not None:
                    self._own(wheel, program)

    def _own(self, wheel: StoredWheel, program: str) -> None:
        place = self._place(wheel, program)
        node = self._enter(posixpath.dirname(place)).open().get(posixpath.basename(place))
        if isinstance(node, _File):
            node.own = True

    def _place(self, wheel: StoredWheel, path: str) -> str:
        """Where something of a wheel goes."""
        scheme, inner = wheel.facts.locate(path)
        return self._resolve(self._layout.locate(scheme, wheel.name, inner))

    def _emit(self, folder: _Folder, place: str) -> Iterator[Step]:
        linked: dict[tuple[str, str], list[str]] = {}
        for name, node in folder.open().items():
            path = f"{place}/{name}" if place else name
            if isinstance(node, _File) and node.wheel is not None and self._links_hard(node):
                linked.setdefault((self._trees[node.wheel.sha256], posixpath.dirname(node.path)), []).append(name)
            elif isinstance(node, _File):
                yield from self._emit_file(node, path)
            elif node.wheel is not None and node.children is None and self._links(node.wheel):
                yield "link", path, str(node.wheel.tree / node.path)
            else:
                if not node.is_there:
                    yield "folder", path
                yield from self._emit(node, path)
        for (tree, inner), names in linked.items():
            yield "hardlink", place, tree, inner, tuple(names)

    def _emit_file(self, file: _File, path: str) -> Iterator[Step]:
        if file.made:
            yield cast(Step, (file.made[0], path, *file.made[1:]))
        elif file.wheel is not None:
            if not file.own and self._links(file.wheel):
                yield "link", path, str(file.wheel.tree / file.path)
            else:
                yield "copy", path, f"{self._trees[file.wheel.sha256]}/{file.path}", file.executable

    def _links_hard(self, file: _File) -> bool:
        return self._mode == "hardlink" and not (file.made or file.own or file.wheel is None or file.wheel.written)

    def _links(self, wheel: StoredWheel) -> bool:
        return self._mode == "symlink" and not wheel.written


def _owner(node: "_Folder | _File") -> str:
    if isinstance(node, _File):
        return node.owner
    return node.wheel.filename if node.wheel is not None else _VENV


def _clash(path: str, owner: str, other: str) -> EnvironmentPreparationError:
    return EnvironmentPreparationError(f"`{owner}` and `{other}` both claim `{path}`")
