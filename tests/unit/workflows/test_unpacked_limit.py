"""How much one archive may unpack to, as the environment says."""

import hashlib
from pathlib import Path

import pytest

from buildlock.errors import InvalidArchiveError, UsageError
from buildlock.workflows.workspace import Workspace
from support.wheel_forge import FILENAME, changed, forge, sound_wheel


def make_workspace(folder: Path, text: str) -> Workspace:
    return Workspace(root=folder, cache_dir=folder / "cache", environ={"BUILDLOCK_MAX_UNPACKED_GIB": text})


@pytest.mark.parametrize(("text", "limit"), [("", 16 << 30), ("1", 1 << 30), ("64", 64 << 30)])
def test_how_much_one_archive_may_unpack_to(text: str, limit: int, tmp_path: Path) -> None:
    assert make_workspace(tmp_path, text).unpacked_limit == limit


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "1_0", "9" * 5000, "\x1b[2J"])
def test_what_is_no_number_is_told(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="which is no whole number") as caught:
        make_workspace(tmp_path, text).open_store()
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 1000


def test_the_store_holds_archives_to_it(tmp_path: Path) -> None:
    size = (2 << 30) + 1
    declared = {"size": size, "packed": size}
    archive = tmp_path / "archive"
    archive.write_bytes(forge(changed(sound_wheel(), "demo.py", method=0, local=declared, central=declared)))
    store = make_workspace(tmp_path, "2").open_store()
    with pytest.raises(InvalidArchiveError, match=f"{2 << 30} are the most") as caught:
        store.add(archive, sha256=hashlib.sha256(archive.read_bytes()).hexdigest(), filename=FILENAME)
    assert caught.value.hint is not None
    assert "BUILDLOCK_MAX_UNPACKED_GIB" in caught.value.hint
