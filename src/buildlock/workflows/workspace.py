"""Where a verb works: the project's folder, its lockfile, the cache, and who is told."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from buildlock.answers.place import find_cache
from buildlock.environment.cache_use import hold_file, own_folder
from buildlock.errors import EnvironmentPreparationError, UnknownVariantError, UsageError
from buildlock.lockfile.model import FILENAME
from buildlock.patterns import compile_pattern
from buildlock.project.model import Overrides, Project
from buildlock.project.reader import read_project
from buildlock.reporting import Noted, Reporter, phase, silence
from buildlock.text import present
from buildlock.values import dataclass
from buildlock.workflows.limits import NO_LIMITS, Limits

if TYPE_CHECKING:
    from buildlock.environment.store import Store

STORE = "store-v2"
ENVIRONMENTS = "environments-v2"
CLAIMS = "claims-v1"
PROJECTS = "projects-v1"
"""The folders of the cache, each with the version of its format."""
_GIBIBYTES = compile_pattern(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace:
    """Where a verb works.

    >>> Workspace(root=Path("."), cache_dir=Path("cache"), environ={}).lock_path.name
    'build-lock.toml'
    """

    root: Path
    """The project's folder."""
    cache_dir: Path
    """The store and the HTTP cache."""
    environ: Mapping[str, str]
    report: Reporter = silence
    limits: Limits = NO_LIMITS
    """What every backend is held to that is run on the way."""
    kept_since: float = 0.0
    """As `HttpClient` takes it."""

    @property
    def lock_path(self) -> Path:
        return self.root / FILENAME

    @property
    def unpacked_limit(self) -> int:
        """Bytes that one archive may unpack to.

        Raises:
            UsageError: `BUILDLOCK_MAX_UNPACKED_GIB` is no number.
        """
        from buildlock.environment.zip_entries import DEFAULT_LIMIT  # noqa: PLC0415 - to lock is not to unpack

        text = self.environ.get("BUILDLOCK_MAX_UNPACKED_GIB")
        if not text:
            return DEFAULT_LIMIT
        if not _GIBIBYTES.fullmatch(text):
            raise UsageError(
                f"`BUILDLOCK_MAX_UNPACKED_GIB` is `{present(text)}`, which is no whole number",
                hint=f"write how many GiB one archive may unpack to, such as `{DEFAULT_LIMIT >> 30}`",
            )
        return int(text) << 30

    def read_project(self, overrides: Overrides | None = None, *, asks_pip: bool = True) -> Project:
        """What the project says.

        Args:
            overrides: What the command line says besides.
            asks_pip: Whether pip is asked for the default index where nothing names one.

        Raises:
            ProjectError: It is invalid.
        """
        overrides = overrides or Overrides()
        with phase(self.report, "reading the project"):
            return read_project(
                self.root, environ=self.environ, overrides=overrides, asks_pip=asks_pip, report=self.report
            )

    def open_store(self) -> Store:
        from buildlock.environment.store import Store  # noqa: PLC0415 - to lock seldom needs it

        return Store(self.own_folder(STORE), self.report, limit=self.unpacked_limit)

    def own_folder(self, name: str) -> Path:
        """A folder of the cache that no other user can change; nobody clears it away until this process ends.

        Raises:
            EnvironmentPreparationError: It cannot be written, is a link, or is not the user's own.
        """
        return own_folder(self.cache_dir, name, self.report)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the project's lockfile against other runs of buildlock that would write it.

        Raises:
            EnvironmentPreparationError: The cache, where the lock is kept, cannot be written.
        """
        key = hashlib.sha256(os.fsencode(os.path.realpath(self.lock_path))).hexdigest()[:32]
        self.own_folder(PROJECTS)
        waiting = Noted(f"waiting for another buildlock that writes `{self.lock_path}`")
        with hold_file(self.cache_dir, f"{PROJECTS}/{key}.lock", lambda: self.report(waiting)):
            yield


def default_cache_dir(environ: Mapping[str, str]) -> Path:
    """`BUILDLOCK_CACHE_DIR`, else the platform's place for caches.

    Raises:
        EnvironmentPreparationError: The user has no home folder.
    """
    if place := find_cache(environ):
        return Path(place)
    raise EnvironmentPreparationError(
        "there is no home folder to keep the cache in", hint="set `BUILDLOCK_CACHE_DIR` to a folder that can be written"
    )


def file_url(folder: Path, relative: str) -> str:
    """A locked `path` as a `file:` URL."""
    # It was made of resolved paths, so that no link is before a `..`.
    return Path(os.path.normpath(folder.resolve() / relative)).as_uri()


def choose_variant(project: Project, asked: str | None, environ: Mapping[str, str], report: Reporter = silence) -> str:
    """The variant to work on: the one asked for, `BUILDLOCK_VARIANT`, the project's default, or the only one.

    The machine is asked for its accelerators only where the default is to be detected, and there is a choice.

    Raises:
        UnknownVariantError: It is not one of the project's, there are several and nothing says which, or none of
            them fits the machine.
        UsageError: `BUILDLOCK_ACCELERATOR` names no accelerator.
    """
    chosen = asked or environ.get("BUILDLOCK_VARIANT") or project.default_variant
    names = ", ".join(f"`{name}`" for name in project.variants)
    if chosen is None:
        if len(project.variants) == 1:
            return next(iter(project.variants))
        if project.default_detected:
            from buildlock.workflows.detection import detect_variant  # noqa: PLC0415 - few projects ask the machine

            return detect_variant(project, environ, report)
        raise UnknownVariantError(
            f"the project has the variants {names}, and nothing says which to use",
            hint="pass `--variant NAME`, set `BUILDLOCK_VARIANT`, or write `default-variant` under `[tool.buildlock]`",
        )
    # Two spellings of an extra or a group are one (PEP 685, PEP 735).
    spellings = {canonicalize_name(name): name for name in project.variants}
    if (name := spellings.get(canonicalize_name(chosen))) is None:
        where = "" if asked else " (from `BUILDLOCK_VARIANT`)" if environ.get("BUILDLOCK_VARIANT") else ""
        raise UnknownVariantError(
            f"there is no variant `{chosen}`{where} in `{project.root / 'pyproject.toml'}`",
            hint=f"the project has {names}",
        )
    return name
