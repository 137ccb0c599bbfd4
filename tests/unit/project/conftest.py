"""A project made of its pyproject.toml, read without anything of this machine's configuration."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest
from packaging.utils import canonicalize_name

from buildlock.errors import InvalidProjectError
from buildlock.project.model import Overrides, Project
from buildlock.project.reader import read_project
from buildlock.reporting import Event, Warned

HERMETIC: Mapping[str, str] = {"PIP_CONFIG_FILE": os.devnull, "UV_NO_SYSTEM_CONFIG": "1"}
TORCH = canonicalize_name("torch")
DEFAULT_INDEX = "https://default.example/simple"

Read: TypeAlias = Callable[..., Project]
Faults: TypeAlias = Callable[..., str]
Warnings: TypeAlias = Callable[..., list[str]]


@pytest.fixture
def events() -> list[Event]:
    """What was reported by `read`."""
    return []


@pytest.fixture
def read(tmp_path: Path, events: list[Event]) -> Read:
    """Read a project from the text of its pyproject.toml: `read('[project]\\nname = "demo"')`."""

    def read(text: str, environ: Mapping[str, str] | None = None, overrides: Overrides | None = None) -> Project:
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        return read_project(
            tmp_path,
            environ={**HERMETIC, **(environ or {})},
            overrides=overrides or Overrides(default_index=DEFAULT_INDEX),
            report=events.append,
        )

    return read


@pytest.fixture
def faults(read: Read) -> Faults:
    """The message that a project's faults give."""

    def faults(text: str, environ: Mapping[str, str] | None = None, overrides: Overrides | None = None) -> str:
        with pytest.raises(InvalidProjectError) as caught:
            read(text, environ, overrides)
        return caught.value.message

    return faults


@pytest.fixture
def warnings_of(read: Read, events: list[Event]) -> Warnings:
    """The warnings that reading a project gives."""

    def warnings_of(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
        read(text, environ)
        return [event.message for event in events if isinstance(event, Warned)]

    return warnings_of
