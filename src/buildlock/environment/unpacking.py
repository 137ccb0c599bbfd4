"""Writing the files of a wheel, several at a time, each compared with its hash while it is written."""

import hashlib
import os
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from buildlock.answers.looking import for_thread
from buildlock.environment.copying import write
from buildlock.environment.entry_names import find_folders
from buildlock.environment.record import RecordLine, encode_digest
from buildlock.environment.sharing import count_processors
from buildlock.environment.zip_entries import ZipArchive, ZipEntry
from buildlock.errors import EnvironmentPreparationError, InvalidArchiveError
from buildlock.text import present

_SHARE = 4 << 20
"""Bytes that a thread unpacks before it asks for more: to hand them over costs little, and none is left alone."""
_EACH = 16 << 10
"""Bytes that could be unpacked while a file is made."""
_MAX_THREADS = 8
"""More of them wait for each other: Python runs in one at a time, and a folder takes one new name at a time."""
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
"""O_EXCL: never through a link, never over what is there."""


def write_files(
    archive: ZipArchive, entries: Collection[ZipEntry], record: Mapping[str, RecordLine], destination: Path
) -> list[RecordLine]:
    """Write the files of an archive below `destination`, an empty folder; what was written, in their order.

    Args:
        archive: Where they are.
        entries: The files, in the order of their data; folders are made as files need them.
        record: What RECORD says of them by name.
        destination: What was written stays there if one is refused: the caller throws the folder away.

    Raises:
        InvalidArchiveError: A file is not the one that RECORD describes; of several the first.
        EnvironmentPreparationError: It cannot be written.
    """
    writer = _Writer(archive, record, str(destination))
    writer.make_folders(entries)
    shares = _share_out(entries)
    if len(shares) == 1:
        return writer.write(shares[0])
    # The largest are begun first, and of two faults the first is told, whichever was found first.
    begun: dict[int, Future[list[RecordLine]]] = {}
    try:
        for number in sorted(range(len(shares)), key=lambda number: -_weigh(shares[number])):
            begun[number] = _POOL.submit(for_thread(writer.write), shares[number])
        return [line for number in range(len(shares)) for line in begun[number].result()]
    finally:
        for future in begun.values():
            future.cancel()
        # Nothing is written any more when the caller goes on.
        wait(begun.values())


def _weigh(entries: Sequence[ZipEntry]) -> int:
    return sum(entry.size + _EACH for entry in entries)


def _share_out(entries: Collection[ZipEntry]) -> list[list[ZipEntry]]:
    """The entries in the order of their data, in parts that take about as long; a large file may take longer."""
    shares: list[list[ZipEntry]] = [[]]
    weight = 0
    for entry in entries:
        if weight >= _SHARE:
            shares.append([])
            weight = 0
        shares[-1].append(entry)
        weight += entry.size + _EACH
    return shares


class _Writer:
    """Writes files of one wheel; used by several threads."""

    def __init__(self, archive: ZipArchive, record: Mapping[str, RecordLine], root: str) -> None:
        self._archive = archive
        self._record = record
        self._root = root

    def make_folders(self, entries: Collection[ZipEntry]) -> None:
        """Make each folder that a file needs, once, those above it first."""
        folder = ""
        try:
            for folder in sorted(find_folders(entry.name for entry in entries)):
                os.mkdir(f"{self._root}/{folder}")  # noqa: PTH102 - called a thousand times
        except OSError as error:
            raise self._describe(folder, error) from error

    def write(self, entries: Sequence[ZipEntry]) -> list[RecordLine]:
        return [self._write(entry) for entry in entries]

    def _write(self, entry: ZipEntry) -> RecordLine:
        recorded = self._record.get(entry.name)
        algorithm = recorded.algorithm if recorded and recorded.digest else "sha256"
        digest = hashlib.new(algorithm)
        try:
            descriptor = os.open(f"{self._root}/{entry.name}", _FLAGS, 0o755 if entry.executable else 0o644)
            try:
                for chunk in self._archive.chunks(entry):
                    digest.update(chunk)
                    write(descriptor, chunk)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._describe(entry.name, error) from error
        found = encode_digest(digest.digest())
        if recorded and recorded.digest and found != recorded.digest:
            fault = present(f"`{entry.name}` does not have the hash that RECORD gives")
            raise InvalidArchiveError(f"`{self._archive.filename}` is refused: {fault}")
        return RecordLine(path=entry.name, algorithm=algorithm, digest=found, size=entry.size)

    def _describe(self, name: str, error: OSError) -> EnvironmentPreparationError:
        return EnvironmentPreparationError(
            f"`{name}` of `{self._archive.filename}` cannot be written: {error.strerror or error}"
        )


_POOL = ThreadPoolExecutor(min(count_processors(), _MAX_THREADS), thread_name_prefix="buildlock-unpacking")
"""One for all wheels: however many are unpacked at a time, there is work for no more threads than processors."""
