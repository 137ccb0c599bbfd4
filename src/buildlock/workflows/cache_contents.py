"""What is in the cache: the entries of each kind, and what is none of them."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias

from buildlock.answers.place import ANSWERS
from buildlock.environment.claims import take_claim
from buildlock.environment.origin import list_linked
from buildlock.environment.own_files import check_own
from buildlock.environment.recipe import RECIPES
from buildlock.environment.roots import ROOTS, is_lost, read_root
from buildlock.environment.stored import is_damaged
from buildlock.errors import EnvironmentPreparationError
from buildlock.index.git import FORMAT as REPOSITORIES
from buildlock.index.http_cache import FORMAT as PAGES
from buildlock.values import dataclass
from buildlock.workflows.workspace import CLAIMS, ENVIRONMENTS, PROJECTS, STORE

EntryKind: TypeAlias = Literal[
    "wheels", "files", "sources", "built", "environments", "pages", "repositories", "answers"
]

_DIGEST = re.compile(r"[0-9a-f]{64}")
_WHEEL = re.compile(r"[0-9a-f]{64}(?:-[0-9]{1,9})?")
_ENVIRONMENT = re.compile(r"[0-9a-f]{32}(?:-[0-9]{1,9})?")
_ANSWER = re.compile(r"[0-9a-f]{40}")
_REPOSITORY = re.compile(r"[0-9a-f]{32}(?:-sha256)?")
_PLACES: Mapping[EntryKind, tuple[str, re.Pattern[str]]] = {
    "wheels": (f"{STORE}/wheels", _WHEEL),
    "files": (f"{STORE}/files", _DIGEST),
    "sources": (f"{STORE}/sources", _DIGEST),
    "built": (f"{STORE}/built", _DIGEST),
    "environments": (ENVIRONMENTS, _ENVIRONMENT),
    "pages": (PAGES, _DIGEST),
    "repositories": (REPOSITORIES, _REPOSITORY),
    "answers": (ANSWERS, _ANSWER),
}
KINDS = tuple(_PLACES)
_HELPERS = {
    STORE: frozenset(
        {"locks", "scratch", "written", RECIPES, ROOTS, *(Path(place).name for place, _ in _PLACES.values())}
    )
}
_LOCK = re.compile(r"[0-9a-f]{32}(?:-sha256)?\.lock")
_FORMATS = {
    name.rpartition("-v")[0]: int(name.rpartition("-v")[2])
    for name in (STORE, ENVIRONMENTS, CLAIMS, PROJECTS, PAGES, REPOSITORIES, ANSWERS)
}
_FORMAT = re.compile(rf"({'|'.join(_FORMATS)})-v([0-9]{{1,6}})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """Something in the cache that can be used again."""

    kind: EntryKind
    path: Path
    used: float
    """When it was last used, in seconds since the epoch."""


class Contents:
    """What is in a cache. Folders that are not named as ours are passed over, and no link is followed.

    Args:
        cache: Its folder; one that is missing is empty.

    Raises:
        EnvironmentPreparationError: It cannot be read, or a folder of it is a link or another user's.
    """

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.folders: Mapping[str, Path] = {
            path.name: path for path in self._list(cache) if _FORMAT.fullmatch(path.name)
        }
        """All that is ours, whatever its version."""
        for folder in self.folders.values():
            _check(folder)

    def list_entries(self) -> Iterator[Entry]:
        """Every entry.

        Raises:
            EnvironmentPreparationError: A folder cannot be read.
        """
        for kind, (place, name) in _PLACES.items():
            for folder in self._list_folders(kind, place):
                for path in self._list(folder):
                    if name.fullmatch(path.name) and (status := _look(path, kind)) and not is_damaged(path):
                        yield Entry(kind=kind, path=path, used=self._find_use(kind, path, status))

    def list_remains(self) -> Iterator[Path]:
        """What no buildlock needs once nobody uses the cache: unfinished things, and formats of older versions.

        Raises:
            EnvironmentPreparationError: A folder cannot be read.
        """
        for name, folder in self.folders.items():
            kind, _, version = name.rpartition("-v")
            if int(version) < _FORMATS[kind]:
                yield folder
        for name, helpers in _HELPERS.items():
            yield from (
                path for path in self._list(self.folders.get(name)) if path.name not in helpers or _is_link(path)
            )
        yield from self._list(self._enter(f"{STORE}/scratch"))
        yield from (note for note in self._list(self._enter(f"{STORE}/{ROOTS}")) if is_lost(str(note)))
        yield from self._list_lost_claims()
        for kind, (place, pattern) in _PLACES.items():
            if kind == "pages":
                yield from (path for path in self._list(self.folders.get(place)) if not _is_page_folder(path))
            for folder in self._list_folders(kind, place):
                for path in self._list(folder):
                    if kind == "repositories" and _LOCK.fullmatch(path.name):
                        continue
                    if not pattern.fullmatch(path.name) or not _look(path, kind) or is_damaged(path):
                        yield path

    def list_all(self) -> Iterator[Path]:
        """Everything, environments one by one: a command may run in one.

        Raises:
            EnvironmentPreparationError: A folder cannot be read.
        """
        held = self.list_held()
        for name, folder in self.folders.items():
            if name == STORE and held:
                yield from (path for path in self._list(folder) if path.name != "wheels")
                yield from (path for path in self._list(self._enter(f"{STORE}/wheels")) if path not in held)
            elif name not in {ENVIRONMENTS, CLAIMS}:
                yield folder
        yield from self._list(self.folders.get(ENVIRONMENTS))
        # Asked when the others are gone, and their claims with them.
        yield from self._list_lost_claims()

    def list_held(self) -> frozenset[Path]:
        """The wheels that an environment links to in which a command runs.

        Raises:
            EnvironmentPreparationError: A folder cannot be read.
        """
        environments = self._list(self.folders.get(ENVIRONMENTS))
        return frozenset(wheel for path in environments if self._is_in_use(path) for wheel in list_linked(path))

    def list_linked(self, *, since: float) -> frozenset[Path]:
        """The wheels that environments link to: those in the cache used since then, and those outside that are there.

        Args:
            since: In seconds since the epoch.

        Raises:
            EnvironmentPreparationError: A folder cannot be read.
        """
        used = [entry.path for entry in self.list_entries() if entry.kind == "environments" and entry.used >= since]
        outside = filter(None, (read_root(str(note)) for note in self._list(self._enter(f"{STORE}/{ROOTS}"))))
        return self.list_held().union(*map(list_linked, [*used, *map(Path, outside)]))

    def _is_in_use(self, environment: Path) -> bool:
        path = self.cache / CLAIMS / environment.name
        if not path.is_file():
            return False
        claim = take_claim(path)
        claim.release()
        return not claim.alone

    def _list_lost_claims(self) -> Iterator[Path]:
        """Claims on environments that are not there."""
        for path in self._list(self.folders.get(CLAIMS)):
            if not os.path.lexists(self.cache / ENVIRONMENTS / path.name):
                yield path

    def _list_folders(self, kind: EntryKind, place: str) -> Iterator[Path]:
        folder = self._enter(place)
        if folder is None:
            return
        if kind == "pages":
            yield from filter(_is_page_folder, self._list(folder))
        else:
            yield folder

    def _enter(self, place: str) -> Path | None:
        """A folder of ours in the cache."""
        name, _, inner = place.partition("/")
        folder = self.folders.get(name)
        if folder is None or not inner:
            return folder
        inside = folder / inner
        return inside if inside.is_dir() and not inside.is_symlink() else None

    def _find_use(self, kind: EntryKind, path: Path, status: os.stat_result) -> float:
        if kind == "environments":
            # Its claim is told; its own folder says when it was made.
            with suppress(OSError):
                return (self.cache / CLAIMS / path.name).lstat().st_mtime
        return status.st_mtime

    def _list(self, folder: Path | None) -> list[Path]:
        if folder is None:
            return []
        try:
            return sorted(folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise EnvironmentPreparationError(f"`{folder}` cannot be read: {error.strerror or error}") from error


def _check(folder: Path) -> None:
    try:
        check_own(folder)
    except OSError as error:
        raise EnvironmentPreparationError(f"`{folder}` cannot be used: {error.strerror or error}") from error


def _look(path: Path, kind: EntryKind) -> os.stat_result | None:
    """What the file system says of an entry; `None` where it is none: a link, or a file in place of a folder."""
    try:
        status = path.lstat()
    except OSError:
        return None
    fits = stat.S_ISREG(status.st_mode) if kind in {"pages", "answers"} else stat.S_ISDIR(status.st_mode)
    return status if fits else None


def _is_link(path: Path) -> bool:
    return path.is_symlink() or not path.is_dir()


def _is_page_folder(path: Path) -> bool:
    return re.fullmatch(r"[0-9a-f]{2}", path.name) is not None and not _is_link(path)
