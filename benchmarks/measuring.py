"""What one run of a tool costs: time, processor time, memory, and what it asks of the mirror."""

import ast
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import final

from benchmarks.launcher import NOT_STARTED

ROOT = Path(__file__).parents[1]


class RunError(Exception):
    """A command that a row needs has failed, with the end of what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command of those that a tool needs for an operation."""

    arguments: Sequence[str]
    folder: Path
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One run; the sums over its steps, and of the memory the largest."""

    seconds: float
    processor: float
    """Seconds of processor time, of the command and of all it started."""
    memory: int
    """Peak of resident memory of the largest process, in bytes."""
    requests: int = 0
    connections: int = 0
    downloaded: int = 0
    """Bytes of the bodies that the mirror sent."""
    mirror: float = 0.0
    """Seconds of processor time that the mirror took to answer."""


@final
class Launcher:
    """The small process that starts and measures commands; a context manager."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Launcher":
        command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launcher.py"))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait()
        process.stdout.close()

    def run(self, step: Step, *, limit: float) -> tuple[float, float, int]:
        """Run a step, and give its seconds, its processor seconds and its peak in bytes.

        Raises:
            RunError: It exits with another code than 0, or takes longer than `limit` seconds.
        """
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        task = (list(step.arguments), dict(step.environ), str(step.folder), str(self._log))
        process.stdin.write(f"{task!r}\n")
        process.stdin.flush()
        number = int(process.stdout.readline())
        stop = threading.Timer(limit, _kill, (number,))
        stop.start()
        try:
            answer = process.stdout.readline()
        except BaseException:
            # It is in a group of its own, which no Ctrl-C reaches.
            _kill(number)
            raise
        finally:
            stop.cancel()
        code, seconds, processor, kibibytes = ast.literal_eval(answer)
        if code:
            said = (
                "" if code == NOT_STARTED else self._log.read_text(encoding="utf-8", errors="replace").strip()[-2000:]
            )
            took = f"stopped after {limit:.0f} s" if code == -signal.SIGKILL else f"exit {code}"
            raise RunError(f"{Path(step.arguments[0]).name} {' '.join(step.arguments[1:3])}: {took}\n{said}")
        return seconds, processor, kibibytes * 1024

    def measure(self, steps: Sequence[Step], *, limit: float, mirror: "MirrorProcess | None" = None) -> Measurement:
        """Run the steps one after the other."""
        if mirror:
            mirror.steer("reset")
        runs = [self.run(step, limit=limit) for step in steps]
        counted = mirror.steer("count") if mirror else {}
        if counted.get("missed"):
            raise RunError(f"{counted['missed']} requests for what is not recorded")
        return Measurement(
            seconds=sum(seconds for seconds, _, _ in runs),
            processor=sum(processor for _, processor, _ in runs),
            memory=max(memory for _, _, memory in runs),
            requests=int(counted.get("requests", 0)),
            connections=int(counted.get("connections", 0)),
            downloaded=int(counted.get("sent", 0)),
            mirror=counted.get("processor", 0.0),
        )


def _kill(number: int) -> None:
    if number:
        with suppress(ProcessLookupError):
            os.killpg(number, signal.SIGKILL)


@final
class MirrorProcess:
    """A mirror in a process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def steer(self, what: str, value: object = "") -> dict[str, float]:
        """Tell it something (`delay`, `record`, `reset`); gives its counters."""
        with urllib.request.urlopen(f"{self.url}/-/{what}/{value}", timeout=30) as answer:
            counters: dict[str, float] = json.load(answer)
        return counters


@contextmanager
def start_mirror(folder: Path, index: str | None) -> Iterator[MirrorProcess]:
    command = [sys.executable, "-m", "benchmarks.mirror", str(folder), *([index] if index else [])]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield MirrorProcess(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.terminate()
