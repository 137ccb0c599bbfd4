"""How much is done to unpack a wheel, and how much of it is held at a time."""

import hashlib
import io
import os
import threading
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from buildlock.answers import looking
from buildlock.environment.store import Store
from buildlock.environment.wheel import Wheel, open_wheel
from buildlock.environment.zip_entries import ZipArchive
from buildlock.errors import EnvironmentPreparationError, InvalidArchiveError
from buildlock.reporting import silence
from buildlock.stamps import stamp_of
from support.operations import note_calls
from support.wheel_forge import FILENAME, Entry, changed, forge, sound_wheel

MANY = {f"demo/{folder}/inner/{number}.py": b"x = 1\n" * 50 for folder in range(20) for number in range(50)}
OPERATIONS = ("open", "close", "read", "write", "stat", "lstat", "fstat", "mkdir", "scandir", "listdir", "rename")


def save(entries: list[Entry], folder: Path) -> Path:
    archive = folder / FILENAME
    archive.write_bytes(forge(entries))
    (folder / "tree").mkdir()
    return archive


def test_a_file_costs_three_operations_and_a_folder_one(tmp_path: Path) -> None:
    with open_wheel(save(sound_wheel(MANY), tmp_path), filename=FILENAME) as wheel:
        calls = Counter(note_calls(OPERATIONS, lambda: wheel.unpack(tmp_path / "tree")))
    files = len(MANY) + 3
    assert len([path for path in (tmp_path / "tree").rglob("*") if path.is_file()]) == files
    assert calls == {"open": files, "write": files, "close": files, "mkdir": 1 + 20 + 20 + 1}


def test_the_archive_is_read_in_large_pieces(tmp_path: Path) -> None:
    """Not once for each header and each file: whoever reads lets other threads go first."""

    class Counted(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1) -> bytes:
            self.reads += 1
            return super().read(size)

    file = Counted(forge(sound_wheel(MANY)))
    (tmp_path / "tree").mkdir()
    Wheel(ZipArchive(file, FILENAME), FILENAME).unpack(tmp_path / "tree")
    assert file.reads < len(MANY) // 20


def test_to_add_a_wheel_costs_few_operations_for_each_file(tmp_path: Path) -> None:
    """All that is done until it is in the store, written down and found there again."""
    store = Store(tmp_path / "store", silence)

    def add(files: int) -> int:
        content = forge(sound_wheel({f"demo/{number}.py": b"x = 1\n" for number in range(files)}))
        archive = tmp_path / FILENAME
        archive.write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        return len(note_calls(OPERATIONS, lambda: store.add(archive, sha256=sha256, filename=FILENAME)))

    few, many = add(100), add(1100)
    assert (many - few) / 1000 <= 4


def test_each_byte_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On its way to the store, when whoever downloaded the file has told its hash."""
    hashed = 0

    class Counted:
        def __init__(self, digest: Any, data: bytes) -> None:
            self._digest = digest
            self.update(data)

        def update(self, data: bytes) -> None:
            nonlocal hashed
            hashed += len(data)
            self._digest.update(data)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._digest, name)

    content = forge(sound_wheel({"demo/large.bin": os.urandom(3 << 20), **MANY}))
    archive = tmp_path / FILENAME
    archive.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    with archive.open("rb") as file:
        stamp = stamp_of(file)
    store = Store(tmp_path / "store", silence)
    new, of_sha256 = hashlib.new, hashlib.sha256
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "new", lambda name, data=b"": Counted(new(name), data))
        patch.setattr(hashlib, "sha256", lambda data=b"": Counted(of_sha256(), data))
        stored = store.add(archive, sha256=sha256, filename=FILENAME, hashed=stamp)
    unpacked = sum(file.line.size or 0 for file in stored.read_files())
    assert unpacked > 3 << 20
    # And what is recorded of the files, which is some hundred bytes of each.
    assert unpacked <= hashed <= unpacked + 400 * len(MANY)


def test_it_is_unpacked_in_pieces(tmp_path: Path) -> None:
    size = 48 << 20
    with open_wheel(save(sound_wheel({"demo/big.bin": bytes(size)}), tmp_path), filename=FILENAME) as wheel:
        tracemalloc.start()
        try:
            wheel.unpack(tmp_path / "tree")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (tmp_path / "tree" / "demo" / "big.bin").stat().st_size == size
    assert peak < size // 8


def test_of_two_faults_the_first_is_told(tmp_path: Path) -> None:
    """However large the file is that the second one is in, and so how early it is begun."""
    large = {"demo/large.bin": bytes(24 << 20)}
    entries = sound_wheel(MANY | large | {"demo/last.py": b"x = 1\n"})
    entries = changed(entries, "demo/0/inner/0.py", data=b"y = 2\n" * 50)
    entries = changed(entries, "demo/large.bin", data=b"\1" + bytes((24 << 20) - 1))
    with (
        open_wheel(save(entries, tmp_path), filename=FILENAME) as wheel,
        pytest.raises(InvalidArchiveError, match=r"`demo/0/inner/0\.py` does not have the hash"),
    ):
        wheel.unpack(tmp_path / "tree")


def test_nothing_is_written_any_more_when_it_was_refused(tmp_path: Path) -> None:
    entries = changed(sound_wheel(MANY), "demo/0/inner/0.py", data=b"y = 2\n" * 50)
    with open_wheel(save(entries, tmp_path), filename=FILENAME) as wheel, pytest.raises(InvalidArchiveError):
        wheel.unpack(tmp_path / "tree")
    before = sorted((tmp_path / "tree").rglob("*"))
    (tmp_path / "tree").rename(tmp_path / "gone")
    assert len(sorted((tmp_path / "gone").rglob("*"))) == len(before)
    assert not (tmp_path / "tree").exists()


@pytest.mark.parametrize("operation", ["open", "write", "mkdir"])
def test_what_cannot_be_written_is_told(operation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    def unpack(wheel: Wheel) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(os, operation, fail)
            wheel.unpack(tmp_path / "tree")

    with (
        open_wheel(save(sound_wheel(MANY), tmp_path), filename=FILENAME) as wheel,
        pytest.raises(EnvironmentPreparationError, match=r"`demo.*` of `demo.*` cannot be written: No space left"),
    ):
        unpack(wheel)


def test_what_is_written_in_parts_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    with open_wheel(save(sound_wheel(MANY), tmp_path), filename=FILENAME) as wheel, monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:70]))
        wheel.unpack(tmp_path / "tree")
    for name, content in MANY.items():
        assert (tmp_path / "tree" / name).read_bytes() == content


def test_what_is_explained_is_explained_to_all_who_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever remembers answers looks at each file that is opened otherwise, which takes as long as to write it."""
    told = []
    write = os.write

    def look(file: int, content: bytes) -> int:
        told.append((threading.current_thread() is threading.main_thread(), looking.is_explained()))
        return write(file, content)

    monkeypatch.setattr(os, "write", look)
    large = {f"demo/{number}.bin": bytes(8 << 20) for number in range(3)}
    with open_wheel(save(sound_wheel(large), tmp_path), filename=FILENAME) as wheel, looking.explained():
        wheel.unpack(tmp_path / "tree")
    assert {here for here, _ in told} == {False}
    assert all(explained for _, explained in told)
