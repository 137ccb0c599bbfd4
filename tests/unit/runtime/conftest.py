"""Runtime locks made of their text."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from packaging.markers import Environment, Marker

from buildlock.errors import BuildlockError
from buildlock.runtime.marker_values import values_of
from buildlock.runtime.uv_lock import UvLock

ReadUvLock: TypeAlias = Callable[[str], UvLock]


@pytest.fixture
def linux() -> Environment:
    return values_of(Marker("python_version == '3.11' and sys_platform == 'linux' and platform_machine == 'x86_64'"))


@pytest.fixture
def read(tmp_path: Path) -> ReadUvLock:
    """Read a uv.lock from its text."""

    def read(text: str) -> UvLock:
        (tmp_path / "uv.lock").write_text(text, encoding="utf-8")
        return UvLock(tmp_path / "uv.lock")

    return read


def message_of(work: Callable[[], object]) -> str:
    """What is said where something is refused."""
    with pytest.raises(BuildlockError) as caught:
        work()
    return caught.value.message
