"""What an answer can depend on, and how it is now; the one place that compares. It imports nothing that takes time.

A sight is a letter and a name:

- `f` a file that is read, absent or not: its mode and its content, byte for byte
- `k` a path that is only looked at: what is there, and whether it may be read
- `s` a program that is run, or a wheel that is offered: which file it is, of what size, and when it was written
- `l` a folder that is listed: the names, which of them are files, folders and links, and where links lead
- `m` a name in a folder, in exactly this spelling: whether it is there
- `r` a path whose links are followed: where it leads
- `v` an environment variable
- `p` all environment variables whose names, in capitals, begin so; those that no command depends on are left out
- `d` the day, in UTC

Nothing that is seen is kept, only a digest of it: files and variables may hold secrets.
"""

from __future__ import annotations

import os
import stat
import time

try:
    # Where `hashlib` has it from, which loads OpenSSL besides: that takes as long as all else here.
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_BYTES = 8 << 20
"""Of the files of one answer: to read more takes longer than to be worth it."""
_DAY = 24 * 60 * 60
_DIGEST_SIZE = 20
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
LEFT_OUT = frozenset({"_", "OLDPWD", "PWD", "SHLVL"})
"""Shells set these anew all the time, and what they say is either known otherwise or of the shell alone."""


class TooLargeError(Exception):
    """What is to be seen is too large to be compared each time."""


def digest(parts: Iterable[bytes]) -> str:
    """A digest that tells any two sequences apart."""
    total = blake2b(digest_size=_DIGEST_SIZE)
    for part in parts:
        total.update(b"%d:" % len(part))
        total.update(part)
    return total.hexdigest()


def see(letter: str, name: str) -> bytes:
    """How something is now.

    Raises:
        TooLargeError: It is a file of more than `MAX_BYTES`.
    """
    try:
        return _SIGHTS[letter](name)
    except (OSError, ValueError) as error:
        return b"error %d" % (getattr(error, "errno", None) or 0)


def digest_sights(sights: Iterable[tuple[str, str]]) -> str:
    """A digest of how everything is now that an answer depends on.

    Raises:
        TooLargeError: As of `see`.
        KeyError: There is no such letter.
    """
    return digest_states((letter, name, see(letter, name)) for letter, name in sights)


def digest_states(states: Iterable[tuple[str, str, bytes]]) -> str:
    """The same of what was seen: letter, name and how it was."""
    return digest(part for letter, name, state in states for part in (os.fsencode(letter + name), state))


def _see_file(path: str) -> bytes:
    descriptor = os.open(path, _FLAGS)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return b"mode %o" % status.st_mode
        content = blake2b(b"mode %o" % status.st_mode)
        left = MAX_BYTES
        while chunk := os.read(descriptor, min(max(status.st_size + 1, 1 << 12), 1 << 20)):
            left -= len(chunk)
            if left < 0:
                raise TooLargeError(path)
            content.update(chunk)
        return content.digest()
    finally:
        os.close(descriptor)


def _look(path: str) -> bytes:
    return b"mode %o %d" % (os.stat(path).st_mode, os.access(path, os.R_OK))


def _see_status(path: str) -> bytes:
    status = os.stat(path)
    return b"%d %d %d %d" % (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _list(path: str) -> bytes:
    with os.scandir(path) as entries:
        lines = [
            os.fsencode(entry.name)
            + (b"/" if entry.is_dir(follow_symlinks=False) else b"")
            + (b"\0" + os.fsencode(os.readlink(entry.path)) if entry.is_symlink() else b"")
            + (b"" if entry.is_file(follow_symlinks=False) else b"\0")
            for entry in entries
        ]
    return digest(sorted(lines)).encode()


def _find_name(path: str) -> bytes:
    folder, name = os.path.split(path)
    return b"%d" % (name in os.listdir(folder))


def _follow(path: str) -> bytes:
    return os.fsencode(os.path.realpath(path))


def _see_variable(name: str) -> bytes:
    value = os.environ.get(name)
    return b"" if value is None else b"=" + os.fsencode(value)


def _see_variables(prefix: str) -> bytes:
    found = [
        os.fsencode(f"{name}={value}")
        for name, value in os.environ.items()
        if name not in LEFT_OUT and name.upper().startswith(prefix)
    ]
    return digest(sorted(found)).encode()


def _see_day(_: str) -> bytes:
    return b"%d" % (time.time() // _DAY)


_SIGHTS = {
    "f": _see_file,
    "k": _look,
    "s": _see_status,
    "l": _list,
    "m": _find_name,
    "r": _follow,
    "v": _see_variable,
    "p": _see_variables,
    "d": _see_day,
}
