"""What a command declares of its parameters: typer is told of it only where it is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


class Option:
    """An option, in an `Annotated`; takes what `typer.Option` takes."""

    def __init__(self, *names: str, **settings: Any) -> None:
        self.names = names
        self.settings = settings


class Argument(Option):
    """An argument by its place; takes what `typer.Argument` takes."""


def for_typer(function: FunctionT) -> FunctionT:
    """The function, with its parameters declared as typer reads them."""
    import typer  # noqa: PLC0415 - that is what this module is for

    told = dict(function.__annotations__)
    for name, annotation in told.items():
        for declared in getattr(annotation, "__metadata__", ()):
            if isinstance(declared, Option):
                make = typer.Argument if isinstance(declared, Argument) else typer.Option
                told[name] = Annotated[annotation.__origin__, make(*declared.names, **declared.settings)]
    function.__annotations__ = told
    return function
