"""What a command depends on, seen while it runs; and its answer, kept where all of that is known.

Use: `record(arguments)` before a command that may be remembered, `keep_answer(0)` in the command where its answer is
one, `finish(code)` when it has ended. Whatever the command opened, listed, looked up or looked at is seen by an audit
hook, so that nothing has to be told; what cannot be compared later, such as a process or a connection, is an obstacle.
"""

import importlib.machinery
import os
import re
import sys
import sysconfig
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, TextIO, cast

from buildlock.answers import looking
from buildlock.answers.asking import SITE, make_key
from buildlock.answers.records import Record, find_folder, write_record
from buildlock.answers.sights import LEFT_OUT, MAX_BYTES, TooLargeError, digest_sights, digest_states, see

NETWORK, PROCESS, CHANGE, SIZE = "network", "process", "change", "size"
"""Obstacles: what a command did that no later look can compare."""
_MAX_SIGHTS = 1000
_MAX_OUTPUT = 1 << 18
"""Characters."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_DEVICES = frozenset({os.devnull, "/dev/tty", "/dev/urandom", "/dev/random"})

_SEEN = {
    looking.LOOKED: "k",
    looking.LISTED: "l",
    looking.NAMED: "m",
    looking.FOLLOWED: "r",
    looking.READ: "f",
    looking.STATUS: "s",
    looking.VARIABLE: "v",
    looking.VARIABLES: "p",
    looking.DAY: "d",
    "os.listdir": "l",
    "os.scandir": "l",
}
_OBSTACLES = {
    **dict.fromkeys(("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"), NETWORK),
    **dict.fromkeys(("subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system"), PROCESS),
    **dict.fromkeys(("os.fork", "os.forkpty", "pty.spawn", "os.startfile", "ctypes.dlopen", "os.chdir"), PROCESS),
    **dict.fromkeys(("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate"), CHANGE),
    **dict.fromkeys(("os.chmod", "os.chown", "os.utime", "shutil.rmtree", "os.putenv", "os.unsetenv"), CHANGE),
}
_IMPORTER = importlib.machinery.SourceFileLoader.get_data.__code__.co_filename
"""Where the code of imports is: what a command is made of is no part of its answer, whenever it is imported."""
_PLACES = frozenset("fklmrs")
"""The letters of sights that are paths."""


class Recorder:
    """What a command sees and says, from when it is made until `finish`.

    Args:
        folder: Where records are.
        key: How the command is asked.
        own: Folders whose files are not seen: what is in them is known otherwise.
    """

    def __init__(self, folder: str, key: str, own: Collection[str]) -> None:
        self._folder = folder
        self._key = key
        # Of the cache the folders that are ours: a project may be in it.
        cache = re.escape(os.path.join(os.path.dirname(folder), ""))
        places = "|".join(re.escape(os.path.join(place, "")) for place in own)
        self._own = re.compile(rf"{places}|{cache}(?:[a-z]+-v[0-9]+|in-use)[{re.escape(os.sep)}]")
        self._sights: dict[tuple[str, str], bytes] = {}
        self._obstacles: set[str] = set()
        self._output: list[tuple[str, str]] = []
        self._written = 0
        self._left = MAX_BYTES
        self._code: int | None = None
        self._act: tuple[str, str] | None = None
        self._accepted: Collection[str] = ()
        self._mutex = threading.Lock()
        self.streams = sys.stdout, sys.stderr

    def keep(self, code: int, act: tuple[str, str] | None, despite: Collection[str]) -> None:
        """Take what is said for an answer."""
        self._code, self._act, self._accepted = code, act, despite

    def see(self, letter: str, name: str) -> None:
        """Something that the answer may depend on is about to be looked at."""
        if letter in _PLACES:
            name = _locate(name)
            if self._is_own(name):
                return
        elif letter == "v" and name in LEFT_OUT:
            return
        with self._mutex:
            if (letter, name) in self._sights or (letter == "v" and ("p", "") in self._sights):
                return
            try:
                self._sights[letter, name] = see(letter, name)
                if letter == "f":
                    self._left -= os.stat(name).st_size
            except TooLargeError:
                self._obstacles.add(SIZE)
            except OSError:
                pass  # that it is not there was seen
            if self._left < 0 or len(self._sights) > _MAX_SIGHTS:
                self._obstacles.add(SIZE)

    def meet(self, obstacle: str) -> None:
        self._obstacles.add(obstacle)

    def change(self, places: Sequence[str]) -> None:
        """Something is about to be written, moved or removed."""
        for place in map(_locate, places):
            # The cache is made where it is missing.
            if place != os.path.dirname(self._folder) and not self._is_own(place):
                self._obstacles.add(CHANGE)

    def hear(self, letter: str, text: str) -> None:
        """Something was written to a stream."""
        self._written += len(text)
        if self._written > _MAX_OUTPUT:
            self._obstacles.add(SIZE)
        else:
            self._output.append((letter, text))

    def finish(self, code: int) -> None:
        """Write the record, if the command ended as it said and nothing is in the way; else nothing."""
        if code != self._code or not self._obstacles <= set(self._accepted):
            return
        seen = digest_states((*sight, state) for sight, state in self._sights.items())
        with suppress(OSError, ValueError, TooLargeError):
            # What changed while the command ran may not be what it has seen.
            if digest_sights(self._sights) == seen:
                record = Record(code=code, output=self._output, sights=tuple(self._sights), seen=seen, act=self._act)
                write_record(self._folder, self._key, record)

    def _is_own(self, path: str) -> bool:
        if path in _DEVICES or path == sys.executable:
            return True
        return self._own.match(f"{path}{os.sep}") is not None and os.pardir not in path.split(os.sep)


def _locate(name: str) -> str:
    """The absolute path, and nothing else changed: what is before a `..` may be a link."""
    # Tens of thousands of files can be written, and to ask where we are each time is a call of the system.
    return name if name.startswith("/") and os.sep == "/" else os.path.join(os.getcwd(), name)


class _Heard:
    """A stream that lets a recorder hear what is written to it."""

    def __init__(self, stream: TextIO, letter: str, recorder: Recorder) -> None:
        self._stream = stream
        self._letter = letter
        self._recorder = recorder

    def write(self, text: str) -> int:
        self._recorder.hear(self._letter, text)
        return self._stream.write(text)

    @property
    def buffer(self) -> object:
        self._recorder.meet(SIZE)
        return self._stream.buffer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_active: Recorder | None = None
_hooked = False


def record(arguments: Sequence[str]) -> None:
    """Begin to see what a command depends on, and to hear what it says, until `finish`."""
    global _active, _hooked  # noqa: PLW0603 - a process has one audit hook, which cannot be removed
    folder, key = find_folder(os.environ), make_key(arguments)
    if folder is None or key is None:
        return
    archives = [path for path in sys.path if path.endswith(f"python{sys.version_info[0]}{sys.version_info[1]}.zip")]
    own = {SITE, *archives, *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib"))}
    _active = Recorder(folder, key, own)
    sys.stdout = cast("TextIO", _Heard(sys.stdout, "o", _active))
    sys.stderr = cast("TextIO", _Heard(sys.stderr, "e", _active))
    if not _hooked:
        _hooked = True
        sys.addaudithook(_notice)


def keep_answer(code: int, *, act: tuple[str, str] | None = None, despite: Collection[str] = ()) -> None:
    """Have what the command says remembered.

    Args:
        code: The exit code that it is about to end with; if it ends with another, it was interrupted.
        act: Who gives the answer where the rest is as it was: a function of a module of ours that imports nothing that
            takes time, as `module:name`, and its note. It gets that and the arguments of the command line, and returns
            what is said, or `None`.
        despite: Obstacles that are none to this command.
    """
    if _active is not None:
        _active.keep(code, act, despite)


def finish(code: int) -> None:
    """The command has ended."""
    global _active
    recorder, _active = _active, None
    if recorder is not None:
        sys.stdout, sys.stderr = recorder.streams
        recorder.finish(code)


def _notice(event: str, arguments: tuple[Any, ...]) -> None:
    recorder = _active
    if recorder is None:
        return
    handle = _HANDLERS.get(event)
    if handle is None or looking.is_explained() or sys._getframe(1).f_code.co_filename == _IMPORTER:  # noqa: SLF001
        return
    with looking.explained(), suppress(TypeError, ValueError):
        handle(recorder, event, arguments)


def _notice_opened(recorder: Recorder, _: str, arguments: tuple[Any, ...]) -> None:
    path, _mode, flags = arguments
    if isinstance(path, int):
        return
    name = os.fsdecode(path)
    if flags & _WRITING:
        recorder.change([name])
    recorder.see("f", name)


def _notice_seen(recorder: Recorder, event: str, arguments: tuple[Any, ...]) -> None:
    name = arguments[0] if arguments else ""
    if isinstance(name, int):
        recorder.meet(CHANGE)  # a folder by a descriptor: nothing says which
    else:
        recorder.see(_SEEN[event], os.fsdecode(name) if name is not None else os.curdir)


def _notice_obstacle(recorder: Recorder, event: str, arguments: tuple[Any, ...]) -> None:
    obstacle = _OBSTACLES[event]
    if obstacle == CHANGE:
        # What a link leads to stays as it is.
        places = arguments[1:] if event in {"os.symlink", "os.link"} else arguments
        recorder.change([os.fsdecode(each) for each in places if isinstance(each, (str, bytes, os.PathLike))])
    elif event != "ctypes.dlopen" or arguments[0] is not None:
        recorder.meet(obstacle)


_HANDLERS: dict[str, Callable[[Recorder, str, tuple[Any, ...]], None]] = {
    "open": _notice_opened,
    **dict.fromkeys(_SEEN, _notice_seen),
    **dict.fromkeys(_OBSTACLES, _notice_obstacle),
}
