"""Whether anything below a folder was changed, without reading it."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from buildlock.environment import seal as module
from buildlock.environment import sharing
from buildlock.environment.seal import SEAL, TREE, Seal, find_broken, make_seal, read_seal

posix = pytest.mark.skipif(os.name != "posix", reason="the time of change is POSIX's")


@pytest.fixture(params=[False, True], ids=["alone", "linked"])
def entry(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    tree = tmp_path / "entry" / TREE
    (tree / "package" / "inner").mkdir(parents=True)
    for number in range(5):
        (tree / "package" / f"{number}.py").write_text(f"{number}")
    (tree / "package" / "inner" / "grüße").write_text("x")
    (tree / "link").symlink_to("package")
    seal(tmp_path / "entry", linked=request.param)
    return tmp_path / "entry"


def seal(entry: Path, *, linked: bool = False) -> Seal:
    made = make_seal(str(entry / TREE), linked=linked)
    (entry / SEAL).write_bytes(made.write())
    return made


def write(tree: Path) -> None:
    (tree / "package" / "1.py").write_text("other")


def replace(tree: Path) -> None:
    (tree / "new").write_text("1")
    (tree / "new").replace(tree / "package" / "1.py")


def remove(tree: Path) -> None:
    (tree / "package" / "inner" / "grüße").unlink()


def add(tree: Path) -> None:
    (tree / "package" / "inner" / "new").write_text("")


def make_executable(tree: Path) -> None:
    (tree / "package" / "1.py").chmod(0o755)


def link(tree: Path) -> None:
    (tree / "link").unlink()
    (tree / "link").symlink_to("/")


def move_away(tree: Path) -> None:
    tree.rename(tree.with_name("elsewhere"))


@posix
@pytest.mark.parametrize("change", [write, replace, remove, add, make_executable, link, move_away])
def test_a_change_is_seen(entry: Path, change: Callable[[Path], None]) -> None:
    assert find_broken([str(entry)]) == []
    change(entry / TREE)
    assert find_broken([str(entry)]) == [str(entry)]


@posix
def test_a_change_whose_time_is_put_back_is_seen(tmp_path: Path) -> None:
    path = tmp_path / TREE / "file"
    path.parent.mkdir()
    path.write_text("good")
    seal(tmp_path)
    status = path.stat()
    path.write_text("evil")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert find_broken([str(tmp_path)]) == [str(tmp_path)]


def test_it_is_read_as_it_was_written(entry: Path) -> None:
    made, read = make_seal(str(entry / TREE), linked=False), seal(entry)
    found = read_seal(str(entry))
    assert (found.names, found.facts, found.linked) == (read.names, read.facts, read.linked)
    assert made.find_changed(found) == []


@posix
def test_what_was_changed_is_named(entry: Path) -> None:
    before = seal(entry)
    write(entry / TREE)
    add(entry / TREE)
    assert sorted(before.find_changed(make_seal(str(entry / TREE), linked=False))) == [
        "package/1.py",
        "package/inner",
        "package/inner/new",
    ]


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"x y z\n", b"1 1 0\n.", b"99999999999999999999 1 0\n.", b"1 1 0\n.12345678x", b"-1 0 0\n"]
)
def test_a_damaged_one_agrees_with_nothing(entry: Path, content: bytes) -> None:
    (entry / SEAL).write_bytes(content)
    assert find_broken([str(entry), str(entry / "none")]) == [str(entry), str(entry / "none")]


@posix
def test_hard_links_are_no_change_where_they_are_expected(tmp_path: Path) -> None:
    path = tmp_path / TREE / "file"
    path.parent.mkdir()
    path.write_text("good")
    seal(tmp_path, linked=True)
    os.link(path, tmp_path / "other")
    assert find_broken([str(tmp_path)]) == []
    (tmp_path / "other").write_text("evil!")
    assert find_broken([str(tmp_path)]) == [str(tmp_path)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes share the work by fork")
@pytest.mark.parametrize("place", [0, 1500, 2999])
def test_processes_share_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    """Wherever the change is, and whoever looks there."""
    entries = [tmp_path / str(number) for number in range(3)]
    for entry in entries:
        (entry / TREE).mkdir(parents=True)
        for number in range(1000):
            (entry / TREE / f"{number:04}").touch()
        seal(entry)
    forked: list[int] = []
    fork = os.fork
    monkeypatch.setattr(module, "_SHARED_FROM", 10_000)
    monkeypatch.setattr(module, "can_share", lambda: True)
    monkeypatch.setattr(sharing, "_count_helpers", lambda: 3)

    def count() -> int:
        forked.append(1)
        return fork()

    monkeypatch.setattr(os, "fork", count)
    names = [str(entry) for entry in entries]
    assert find_broken(names) == []
    assert len(forked) == 3
    (entries[place // 1000] / TREE / f"{place % 1000:04}").write_text("changed")
    assert find_broken(names) == [names[place // 1000]]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes share the work by fork")
def test_what_a_process_took_that_was_killed_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / TREE).mkdir()
    for number in range(2000):
        (tmp_path / TREE / f"{number:04}").touch()
    seal(tmp_path)
    here, is_as_sealed = os.getpid(), module._is_as_sealed

    def die_elsewhere(folder: str, seal: Seal, part: int) -> bool:
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.01)  # so that others take a part
        return is_as_sealed(folder, seal, part)

    monkeypatch.setattr(module, "_SHARED_FROM", 10_000)
    monkeypatch.setattr(module, "can_share", lambda: True)
    monkeypatch.setattr(sharing, "_count_helpers", lambda: 2)
    monkeypatch.setattr(module, "_is_as_sealed", die_elsewhere)
    assert find_broken([str(tmp_path)]) == []
    for number in range(0, 2000, 500):
        (tmp_path / TREE / f"{number:04}").write_text("changed")
        assert find_broken([str(tmp_path)]) == [str(tmp_path)]
        seal(tmp_path)


def test_a_process_with_threads_is_not_copied(entry: Path) -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    assert not sharing.can_share()
    assert find_broken([str(entry)]) == []
    done.set()
    thread.join()
