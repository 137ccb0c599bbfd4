"""The store: verified wheels, unpacked once, found by the sha256 of their file."""

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.environment.contents import find_changed, find_unknown
from buildlock.environment.entry_points import Command
from buildlock.environment.own_files import check_own, hash_open, make_own, mark_used
from buildlock.environment.private_folder import clear_abandoned, private_folder
from buildlock.environment.record import RecordLine
from buildlock.environment.wheel import UnpackedFile, Wheel, WheelFacts, open_archive
from buildlock.environment.zip_entries import DEFAULT_LIMIT, ZipArchive
from buildlock.errors import EnvironmentPreparationError, IntegrityError
from buildlock.reporting import Noted, Reporter, Warned
from buildlock.stamps import Stamp, stamp_of

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TREE = "tree"
_MANIFEST = "manifest.json"
_PREFIX = "scratch-"
KEPT = "kept.json"
"""What is recorded of a file that is kept whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredWheel:
    """A wheel in the store, complete and as it was when it was verified."""

    sha256: str
    facts: WheelFacts
    tree: Path
    """The folder that it is unpacked in. Nothing may be written there."""
    files: tuple[UnpackedFile, ...] = field(repr=False)

    @property
    def name(self) -> NormalizedName:
        return self.facts.name

    @property
    def version(self) -> Version:
        return self.facts.version

    @property
    def filename(self) -> str:
        return self.facts.filename


class Store:
    """Wheels below `root`, each in `wheels/<sha256>/`: `tree/` and, out of reach of the archive, `manifest.json`.

    An entry appears by a rename, complete, or not at all. The manifest records what the file system says of every
    file (size, times, inode), so that a later change is found without reading them.

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
        self._wheels, self._locks, self._scratch = (root / name for name in ("wheels", "locks", "scratch"))
        try:
            root.parent.mkdir(parents=True, exist_ok=True)
            for folder in (root, self._wheels, self._locks, self._scratch):
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

        Where the file system says something else of a file than when it was written, as after a copy of the store, the
        files are read: they may be as they were.

        Raises:
            EnvironmentPreparationError: The store cannot be read, or a damaged entry not be removed.
        """
        entry = self._locate(sha256)
        if not os.path.lexists(entry):
            return None
        try:
            check_own(entry)
            stored = read_stored(entry, sha256)
        except _NOT_AS_WRITTEN as error:
            if (intact := self._confirm(entry, sha256)) is None:
                self._report(Noted(f"`{entry}` is damaged and will be fetched again: {error}"))
                self._discard(entry)
                return None
            stored = intact
        except OSError as error:
            # Too many open files, a failing disk: that says nothing about the entry.
            raise EnvironmentPreparationError(f"`{entry}` cannot be read: {error.strerror or error}") from error
        mark_used(entry)
        return stored

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
                wheel = Wheel(ZipArchive(file, filename, limit=self._limit), filename)
                if wheel.is_newer:
                    self._report(Warned(f"`{filename}` is of a later version of the wheel format than 1.0"))
                (scratch / _TREE).mkdir(mode=0o700)
                files = wheel.unpack(scratch / _TREE)
                (scratch / _MANIFEST).write_bytes(_make_manifest(scratch / _TREE, sha256, wheel.facts, files))
                _flush_files()
                self._publish(scratch, entry)
            if stored := self.find(sha256):
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
        before = self._stamp()
        try:
            yield
        finally:
            after = self._stamp()
            for entry in (path for path, stamp in before.items() if after.get(path, stamp) != stamp):
                self._report(Warned(f"`{entry}` was changed during a build, and will be fetched or built again"))
                self._discard(entry)

    def _stamp(self) -> Mapping[Path, tuple[int, ...]]:
        """Which record each entry has: no time of change can be put back."""
        stamps = {}
        for record in (*self._wheels.glob(f"*/{_MANIFEST}"), *self.root.glob(f"built/*/{KEPT}")):
            with suppress(OSError):
                stamps[record.parent] = _observe(record)
        return stamps

    @contextmanager
    def lock(self, sha256: str) -> Iterator[None]:
        """Hold an entry against other processes and threads, so that each file is downloaded once.

        Raises:
            EnvironmentPreparationError: The store cannot be written.
        """
        lock = FileLock(self._locks / self._locate(sha256).name, mode=0o600)
        try:
            lock.acquire()
        except OSError as error:
            raise EnvironmentPreparationError(
                f"the store `{self.root}` cannot be written: {error.strerror or error}"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def _locate(self, sha256: str) -> Path:
        assert _SHA256.fullmatch(sha256), "a hash is checked where it is parsed"
        return self._wheels / sha256

    def _publish(self, scratch: Path, entry: Path) -> None:
        complete = scratch / "complete"
        complete.mkdir(mode=0o700)
        for name in (_TREE, _MANIFEST):
            (scratch / name).rename(complete / name)
        try:
            complete.rename(entry)
        except OSError:
            # Another process was first, and its entry is as good as ours: `find` tells.
            if not os.path.lexists(entry):
                raise
        _flush_folder(self._wheels)

    def _confirm(self, entry: Path, sha256: str) -> StoredWheel | None:
        """The wheel in an entry of which every byte is as it was recorded, and now its times and inodes too."""
        try:
            check_own(entry)
            stored, _ = read_record(entry, sha256)
            # Before they are read: what is written meanwhile is found the next time.
            manifest = _make_manifest(stored.tree, sha256, stored.facts, stored.files)
            if any(find_changes(stored)):
                return None
            with self.scratch() as scratch:
                (scratch / _MANIFEST).write_bytes(manifest)
                (scratch / _MANIFEST).replace(entry / _MANIFEST)
        except (*_NOT_AS_WRITTEN, OSError):
            return None
        self._report(Noted(f"`{entry}` was copied: every file of it is as it was"))
        return stored

    def _discard(self, entry: Path) -> None:
        """Take an entry out of sight at once, then remove it."""
        with self.scratch() as scratch:
            try:
                entry.rename(scratch / "damaged")
            except FileNotFoundError:
                return  # another process did
            except OSError as error:
                raise EnvironmentPreparationError(
                    f"`{entry}` is damaged and cannot be removed: {error.strerror or error}"
                ) from error


_NOT_AS_WRITTEN = (
    EnvironmentPreparationError,  # a link, or another user's folder
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)


def _make_manifest(tree: Path, sha256: str, facts: WheelFacts, files: tuple[UnpackedFile, ...]) -> bytes:
    body = json.dumps(
        {
            "sha256": sha256,
            "facts": asdict(facts) | {"version": str(facts.version)},
            "files": [
                [
                    file.line.path,
                    file.line.algorithm,
                    file.line.digest,
                    file.executable,
                    *_observe(tree / file.line.path),
                ]
                for file in files
            ],
        }
    ).encode()
    # The first line lets a flipped bit in the manifest itself be found.
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def read_stored(entry: Path, sha256: str) -> StoredWheel:
    """The wheel in an entry of a store, no file of which changed since, as far as the file system says.

    Raises:
        As `read_record`.
    """
    stored, observed = read_record(entry, sha256)
    for file, was in zip(stored.files, observed, strict=True):
        if _observe(stored.tree / file.line.path) != was:
            raise ValueError(f"`{file.line.path}` was changed")
    return stored


def read_record(entry: Path, sha256: str) -> tuple[StoredWheel, Sequence[tuple[int, ...]]]:
    """The wheel in an entry as it is recorded, and what the file system said of its files.

    Raises:
        OSError: It cannot be read.
        ValueError, KeyError, TypeError, RecursionError: It is not as it was written; the message says what changed.
    """
    manifest = _read_manifest(entry)
    if manifest["sha256"] != sha256:
        raise ValueError("it is another wheel")
    files, observations = [], []
    for path, algorithm, digest, executable, *observed in manifest["files"]:
        line = RecordLine(path=path, algorithm=algorithm, digest=digest, size=observed[0])
        files.append(UnpackedFile(line=line, executable=executable))
        observations.append(tuple(observed))
    facts = _make_facts(manifest)
    return StoredWheel(sha256=sha256, facts=facts, tree=entry / _TREE, files=tuple(files)), observations


def find_changes(stored: StoredWheel) -> Iterator[str]:
    """The files of a wheel that are not what was recorded of them: unknown, of another mode, of other content.

    Raises:
        OSError: One is not there, is a link, or cannot be read.
    """
    yield from find_unknown(stored.tree, {file.line.path for file in stored.files})
    if os.name == "posix":
        for file in stored.files:
            if bool((stored.tree / file.line.path).lstat().st_mode & stat.S_IXUSR) != file.executable:
                yield file.line.path
    yield from find_changed(stored.tree, (file.line for file in stored.files))


def read_facts(entry: Path) -> WheelFacts:
    """What the wheel in an entry says of itself; its files are not looked at.

    Raises:
        As `read_record`.
    """
    return _make_facts(_read_manifest(entry))


def _read_manifest(entry: Path) -> dict[str, Any]:
    checksum, _, body = (entry / _MANIFEST).read_bytes().partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != checksum:
        raise ValueError("its manifest was changed")
    manifest: dict[str, Any] = json.loads(body)
    return manifest


def _make_facts(manifest: dict[str, Any]) -> WheelFacts:
    facts = manifest["facts"]
    version, commands = Version(facts["version"]), tuple(Command(**command) for command in facts["commands"])
    return WheelFacts(**facts | {"version": version, "commands": commands})


def _observe(path: Path) -> tuple[int, int, int, int, int]:
    """What changes when a file is written, replaced or made a link."""
    status = path.lstat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_mode


def _flush_files() -> None:
    """Bring what was written to the disk, so that a rename never shows files which a power cut emptied."""
    if hasattr(os, "sync"):
        os.sync()  # a tenth of the time that `fsync` takes for thousands of files


def _flush_folder(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
