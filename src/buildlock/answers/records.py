"""Remembered answers as files, one for each way to ask. It imports nothing that takes time.

A record is a line with the digest of the rest, and the rest: fields that end with a NUL, each with a letter before it.
`=` is the digest of everything that was seen, `x` the exit code, `o` and `e` what went to stdout and stderr, `c` who
gives the answer instead; all other fields are sights. What is not exactly so is no record.
"""

from __future__ import annotations

import os
import stat
import time

from buildlock.answers.place import ANSWERS, find_cache
from buildlock.answers.sights import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_RECORDS = 256
_MAX_SIZE = 1 << 20
"""Bytes of a record."""
_REMEMBERED_USE = 60 * 60
"""Seconds; that a record is used is noted no more often."""
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""As of `plain_files`, which would take longer to import than to read a record."""


class Record:
    """An answer, and what it was made from."""

    __slots__ = ("act", "code", "output", "seen", "sights")

    def __init__(
        self,
        *,
        code: int,
        output: Sequence[tuple[str, str]],
        sights: Sequence[tuple[str, str]],
        seen: str,
        act: tuple[str, str] | None = None,
    ) -> None:
        self.code = code
        self.output = output
        """What was written, in order: `o` for stdout or `e` for stderr, and the text."""
        self.sights = sights
        self.seen = seen
        """The digest of the sights."""
        self.act = act
        """Who gives the answer instead: a function, as `module:name`, and the note that it gets."""


def find_folder(environ: Mapping[str, str]) -> str | None:
    """The folder of the records, whether it is there or not."""
    cache = find_cache(environ)
    return None if cache is None else os.path.join(cache, ANSWERS)


def is_own(status: os.stat_result) -> bool:
    """Whether nobody but the user can change what has this status."""
    return os.name != "posix" or (status.st_uid == os.geteuid() and not status.st_mode & 0o077)


def read_record(folder: str, key: str) -> Record | None:
    """The record of a key; `None` where there is none that can be relied on."""
    try:
        status = os.lstat(folder)
        if not stat.S_ISDIR(status.st_mode) or not is_own(status):
            return None
        content = _read(os.path.join(folder, key))
        return None if content is None else decode(content)
    except (OSError, ValueError):
        return None


def mark_used(folder: str, key: str) -> None:
    """Say that a record is used now: `buildlock cache prune` goes by the time of change."""
    path = os.path.join(folder, key)
    try:
        if time.time() - os.stat(path).st_mtime > _REMEMBERED_USE:
            os.utime(path)
    except OSError:
        pass


def write_record(folder: str, key: str, record: Record) -> None:
    """Write a record, whole or not at all; where there are too many, those that were not used for longest go.

    Raises:
        OSError: It cannot be written.
        ValueError: It is too large, or what was written cannot be told.
    """
    from buildlock.plain_files import write_whole  # noqa: PLC0415 - to read records is to be quick

    content = encode(record)
    os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
    try:
        os.mkdir(folder, mode=0o700)
    except FileExistsError:
        status = os.lstat(folder)
        if not stat.S_ISDIR(status.st_mode) or not is_own(status):
            raise
    write_whole(os.path.join(folder, key), content)
    _drop_oldest(folder)


def encode(record: Record) -> bytes:
    """The bytes of a record.

    Raises:
        ValueError: As of `write_record`.
    """
    fields = [f"={record.seen}", f"x{record.code}", *(letter + text for letter, text in record.output)]
    if record.act is not None:
        fields.append("c" + "\n".join(record.act))
    fields += [letter + name for letter, name in record.sights]
    if any("\0" in field for field in fields):
        raise ValueError("a field has a NUL in it")
    body = b"".join(os.fsencode(field) + b"\0" for field in fields)
    if len(body) >= _MAX_SIZE:
        raise ValueError("it is too large")
    return digest([body]).encode() + b"\n" + body


def decode(content: bytes) -> Record:
    """The record that these bytes are.

    Raises:
        ValueError: They are none.
    """
    head, _, body = content.partition(b"\n")
    if head != digest([body]).encode():
        raise ValueError("it is damaged")
    fields = [(field[:1], field[1:]) for field in os.fsdecode(body).split("\0")[:-1]]
    singles = {letter: text for letter, text in fields if letter in {"=", "x", "c"}}
    if "=" not in singles or "x" not in singles:
        raise ValueError("it is incomplete")
    act = None
    if "c" in singles:
        function, _, argument = singles["c"].partition("\n")
        act = function, argument
    return Record(
        code=int(singles["x"]),
        output=[(letter, text) for letter, text in fields if letter in {"o", "e"}],
        sights=[(letter, name) for letter, name in fields if letter not in {"=", "x", "c", "o", "e"}],
        seen=singles["="],
        act=act,
    )


def _read(path: str) -> bytes | None:
    descriptor = os.open(path, _FLAGS)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or not is_own(status) or status.st_size > _MAX_SIZE:
            return None
        content = os.read(descriptor, status.st_size + 1)
    finally:
        os.close(descriptor)
    return content


def _drop_oldest(folder: str) -> None:
    """Remove the older half where there are too many, with what killed processes left."""
    with os.scandir(folder) as entries:
        paths = [entry.path for entry in entries]
    if len(paths) > MAX_RECORDS:
        for _, path in sorted((os.lstat(path).st_mtime, path) for path in paths)[: len(paths) // 2]:
            os.unlink(path)
