"""The lock, and the project it is of, as git has them: read from the project's own repository."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from buildlock.errors import HostError, LockfileError, UsageError
from buildlock.lockfile.model import FILENAME
from buildlock.lockfile.reader import MAX_SIZE
from buildlock.project.document import MAX_SIZE as MAX_PYPROJECT_SIZE
from buildlock.text import present
from buildlock.values import dataclass, field

PYPROJECT = "pyproject.toml"

_TIMEOUT = 60.0
"""Seconds; git reads a few files of this disk."""
_SAFE = (
    # Nothing that a repository has configured is run, and nothing is fetched.
    *("-c", "core.fsmonitor=false"),
    *("-c", f"core.hooksPath={os.devnull}"),
    "--no-pager",
    "--literal-pathspecs",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Revisions:
    """The revisions of the repository that a project's folder is in: a work tree of any kind, or a bare one."""

    root: Path
    """The project's folder."""
    environ: Mapping[str, str] = field(repr=False)

    def read_lock(self, revision: str) -> bytes | None:
        """The bytes of the project's lock at a revision; `None` where it has none.

        Raises:
            UsageError: There is no such revision.
            LockfileError: git cannot read it, or it is too large for a lock.
            HostError: There is no git.
        """
        return self._read(self._resolve(revision), revision, FILENAME, MAX_SIZE)

    def read_pyproject(self, revision: str) -> bytes | None:
        """The bytes of the project's `pyproject.toml` at a revision; `None` where it has none.

        Raises:
            As `read_lock`.
        """
        return self._read(self._resolve(revision), revision, PYPROJECT, MAX_PYPROJECT_SIZE)

    def read_stage(self, stage: int) -> bytes | None:
        """The bytes of the lock that a merge has put aside: of the common ancestor, 1, our side, 2, or theirs, 3.

        Raises:
            LockfileError, HostError: As of `read_lock`.
        """
        return self._read(f":{stage}", f":{stage}:", FILENAME, MAX_SIZE)

    def _read(self, tree: str, label: str, name: str, max_size: int) -> bytes | None:
        place = f"{tree}:{self._find_prefix()}{name}"
        kind = self._run(["cat-file", "-t", place])
        if kind.returncode != 0 or kind.stdout.strip() != b"blob":
            return None
        size = self._run(["cat-file", "-s", place]).stdout.strip()
        if not size.isdigit() or int(size) > max_size:
            raise LockfileError(f"`{name}` at `{present(label)}` is too large to be one")
        content = self._run(["cat-file", "blob", place])
        if content.returncode != 0:
            raise LockfileError(f"`{name}` at `{present(label)}` cannot be read: {_complain(content)}")
        return content.stdout

    def _resolve(self, revision: str) -> str:
        # git-check-ref-format: no name begins so; an option does.
        if revision.startswith("-") or not revision or "\0" in revision:
            raise UsageError(f"`{present(revision)}` is neither a file nor a revision")
        found = self._run(["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"])
        if found.returncode == 0:
            return found.stdout.decode("ascii", "replace").split()[-1]
        inside = self._run(["rev-parse", "--git-dir"])
        if inside.returncode != 0:
            reason = _complain(inside)
            raise UsageError(f"`{present(revision)}` is no file, and `{self.root}` is in no git repository: {reason}")
        hint = None
        if ".." in revision:
            first, _, second = revision.replace("...", "..").partition("..")
            hint = f"give the two revisions by themselves: `buildlock diff {present(f'{first} {second}')}`"
        raise UsageError(f"`{present(revision)}` is neither a file nor a revision of this repository", hint=hint)

    def _find_prefix(self) -> str:
        """Where the project's folder is in the tree of a commit: at the top of a bare repository."""
        found = self._run(["rev-parse", "--show-prefix"])
        return os.fsdecode(found.stdout.rstrip(b"\n")) if found.returncode == 0 else ""

    def _run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
        program = shutil.which("git", path=self.environ.get("PATH"))
        if program is None:
            raise HostError("a revision is read by git, and there is no `git` on PATH", hint="install git")
        environ = {
            **self.environ,
            "LC_ALL": "C",
            "GIT_ALLOW_PROTOCOL": "",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
        }
        try:
            return subprocess.run(
                [program, *_SAFE, *arguments],
                cwd=self.root,
                env=environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise LockfileError(f"`{program}` cannot be run: {present(str(error))}") from error


def is_file(name: str) -> bool:
    """Whether a name is that of a file, and so not of a revision.

    Raises:
        UsageError: It can be neither.
    """
    try:
        return Path(name).is_file()
    except (OSError, ValueError) as error:
        raise UsageError(f"`{present(name)}` is neither a file nor a revision") from error


def _complain(ended: subprocess.CompletedProcess[bytes]) -> str:
    lines = ended.stderr.decode("utf-8", "replace").strip().splitlines()
    return present(lines[-1].removeprefix("fatal: ")) if lines else "no reason given"
