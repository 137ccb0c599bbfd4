"""An sdist, or another archive of a project, checked as a whole before any of its files is written.

The source distribution format (PEP 625) names files and their top folder; the archives that servers make of a
repository have names of their own. Nothing is concluded from either.
"""

import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, NoReturn

from buildlock.environment.entry_names import NameRules, find_folders, find_name_fault
from buildlock.environment.private_folder import private_folder
from buildlock.environment.tar_entries import TarArchive, TarEntry
from buildlock.environment.zip_entries import DEFAULT_LIMIT, ZipArchive, ZipEntry, ends_as_zip
from buildlock.errors import EnvironmentPreparationError, InvalidArchiveError
from buildlock.text import present
from buildlock.values import dataclass

_MAX_TEXT = 4 << 20
"""Bytes of PKG-INFO and pyproject.toml each."""
_FORMATS = (".tar.gz", ".tgz", ".zip")
_DRIVE = re.compile(r"[A-Za-z]:")
_OLDEST = 315_619_200
"""The 2nd of January 1980, UTC: in 1980 wherever the clock is, which is the first year that a wheel can tell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SdistFacts:
    """What is known of an sdist before it is unpacked."""

    filename: str
    root: str
    """The one folder at its top.

    "`{name}-{version}`", but those of before PEP 625 spell it in other ways than their filename, or leave it out
    of step with it, so that nothing is concluded from it.
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    entry: TarEntry | ZipEntry
    chunks: Callable[[], Iterator[bytes]]

    @property
    def target(self) -> str | None:
        """The file that this one is a copy of."""
        return self.entry.target if isinstance(self.entry, TarEntry) else None


class Sdist:
    """An sdist that is sound; see `open_sdist`."""

    def __init__(self, archive: TarArchive | ZipArchive, filename: str) -> None:
        self._filename = filename
        names = [entry.name for entry in archive.entries]
        self._folders = sorted(find_folders(names))
        self._files = _list_files(archive)
        self.facts = SdistFacts(filename=filename, root=self._find_root(names))

    def read(self, relative: str, max_bytes: int = _MAX_TEXT) -> bytes | None:
        """The content of a file, by its path below the top folder, such as `PKG-INFO`; `None` where it is not there.

        Raises:
            InvalidArchiveError: It is larger than `max_bytes`, or changed while it was read.
        """
        file = self._files.get(f"{self.facts.root}/{relative}")
        if file is None:
            return None
        if file.entry.size > max_bytes:
            self._refuse(f"`{self.facts.root}/{relative}` is larger than {max_bytes} bytes")
        return b"".join(file.chunks())

    def unpack(self, folder: Path) -> Path:
        """Write the project's folder into `folder`, made if need be: all of it or nothing.

        Who may read, write and execute does not depend on the user's mask, as it can end up in a wheel. Links become
        copies of their files and folders. A time before 1980, or to come, becomes the nearest that is neither.

        Returns:
            The project's folder.

        Raises:
            InvalidArchiveError: The file changed since it was opened.
            EnvironmentPreparationError: It cannot be written, or something of its name is there already.
        """
        place = folder / self.facts.root
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentPreparationError(f"`{folder}` cannot be made: {error.strerror or error}") from error
        with private_folder(folder, ".sdist-") as scratch:
            try:
                self._write(scratch)
                # Not over an empty folder either, which POSIX would allow.
                if os.path.lexists(place):
                    raise EnvironmentPreparationError(f"`{place}` is there already")
                (scratch / self.facts.root).rename(place)
            except UnicodeEncodeError as error:
                raise EnvironmentPreparationError(
                    f"`{self._filename}` cannot be unpacked: this platform cannot write `{present(error.object)}`"
                ) from error
            except OSError as error:
                raise EnvironmentPreparationError(
                    f"`{self._filename}` cannot be unpacked into `{folder}`: {error.strerror or error}"
                ) from error
        return place

    def _write(self, scratch: Path) -> None:
        # Sorted: those above come first.
        for name in self._folders:
            (scratch / name).mkdir()
            (scratch / name).chmod(0o755)
        # What is copied comes after what it is a copy of; the others in their order, so that one pass is enough.
        now = int(time.time())
        for path, file in sorted(self._files.items(), key=lambda item: item[1].target is not None):
            # Exclusive: never through a link, never over what is there.
            with (scratch / path).open("xb") as written:
                if file.target is None:
                    written.writelines(file.chunks())
                else:
                    with (scratch / file.target).open("rb") as original:
                        shutil.copyfileobj(original, written)
            (scratch / path).chmod(0o755 if file.entry.executable else 0o644)
            modified = max(_OLDEST, min(file.entry.modified, now))
            os.utime(scratch / path, (modified, modified))

    def _find_root(self, names: list[str]) -> str:
        roots = sorted({name.partition("/")[0] for name in names})
        if len(roots) != 1:
            self._refuse(
                f"it has {len(roots)} files and folders at its top; it must have one folder"
                + (f": `{roots[0]}` and `{roots[1]}`" if roots else "")
            )
        if roots[0] in self._files or _DRIVE.match(roots[0]):
            self._refuse(f"`{roots[0]}` at its top is not a folder")
        return roots[0]

    def _refuse(self, reason: str) -> NoReturn:
        raise InvalidArchiveError(f"`{self._filename}` is refused: {present(reason)}")


@contextmanager
def open_sdist(path: Path, *, filename: str, limit: int = DEFAULT_LIMIT) -> Iterator[Sdist]:
    """Open an sdist, or an archive like one, and check all of it; of a `.zip`, all but what its files hold.

    The names in it have to suit this platform, not every one: projects do hold `aux.c`, or two files whose names
    differ in case.

    Args:
        path: Where it is.
        filename: What it is called, which need not be the name of `path`; it tells the format.
        limit: Bytes that it may unpack to.

    Raises:
        InvalidArchiveError: The sdist is refused.
        EnvironmentPreparationError: It cannot be read.
    """
    _check_filename(filename)
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise EnvironmentPreparationError(f"`{path}` is not a file")
            sdist = Sdist(_open_archive(file, filename, limit), filename)
        except OSError as error:
            raise EnvironmentPreparationError(f"`{path}` cannot be read: {error.strerror or error}") from error
        yield sdist


def _open_archive(file: BinaryIO, filename: str, limit: int) -> TarArchive | ZipArchive:
    rules = NameRules.of_platform(sys.platform)
    if filename.endswith(".zip"):
        return ZipArchive(file, filename, limit=limit, rules=rules)
    # Some installers look at the content first and at the filename last.
    if ends_as_zip(file):
        raise InvalidArchiveError(f"`{filename}` is refused: it is a ZIP file too")
    return TarArchive(file, filename, limit=limit, rules=rules)


def _list_files(archive: TarArchive | ZipArchive) -> Mapping[str, _File]:
    if isinstance(archive, TarArchive):
        files = [_File(entry=entry, chunks=partial(archive.chunks, entry)) for entry in archive.entries]
    else:
        files = [_File(entry=entry, chunks=partial(archive.chunks, entry)) for entry in archive.entries]
    return {file.entry.name: file for file in files if not file.entry.is_folder}


def _check_filename(filename: str) -> None:
    if "/" in filename or find_name_fault(filename):
        raise InvalidArchiveError(f"`{present(filename)}` is not the name of a file")
    if not filename.endswith(_FORMATS):
        raise InvalidArchiveError(f"`{filename}` is refused: only `.tar.gz` and `.zip` archives are read")
