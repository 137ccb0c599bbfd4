"""What is read without typer is what typer reads."""

import inspect
from collections.abc import Iterator
from functools import wraps
from pathlib import Path
from types import FunctionType
from typing import Any, Literal, get_args, get_origin

import pytest
import typer

from buildlock.cli import app
from buildlock.cli.declared import Argument, for_typer
from buildlock.cli.diff import diff
from buildlock.cli.lock import lock
from buildlock.cli.plain import read_plainly


def find_commands() -> Iterator[tuple[str, FunctionType]]:
    for name in app._COMMANDS:
        command = app._find_command(name)
        if isinstance(command, FunctionType) and name not in app._OPTIONS:
            yield name, command


COMMANDS = dict(find_commands())
PLAIN = {name for name, command in COMMANDS.items() if read_plainly(command, []) is not None}


def ask_typer(command: FunctionType, words: list[str]) -> dict[str, Any]:
    """What typer calls a command with."""
    calls: list[dict[str, Any]] = []

    @wraps(command)
    def note(**given: Any) -> None:
        calls.append(given)

    told = typer.Typer(rich_markup_mode=None)
    told.command()(for_typer(note))
    told(words, standalone_mode=False)
    return calls[0]


def read(command: FunctionType, words: list[str]) -> dict[str, Any] | None:
    """What it is called with when it is read plainly."""
    given = read_plainly(command, words)
    if given is None:
        return None
    return {name: each.default for name, each in inspect.signature(command).parameters.items()} | given


def list_spellings(command: FunctionType) -> Iterator[list[str]]:
    """Each parameter in each way that it is written."""
    for name, annotation in command.__annotations__.items():
        if name == "return":
            continue
        kind, (declared,) = annotation.__origin__, annotation.__metadata__
        if isinstance(declared, Argument):
            yield ["value"]
            continue
        names = declared.names or (f"--{name.replace('_', '-')}",)
        literal = next((each for each in (kind, *get_args(kind)) if get_origin(each) is Literal), None)
        values = get_args(literal) if literal else ("1.5", "7") if float in get_args(kind) else ("a=b", "c d", "ä")
        for option in names:
            if kind is bool:
                yield [option]
                yield [option, option]
                continue
            for value in values:
                yield [option, value]
                if option.startswith("--"):
                    yield [f"{option}={value}"]
            yield [option, values[0], option, values[-1]]


def test_the_commands_that_are_short_are_read_so() -> None:
    assert {"lock", "install", "build", "check", "diff", "export"} <= PLAIN


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_it_is_what_typer_reads(name: str) -> None:
    command = COMMANDS[name]
    spellings = list(list_spellings(command))
    everything = [word for spelling in spellings for word in spelling if spelling != ["value"]]
    taken = 0
    for words in ([], *spellings, everything):
        found = read(command, words)
        if found is not None:
            taken += 1
            assert found == ask_typer(command, words), words
    # A few types are left to typer.
    assert taken > len(spellings) * 0.8


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["-h"],
        ["--no-such-option"],
        ["-z"],
        ["value"],
        ["--"],
        ["-"],
        [""],
        ["--quiet=1"],
        ["--variant"],
        ["--variant", ""],
        ["--variant="],
        ["--variant", "--quiet"],
        ["--variant=-q"],
        ["-qv"],
        ["-Pname"],
        ["-P=name"],
        ["--timeout", "long"],
        ["--varian", "cpu"],
        ["--QUIET"],
    ],
    ids=repr,
)
def test_typer_is_left_what_is_not_plain(words: list[str]) -> None:
    assert read_plainly(lock, words) is None
    assert read_plainly(lock, ["--quiet", *words]) is None


def test_arguments_have_their_places() -> None:
    assert read_plainly(diff, ["one", "--format", "json", "two"]) == {"old": "one", "to": "json", "new": "two"}
    assert read_plainly(diff, ["one", "two", "three"]) is None
    assert read_plainly(diff, ["--format", "jsn"]) is None
    assert read_plainly(lock, ["--project", "a/b"]) == {"project": Path("a/b")}


def test_commands_that_are_declared_otherwise_are_typers() -> None:
    def other(wanted: str = "") -> None:
        """Has no declaration."""

    assert read_plainly(other, []) is None
    assert read_plainly(app._find_command("cache"), ["dir"]) is None
    assert read_plainly(app._find_command("run"), ["true"]) is None
