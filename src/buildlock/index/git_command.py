"""Running git on what strangers wrote: no prompts, no hooks, nothing of the surrounding repository, an end."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import IO

from buildlock.errors import EnvironmentPreparationError, HostError
from buildlock.groups import kill_group
from buildlock.index.git_remote import Remote
from buildlock.index.insecurity import find_insecure, warn_insecure
from buildlock.project.network import InsecureHost
from buildlock.reporting import Reporter, silence
from buildlock.text import present
from buildlock.values import dataclass, field

MAX_OUTPUT = 64 * 1024 * 1024
"""Bytes that git may print: the names in half a million files, or refs."""
_TIMEOUT = 3600.0
"""Seconds; the end of a server that only just keeps the connection alive."""
_PATIENCE = 2.0
"""Seconds that output may still come after git has ended."""
_KEPT_COMPLAINTS = 4096
_CHUNK = 65536

# What of the user's environment names a repository, or prints what was sent.
_DROPPED = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_CONFIG_PARAMETERS",
        "GIT_CURL_VERBOSE",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_QUARANTINE_PATH",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_TEMPLATE_DIR",
        "GIT_WORK_TREE",
        "LANGUAGE",
    }
)
_TOLERATED = ("badTimezone", "missingSpaceBeforeDate", "zeroPaddedDate", "zeroPaddedFilemode")
_CONFIGURATION = (
    # Nothing that the machine has configured runs on an event.
    f"core.hooksPath={os.devnull}",
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    # The same bytes on every machine.
    f"core.attributesFile={os.devnull}",
    "core.autocrlf=false",
    "core.eol=lf",
    "core.longPaths=true",
    # Objects made to deceive are refused, those that old tools wrote by mistake are not.
    "transfer.fsckObjects=true",
    *(f"{command}.{fault}=ignore" for command in ("fetch.fsck", "fsck") for fault in _TOLERATED),
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "fetch.recurseSubmodules=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
)
_FULL_DISK = ("No space left on device", "Disk quota exceeded", "Read-only file system")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a run of git ended."""

    succeeded: bool
    output: bytes = field(repr=False)
    """What it printed, as far as `MAX_OUTPUT`."""
    complete: bool
    """Whether that is all of it."""
    complaint: str
    """The last of what it said beside its output, fit to be shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Git:
    """The `git` command, with the environment that it is run in.

    The user's configuration holds (credential helpers, proxies, `url.<base>.insteadOf`), except what runs code at an
    event or changes the bytes of a tree.
    """

    program: str
    environ: Mapping[str, str] = field(repr=False)
    folder: Path
    """Where it is run; no repository."""
    insecure_hosts: tuple[InsecureHost, ...] = ()
    """Servers whose certificate is not checked."""
    report: Reporter = silence
    """Told of them, where one is asked."""

    def run(
        self,
        arguments: Sequence[str],
        *,
        repository: Path | None = None,
        remote: Remote | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Ended:
        """Run git to its end; stop it where its time is over or we are interrupted.

        Args:
            arguments: A command of git and its arguments. What comes from outside stands behind `--`.
            repository: The bare repository that it works on.
            remote: The repository that it may ask, if any.
            variables: What else belongs into its environment.

        Raises:
            EnvironmentPreparationError: It cannot be started, or says that the disk is full.
        """
        configuration = [*_CONFIGURATION, *(remote.configuration if remote else ()), *self._lift_checks(remote)]
        command = [self.program, *(word for setting in configuration for word in ("-c", setting))]
        if repository is not None:
            command.append(f"--git-dir={repository}")
        environ = {
            **self.environ,
            "GIT_ALLOW_PROTOCOL": "",
            **(remote.variables if remote else {}),
            **(variables or {}),
        }
        try:
            ended = _run([*command, *arguments], folder=self.folder, environ=environ)
        except (OSError, ValueError) as error:
            raise EnvironmentPreparationError(f"`{self.program}` cannot be run: {error}") from error
        complaint = present(remote.hide(ended.complaint) if remote else ended.complaint)
        if not ended.succeeded and any(reason in complaint for reason in _FULL_DISK):
            raise EnvironmentPreparationError(f"`{self.folder}` cannot be written: {complaint}")
        return Ended(succeeded=ended.succeeded, output=ended.output, complete=ended.complete, complaint=complaint)

    def _lift_checks(self, remote: Remote | None) -> Iterator[str]:
        """For the server of the repository alone: git would not check those either that it redirects to."""
        insecure = find_insecure(self.insecure_hosts, remote.url) if remote is not None else None
        if remote is not None and insecure is not None:
            origin = "/".join(remote.url.split("/", 3)[:3])
            self.report(warn_insecure(origin, insecure))
            yield from (f"http.{origin}/.sslVerify=false", "http.followRedirects=false")


def find_git(environ: Mapping[str, str], folder: Path, *, purpose: str) -> Git:
    """The `git` command of this machine.

    Args:
        environ: The user's environment.
        folder: An existing folder to run it in.
        purpose: What it is needed for: `https://git.example/foo`.

    Raises:
        HostError: There is none.
    """
    program = shutil.which("git", path=environ.get("PATH"))
    if program is None:
        raise HostError(
            f"`{purpose}` is a git repository, and there is no `git` on PATH", hint="install git, or put it on PATH"
        )
    kept = {key: value for key, value in environ.items() if key not in _DROPPED and not key.startswith("GIT_TRACE")}
    return Git(
        program=program,
        folder=folder,
        environ={
            **kept,
            "LC_ALL": "C",
            "GIT_CEILING_DIRECTORIES": str(folder.parent),
            "GIT_LFS_SKIP_SMUDGE": "1",  # as in uv; the pointers are what the commit holds
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_TERMINAL_PROMPT": "0",
        },
    )


def _run(command: Sequence[str], *, folder: Path, environ: Mapping[str, str]) -> Ended:
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # what came is read, not waited for until it fills a buffer
        start_new_session=True,  # no terminal that ssh could ask questions on
    )
    assert process.stdout is not None
    assert process.stderr is not None
    output, complaints = _Reader(process.stdout, first=MAX_OUTPUT), _Reader(process.stderr, last=_KEPT_COMPLAINTS)
    late = ""
    try:
        output.start()
        complaints.start()
        process.wait(_TIMEOUT)
    except subprocess.TimeoutExpired:
        late = f"\ngit has not ended after {_TIMEOUT:.0f} seconds"
    finally:
        # After its own end, what it started may stay: the cache of credentials, the shared connection of ssh. These may
        # also keep the pipes open.
        if process.poll() is None:
            kill_group(process)
            process.wait()
    output.join(_PATIENCE)
    complaints.join(_PATIENCE)
    complaint = complaints.content.decode("utf-8", "replace") + late
    return Ended(
        succeeded=process.returncode == 0,
        output=bytes(output.content[:MAX_OUTPUT]),
        complete=len(output.content) <= MAX_OUTPUT,
        complaint="; ".join(line.strip() for line in complaint.splitlines()[-6:] if line.strip()) or "no reason given",
    )


class _Reader(Thread):
    """Reads a pipe to its end, so that git never waits, and keeps the first or the last of it."""

    def __init__(self, stream: IO[bytes], *, first: int = 0, last: int = 0) -> None:
        super().__init__(name="buildlock-git", daemon=True)
        self.content = bytearray()
        self._stream = stream
        self._first = first
        self._last = last

    def run(self) -> None:
        with self._stream:
            while chunk := self._stream.read(_CHUNK):
                if self._last:
                    self.content = (self.content + chunk)[-self._last :]
                elif len(self.content) <= self._first:
                    self.content += chunk
