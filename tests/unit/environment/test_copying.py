"""Copies are what their originals were, whatever the file system can do."""

import errno
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from buildlock.environment import copying
from buildlock.environment.copying import Copier
from support.operations import note_calls

SIZES = (0, 1, 4096, (1 << 20) + 1)


def refuse(number: int) -> Callable[..., int]:
    def call(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return call


def save(tmp_path: Path, content: bytes) -> Path:
    original = tmp_path / "original"
    original.write_bytes(content)
    os.utime(original, ns=(1_000_000_000, 2_000_000_000))
    return original


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("able", [True, False], ids=["by the kernel", "by hand"])
def test_a_copy_is_what_the_original_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, *, able: bool
) -> None:
    if not able:
        monkeypatch.setattr(os, "copy_file_range", refuse(errno.EXDEV), raising=False)
    content = os.urandom(size)
    Copier().copy(str(save(tmp_path, content)), str(tmp_path / "copy"), executable=False, more=b"more")
    assert (tmp_path / "copy").read_bytes() == content + b"more"
    assert (tmp_path / "copy").stat().st_mtime_ns == 2_000_000_000


@pytest.mark.skipif(sys.platform == "win32", reason="there are no modes")
@pytest.mark.parametrize("executable", [True, False])
def test_a_copy_can_be_executed_or_not(tmp_path: Path, *, executable: bool) -> None:
    Copier().copy(str(save(tmp_path, b"content")), str(tmp_path / "copy"), executable=executable)
    assert bool((tmp_path / "copy").stat().st_mode & stat.S_IXUSR) is executable


@pytest.mark.parametrize("able", [True, False], ids=["by the kernel", "by hand"])
@pytest.mark.parametrize("was", [3, 10], ids=["longer", "shorter"])
def test_a_file_that_is_written_meanwhile_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, was: int, *, able: bool
) -> None:
    if not able:
        monkeypatch.setattr(os, "copy_file_range", refuse(errno.EXDEV), raising=False)
    original = save(tmp_path, bytes(was))
    look = os.fstat

    def change(file: int) -> os.stat_result:
        status = look(file)
        original.write_bytes(bytes(6))
        return status

    monkeypatch.setattr(os, "fstat", change)
    with pytest.raises(ValueError, match="changed while it was copied"):
        Copier().copy(str(original), str(tmp_path / "copy"), executable=False)


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("there")
    with pytest.raises(FileExistsError):
        Copier().copy(str(save(tmp_path, b"content")), str(tmp_path / "copy"), executable=False)
    assert (tmp_path / "copy").read_text() == "there"


@pytest.mark.parametrize(
    ("number", "asked"), [(errno.EOPNOTSUPP, 1), (errno.EXDEV, 1), (errno.ETXTBSY, 5)], ids=["never", "apart", "now"]
)
def test_what_a_file_system_cannot_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, asked: int
) -> None:
    calls = []

    def clone(original: int, copy: int) -> None:
        calls.append((original, copy))
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(copying, "clone", clone)
    copier = Copier()
    original = save(tmp_path, b"content")
    for place in range(5):
        copier.copy(str(original), str(tmp_path / f"copy-{place}"), executable=False)
        assert (tmp_path / f"copy-{place}").read_bytes() == b"content"
    assert len(calls) == asked


@pytest.mark.skipif(not hasattr(os, "copy_file_range"), reason="the kernel copies nothing")
def test_a_copy_costs_few_operations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "clone", refuse(errno.EOPNOTSUPP))
    original = save(tmp_path, b"content")
    calls = note_calls(
        ("open", "fstat", "stat", "read", "write", "lseek", "copy_file_range", "close", "utime"),
        lambda: Copier().copy(str(original), str(tmp_path / "copy"), executable=False),
    )
    assert calls == ["open", "fstat", "open", "copy_file_range", "close", "close", "utime"]


def test_a_part_that_is_written_is_not_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, content: write(file, content[:3]))
    with (tmp_path / "file").open("wb", buffering=0) as file:
        copying.write(file.fileno(), b"0123456789")
    assert (tmp_path / "file").read_bytes() == b"0123456789"
