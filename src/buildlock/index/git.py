"""Git repositories: which commit a revision is, and the tree of a commit."""

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from buildlock.artifacts import Origin
from buildlock.errors import EnvironmentPreparationError, IntegrityError, ProjectError
from buildlock.index.git_command import Git, find_git
from buildlock.index.git_folder import add_tags, make_git_folder
from buildlock.index.git_remote import Remote, join_remote, parse_remote
from buildlock.index.git_repository import Repository, is_full_hash
from buildlock.index.symlinks import find_link_fault
from buildlock.project.network import InsecureHost
from buildlock.reporting import Reporter
from buildlock.text import excerpt, present
from buildlock.values import dataclass, replace

DEFAULT_LIMIT = 16 << 30
"""Bytes of all files of a tree, submodules included."""
FORMAT = "git-v1"
"""The name of the folder in the cache."""
_ATTEMPTS = 3
_MAX_NESTING = 10
"""Submodules in submodules."""
_MAX_REVISION = 250
# https://git-scm.com/docs/git-check-ref-format, and nothing that is a pattern, an expression or an option.
_REVISION = re.compile(r"(?![-/.])(?!.*(?:\.\.|//|@\{|/\.|\.lock(?:/|$)))[^\x00-\x20\x7f~^:?*\[\\]+(?<![/.])")
_ABBREVIATION = re.compile(r"[0-9a-fA-F]{4,63}")
_LENGTH_OF_SHA256 = 64
_LINK, _SUBMODULE = "120000", "160000"
_MAX_LINK = 4096


def resolve_revision(
    origin: Origin,
    *,
    environ: Mapping[str, str],
    report: Reporter,
    cache: Path,
    offline: bool = False,
    insecure_hosts: Sequence[InsecureHost] = (),
) -> Origin:
    """Find the commit that `origin.revision` is: of a branch, else of a tag, else by its hash or the beginning of it.

    The commit is in the cache afterwards. A full hash that was there before needs no network.

    Args:
        origin: A repository; without a revision, its default branch is meant.
        environ: The user's environment.
        report: Told of every question to the repository.
        cache: The folder for everything that can be fetched again.
        offline: Ask nothing of other machines.
        insecure_hosts: Servers whose certificate is not checked.

    Returns:
        `origin` with `commit`, a full hash.

    Raises:
        ProjectError: The URL cannot be used, or the repository has no such revision.
        HostError: There is no `git`.
        UnavailableError: The repository does not answer.
        EnvironmentPreparationError: The cache cannot be written.
    """
    repository = _open_repository(
        parse_remote(origin.url),
        environ=environ,
        report=report,
        cache=cache,
        offline=offline,
        insecure_hosts=insecure_hosts,
    )
    revision = origin.revision
    if revision is not None and (len(revision) > _MAX_REVISION or not _REVISION.fullmatch(revision)):
        raise ProjectError(
            present(f"`{revision}` of `{origin.location}` is not a branch, tag or commit"),
            hint="write the name of a branch or tag, or the hash of a commit",
        )
    commit = _find_commit(repository, revision)
    if commit is None:
        sought = "a default branch" if revision is None else f"a branch, tag or commit `{revision}`"
        raise ProjectError(
            present(f"the git repository `{origin.location}` has not {sought}"),
            hint=f"`git ls-remote {origin.location}` lists what it has",
        )
    return replace(origin, commit=commit)


def checkout(
    origin: Origin,
    destination: Path,
    *,
    environ: Mapping[str, str],
    report: Reporter,
    cache: Path,
    limit: int = DEFAULT_LIMIT,
    offline: bool = False,
    insecure_hosts: Sequence[InsecureHost] = (),
) -> None:
    """Write the tree of `origin.commit`, with its submodules at the commits that it names.

    It has a `.git` that knows this commit alone; `add_history` adds the rest. Submodules have none.

    Without the network where the cache has all of these. Files are as they are in the commit on every machine: no
    line ends are converted; a filter of `.gitattributes` runs only where the user has configured it; files in Git LFS
    stay pointers.

    Args:
        origin: A repository, with the full hash of the commit.
        destination: A folder that is empty or missing. What is in it after an error is incomplete.
        environ: The user's environment.
        report: Told of every question to a repository.
        cache: The folder for everything that can be fetched again.
        limit: Bytes that all files may have.
        offline: Ask nothing of other machines.
        insecure_hosts: Servers whose certificate is not checked.

    Raises:
        ProjectError: A URL cannot be used, or the repository does not have the commit.
        IntegrityError: The tree is refused: too large, a link out of it, submodules that cannot be.
        HostError: There is no `git`.
        UnavailableError: A repository does not answer.
        EnvironmentPreparationError: The cache or the destination cannot be written.
    """
    if origin.commit is None or not is_full_hash(origin.commit):
        raise ProjectError(present(f"`{origin.commit}` of `{origin.location}` is not the full hash of a commit"))
    remote = parse_remote(origin.url)
    repository = _open_repository(
        remote, environ=environ, report=report, cache=cache, offline=offline, insecure_hosts=insecure_hosts
    )
    try:
        destination.mkdir(parents=True, exist_ok=True)
        if next(destination.iterdir(), None) is not None:
            raise EnvironmentPreparationError(f"`{destination}` is not empty")
        _write_tree(repository, origin.commit, destination, nesting=0, limit=limit)
        _check_links(destination, f"{origin.commit} of `{origin.location}`")
    except OSError as error:
        raise EnvironmentPreparationError(f"`{destination}` cannot be written: {error.strerror or error}") from error


def add_history(
    origin: Origin,
    tree: Path,
    *,
    environ: Mapping[str, str],
    report: Reporter,
    cache: Path,
    offline: bool = False,
    insecure_hosts: Sequence[InsecureHost] = (),
) -> None:
    """Add to the `.git` of a tree what `git describe` needs: the commits before `origin.commit`, and all tags.

    Without the network where it was asked for before.

    Args:
        origin: As of `checkout`.
        tree: What `checkout` has written.
        environ: The user's environment.
        report: Told of every question to the repository.
        cache: The folder for everything that can be fetched again.
        offline: Ask nothing of other machines.
        insecure_hosts: Servers whose certificate is not checked.

    Raises:
        UnavailableError: The repository does not answer.
        IntegrityError: What it has is malformed.
        EnvironmentPreparationError: The cache or the tree cannot be written.
    """
    assert origin.commit is not None
    repository = _open_repository(
        parse_remote(origin.url),
        environ=environ,
        report=report,
        cache=cache,
        offline=offline,
        insecure_hosts=insecure_hosts,
    )
    tags = repository.obtain_history(origin.commit)
    try:
        add_tags(repository.git, tree, tags)
    except OSError as error:
        raise EnvironmentPreparationError(f"`{tree}` cannot be written: {error.strerror or error}") from error


def _open_repository(
    remote: Remote,
    *,
    environ: Mapping[str, str],
    report: Reporter,
    cache: Path,
    offline: bool,
    insecure_hosts: Sequence[InsecureHost],
) -> Repository:
    # Absolute, because git is run in it and told of places in it.
    folder = cache.absolute() / FORMAT
    git = find_git(environ, folder, purpose=remote.location)
    git = replace(git, insecure_hosts=tuple(insecure_hosts), report=report)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or (os.name == "posix" and status.st_uid != os.geteuid()):
            raise EnvironmentPreparationError(
                f"`{folder}` is not a folder of yours", hint="set `BUILDLOCK_CACHE_DIR` to a folder of your own"
            )
    except OSError as error:
        raise EnvironmentPreparationError(
            f"`{folder}` cannot be written: {error.strerror or error}",
            hint="set `BUILDLOCK_CACHE_DIR` to a folder that can be written",
        ) from error
    return Repository(git=git, remote=remote, report=report, offline=offline)


def _find_commit(repository: Repository, revision: str | None) -> str | None:
    if revision is not None and is_full_hash(revision.lower()):
        return repository.obtain(revision.lower())
    names = ["HEAD"] if revision in {None, "HEAD"} else [f"refs/heads/{revision}", f"refs/tags/{revision}"]
    if revision is not None and revision.startswith("refs/"):
        names = [revision]
    # One more than is needed: it tells the kind of the hashes where nothing else is found.
    found = repository.list_references(*{"HEAD", *names}, *(f"{name}^{{}}" for name in names))
    for name in names:
        if commit := found.get(f"{name}^{{}}", found.get(name)):
            return repository.obtain(commit)
    if revision is not None and _ABBREVIATION.fullmatch(revision):
        sha256 = any(len(commit) == _LENGTH_OF_SHA256 for commit in found.values())
        return repository.find_abbreviated(revision.lower(), sha256=sha256)
    return None


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: str
    hash: str
    size: int
    path: str


def _write_tree(repository: Repository, commit: str, destination: Path, *, nesting: int, limit: int) -> int:
    """Write a tree and its submodules; how many bytes of the limit are left."""
    where = f"{commit} of `{repository.remote.location}`"
    for _ in range(_ATTEMPTS):
        found = repository.obtain(commit)
        if found != commit:
            raise ProjectError(
                f"the git repository `{repository.remote.location}` has not the commit {commit}",
                hint="it may have been removed from there; lock again",
            )
        with repository.copy(commit) as copied:
            if copied is None:
                continue
            folder, copy = copied
            entries = list(_list_tree(repository.git, copy, commit, where))
            limit -= sum(entry.size for entry in entries)
            if limit < 0:
                raise IntegrityError(f"the files of {where} are larger than is accepted")
            urls = _read_submodules(repository.git, copy, commit, entries, where)
            # Of a submodule only the files are of interest.
            index = copy / "index" if nesting else make_git_folder(destination, folder, commit) / "index"
            _write_files(repository.git, copy, commit, destination, where, index=index)
            break
    else:
        raise EnvironmentPreparationError(
            f"the copy of {where} in `{repository.git.folder}` is damaged again and again"
        )
    for path, (url, submodule) in urls.items():
        place = destination / path
        if place.resolve() != destination.resolve() / path:
            raise IntegrityError(present(f"the submodule `{path}` in {where} is behind a link"))
        if nesting == _MAX_NESTING:
            raise IntegrityError(f"{where} has submodules nested deeper than {_MAX_NESTING}")
        other = replace(repository, remote=join_remote(repository.remote, url))
        limit = _write_tree(other, submodule, place, nesting=nesting + 1, limit=limit)
    return limit


def _list_tree(git: Git, folder: Path, commit: str, where: str) -> Iterator[_Entry]:
    ended = git.run(["ls-tree", "-r", "-l", "-z", "--full-tree", commit], repository=folder)
    if not ended.complete:
        raise IntegrityError(f"{where} has too many files")
    if not ended.succeeded:
        raise EnvironmentPreparationError(f"`{folder}` cannot be read: {ended.complaint}")
    for line in ended.output.split(b"\0")[:-1]:
        facts, _, path = line.partition(b"\t")
        mode, _, found, size = facts.decode("ascii").split()
        entry = _Entry(mode, found, 0 if size == "-" else int(size), os.fsdecode(path))
        if mode == _LINK and entry.size > _MAX_LINK:
            raise IntegrityError(present(f"`{entry.path}` in {where} is a link of {entry.size} bytes"))
        yield entry


def _read_submodules(
    git: Git, folder: Path, commit: str, entries: list[_Entry], where: str
) -> dict[str, tuple[str, str]]:
    """URL and commit of each submodule, by its path."""
    commits = {entry.path: entry.hash for entry in entries if entry.mode == _SUBMODULE}
    if not commits:
        return {}
    settings: dict[str, dict[str, str]] = {}
    ended = git.run(["config", "--blob", f"{commit}:.gitmodules", "--null", "--list"], repository=folder)
    for line in os.fsdecode(ended.output).split("\0")[:-1]:
        key, _, value = line.partition("\n")
        section, _, name = key.partition(".")
        if section == "submodule":
            name, _, variable = name.rpartition(".")
            settings.setdefault(name, {})[variable] = value
    urls = {each.get("path", ""): each for each in settings.values()}
    found = {}
    for path, submodule in commits.items():
        if "url" not in urls.get(path, {}):
            raise IntegrityError(present(f"the submodule `{excerpt(path)}` in {where} has no URL in `.gitmodules`"))
        if urls[path].get("update") != "none":
            found[path] = urls[path]["url"], submodule
    return found


def _write_files(git: Git, folder: Path, commit: str, destination: Path, where: str, *, index: Path) -> None:
    index.unlink(missing_ok=True)
    variables = {"GIT_INDEX_FILE": str(index.absolute()), "GIT_WORK_TREE": str(destination.absolute())}
    for arguments in (["read-tree", commit], ["checkout-index", "--all", "--quiet", "--index"]):
        ended = git.run(arguments, repository=folder, variables=variables)
        if not ended.succeeded:
            raise IntegrityError(
                f"{where} cannot be checked out: {ended.complaint}",
                hint=f"if the repository is in order, remove `{folder}`, which is our copy of it",
            )


def _check_links(destination: Path, where: str) -> None:
    for parent, folders, files in os.walk(destination):
        for name in [*folders, *files]:
            path = Path(parent, name)
            if path.is_symlink() and (fault := find_link_fault(path, destination, path.readlink())):
                raise IntegrityError(present(f"`{path.relative_to(destination).as_posix()}` in {where} {fault}"))
