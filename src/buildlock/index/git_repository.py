"""Repositories in the cache: bare, one per URL, with the commits that were asked for."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from buildlock.errors import EnvironmentPreparationError, IntegrityError, UnavailableError
from buildlock.file_locks import take_lock
from buildlock.index.git_command import Git
from buildlock.index.git_remote import Remote
from buildlock.reporting import Noted, Reporter
from buildlock.values import dataclass

_FULL_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LENGTH_OF_SHA256 = 64
_EVERYTHING = ("+refs/heads/*:refs/origin/heads/*", "+refs/tags/*:refs/origin/tags/*")


def find_repository_damage(git: Git, folder: Path) -> str | None:
    """What is wrong with a bare repository, all objects of which are read.

    Raises:
        EnvironmentPreparationError: git cannot be run.
    """
    ended = git.run(["fsck", "--full", "--no-dangling", "--no-progress", "--no-reflogs"], repository=folder)
    return None if ended.succeeded else ended.complaint


def is_full_hash(text: str) -> bool:
    """Whether it is a whole SHA-1 or SHA-256."""
    return _FULL_HASH.fullmatch(text) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Repository:
    """What the cache has of a repository elsewhere.

    A commit that was fetched completely is named by a reference of ours; nothing else is trusted to be complete.
    """

    git: Git
    remote: Remote
    report: Reporter
    offline: bool = False
    """Ask nothing of other machines."""

    def list_references(self, *patterns: str) -> Mapping[str, str]:
        """Ask the remote for the hashes of references; an annotated tag's commit is under its name and `^{}`.

        Raises:
            UnavailableError: It does not answer.
        """
        self._check_online("the references of a repository are kept nowhere")
        self.report(Noted(f"asking `{self.remote.location}` for its references"))
        ended = self.git.run(["ls-remote", "--quiet", "--", self.remote.url, *patterns], remote=self.remote)
        if not ended.succeeded or not ended.complete:
            raise self._unavailable(ended.complaint if ended.complete else "it has too many references")
        lines = (line.partition("\t") for line in ended.output.decode("utf-8", "replace").splitlines())
        return {name: found for found, _, name in lines if is_full_hash(found)}

    def obtain(self, commit: str) -> str | None:
        """Have a commit in the cache: without the network where it is there already.

        Args:
            commit: The full hash of a commit or of an annotated tag.

        Returns:
            The hash of the commit; `None` where the remote has no such commit.

        Raises:
            UnavailableError: It is not there, and the remote does not answer.
            IntegrityError: What the remote has is malformed.
            EnvironmentPreparationError: The cache cannot be written.
        """
        with self.open(sha256=len(commit) == _LENGTH_OF_SHA256) as folder:
            reference = f"refs/buildlock/{commit}"
            if found := self._peel(folder, reference):
                return found
            self._check_online(f"the cache has not its commit {commit}")
            self.report(Noted(f"fetching {commit} of `{self.remote.location}`"))
            # Not every server has single commits to give, and those that only have files cannot tell what is shallow.
            if self._fetch(folder, "--depth=1", references=[f"{commit}:{reference}"]) is not None:
                if not self._fetch_all(folder) or self._peel(folder, commit) is None:
                    return None
                self._run(folder, "update-ref", reference, commit)
            return self._peel(folder, reference)

    def find_abbreviated(self, abbreviation: str, *, sha256: bool) -> str | None:
        """The commit of the remote whose hash begins so; `None` unless there is exactly one.

        Raises:
            UnavailableError: The remote does not answer.
            EnvironmentPreparationError: The cache cannot be written.
        """
        self._check_online("the commits of a repository are kept only by their full hashes")
        with self.open(sha256=sha256) as folder:
            self.report(Noted(f"fetching all of `{self.remote.location}`"))
            return self._peel(folder, abbreviation) if self._fetch_all(folder) else None

    def obtain_history(self, commit: str) -> Mapping[str, str]:
        """Have what leads to a commit in the cache; the hashes of the remote's tags by their names.

        Raises:
            UnavailableError: It is not there, and the remote does not answer.
            IntegrityError: What the remote has is malformed.
            EnvironmentPreparationError: The cache cannot be written.
        """
        with self.open(sha256=len(commit) == _LENGTH_OF_SHA256) as folder:
            mark = f"refs/history/{commit}"
            if self._peel(folder, mark) is None:
                self._check_online(f"the cache has not the history of its commit {commit}")
                self.report(Noted(f"fetching the history of `{self.remote.location}`"))
                # No branch or tag may lead to it; and not every server gives it by its hash.
                depth = ["--unshallow"] if (folder / "shallow").exists() else []
                references = [*_EVERYTHING, commit]
                if self._fetch(folder, "--prune", *depth, references=references) is not None:
                    self._fetch_all(folder)
                self._run(folder, "update-ref", mark, commit)
            return self._list_tags(folder)

    @contextmanager
    def open(self, *, sha256: bool) -> Iterator[Path]:
        """The bare repository, held against other processes.

        Raises:
            EnvironmentPreparationError: The cache cannot be written.
        """
        key = hashlib.sha256(self.remote.location.encode()).hexdigest()[:32]
        folder = self.git.folder / (f"{key}-sha256" if sha256 else key)
        try:
            release = take_lock(folder.with_name(f"{folder.name}.lock"))
        except OSError as error:
            raise EnvironmentPreparationError(f"`{folder}` cannot be written: {error.strerror or error}") from error
        try:
            self._prepare(folder, sha256=sha256)
            with suppress(OSError):
                os.utime(folder)  # that it is used: `buildlock cache prune` goes by it
            yield folder
        finally:
            release()

    @contextmanager
    def copy(self, commit: str) -> Iterator[tuple[Path, Path] | None]:
        """The bare repository, held, and a copy of it that has one commit; every object in that was hashed anew.

        git compares objects with their names when it receives them, and never again: what was written into the
        cache since would be checked out. `None` where that is damaged; it is removed then, to be fetched again.

        Raises:
            EnvironmentPreparationError: The cache cannot be written.
        """
        sha256 = len(commit) == _LENGTH_OF_SHA256
        with (
            self.open(sha256=sha256) as folder,
            tempfile.TemporaryDirectory(prefix="copy-", dir=self.git.folder, ignore_cleanup_errors=True) as place,
        ):
            copy = Path(place)
            self._run(copy, "init", "--quiet", "--bare", "--template=", *_choose_algorithm(sha256=sha256))
            options = ("--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head")
            wanted = f"refs/buildlock/{commit}"
            ended = self.git.run(
                ["fetch", *options, "--", folder.as_uri(), f"{wanted}:{wanted}"],
                repository=copy,
                variables={"GIT_ALLOW_PROTOCOL": "file"},
            )
            if ended.succeeded and self._peel(copy, wanted) == commit:
                yield folder, copy
                return
            self.report(Noted(f"`{folder}` is damaged and will be fetched again: {ended.complaint}"))
            shutil.rmtree(folder)
            yield None

    def _prepare(self, folder: Path, *, sha256: bool) -> None:
        try:
            # Nobody else holds these: they are of a process that was killed.
            for stale in [*folder.glob("*.lock"), *(folder / "refs").rglob("*.lock")]:
                stale.unlink(missing_ok=True)
            if self.git.run(["rev-parse", "--git-dir"], repository=folder).succeeded:
                return
            # New, incomplete or damaged.
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise EnvironmentPreparationError(f"`{folder}` cannot be written: {error.strerror or error}") from error
        self._run(folder, "init", "--quiet", "--bare", "--template=", *_choose_algorithm(sha256=sha256))

    def _run(self, folder: Path, *arguments: str) -> None:
        ended = self.git.run(arguments, repository=folder)
        if not ended.succeeded:
            raise EnvironmentPreparationError(f"`{folder}` cannot be written: {ended.complaint}")

    def _peel(self, folder: Path, name: str) -> str | None:
        """The commit that a name stands for, if it is there."""
        command = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
        ended = self.git.run(command, repository=folder)
        found = ended.output.decode("ascii", "replace").strip()
        return found if ended.succeeded and is_full_hash(found) else None

    def _list_tags(self, folder: Path) -> Mapping[str, str]:
        command = ["for-each-ref", "--format=%(objectname) %(refname:lstrip=3)", "refs/origin/tags"]
        ended = self.git.run(command, repository=folder)
        if not ended.succeeded or not ended.complete:
            raise EnvironmentPreparationError(f"`{folder}` cannot be read: {ended.complaint}")
        lines = (line.partition(" ") for line in ended.output.decode("utf-8", "surrogateescape").splitlines())
        return {name: found for found, _, name in lines}

    def _fetch_all(self, folder: Path) -> bool:
        """Fetch all branches and tags with their history; whether the remote has hashes of this kind."""
        # What is shallow counts as known to its roots.
        depth = ["--unshallow"] if (folder / "shallow").exists() else []
        complaint = self._fetch(folder, "--prune", *depth, references=_EVERYTHING)
        if complaint is None:
            return True
        if "mismatched algorithms" in complaint:
            return False
        if "fsck error" in complaint:
            raise IntegrityError(f"the git repository `{self.remote.location}` is refused: {complaint}")
        raise self._unavailable(complaint)

    def _fetch(self, folder: Path, *options: str, references: Sequence[str]) -> str | None:
        """Fetch; what git complains of if that failed."""
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", *options)
        command = ["fetch", *options, "--", self.remote.url, *references]
        ended = self.git.run(command, repository=folder, remote=self.remote)
        return None if ended.succeeded else ended.complaint

    def _check_online(self, lacking: str) -> None:
        if self.offline and not self.remote.is_local:
            raise UnavailableError(
                f"the git repository `{self.remote.location}` was not asked: this is offline, and {lacking}",
                hint="run the command once with a network: the commit is kept in the cache then",
            )

    def _unavailable(self, reason: str) -> UnavailableError:
        return UnavailableError(
            f"the git repository `{self.remote.location}` cannot be read: {reason}",
            hint=f"see whether `git ls-remote {self.remote.location}` works",
        )


def _choose_algorithm(*, sha256: bool) -> tuple[str, ...]:
    return ("--object-format=sha256",) if sha256 else ()
