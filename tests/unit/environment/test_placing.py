"""What a plan's steps do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from buildlock.environment import placing, sharing
from buildlock.environment.placing import place
from buildlock.environment.steps import Step


def test_a_record_is_that_of_the_store_and_what_is_missing_in_it(tmp_path: Path) -> None:
    known, root = tmp_path / "RECORD", tmp_path / "root"
    known.write_bytes(b"a.py,,\n")
    place(
        str(root),
        [
            ("folder", ""),
            ("folder", "lib"),
            ("record", "lib/RECORD", str(known), "lib", b"../b,,\n", ("tool",)),
            ("script", "tool", b"", b"\n"),
        ],
        python="/python",
    )
    assert (root / "tool").read_bytes() == b"#!/python\n"
    assert (root / "lib" / "RECORD").read_bytes() == (
        b"a.py,,\n../b,,\n../tool,sha256=8TTxsGxMrClf1Z-QrHU11guTjTgD6kqx0ECuGnhY_WY,10\n"
    )
    assert known.read_bytes() == b"a.py,,\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_in_the_store_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="is no file any more"):
        place(str(tmp_path), [("copy", "copy", str(tmp_path / "pipe"), False)], python="/python")


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="links are followed")
def test_a_link_in_the_store_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "link").symlink_to("secret")
    with pytest.raises(OSError, match="link"):
        place(str(tmp_path), [("copy", "copy", str(tmp_path / "link"), False)], python="/python")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes share the work by fork")
def test_processes_share_many_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "_SHARED_FROM", 100)
    monkeypatch.setattr(placing, "can_share", lambda: True)
    monkeypatch.setattr(sharing, "_count_helpers", lambda: 2)
    names = tuple(f"{number}.py" for number in range(50))
    folders = [f"{number:03}" for number in range(3)]
    for folder in folders:
        (tmp_path / "tree" / folder).mkdir(parents=True)
        for name in names:
            (tmp_path / "tree" / folder / name).touch()
    tree = str(tmp_path / "tree")
    steps: list[Step] = [("folder", folder) for folder in folders]
    steps += [("hardlink", folder, tree, folder, names) for folder in folders]
    (tmp_path / "one").mkdir()
    place(str(tmp_path / "one"), steps, python="/python")
    for folder in folders:
        for name in names:
            assert (tmp_path / "one" / folder / name).samefile(tmp_path / "tree" / folder / name)
    (tmp_path / "tree" / "002" / "49.py").unlink()
    (tmp_path / "two").mkdir()
    with pytest.raises(FileNotFoundError):
        place(str(tmp_path / "two"), steps, python="/python")


def test_scripts_are_hashed_without_openssl() -> None:
    code = "import sys; from buildlock.environment.placing import _sha256; print(_sha256(b'').hex(), *sys.modules)"
    output = subprocess.run([sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True).stdout
    digest, *modules = output.split()
    assert digest == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert "_hashlib" not in modules
