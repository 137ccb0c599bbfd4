"""Each backend of the corpus ends in one error that names it, and leaves nothing behind."""

import sys
from pathlib import Path

import pytest

from buildlock.errors import BackendError
from buildlock.frontend.backend import Backend
from support.hostile_backends import HOSTILE, Hook

from .conftest import MakeBackend

_LONGEST = 500_000
"""Characters of a message with the end of a backend's output, some lines of which are long."""


@pytest.mark.parametrize("name", HOSTILE)
def test_is_blamed(make_backend: MakeBackend, root: Path, tmp_path: Path, name: str) -> None:
    hostile = HOSTILE[name]
    if hostile.posix and sys.platform == "win32":
        pytest.skip("pipes, links, signals and sparse files")
    timeout = 1 if "within 1 s" in hostile.fault else 60
    backend = make_backend(hostile.source, name="demo", timeout=timeout)
    with pytest.raises(BackendError) as caught:
        call(backend, hostile.hook, root / "dist", tmp_path / "metadata")
    assert "the build backend `house` " in caught.value.message
    assert hostile.fault in caught.value.message
    assert len(caught.value.message) < _LONGEST
    assert not any(
        character not in "\n\t" and not character.isprintable() for character in f"{caught.value}{caught.value.hint}"
    )
    assert not (root / "dist").exists()


def call(backend: Backend, hook: Hook, out_dir: Path, folder: Path) -> object:
    if hook == "get_requires_for_build_wheel":
        return backend.requires_for("wheel")
    if hook == "prepare_metadata_for_build_wheel":
        folder.mkdir()
        return backend.metadata(folder)
    return backend.build("sdist" if hook == "build_sdist" else "wheel", out_dir)
