"""Which wheels are refused, and which are not."""

import io
import zipfile
from pathlib import Path

import pytest

from buildlock.environment import zip_entries
from buildlock.environment.wheel import open_wheel
from buildlock.errors import InvalidArchiveError
from support.malformed_wheels import (
    CLASHES,
    CONTENT_DEFECTS,
    NAMES,
    RAW_NAMES,
    SOUND,
    ZIP_DEFECTS,
    demo,
    sound,
    wheel_file,
    with_clash,
    with_extra,
    with_file,
    with_raw_name,
)
from support.wheel_forge import FILENAME, INFO, forge


def unpack(content: bytes, folder: Path, filename: str = FILENAME) -> dict[str, bytes]:
    archive = folder / "archive"
    archive.write_bytes(content)
    tree = folder / "tree"
    tree.mkdir()
    with open_wheel(archive, filename=filename) as wheel:
        unpacked = wheel.unpack(tree)
    found = {path.relative_to(tree).as_posix(): path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    assert {file.line.path for file in unpacked} == found.keys()
    return found


def assert_refused(content: bytes, reason: str, folder: Path) -> None:
    with pytest.raises(InvalidArchiveError, match=reason) as caught:
        unpack(content, folder)
    assert FILENAME in caught.value.message
    assert len(caught.value.message) < 1000
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("defect", ZIP_DEFECTS)
def test_a_malformed_zip_file_is_refused(defect: str, tmp_path: Path) -> None:
    make, reason = ZIP_DEFECTS[defect]
    assert_refused(make(), reason, tmp_path)


@pytest.mark.parametrize("defect", CONTENT_DEFECTS)
def test_a_malformed_wheel_is_refused(defect: str, tmp_path: Path) -> None:
    make, reason = CONTENT_DEFECTS[defect]
    assert_refused(make(), reason, tmp_path)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:40])
def test_an_unsafe_name_is_refused(name: str, tmp_path: Path) -> None:
    assert_refused(with_extra(name), NAMES[name], tmp_path)
    assert not any((tmp_path / "tree").iterdir())


@pytest.mark.parametrize("clash", CLASHES)
def test_names_that_are_one_somewhere_are_refused(clash: str, tmp_path: Path) -> None:
    assert_refused(with_clash(clash), "twice|one name", tmp_path)


@pytest.mark.parametrize("encoding", RAW_NAMES)
def test_a_name_in_an_unknown_encoding_is_refused(encoding: str, tmp_path: Path) -> None:
    assert_refused(with_raw_name(encoding), "not UTF-8", tmp_path)


@pytest.mark.parametrize(
    "filename",
    [
        "demo-1.0.whl",
        "demo-1.0-py3-none-any.zip",
        "demo-one-py3-none-any.whl",
        "demo-" + "9" * 200 + "-py3-none-any.whl",
        "../demo-1.0-py3-none-any.whl",
        "evil-1.0-py3-none-any.whl",
        "demo-1.1-py3-none-any.whl",
        "demo-1.0-cp311-cp311-linux_x86_64.whl",
        "demo-1.0-1-py3-none-win32.whl" * 20,
        "",
    ],
)
def test_a_wheel_under_another_name_is_refused(filename: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidArchiveError):
        unpack(forge(sound()), tmp_path, filename)


def test_a_limit_holds_for_all_entries(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(forge(sound()))
    with (
        pytest.raises(InvalidArchiveError, match="500 are the most"),
        open_wheel(archive, filename=FILENAME, limit=500),
    ):
        pass


def test_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_entries, "MAX_ENTRIES", 3)
    assert_refused(forge(sound()), "it has 4 entries; 3 are the most", tmp_path)


def test_too_many_folders_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_entries, "MAX_ENTRIES", 5)
    assert_refused(with_file("a/b/c/d/e/f/g.py"), "more than 5 folders", tmp_path)


def test_too_many_lines_of_record_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("buildlock.environment.record.MAX_LINES", 3)
    assert_refused(forge(sound()), "more than 3 lines", tmp_path)


@pytest.mark.parametrize(("limit", "file"), [("_MAX_TEXT", "METADATA"), ("_MAX_RECORD", "RECORD")])
def test_a_file_that_is_read_whole_has_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, file: str
) -> None:
    monkeypatch.setattr(f"buildlock.environment.wheel.{limit}", 20)
    assert_refused(forge(sound()), f"`{INFO}/{file}` is larger than 20 bytes", tmp_path)


@pytest.mark.parametrize("kind", SOUND)
def test_a_sound_wheel_is_unpacked_as_the_standard_library_reads_it(kind: str, tmp_path: Path) -> None:
    content = SOUND[kind]()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        expected = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    assert unpack(content, tmp_path) == expected


@pytest.mark.parametrize(
    ("filename", "tags"),
    [
        ("demo-1.0-py2.py3-none-any.whl", "Tag: py2-none-any\nTag: py3-none-any\n"),
        ("demo-1.0-py2.py3-none-manylinux1_x86_64.whl", "Tag: py3-none-manylinux1_x86_64\n"),
        ("demo-1.0-cp310-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "Tag: cp310-abi3-linux_x86_64\n"),
        ("demo-1.0-py3-none-manylinux1_x86_64.whl", "Tag: py3-none-any\n"),
        ("demo-1.0-cp311-cp311-macosx_11_0_arm64.whl", "Tag: cp311-cp311-macosx_10_9_universal2\n"),
        ("demo-1.0-3-py3-none-any.whl", "Tag: py3-none-any\nBuild: 3\n"),
        ("demo-1.0-3-py3-none-any.whl", "Tag: py3-none-any\n"),
    ],
)
def test_a_renamed_wheel_is_accepted(filename: str, tags: str, tmp_path: Path) -> None:
    unpack(wheel_file("Wheel-Version: 1.0\nRoot-Is-Purelib: true\n" + tags), tmp_path, filename)


def test_a_file_that_may_be_executed_stays_so(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(demo(mode=0o100777))
    (tmp_path / "tree").mkdir()
    with open_wheel(archive, filename=FILENAME) as wheel:
        assert {file.line.path: file.executable for file in wheel.unpack(tmp_path / "tree")}["demo.py"]
    assert (tmp_path / "tree" / "demo.py").stat().st_mode & 0o7111 == 0o111
