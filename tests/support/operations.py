"""What the operating system is asked for, by the names that `os` has for it."""

import os
from collections.abc import Callable, Iterable
from typing import Any

import pytest


def note_calls(names: Iterable[str], act: Callable[[], object]) -> list[str]:
    """The operations of `os` that are called while `act` runs, in their order; of those that are named."""
    calls: list[str] = []

    def noted(name: str) -> Callable[..., Any]:
        operation: Callable[..., Any] = getattr(os, name)

        def call(*arguments: Any, **keywords: Any) -> Any:
            calls.append(name)
            return operation(*arguments, **keywords)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setattr(os, name, noted(name))
        act()
    return calls
