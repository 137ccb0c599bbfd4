"""To look at what an answer may depend on, where opening it would not show: each look is an audit event.

Python itself tells its audit hooks of every file that is opened and every folder that is listed. Of a look at a path,
of a variable and of the clock it does not, so whatever a remembered command runs looks at them through this module.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

LOOKED, LISTED, NAMED, FOLLOWED = "buildlock.look", "buildlock.list", "buildlock.name", "buildlock.follow"
READ, STATUS, DAY = "buildlock.read", "buildlock.status", "buildlock.day"
VARIABLE, VARIABLES = "buildlock.variable", "buildlock.variables"
"""The events; all but that of the day come with a path or a name."""

_Work = TypeVar("_Work", bound=Callable[..., object])

_state = threading.local()


class WatchedEnvironment(Mapping[str, str]):
    """The environment variables of this process: each that is looked up is an event."""

    def __init__(self) -> None:
        self.snapshot = dict(os.environ)

    def __getitem__(self, name: str) -> str:
        sys.audit(VARIABLE, name)
        return self.snapshot[name]

    def __iter__(self) -> Iterator[str]:
        sys.audit(VARIABLES, "")
        return iter(self.snapshot)

    def __len__(self) -> int:
        return len(self.snapshot)


def list_variables(environ: Mapping[str, str], prefix: str) -> list[tuple[str, str]]:
    """The variables whose names, in capitals, begin with `prefix`, sorted; and an event for these alone."""
    if isinstance(environ, WatchedEnvironment):
        sys.audit(VARIABLES, prefix)
        environ = environ.snapshot
    return sorted((name, value) for name, value in environ.items() if name.upper().startswith(prefix))


def exists(path: Path) -> bool:
    """As `Path.exists`."""
    sys.audit(LOOKED, os.fspath(path))
    return path.exists()


def is_file(path: Path) -> bool:
    """As `Path.is_file`."""
    sys.audit(LOOKED, os.fspath(path))
    return path.is_file()


def is_dir(path: Path) -> bool:
    """As `Path.is_dir`."""
    sys.audit(LOOKED, os.fspath(path))
    return path.is_dir()


def is_readable_file(path: Path) -> bool:
    """Whether it is a file that we may read."""
    return is_file(path) and os.access(path, os.R_OK)


def get_mode(path: Path) -> int:
    """What kind of thing is there, as `Path.stat` says it.

    Raises:
        OSError: Nothing is.
    """
    sys.audit(LOOKED, os.fspath(path))
    return path.stat().st_mode


def get_status(path: Path) -> os.stat_result:
    """As `Path.stat`, of a file that may be too large to be read each time.

    Raises:
        OSError: There is nothing.
    """
    sys.audit(STATUS, os.fspath(path))
    return path.stat()


def has_name(folder: Path, name: str) -> bool:
    """Whether a folder has an entry of exactly this name, also where the file system knows no capitals.

    Raises:
        OSError: It cannot be listed.
    """
    sys.audit(NAMED, os.path.join(folder, name))
    with explained():
        return name in os.listdir(folder)


def glob(folder: Path, pattern: str) -> Iterator[Path]:
    """As `Path.glob`, which lists folders for wildcards, and looks for all else.

    Raises:
        ValueError, NotImplementedError: It is no pattern.
    """
    parts = pattern.split("/")
    for count, part in enumerate(parts):
        if not any(character in part for character in "*?["):
            for parent in folder.glob("/".join(parts[:count])) if count else [folder]:
                sys.audit(LOOKED, os.path.join(parent, part))
    return folder.glob(pattern)


def resolve(path: Path) -> Path:
    """As `Path.resolve`."""
    sys.audit(FOLLOWED, os.fspath(path))
    return path.resolve()


def find_command(name: str, path: str | None) -> str | None:
    """As `shutil.which`, in the folders of `path`."""
    for folder in (os.defpath if path is None else path).split(os.pathsep):
        sys.audit(LOOKED, os.path.join(folder or os.curdir, name))
    import shutil  # noqa: PLC0415 - it imports three libraries to compress with

    return shutil.which(name, path=path)


def get_time() -> datetime:
    """The time, in UTC: what is made of it holds for a day."""
    sys.audit(DAY)
    return datetime.now(timezone.utc)


def look_at_content(path: str) -> None:
    """Say that an answer depends on a file that another process reads."""
    sys.audit(READ, path)


def look_at_environment() -> None:
    """Say that an answer depends on all environment variables, as that of any process that is run."""
    sys.audit(VARIABLES, "")


def look_at_top(folder: Path) -> None:
    """Say that an answer depends on the files at the top of a folder, and on the environment.

    It is all that can be said of a program which is run there, such as a build backend.
    """
    look_at_environment()
    sys.audit(LISTED, os.fspath(folder))
    with explained(), os.scandir(folder) as entries:
        names = [entry.name for entry in entries if not entry.is_dir()]
    for name in names:
        look_at_content(os.path.join(folder, name))


@contextmanager
def asking(program: str) -> Iterator[None]:
    """Run a program in the block, which says something that depends on itself and the environment alone.

    What a script runs, such as a shim, may depend on anything: that is not remembered.
    """
    look_at_environment()
    sys.audit(STATUS, program)
    with nullcontext() if _is_script(program) else explained():
        yield


@contextmanager
def explained() -> Iterator[None]:
    """Say that what is opened, listed and run in the block is told by other events, or is no part of the answer."""
    before = is_explained()
    _state.explained = True
    try:
        yield
    finally:
        _state.explained = before


def is_explained() -> bool:
    return getattr(_state, "explained", False)


def for_thread(work: _Work) -> _Work:
    """What is done in another thread: what is explained here is explained there, and costs nothing."""
    return explained()(work) if is_explained() else work


def _is_script(program: str) -> bool:
    with explained(), suppress(OSError), open(program, "rb") as file:
        return file.read(2) == b"#!"
    return False
