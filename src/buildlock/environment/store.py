"""The store: verified wheels, unpacked once, found by the sha256 of their file."""

import errno
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path
from typing import Final

from buildlock.environment.interpreter import Interpreter
from buildlock.environment.mending import Mended, keep_bytecode, mend
from buildlock.environment.own_files import check_own, hash_open, make_own, mark_used
from buildlock.environment.private_folder import clear_abandoned, private_folder
from buildlock.environment.recipe import RECIPES
from buildlock.environment.removal import move_away
from buildlock.environment.seal import SEAL, TREE, find_boot, find_broken
from buildlock.environment.stored import (
    BYTECODE,
    DAMAGED,
    FILES,
    MANIFEST,
    NOT_AS_WRITTEN,
    UNCOMPILED,
    StoredWheel,
    is_damaged,
    read_wheel,
    write_entry,
)
from buildlock.environment.wheel import Wheel, open_archive
from buildlock.environment.zip_entries import DEFAULT_LIMIT, ZipArchive
from buildlock.errors import EnvironmentPreparationError, IntegrityError
from buildlock.file_locks import take_lock
from buildlock.reporting import Noted, Reporter, Warned
from buildlock.stamps import Stamp, stamp_of
from buildlock.values import replace

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PREFIX = "scratch-"
_OUT_OF_REACH = frozenset({errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP})
"""What commands can make of a folder of theirs: no mode, or more folders in folders than a path can name."""
KEPT: Final = "kept.json"
"""What is recorded of a file that is kept whole."""


class Store:
    """Wheels below `root`, each in `wheels/<sha256>/`: `tree/` and, out of reach of the archive, what is known of it.

    An entry appears by a rename, complete, or not at all. Environments link to its folders, so whatever runs in them
    can write there: its seal tells, before each use, whether anything was changed, without reading a file.

    Args:
        root: A folder for the store alone; made with mode 0700 where it is missing.
        report: Told when a damaged entry is removed, and of wheels of a newer format.
        limit: Bytes that one wheel may unpack to.

    Raises:
        EnvironmentPreparationError: The root cannot be written, or is not the user's own.
    """

    def __init__(self, root: Path, report: Reporter, *, limit: int = DEFAULT_LIMIT) -> None:
        self.root = root
        self._report = report
        self._limit = limit
        self._wheels, self._locks, self._scratch, self._written = (
            root / name for name in ("wheels", "locks", "scratch", "written")
        )
        try:
            root.parent.mkdir(parents=True, exist_ok=True)
            for folder in (root, self._wheels, self._locks, self._scratch, self._written):
                make_own(folder)
            # One that was killed when all was there has left what nobody else would come by.
            clear_abandoned(self._scratch, _PREFIX)
        except OSError as error:
            raise EnvironmentPreparationError(
                f"the store `{root}` cannot be written: {error.strerror or error}",
                hint="set `BUILDLOCK_CACHE_DIR` to a folder that can be written",
            ) from error

    def find(self, sha256: str) -> StoredWheel | None:
        """The wheel of this hash; `None` where the store has it not, or had it damaged and removed it.

        Where it was touched, as by a copy of the store, its files are read: they may be as they were. What was left in
        its folders is taken out.

        Raises:
            EnvironmentPreparationError: The store cannot be read, or a damaged entry not be removed.
        """
        return self._find(sha256)

    def _find(self, sha256: str, *, just_sealed: bool = False) -> StoredWheel | None:
        entry = self._locate(sha256)
        if not os.path.lexists(entry):
            return None
        try:
            check_own(entry)
            wheel = read_wheel(entry, sha256)
            if not just_sealed and find_broken([str(entry)]) and (damage := self._mend(wheel)):
                raise ValueError(damage)
        except NOT_AS_WRITTEN as error:
            self._report(Noted(f"`{entry}` is damaged and will be fetched again: {error}"))
            self._discard(entry)
            return None
        except OSError as error:
            # Too many open files, a failing disk: that says nothing about the entry.
            raise EnvironmentPreparationError(f"`{entry}` cannot be read: {error.strerror or error}") from error
        mark_used(entry)
        return replace(wheel, written=(self._written / sha256).exists(), uncompiled=(entry / UNCOMPILED).exists())

    def add(self, archive: Path, *, sha256: str, filename: str, hashed: Stamp | None = None) -> StoredWheel:
        """Verify and unpack a wheel. Where another process added it meanwhile, that one is used.

        Args:
            archive: The file; not changed.
            sha256: What its hash must be.
            filename: What the index calls it.
            hashed: What the file system said of it when the caller found its hash to be that one. It is hashed again
                where that is not known, or something else is said of it now.

        Raises:
            IntegrityError: It has another hash.
            InvalidArchiveError: It is refused; the store is as it was.
            EnvironmentPreparationError: The store cannot be written.
        """
        entry = self._locate(sha256)
        try:
            # What is hashed is what is unpacked, whatever takes its place meanwhile.
            with open_archive(archive) as file, self.scratch() as scratch:
                if hashed != stamp_of(file) and (found := hash_open(file)) != sha256:
                    raise IntegrityError(f"`{filename}` has the sha256 {found}, not {sha256}")
                if stored := self.find(sha256):
                    return stored
                wheel = Wheel(ZipArchive(file, filename, limit=self._limit), filename)
                if wheel.is_newer:
                    self._report(Warned(f"`{filename}` is of a later version of the wheel format than 1.0"))
                complete = scratch / "complete"
                complete.mkdir(mode=0o700)
                (complete / TREE).mkdir(mode=0o700)
                files = wheel.unpack(complete / TREE)
                write_entry(complete, sha256, wheel.facts, files)
                _flush()
                published = self._publish(complete, entry)
            if stored := self._find(sha256, just_sealed=published):
                return stored
        except OSError as error:
            raise EnvironmentPreparationError(
                f"the store `{self.root}` cannot be written: {error.strerror or error}"
            ) from error
        raise EnvironmentPreparationError(f"`{entry}` changed while it was written")

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder of this process on the store's file system, removed at the end."""
        with private_folder(self._scratch, _PREFIX) as folder:
            yield folder

    @contextmanager
    def guard(self) -> Iterator[None]:
        """While the block runs code of strangers, take out what they change, together with what is recorded of it.

        Raises:
            EnvironmentPreparationError: What was changed cannot be removed.
        """
        records, knowledge = self._stamp(MANIFEST, FILES, KEPT), self._stamp(SEAL, BYTECODE)
        recipes = _stamp_all((self.root / RECIPES).glob("*"))
        try:
            yield
        finally:
            for entry in _list_moved(records, self._stamp(MANIFEST, FILES, KEPT)):
                self._report(Warned(f"`{entry}` was changed during a build, and will be fetched or built again"))
                self._remove(entry)
            # Another process may have written these anew; that it was one of ours nobody can tell.
            for entry in _list_moved(knowledge, self._stamp(SEAL, BYTECODE)):
                for name in (SEAL, BYTECODE):
                    (entry / name).unlink(missing_ok=True)
            for recipe, stamp in _stamp_all((self.root / RECIPES).glob("*")).items():
                if recipes.get(recipe) != stamp:
                    recipe.unlink(missing_ok=True)

    def _stamp(self, *names: str) -> Mapping[Path, tuple[int, ...]]:
        """Which record each entry has: no time of change can be put back."""
        folders = [self.root / folder for folder in ("wheels", "built")]
        return _stamp_all(path for name in names for folder in folders for path in folder.glob(f"*/{name}"))

    @contextmanager
    def lock(self, sha256: str) -> Iterator[None]:
        """Hold an entry against other processes and threads, so that each file is downloaded once.

        Raises:
            EnvironmentPreparationError: The store cannot be written.
        """
        try:
            release = take_lock(self._locks / sha256)
        except OSError as error:
            raise EnvironmentPreparationError(
                f"the store `{self.root}` cannot be written: {error.strerror or error}"
            ) from error
        try:
            yield
        finally:
            release()

    def compile(self, wheels: Iterable[StoredWheel], interpreter: Interpreter) -> None:
        """Compile what commands had compiled for themselves, once for all environments.

        Args:
            wheels: Of this store, as they are.
            interpreter: Whose bytecode it is; what was compiled by another is left for that.
        """
        for wheel in wheels:
            if wheel.uncompiled:
                with self.hold(wheel.sha256), suppress(*NOT_AS_WRITTEN, OSError):
                    keep_bytecode(wheel, interpreter)

    def _locate(self, sha256: str) -> Path:
        """Where a wheel is, or goes: what was damaged stays where it is, for the environments that link to it."""
        assert _SHA256.fullmatch(sha256), "a hash is checked where it is parsed"
        names = chain([sha256], (f"{sha256}-{number}" for number in count(1)))
        return next(path for path in map(self._wheels.joinpath, names) if not is_damaged(path))

    def _publish(self, complete: Path, entry: Path) -> bool:
        """Give an entry its place; whether it is there, and not that of another process."""
        try:
            complete.rename(entry)
        except OSError:
            # Another process was first, and its entry is as good as ours: `find` tells.
            if not os.path.lexists(entry):
                raise
            return False
        return True

    @contextmanager
    def hold(self, sha256: str) -> Iterator[None]:
        """Keep others from mending or sealing an entry meanwhile.

        Raises:
            OSError: The store cannot be written.
        """
        release = take_lock(self._locks / f"{sha256}.seal")
        try:
            yield
        finally:
            release()

    def _mend(self, wheel: StoredWheel) -> str | None:
        """Make an entry what it was; what is damaged in it otherwise."""
        with self.hold(wheel.sha256):
            if not find_broken([str(wheel.entry)]):
                return None  # another process did
            try:
                # The next environments get copies, so that what is written into one is nobody else's.
                mended = mend(wheel, self._written / wheel.sha256)
            except OSError as error:
                if error.errno not in _OUT_OF_REACH:
                    raise
                mended = Mended(left=(), damaged=str(error.filename or wheel.tree))
        if mended.damaged:
            (self._written / wheel.sha256).touch(mode=0o600)
            return f"`{mended.damaged}` was changed"
        if mended.left:
            self._report(Noted(f"`{wheel.filename}` had `{mended.left[0]}` written into it, which was removed"))
        else:
            self._report(Noted(f"`{wheel.entry}` was touched: every file of it is as it was"))
        return None

    def _discard(self, entry: Path) -> None:
        """Let an entry be used by no new environment; `buildlock cache prune` removes it."""
        try:
            check_own(entry)
            (entry / DAMAGED).touch(mode=0o600)
        except FileNotFoundError:
            return  # another process removed it
        except (OSError, EnvironmentPreparationError):
            self._remove(entry)

    def _remove(self, entry: Path) -> None:
        """Take something out of sight at once, then remove it."""
        with self.scratch() as scratch:
            try:
                move_away(entry, scratch / "damaged")  # where no other process did
            except OSError as error:
                raise EnvironmentPreparationError(
                    f"`{entry}` is damaged and cannot be removed: {error.strerror or error}"
                ) from error


def _stamp_all(paths: Iterable[Path]) -> Mapping[Path, tuple[int, ...]]:
    stamps = {}
    for path in paths:
        with suppress(OSError):
            status = path.lstat()
            stamps[path] = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_mode)
    return stamps


def _list_moved(before: Mapping[Path, tuple[int, ...]], after: Mapping[Path, tuple[int, ...]]) -> list[Path]:
    """The entries that had a record which is another now."""
    return sorted({record.parent for record, stamp in before.items() if after.get(record, stamp) != stamp})


def _flush() -> None:
    """Bring what was written to the disk, where no seal can tell later that the machine went down meanwhile."""
    if hasattr(os, "sync") and not find_boot():
        os.sync()  # a tenth of the time that `fsync` takes for thousands of files
