"""The hash of a project's folder, and the copy that has the same."""

import hashlib
import os
import socket
import struct
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildlock.environment import trees
from buildlock.environment.trees import copy_tree, hash_tree
from buildlock.errors import EnvironmentPreparationError, ProjectError

posix = pytest.mark.skipif(os.name != "posix", reason="needs links, modes and devices")


def make(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def names(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()
    )


@posix
def test_the_hash_is_the_documented_one(tmp_path: Path) -> None:
    make(tmp_path, {"a/b": "1", "a.py": "2", "run": "3", "ä": ""})
    (tmp_path / "run").chmod(0o700)
    (tmp_path / "link").symlink_to("a/b")
    expected = b"buildlock-tree-v1\n"
    for kind, name, content in (
        (b"f", "a.py", "2"),
        (b"f", "a/b", "1"),
        (b"l", "link", "a/b"),
        (b"x", "run", "3"),
        (b"f", "ä", ""),
    ):
        expected += kind + struct.pack(">Q", len(name.encode())) + name.encode()
        expected += hashlib.sha256(content.encode()).digest()
    assert hash_tree(tmp_path) == hashlib.sha256(expected).hexdigest()


def test_neither_times_nor_empty_folders_nor_the_place_count(tmp_path: Path) -> None:
    one = make(tmp_path / "one", {"a": "1", "b/c": "2"})
    other = make(tmp_path / "other", {"b/c": "2", "a": "1"})
    (other / "empty" / "folder").mkdir(parents=True)
    os.utime(other / "a", (1, 1))
    assert hash_tree(one) == hash_tree(other)


@posix
def test_only_the_executable_bit_of_the_modes_counts(tmp_path: Path) -> None:
    make(tmp_path, {"a": "1"})
    seen = {mode: _hash_with(tmp_path / "a", mode) for mode in (0o600, 0o644, 0o666, 0o700, 0o755)}
    assert seen[0o600] == seen[0o644] == seen[0o666] != seen[0o700] == seen[0o755]


def _hash_with(path: Path, mode: int) -> str:
    path.chmod(mode)
    return hash_tree(path.parent)


LEFT_OUT = [
    ".git/config",
    "lib/.git",
    ".hg/x",
    "a/__pycache__/x.py",
    "a/x.pyc",
    "venv/pyvenv.cfg",
    "tools/env/pyvenv.cfg",
    ".tox/x",
    ".nox/x",
    ".mypy_cache/x",
    ".pytest_cache/x",
    ".ruff_cache/x",
    "src/demo.egg-info/PKG-INFO",
    "build/x",
    "dist/x.whl",
    "build-lock.toml",
    ".DS_Store",
]


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_no_source_is_left_out(tmp_path: Path, name: str) -> None:
    folder = make(tmp_path / "demo", {"a/x.py": "1", "a/build/x": "2", "a/dist": "3", "builds": "4", ".gitignore": ""})
    before = hash_tree(folder)
    make(folder, {name: "x", f"{name}.d/a.py" if "pyvenv" not in name else f"{Path(name).parent}/lib/a.py": ""})
    if "pyvenv" in name:
        assert hash_tree(folder) == before
    assert name not in names(_copy(folder, tmp_path / "copy"))


def _copy(folder: Path, destination: Path) -> Path:
    copy_tree(folder, destination)
    return destination


def test_the_copy_holds_what_was_hashed(tmp_path: Path) -> None:
    folder = make(tmp_path / "demo", {"a/b": "1", "c": b"\0\xff" * 1_000_000, ".git/x": "", "a/.venv/pyvenv.cfg": ""})
    found = copy_tree(folder, tmp_path / "copy")
    assert found == hash_tree(folder) == hash_tree(tmp_path / "copy")
    assert names(tmp_path / "copy") == ["a/b", "c"]
    assert (tmp_path / "copy" / "c").read_bytes() == (folder / "c").read_bytes()


@posix
def test_files_of_the_copy_can_be_written(tmp_path: Path) -> None:
    folder = make(tmp_path / "demo", {"a": "1", "run": "2"})
    (folder / "a").chmod(0o400)
    (folder / "run").chmod(0o500)
    (folder / "link").symlink_to("a")
    copy = _copy(folder, tmp_path / "copy")
    assert [(copy / name).stat().st_mode & 0o777 for name in ("a", "run")] == [0o644, 0o755]
    assert (copy / "link").readlink() == Path("a")


def test_a_destination_in_the_folder_is_no_part_of_it(tmp_path: Path) -> None:
    folder = make(tmp_path / "demo", {"a": "1"})
    before = hash_tree(folder)
    assert copy_tree(folder, folder / "copy") == before
    assert names(folder / "copy") == ["a"]


def test_a_destination_that_cannot_be_used(tmp_path: Path) -> None:
    folder = make(tmp_path / "demo", {"a": "1"})
    with pytest.raises(EnvironmentPreparationError, match="is not empty"):
        copy_tree(folder, folder)
    with pytest.raises(EnvironmentPreparationError, match="cannot be written"):
        copy_tree(folder, folder / "a" / "copy")


@posix
@pytest.mark.parametrize(
    "target", ["/etc/passwd", "..", "../other", "sub/../../x", "sub/up/../..", "self", "sub/up/self"]
)
def test_links_out_of_the_folder_and_loops_are_refused(tmp_path: Path, target: str) -> None:
    folder = make(tmp_path / "demo", {"sub/a": ""})
    (folder / "sub" / "up").symlink_to("..")
    (folder / "self").symlink_to(target)
    with pytest.raises(ProjectError, match=r"demo/self` is a link"):
        hash_tree(folder)


@posix
def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    folder = make(tmp_path / "demo", {"sub/a": "1"})
    (folder / "sub" / "loop").symlink_to("..")
    (folder / "dangling").symlink_to("sub/missing")
    copy = _copy(folder, tmp_path / "copy")
    assert (copy / "sub" / "loop").readlink() == Path("..")
    assert sorted(names(copy)) == ["dangling", "sub/a", "sub/loop"]


@posix
@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_devices_are_refused(kind: str) -> None:
    with tempfile.TemporaryDirectory() as name:  # short enough for the name of a socket
        path = Path(name, "thing")
        with socket.socket(socket.AF_UNIX) as listener:
            if kind == "pipe":
                os.mkfifo(path)
            else:
                listener.bind(str(path))
            with pytest.raises(ProjectError, match="thing` is no file, folder or link"):
                hash_tree(Path(name))


@pytest.mark.skipif(sys.platform != "linux", reason="only there is a name any bytes")
def test_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff")).touch()
    with pytest.raises(ProjectError, match="has a name that is no text") as caught:
        hash_tree(tmp_path)
    assert caught.value.message.isprintable()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user who may not read everything")
def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    make(tmp_path, {"a": "1"})
    (tmp_path / "a").chmod(0)
    with pytest.raises(ProjectError, match="a` cannot be read"):
        hash_tree(tmp_path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    make(tmp_path, {"a": "1"})
    for folder in (tmp_path / "missing", tmp_path / "a", tmp_path / "\0"):
        with pytest.raises(ProjectError, match="cannot be read"):
            hash_tree(folder)


def test_there_are_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, {"a": "12", "b": "34"})
    assert hash_tree(tmp_path, limit=4)
    with pytest.raises(ProjectError, match="larger than is accepted"):
        hash_tree(tmp_path, limit=3)
    monkeypatch.setattr(trees, "MAX_FILES", 1)
    with pytest.raises(ProjectError, match="more than 1 files"):
        hash_tree(tmp_path)
    make(tmp_path / "deep", {"a/" * 70 + "b": ""})
    with pytest.raises(ProjectError, match="nested deeper than 64"):
        hash_tree(tmp_path / "deep")


parts = st.sampled_from(["a", "b", "ab", "a.py", "é", "build", ".git", "x.pyc"])
folders = st.dictionaries(
    st.lists(parts, min_size=1, max_size=3).map("/".join), st.tuples(st.binary(max_size=20), st.booleans()), max_size=6
).filter(lambda files: not any(name != other and other.startswith(f"{name}/") for name in files for other in files))


@given(folders, folders)
@settings(max_examples=60)
def test_equal_hashes_mean_equal_copies(
    one: Mapping[str, tuple[bytes, bool]], other: Mapping[str, tuple[bytes, bool]]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        contents = []
        for position, files in enumerate((one, other)):
            folder, copy = Path(name, f"{position}"), Path(name, f"copy-{position}")
            folder.mkdir()
            make(folder, {path: content for path, (content, _) in files.items()})
            for path, (_, executable) in files.items():
                (folder / path).chmod(0o755 if executable else 0o644)
            found = copy_tree(folder, copy)
            assert found == hash_tree(folder) == hash_tree(copy)
            contents.append((found, [(path, (copy / path).read_bytes(), _mode(copy / path)) for path in names(copy)]))
        (hash_of_one, first), (hash_of_other, second) = contents
        assert (hash_of_one == hash_of_other) == (first == second)


def _mode(path: Path) -> int:
    return path.stat().st_mode
