"""Where a shared library looks for others: the search paths in ELF files (System V ABI, "Dynamic Section").

Read with bounds everywhere, as the file is a stranger's: what makes no sense has no search path.
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO

from buildlock.values import dataclass

_MAGIC = b"\x7fELF"
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NULL, _DT_STRTAB, _DT_RPATH, _DT_RUNPATH = 0, 5, 15, 29
_ET_EXEC = 2
_MAX_HEADERS = 1024
_MAX_DYNAMIC = 1 << 20
"""Bytes of the dynamic section."""
_MAX_TEXT = 64 << 10
"""Bytes of a search path."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ElfFacts:
    """What the loader goes by."""

    paths: tuple[str, ...]
    """The entries of DT_RPATH and DT_RUNPATH, as they are written."""
    is_program: bool
    """Whether it is started itself; what it calls its own folder is where the file is in truth then."""


def read_elf(path: Path) -> ElfFacts | None:
    """The facts of an ELF file; `None` of another file.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(64)
        if not head.startswith(_MAGIC):
            return None
        try:
            return _Reader(file, head).read()
        except (struct.error, ValueError, IndexError, OverflowError):
            return ElfFacts(paths=(), is_program=True)


class _Reader:
    def __init__(self, file: BinaryIO, head: bytes) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._wide = {1: False, 2: True}.get(head[4])
        self._order = {1: "<", 2: ">"}.get(head[5])
        if self._wide is None or self._order is None:
            raise ValueError("no class or byte order of ELF")
        self._head = head

    def read(self) -> ElfFacts:
        kind = self._unpack("H", self._head, 16)[0]
        headers = list(self._program_headers())
        is_program = kind == _ET_EXEC or any(each[0] == _PT_INTERP for each in headers)
        loads = [each[1:] for each in headers if each[0] == _PT_LOAD]
        for kind, offset, _, size in headers:
            if kind == _PT_DYNAMIC:
                return ElfFacts(paths=self._search_paths(offset, size, loads), is_program=is_program)
        return ElfFacts(paths=(), is_program=is_program)

    def _program_headers(self) -> list[tuple[int, int, int, int]]:
        """Of each: type, offset, address, size in the file."""
        if self._wide:
            start, size, count = self._unpack("Q", self._head, 32)[0], *self._unpack("HH", self._head, 54)
        else:
            start, size, count = self._unpack("I", self._head, 28)[0], *self._unpack("HH", self._head, 42)
        if count > _MAX_HEADERS or size > _MAX_HEADERS:
            raise ValueError("too many program headers")
        table = self._read(start, size * count)
        headers = []
        for at in range(0, size * count, size):
            if self._wide:
                kind, _, offset, address, _, length = self._unpack("IIQQQQ", table, at)
            else:
                kind, offset, address, _, length = self._unpack("IIIII", table, at)
            headers.append((kind, offset, address, length))
        return headers

    def _search_paths(self, offset: int, size: int, loads: list[tuple[int, int, int]]) -> tuple[str, ...]:
        table = self._read(offset, min(size, _MAX_DYNAMIC))
        entry = struct.Struct(f"{self._order}{'QQ' if self._wide else 'II'}")
        strings, wanted = None, dict[int, int]()
        for at in range(0, len(table) - entry.size + 1, entry.size):
            tag, value = entry.unpack_from(table, at)
            if tag == _DT_NULL:
                break
            if tag == _DT_STRTAB:
                strings = value
            elif tag in (_DT_RPATH, _DT_RUNPATH):
                wanted[tag] = value  # the loader takes the last of each
        if strings is None or not wanted:
            return ()
        base = next((strings - start + at for at, start, length in loads if start <= strings < start + length), strings)
        paths: list[str] = []
        for place in wanted.values():
            text = self._read(base + place, _MAX_TEXT).partition(b"\0")[0]
            paths += [part for part in os.fsdecode(text).split(":") if part]
        return tuple(paths)

    def _read(self, offset: int, size: int) -> bytes:
        if offset > self._size:
            raise ValueError("beyond the end of the file")
        self._file.seek(offset)
        return self._file.read(size)

    def _unpack(self, form: str, data: bytes, at: int) -> tuple[int, ...]:
        return struct.unpack_from(f"{self._order}{form}", data, at)
