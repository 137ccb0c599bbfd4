"""How events and errors look. stdout is data, stderr is talk; colour and progress only on a terminal."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from buildlock.cli.talk import Line, find_looks, is_terminal, is_worth_a_bar
from buildlock.errors import BackendError, BuildlockError
from buildlock.reporting import Asked, Began, Event, Noted, Printed, Transferred, Warned

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.text import Text

    from buildlock.cli.progress import Bars
    from buildlock.cli.timings import Timings


class Console:
    """A reporter that writes to stderr.

    Args:
        quiet: Warnings, each once, and errors only.
        verbose: Every step.
        backend_output: Show what the backend prints.
        timings: Show, when what was watched has ended in whatever way, where the time went.
    """

    def __init__(
        self, *, quiet: bool = False, verbose: bool = False, backend_output: bool = False, timings: bool = False
    ) -> None:
        self._quiet = quiet
        self._verbose = verbose
        self._backend_output = (backend_output or verbose) and not quiet
        self._shows_progress = False
        self._bars: Bars | None = None
        self._warned: set[Warned] = set()
        self._mutex = threading.Lock()
        self._timings = _start_timings() if timings else None

    def __call__(self, event: Event) -> None:
        """Show an event; called from any thread."""
        if self._timings is not None:
            self._timings.take(event)
        with self._mutex:
            self._show(event)

    def _show(self, event: Event) -> None:
        match event:
            case Warned(message, hint) if event not in self._warned:
                self._warned.add(event)
                self._write(_labelled("warning", "yellow", message, hint))
            case Noted(message) | Asked(message):
                if self._verbose:
                    self._write(Line((message, "dim")))
            case Began(phase):
                if not self._quiet and is_terminal(sys.stderr):
                    self._write(Line((f"{phase}…", "dim")))
            case Transferred() if self._shows_progress:
                self._advance(event)
            case Printed(line):
                if self._backend_output:
                    self._write(Line((f"  {line}", "dim")))

    @property
    def has_warned(self) -> bool:
        return bool(self._warned)

    def _advance(self, event: Transferred) -> None:
        if self._bars is None and is_worth_a_bar(event):
            from buildlock.cli.progress import Bars  # noqa: PLC0415 - most runs download nothing

            self._bars = Bars()
        if self._bars is not None:
            self._bars.advance(event)

    def say(self, message: str | Line) -> None:
        """A line of talk."""
        if not self._quiet:
            self._write(message if isinstance(message, Line) else Line(message))

    def _write(self, line: Line) -> None:
        _talk(line, self._bars)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Show how a workflow gets on, while the block runs it.

        Raises:
            BackendError: It no longer says what was shown as the backend printed it.
        """
        try:
            with self._show_progress():
                yield
        except BackendError as error:
            if self._backend_output:
                error.message = error.brief
            raise
        finally:
            if self._timings is not None:
                for line in self._timings.render():
                    self._write(Line(line))

    @contextmanager
    def _show_progress(self) -> Iterator[None]:
        """Show downloads as bars, on a terminal."""
        self._shows_progress = not self._quiet and is_terminal(sys.stderr)
        try:
            yield
        finally:
            with self._mutex:
                self._shows_progress = False
                bars, self._bars = self._bars, None
                if bars is not None:
                    bars.close()


def show_error(error: BuildlockError) -> None:
    """Say what went wrong, and what to do about it."""
    _talk(_labelled("error", "red", error.message, error.hint))


def write_data(text: str) -> None:
    """Put data on stdout, as it is.

    Raises:
        BuildlockError: It cannot be written.
        BrokenPipeError: Nobody reads it any more.
    """
    if sys.stdout is None:  # whoever called us closed it
        return
    try:
        try:
            sys.stdout.write(text)
        except UnicodeEncodeError:
            # A path is its bytes, whatever the locale can show.
            sys.stdout.buffer.write(os.fsencode(text))
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        silence(sys.stdout)
        raise BuildlockError(f"stdout cannot be written: {error.strerror or error}") from error


def write_json(value: object) -> None:
    """Put data on stdout, as JSON."""
    write_data(json.dumps(value, indent=2) + "\n")


def write_text(text: Text) -> None:
    """Put data for people on stdout, in colour on a terminal alone."""
    if sys.stdout is None:
        return
    console = _stdout()
    with console.capture() as capture:
        console.print(text, soft_wrap=True, end="\n")
    write_data(capture.get())


def terminal_width() -> int:
    """The columns that stdout has; 80 where it is no terminal, unless `COLUMNS` says otherwise."""
    return _stdout().width


def count_packages(number: int) -> str:
    """A number of packages in words.

    >>> count_packages(1)
    '1 package'
    """
    return f"{number} package{'' if number == 1 else 's'}"


def _talk(line: Line, bars: Bars | None = None) -> None:
    stream = sys.stderr
    if stream is None:  # whoever called us closed it
        return
    try:
        if bars is not None:
            bars.say(line)
        elif sys.platform == "win32" and is_terminal(stream):
            from buildlock.cli.progress import say_on_windows  # noqa: PLC0415 - as above

            say_on_windows(line)
        else:
            stream.write(f"{line.render(find_looks(stream))}\n")
            stream.flush()
    except OSError:
        # A full disk below a log is no reason to fail.
        silence(stream)


def silence(stream: TextIO) -> None:
    """Let what is left in a stream go nowhere: at exit Python would try to write it again, and fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _stdout() -> RichConsole:
    from rich.console import Console as RichConsole  # noqa: PLC0415 - few commands print what is wrapped or coloured

    return RichConsole(highlight=False, markup=False, emoji=False)


def _start_timings() -> Timings:
    from buildlock.cli.timings import Timings  # noqa: PLC0415 - few want to know

    return Timings()


def _labelled(label: str, colour: str, message: str, hint: str | None) -> Line:
    line = Line((f"{label}:", f"bold {colour}"), " ", message)
    if hint is not None:
        # A hint of several lines is something to paste: it starts on a line of its own.
        line.append("\n\n").append("hint:", "bold cyan").append("\n" if "\n" in hint else " ").append(hint)
    return line
