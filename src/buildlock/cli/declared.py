"""What a command declares of its parameters: typer is told of it only where it is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any


class Option:
    """An option, in an `Annotated`; takes what `typer.Option` takes."""

    def __init__(self, *names: str, **settings: Any) -> None:
        self.names = names
        self.settings = settings


class Argument(Option):
    """An argument by its place; takes what `typer.Argument` takes."""


def for_typer(function: Callable[..., object]) -> Callable[..., object]:
    """The same function, with its parameters declared as typer reads them."""
    import inspect  # noqa: PLC0415 - typer imports it too
    from functools import wraps  # noqa: PLC0415

    import typer  # noqa: PLC0415 - that is what this module is for

    def tell(annotation: Any) -> object:
        for declared in getattr(annotation, "__metadata__", ()):
            if isinstance(declared, Option):
                make = typer.Argument if isinstance(declared, Argument) else typer.Option
                return Annotated[annotation.__origin__, make(*declared.names, **declared.settings)]
        return annotation

    @wraps(function)
    def told(**given: object) -> object:
        return function(**given)

    del told.__wrapped__  # typer would read that
    known = inspect.signature(function)
    parameters = [each.replace(annotation=tell(each.annotation)) for each in known.parameters.values()]
    told.__annotations__ = {each.name: each.annotation for each in parameters}
    told.__signature__ = known.replace(parameters=parameters)  # type: ignore[attr-defined]
    return told
