"""`download`: a folder with exactly the locked files, for machines without a network."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from packaging.pylock import Package, PackageArchive, PackageSdist, PackageWheel

from buildlock.environment.kept import KeptFiles
from buildlock.environment.own_files import hash_file
from buildlock.environment.private_folder import private_folder
from buildlock.errors import EnvironmentPreparationError, LockfileError
from buildlock.lockfile.model import LockedEnvironment, build_key, name_archive
from buildlock.lockfile.select import select, walk
from buildlock.project.model import Overrides
from buildlock.reporting import Began, Warned, phase
from buildlock.targets import TargetName, choose_names
from buildlock.values import dataclass, field, replace
from buildlock.workflows.client import open_client
from buildlock.workflows.files import LockedFile, LockedFiles, file_of
from buildlock.workflows.interpreters import find_targets
from buildlock.workflows.locks import read_lock
from buildlock.workflows.parallel import map_parallel
from buildlock.workflows.workspace import Workspace, choose_variant, file_url

State: TypeAlias = Literal["downloaded", "kept", "replaced"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DownloadOptions:
    """What `download` is asked for."""

    directory: Path
    variants: tuple[str, ...] = ()
    all_variants: bool = False
    pythons: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    """The targets whose files are wanted; without any, the files of all that the lock serves."""
    frozen: bool = False
    overrides: Overrides = field(default_factory=Overrides)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """A file of the folder."""

    file: LockedFile
    path: Path
    state: State
    """`kept`: it was there; `replaced`: another was."""


def download(workspace: Workspace, options: DownloadOptions) -> tuple[Fetched, ...]:
    """Bring the locked files into a folder, each verified; a file appears there complete or not at all.

    Other files of the folder are left alone.

    Raises:
        LockfileError: There is no lock, it is invalid or stale, or it does not cover a target; or two files that
            differ have one name.
        IndexError_: A file cannot be downloaded, or is not the locked one.
        EnvironmentPreparationError: The folder cannot be written.
    """
    project = workspace.read_project(options.overrides)
    asked = tuple(project.variants) if options.all_variants else options.variants or (None,)
    variants = dict.fromkeys(choose_variant(project, name, workspace.environ, workspace.report) for name in asked)
    names = choose_names((), pythons=options.pythons, platforms=options.platforms)
    fetched: dict[str, Fetched] = {}
    lock = read_lock(workspace, project)
    for variant in variants:
        locked = lock.environment(variant, frozen=options.frozen)
        files = tuple(_list_files(workspace, locked, names))
        _check_names([*(each.file for each in fetched.values()), *files])
        wanted = [file for file in files if file.filename not in fetched]
        workspace.report(Began(f"Downloading the files of {variant}"))
        with open_client(workspace, project.inputs[variant]) as client:
            done = _fill(workspace, options.directory, wanted, LockedFiles(workspace, project.inputs[variant], client))
        fetched |= {each.file.filename: each for each in done}
    return tuple(fetched[name] for name in sorted(fetched))


def _list_files(workspace: Workspace, locked: LockedEnvironment, names: Sequence[TargetName]) -> Iterator[LockedFile]:
    """The files that targets get, each once; of no targets, all of the lock. A warning names what is no file."""
    folder = workspace.lock_path.parent
    chosen: Iterable[tuple[str, LockedFile | None]]
    if names:
        targets = find_targets(names, workspace.environ)
        chosen = (
            (build_key(each.name, each.version), file_of(each, folder))
            for target in targets
            for each in walk(select(locked, target))
        )
    else:
        packages = (package for each in (locked, *locked.builds.values()) for package in each.packages)
        chosen = (pair for package in packages for pair in _list_package(package, folder))
    files: dict[LockedFile, None] = {}
    others: dict[str, None] = {}
    for label, file in chosen:
        if file is None:
            others[label] = None
        else:
            files[file] = None
    if others:
        workspace.report(
            Warned(
                f"no files, and so not in the folder: {', '.join(f'`{label}`' for label in others)}",
                hint="a folder comes with the project; a commit is in the cache once `buildlock install` has built it",
            )
        )
    yield from files


def _list_package(package: Package, folder: Path) -> Iterator[tuple[str, LockedFile | None]]:
    label = f"{package.name}=={package.version}"
    places: list[tuple[str, PackageWheel | PackageSdist | PackageArchive]] = []
    places += [(wheel.filename, wheel) for wheel in package.wheels or ()]
    if package.sdist is not None:
        places.append((package.sdist.filename, package.sdist))
    if package.archive is not None:
        places.append((name_archive(package.archive), package.archive))
    for filename, file in places:
        yield (
            label,
            LockedFile(
                name=package.name,
                filename=filename,
                url=file.url or file_url(folder, file.path or ""),
                sha256=file.hashes["sha256"],
                size=file.size,
                index=package.index,
            ),
        )
    if not places:
        yield label, None


def _check_names(files: Iterable[LockedFile]) -> None:
    """Do nothing if no two files that differ have one name.

    Raises:
        LockfileError: Two have.
    """
    known: dict[str, LockedFile] = {}
    for file in files:
        other = known.setdefault(file.filename, file)
        if other.sha256 != file.sha256:
            raise LockfileError(
                f"two files that differ are called `{file.filename}`: those of `{other.url}` and `{file.url}`",
                hint="give each variant a folder of its own",
            )


def _fill(
    workspace: Workspace, directory: Path, wanted: Sequence[LockedFile], files: LockedFiles
) -> tuple[Fetched, ...]:
    # What `run --frontend` and builds from source have kept need not be downloaded.
    store = workspace.open_store()
    kept = [KeptFiles(store, name, workspace.report, by_content=True) for name in ("files", "sources")]

    def bring(file: LockedFile, scratch: Path) -> Fetched:
        path = directory / file.filename
        state = _look(path, file)
        if state != "kept":
            if state == "replaced":
                workspace.report(Warned(f"`{path}` is another file than the locked one, and is replaced"))
            found = next(filter(None, (each.find_intact(file.sha256) for each in kept)), None)
            local = replace(file, url=found.path.as_uri()) if found else file
            files.fetch(local, scratch / file.filename)
            (scratch / file.filename).replace(path)
        return Fetched(file=file, path=path, state=state)

    try:
        directory.mkdir(parents=True, exist_ok=True)
        with private_folder(directory, ".buildlock-download-") as scratch:
            # The largest first, so that none is left alone at the end.
            ordered = sorted(wanted, key=lambda file: -(file.size or 0))
            with phase(workspace.report, "waiting"):
                return map_parallel(partial(bring, scratch=scratch), ordered, give_up=files.give_up)
    except OSError as error:
        raise EnvironmentPreparationError(f"`{directory}` cannot be written: {error.strerror or error}") from error


def _look(path: Path, file: LockedFile) -> State:
    """Whether the file is there already, or another, a folder or a link in its place."""
    with suppress(OSError):
        if path.is_file() and not path.is_symlink() and hash_file(path) == file.sha256:
            return "kept"
    return "replaced" if os.path.lexists(path) else "downloaded"
