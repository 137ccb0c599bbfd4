"""Where the cache is."""

import os
import sys
from pathlib import Path

import platformdirs
import pytest

from buildlock.errors import EnvironmentPreparationError
from buildlock.workflows.workspace import default_cache_dir


def test_the_user_says_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_cache_dir({"BUILDLOCK_CACHE_DIR": "cache"}) == tmp_path / "cache"
    assert default_cache_dir({}).is_absolute()


@pytest.mark.parametrize("system", ["linux", "darwin", "another, whose library raises", "another, told nothing"])
def test_a_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    """As in a container that runs as a number that nobody has; what is asked then depends on the release."""

    def find(*_: object, **__: object) -> str:
        if system == "another, whose library raises":
            raise RuntimeError("could not determine the home directory")
        return "~/.cache/buildlock"

    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.setattr(platformdirs, "user_cache_dir", find)
    with pytest.raises(EnvironmentPreparationError, match="no home folder") as caught:
        default_cache_dir({})
    assert "BUILDLOCK_CACHE_DIR" in (caught.value.hint or "")


@pytest.mark.skipif(sys.platform not in {"linux", "darwin"}, reason="the library knows what is asked there")
def test_the_place_is_the_one_that_the_library_knows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for variables in ({}, {"XDG_CACHE_HOME": str(tmp_path)}, {"XDG_CACHE_HOME": " "}):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert str(default_cache_dir(variables)) == platformdirs.user_cache_dir("buildlock", appauthor=False)
