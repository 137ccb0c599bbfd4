"""Files that the store keeps whole: the sources it was given, and the wheels it had built from them."""

import json
import os
import re
from pathlib import Path

from buildlock.environment.own_files import check_own, hash_file, make_own, mark_used
from buildlock.environment.store import KEPT, Store
from buildlock.errors import EnvironmentPreparationError
from buildlock.reporting import Noted, Reporter
from buildlock.values import dataclass

_KEY = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptFile:
    """A file as it was when it was kept; whether it still is `hash_file` tells."""

    path: Path
    sha256: str


class KeptFiles:
    """Files below `store.root / name`, each in a folder named by its key, which appears complete or not at all.

    When one was last asked for is the time of its folder.

    Args:
        store: Whose folder and scratch space they share.
        name: Of their folder.
        report: Told when a damaged entry is passed over.
        by_content: Whether the key of a file is its sha256; else it is made from what the file was made from.

    Raises:
        EnvironmentPreparationError: The folder cannot be written, or is not the user's own.
    """

    def __init__(self, store: Store, name: str, report: Reporter, *, by_content: bool) -> None:
        self._store = store
        self._by_content = by_content
        self._root = store.root / name
        self._report = report
        try:
            make_own(self._root)
        except OSError as error:
            raise self._refuse(error) from error

    def find(self, key: str) -> KeptFile | None:
        """The file that was kept under a key; `None` where there is none, or what is there is not as it was left.

        Its content is not read: whoever uses it compares the hash.
        """
        entry = self._locate(key)
        try:
            kept = read_kept(entry, key if self._by_content else None)
        except FileNotFoundError:
            return None
        except (OSError, EnvironmentPreparationError, ValueError, KeyError, TypeError, RecursionError) as error:
            self._report(Noted(f"`{entry}` is damaged and passed over: {error}"))
            return None
        mark_used(entry)
        return kept

    def find_intact(self, key: str) -> KeptFile | None:
        """The same, its content compared with its hash."""
        kept = self.find(key)
        try:
            if kept is not None and hash_file(kept.path) == kept.sha256:
                return kept
        except OSError:
            return None
        return None

    def keep(self, key: str, file: Path, *, filename: str, sha256: str) -> KeptFile:
        """Move a file here, in place of what had its key.

        Args:
            key: 64 hexadecimal digits.
            file: On the store's file system; it is not there any more afterwards.
            filename: What it is to be called.
            sha256: Its hash, which the caller computed.

        Raises:
            EnvironmentPreparationError: It cannot be written.
        """
        assert _FILENAME.fullmatch(filename), "a file name is checked where it is parsed"
        entry = self._locate(key)
        try:
            with self._store.scratch() as scratch:
                complete = scratch / "complete"
                complete.mkdir(mode=0o700)
                file.rename(complete / filename)
                _flush(complete / filename)
                facts = {"filename": filename, "sha256": sha256}
                (complete / KEPT).write_text(json.dumps(facts), encoding="utf-8")
                _flush(complete / KEPT)
                if os.path.lexists(entry):
                    entry.rename(scratch / "replaced")
                complete.rename(entry)
        except OSError as error:
            raise self._refuse(error) from error
        return KeptFile(path=entry / filename, sha256=sha256)

    def _locate(self, key: str) -> Path:
        assert _KEY.fullmatch(key), "a key is a digest"
        return self._root / key

    def _refuse(self, error: OSError) -> EnvironmentPreparationError:
        return EnvironmentPreparationError(
            f"the store `{self._root}` cannot be written: {error.strerror or error}",
            hint="set `BUILDLOCK_CACHE_DIR` to a folder that can be written",
        )


def read_kept(entry: Path, expected: str | None) -> KeptFile:
    """What is said of the file in an entry.

    Args:
        entry: Its folder.
        expected: The sha256 that it has to be of, if that is known.

    Raises:
        EnvironmentPreparationError: It is a link, or another user's.
        OSError: It cannot be read.
        ValueError, KeyError, TypeError, RecursionError: It is not as it was written.
    """
    check_own(entry)
    facts = json.loads((entry / KEPT).read_bytes())
    filename, sha256 = facts["filename"], facts["sha256"]
    if not _FILENAME.fullmatch(filename) or not _KEY.fullmatch(sha256):
        raise ValueError("its facts were changed")
    if expected is not None and sha256 != expected:
        raise ValueError("it is another file")
    path = entry / filename
    if path.is_symlink() or not path.is_file():
        raise ValueError(f"`{filename}` is missing")
    return KeptFile(path=path, sha256=sha256)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
