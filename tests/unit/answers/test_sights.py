"""What an answer depends on, and how it is now."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from buildlock.answers.sights import MAX_BYTES, TooLargeError, digest, digest_sights, see

posix = pytest.mark.skipif(os.name != "posix", reason="modes and links as POSIX has them")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "there", "one")
    write(tmp_path / "folder/inner", "two")
    return tmp_path


@pytest.mark.parametrize(
    ("letter", "name", "change"),
    [
        pytest.param("f", "there", lambda p: write(p / "there", "One"), id="content of the same size"),
        pytest.param("f", "there", lambda p: (p / "there").unlink(), id="a file goes"),
        pytest.param("f", "absent", lambda p: write(p / "absent", ""), id="a file comes"),
        pytest.param("f", "absent", lambda p: (p / "absent").mkdir(), id="a folder comes in place of a file"),
        pytest.param("f", "there", lambda p: (p / "there").chmod(0o755), id="a mode", marks=posix),
        pytest.param("k", "absent", lambda p: write(p / "absent", ""), id="what was looked for comes"),
        pytest.param("k", "there", lambda p: (p / "there").unlink(), id="what was looked at goes"),
        pytest.param("k", "absent", lambda p: (p / "absent").mkdir(), id="a folder that was looked for"),
        pytest.param("l", "folder", lambda p: write(p / "folder/more", ""), id="an entry comes"),
        pytest.param("l", "folder", lambda p: (p / "folder/inner").unlink(), id="an entry goes"),
        pytest.param("l", "absent", lambda p: (p / "absent").mkdir(), id="a listed folder comes"),
        pytest.param("s", "there", lambda p: os.utime(p / "there", (1, 1)), id="a program is another one"),
        pytest.param("s", "there", lambda p: write(p / "there", "more"), id="a program of another size"),
        pytest.param("m", "name", lambda p: write(p / "name", ""), id="a name comes"),
        pytest.param("m", "there", lambda p: (p / "there").rename(p / "There"), id="a name is spelled otherwise"),
    ],
)
def test_a_change_is_seen(folder: Path, letter: str, name: str, change: Callable[[Path], object]) -> None:
    path = str(folder / name)
    before = see(letter, path)
    assert see(letter, path) == before
    change(folder)
    assert see(letter, path) != before


@posix
def test_where_links_lead_is_seen(folder: Path) -> None:
    link = folder / "link"
    link.symlink_to("there")
    looks = [("r", str(link)), ("l", str(folder)), ("f", str(link))]
    before = [see(*look) for look in looks]
    link.unlink()
    link.symlink_to("folder/inner")
    assert all(see(*look) != state for look, state in zip(looks, before, strict=True))


def test_a_file_of_the_same_times_and_size_is_read(folder: Path) -> None:
    path = folder / "there"
    before, status = see("f", str(path)), path.stat()
    path.write_text("eno")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert see("f", str(path)) != before


@posix
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert see("f", str(tmp_path / "pipe")).startswith(b"mode 1")


def test_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEMO_ONE", raising=False)
    states = []
    for value in (None, "", "1", "2"):
        if value is not None:
            monkeypatch.setenv("DEMO_ONE", value)
        states.append((see("v", "DEMO_ONE"), see("p", "DEMO_"), see("p", "")))
    for column in zip(*states, strict=True):
        assert len(set(column)) == 4
    before = see("p", "")
    monkeypatch.setenv("SHLVL", "17")
    assert see("p", "") == before


def test_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 86_399.9)
    before = see("d", "")
    monkeypatch.setattr(time, "time", lambda: 86_400.0)
    assert see("d", "") != before


def test_what_is_too_large_is_not_compared(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(TooLargeError):
        see("f", str(tmp_path / "large"))


def test_no_name_is_an_accident() -> None:
    assert see("f", "a\0b") == see("k", "a\0b") == see("l", "a\0b") == b"error 0"
    with pytest.raises(KeyError):
        digest_sights([("?", "")])


def test_a_digest_tells_where_a_part_ends() -> None:
    assert len({digest([b"a", b"bc"]), digest([b"ab", b"c"]), digest([b"abc"]), digest([b"abc", b""])}) == 4
