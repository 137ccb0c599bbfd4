"""A process that runs code we do not trust to print sensibly, to end, or to end alone."""

import codecs
import io
import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import IO

from buildlock.errors import EnvironmentPreparationError
from buildlock.frontend.sessions import end_session, end_writers
from buildlock.reporting import Printed, Reporter
from buildlock.values import dataclass

_LINE_LIMIT = 4096
"""Characters; a longer line is relayed in pieces."""
_KEPT_LINES = 60
_CHUNK = 65536
_PATIENCE = 2.0
"""Seconds that output may still come after the process has ended."""
# Terminal sequences (ECMA-48: CSI, OSC, the rest), control characters other than the tab, what turns the direction of
# text or ends a line of it (Unicode Standard Annex 9), and what no terminal encodes.
_CONTROL = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a process ended."""

    returncode: int | None
    """As `subprocess` has it, negative for a signal; `None` where it was stopped because its time was over."""
    output: tuple[str, ...]
    """The last lines that it printed, as they were reported."""
    outlived: bool
    """Whether a process that it started left the session, and had its output still."""


def run_process(
    command: Sequence[str],
    *,
    directory: str | None,
    environ: Mapping[str, str],
    report: Reporter,
    timeout: float | None,
    inherited: Sequence[int] = (),
) -> Ended:
    """Run `command` to its end and report each line that it prints, without terminal sequences.

    It gets no input and no terminal. However this function is left, nothing of its session is running, and on Linux
    nothing that has its output.

    Args:
        command: What to run.
        directory: Where.
        environ: All of its environment variables.
        report: Told every line, from another thread.
        timeout: Seconds; `None` for as long as it takes.
        inherited: Descriptors that it has besides; not on Windows.

    Raises:
        EnvironmentPreparationError: It cannot be started.
    """
    try:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A buffer's lock, held by a thread that waits for output, could not be had again when we exit.
            bufsize=0,
            start_new_session=True,
            pass_fds=inherited,
        )
    except (OSError, ValueError) as error:
        raise EnvironmentPreparationError(f"`{command[0]}` cannot be run: {error}") from error
    assert process.stdout is not None
    relay = _Relay(process.stdout, report)
    pipe = os.fstat(process.stdout.fileno()).st_ino
    relay.start()
    returncode = None
    try:
        with suppress(subprocess.TimeoutExpired):
            returncode = process.wait(timeout)
    finally:
        _end_session(process)
        # Only a process that left the session can still hold the pipe, and it may do so for ever.
        relay.join(_PATIENCE)
        outlived = relay.is_alive()
        if outlived:
            end_writers(pipe)
            relay.join(_PATIENCE)
        relay.stopped = True
    if relay.failure is not None:
        raise relay.failure
    return Ended(returncode=returncode, output=tuple(relay.kept), outlived=outlived)


class _Relay(Thread):
    """Reports lines while the process runs, so that it never waits for a full pipe."""

    def __init__(self, stream: IO[bytes], report: Reporter) -> None:
        super().__init__(name="buildlock-output", daemon=True)
        self.kept: deque[str] = deque(maxlen=_KEPT_LINES)
        self.failure: Exception | None = None
        self.stopped = False
        self._stream = stream
        self._report = report

    def run(self) -> None:
        # Closed here and nowhere else: a closed descriptor's number is soon another file's.
        with self._stream:
            for line in read_lines(iter(partial(self._stream.read, _CHUNK), b"")):
                if self.stopped:
                    return
                self.kept.append(line)
                try:
                    self._report(Printed(line))
                except Exception as error:  # noqa: BLE001 - a reporter's failure belongs to the thread that waits
                    self.failure = error
                    return


def read_lines(chunks: Iterable[bytes]) -> Iterator[str]:
    r"""The lines in chunks of bytes, as they come.

    `\n`, `\r\n` or `\r` ends a line; what is no UTF-8 is replaced, what drives a terminal left out.
    """
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
    rest = ""
    for chunk in chunks:
        *lines, rest = (rest + decoder.decode(chunk)).split("\n")
        for line in lines:
            yield from map(clean_line, _cut(line))
        *pieces, rest = _cut(rest)
        yield from map(clean_line, pieces)
    # The decoder may hold a `\r` back, and a broken character behind it.
    *lines, rest = (rest + decoder.decode(b"", final=True)).split("\n")
    yield from map(clean_line, [*lines, rest] if rest else lines)


def _cut(line: str) -> list[str]:
    return [line[start : start + _LINE_LIMIT] for start in range(0, len(line), _LINE_LIMIT)] or [""]


def clean_line(line: str) -> str:
    """`line` without what would drive a terminal."""
    return line if line.isprintable() else _CONTROL.sub("", line)


def _end_session(process: subprocess.Popen[bytes]) -> None:
    """Stop the process if it still runs, and what it started and left behind."""
    if sys.platform == "win32":
        # There the tree is known only as long as its root is there.
        if process.poll() is None:
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False)
    else:
        end_session(process.pid)
    process.wait()
