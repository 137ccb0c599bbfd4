"""The store: verified wheels, unpacked once, found by the sha256 of their file."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.environment.entry_points import Command
from buildlock.environment.own_files import check_own, hash_file, make_own, mark_used
from buildlock.environment.private_folder import private_folder
from buildlock.environment.record import RecordLine
from buildlock.environment.wheel import UnpackedFile, WheelFacts, open_wheel
from buildlock.environment.zip_entries import DEFAULT_LIMIT
from buildlock.errors import EnvironmentPreparationError, IntegrityError
from buildlock.reporting import Noted, Reporter, Warned

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TREE = "tree"
_MANIFEST = "manifest.json"
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
        except OSError as error:
            raise EnvironmentPreparationError(
                f"the store `{root}` cannot be written: {error.strerror or error}",
                hint="set `BUILDLOCK_CACHE_DIR` to a folder that can be written",
            ) from error

    def find(self, sha256: str) -> StoredWheel | None:
        """The wheel of this hash; `None` where the store has it not, or had it damaged and removed it.

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
            self._report(Noted(f"`{entry}` is damaged and will be fetched again: {error}"))
            self._discard(entry)
            return None
        except OSError as error:
            # Too many open files, a failing disk: that says nothing about the entry.
            raise EnvironmentPreparationError(f"`{entry}` cannot be read: {error.strerror or error}") from error
        mark_used(entry)
        return stored

    def add(self, archive: Path, *, sha256: str, filename: str) -> StoredWheel:
        """Verify and unpack a wheel. Where another process added it meanwhile, that one is used.

        Args:
            archive: The file; not changed.
            sha256: What its hash must be.
            filename: What the index calls it.

        Raises:
            IntegrityError: It has another hash.
            InvalidArchiveError: It is refused; the store is as it was.
            EnvironmentPreparationError: The store cannot be written.
        """
        entry = self._locate(sha256)
        try:
            found = hash_file(archive)
            if found != sha256:
                raise IntegrityError(f"`{filename}` has the sha256 {found}, not {sha256}")
            with self.scratch() as scratch, open_wheel(archive, filename=filename, limit=self._limit) as wheel:
                if wheel.is_newer:
                    self._report(Warned(f"`{filename}` is of a later version of the wheel format than 1.0"))
                (scratch / _TREE).mkdir(mode=0o700)
                files = wheel.unpack(scratch / _TREE)
                _write_manifest(scratch, sha256, wheel.facts, files)
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
        with private_folder(self._scratch, "scratch-") as folder:
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


def _write_manifest(folder: Path, sha256: str, facts: WheelFacts, files: tuple[UnpackedFile, ...]) -> None:
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
                    *_observe(folder / _TREE / file.line.path),
                ]
                for file in files
            ],
        }
    ).encode()
    # The first line lets a flipped bit in the manifest itself be found.
    (folder / _MANIFEST).write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def read_stored(entry: Path, sha256: str) -> StoredWheel:
    """The wheel in an entry of a store, no file of which changed since, as far as the file system says.

    Raises:
        OSError: It cannot be read.
        ValueError, KeyError, TypeError, RecursionError: It is not as it was written; the message says what changed.
    """
    manifest = _read_manifest(entry)
    if manifest["sha256"] != sha256:
        raise ValueError("it is another wheel")
    files = []
    for path, algorithm, digest, executable, *observed in manifest["files"]:
        size = observed[0]
        if list(_observe(entry / _TREE / path)) != observed:
            raise ValueError(f"`{path}` was changed")
        line = RecordLine(path=path, algorithm=algorithm, digest=digest, size=size)
        files.append(UnpackedFile(line=line, executable=executable))
    facts = _make_facts(manifest)
    return StoredWheel(sha256=sha256, facts=facts, tree=entry / _TREE, files=tuple(files))


def read_facts(entry: Path) -> WheelFacts:
    """What the wheel in an entry says of itself; its files are not looked at.

    Raises:
        As `read_stored`.
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
