"""Talk looks as `rich` would show it."""

import io
import itertools

import pytest
from rich.console import Console
from rich.text import Text

from buildlock.cli.talk import Line, find_looks, is_terminal

LINES = [
    Line("plain"),
    Line(("error:", "bold red"), " it failed\n\n", ("hint:", "bold cyan"), " do `this`"),
    Line(("two\nlines\n", "dim"), ""),
    Line((" + ", "green"), "foo 1.0 → 2.0", ("  (sdist)", "dim")),
    Line(("warning:", "bold yellow"), " a\rb\a\b\v\fc [bold]x[/] :smile: 'text' 123 " + "long " * 60),
]


class Stream(io.StringIO):
    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize(
    "variables",
    [
        dict(each)
        for count in range(3)
        for each in itertools.combinations(
            [
                ("NO_COLOR", "1"),
                ("NO_COLOR", ""),
                ("FORCE_COLOR", "1"),
                ("FORCE_COLOR", ""),
                ("TTY_COMPATIBLE", "0"),
                ("TTY_COMPATIBLE", "1"),
                ("TTY_COMPATIBLE", "x"),
                ("TERM", "dumb"),
                ("TERM", "Unknown"),
                ("TERM", "xterm-256color"),
                ("COLORTERM", "truecolor"),
            ],
            count,
        )
        if len(dict(each)) == count
    ],
    ids=str,
)
def test_it_looks_as_in_rich(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], *, terminal: bool) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TERM", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    stream, theirs = Stream(terminal=terminal), Stream(terminal=terminal)
    console = Console(file=theirs, highlight=False, markup=False, emoji=False, legacy_windows=False)
    assert is_terminal(stream) == console.is_terminal
    for line in LINES:
        stream.write(line.render(find_looks(stream)) + "\n")
        console.print(Text.assemble(*line.pieces), soft_wrap=True)
    assert stream.getvalue() == theirs.getvalue()


def test_a_stream_that_is_closed_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    stream = io.StringIO()
    stream.close()
    assert not is_terminal(stream)
    assert not is_terminal(None)
