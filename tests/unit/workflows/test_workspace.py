"""Where the cache is."""

import os
from pathlib import Path

import platformdirs
import pytest

from buildlock.errors import EnvironmentPreparationError
from buildlock.workflows.workspace import default_cache_dir


def test_the_user_says_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_cache_dir({"BUILDLOCK_CACHE_DIR": "cache"}) == tmp_path / "cache"
    assert default_cache_dir({}).is_absolute()


@pytest.mark.skipif(os.name != "posix", reason="elsewhere every user has a folder")
@pytest.mark.parametrize("version", ["raises", "tells nothing"])
def test_a_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    """As in a container that runs as a number that nobody has; what is asked then depends on the release."""

    def find(*_: object, **__: object) -> str:
        if version == "raises":
            raise RuntimeError("could not determine the home directory")
        return "~/.cache/buildlock"

    monkeypatch.setattr(platformdirs, "user_cache_dir", find)
    with pytest.raises(EnvironmentPreparationError, match="no home folder") as caught:
        default_cache_dir({})
    assert "BUILDLOCK_CACHE_DIR" in (caught.value.hint or "")
