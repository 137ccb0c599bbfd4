"""Databases of advisories in folders, zips and files."""

import json
import os
import sys
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from buildlock.errors import AdvisoryError
from buildlock.workflows import advisory_files
from buildlock.workflows.advisory_files import read_database
from support.advisories import make_advisory, make_affected, write_advisory

NAMES = frozenset({"foo"})
FOO = make_advisory("A-1", make_affected("foo", introduced="0"))
BAR = make_advisory("B-1", make_affected("bar", introduced="0"), modified="2026-03-01T00:00:00Z")
BROKEN = make_advisory("A-2", {"package": {"ecosystem": "PyPI", "name": "foo"}, "versions": "1"})


def read(path: Path) -> tuple[list[str], int, str | None]:
    """What is about foo, how many there are in all, and the day of the newest."""
    database = read_database(path, path.name, NAMES)
    return [each.id for each in database.advisories], database.source.advisories, database.source.newest


def refuse(path: Path) -> str:
    with pytest.raises(AdvisoryError) as caught:
        read(path)
    return caught.value.message


def write_zip(path: Path, members: Mapping[str, Any]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in members.items():
            archive.writestr(name, value if isinstance(value, bytes) else json.dumps(value))
    return path


class TestForms:
    def test_a_folder(self, tmp_path: Path) -> None:
        write_advisory(tmp_path / "foo" / "A-1.json", FOO)
        write_advisory(tmp_path / "2026" / "deep" / "B-1.json", BAR)
        write_advisory(tmp_path / ".git" / "A-2.json", BROKEN)
        write_advisory(tmp_path / "._A-3.json", BROKEN)
        (tmp_path / "README.md").write_text("foo", encoding="utf-8")
        assert read(tmp_path) == (["A-1"], 2, "2026-03-01")

    def test_a_zip(self, tmp_path: Path) -> None:
        members = {"A-1.json": FOO, "x/B-1.json": BAR, "__MACOSX/._A-1.json": BROKEN, "README": b"foo"}
        assert read(write_zip(tmp_path / "all.zip", members)) == (["A-1"], 2, "2026-03-01")

    def test_a_file(self, tmp_path: Path) -> None:
        assert read(write_advisory(tmp_path / "one", FOO)) == (["A-1"], 1, "2026-01-31")
        assert read(write_advisory(tmp_path / "list.json", [BAR, FOO, BAR])) == (["A-1"], 3, "2026-03-01")


class TestNothingIsPassedOver:
    def test_all_faults_about_what_is_locked(self, tmp_path: Path) -> None:
        write_advisory(tmp_path / "a.json", BROKEN)
        write_advisory(tmp_path / "b.json", [FOO, BROKEN, 7])
        (tmp_path / "c.json").write_bytes(b'{"name": "foo", "name": "foo"}')
        message = refuse(tmp_path)
        assert "has 4 faults" in message
        assert "`a.json`: `affected[0].versions` is not an array" in message
        assert "`b.json[1]`: `affected[0].versions`" in message
        assert "`b.json[2]`: it is not an object" in message
        assert "`c.json`: it has the key `name` twice" in message

    def test_a_fault_about_something_else_is_none(self, tmp_path: Path) -> None:
        other = json.dumps(BROKEN).replace("foo", "bar")
        (tmp_path / "a.json").write_text(other, encoding="utf-8")
        assert read(tmp_path) == ([], 1, "2026-01-31")

    @pytest.mark.parametrize("content", [b"", b"<html>", b'{"id": "X-1", "summ', json.dumps(FOO).encode("utf-16")])
    def test_what_is_cut_short_or_no_json_is_one_whatever_it_is_about(self, tmp_path: Path, content: bytes) -> None:
        write_advisory(tmp_path / "ok.json", FOO)
        (tmp_path / "bad.json").write_bytes(content)
        assert "`bad.json`: it is" in refuse(tmp_path)

    def test_many_faults_are_counted(self, tmp_path: Path) -> None:
        for number in range(30):
            (tmp_path / f"{number}.json").write_bytes(b"")
        assert "has 21 faults" in refuse(tmp_path)
        assert "… and 10 more" in refuse(tmp_path)

    @pytest.mark.parametrize("name", ["README.md", "A-1.yaml", ".A-1.json"])
    def test_no_advisories(self, tmp_path: Path, name: str) -> None:
        write_advisory(tmp_path / "db" / name, FOO)
        assert refuse(tmp_path / "db") == "the advisory database `db` has no advisories"

    def test_no_database(self, tmp_path: Path) -> None:
        assert refuse(tmp_path / "none") == "there is no advisory database `none`"
        assert "has no advisories" in refuse(write_advisory(tmp_path / "empty.json", []))

    def test_files_that_are_too_large(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_advisory(tmp_path / "a.json", FOO)
        monkeypatch.setattr(advisory_files, "MAX_SIZE", 100)
        assert "`a.json`: it is larger than 100 bytes" in refuse(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of POSIX")
class TestLinks:
    def test_one_to_what_is_read_anyway(self, tmp_path: Path) -> None:
        write_advisory(tmp_path / "PyPI" / "A-1.json", FOO)
        (tmp_path / "latest.json").symlink_to("PyPI/A-1.json")
        (tmp_path / "python").symlink_to("PyPI")
        (tmp_path / "again").symlink_to(tmp_path)
        assert read(tmp_path) == (["A-1"], 1, "2026-01-31")

    @pytest.mark.parametrize(
        "target", ["../secret.json", "../other", "notes.txt", ".hidden/a.json", "gone.json", "a.json"]
    )
    def test_one_to_anything_else_is_refused(self, tmp_path: Path, target: str) -> None:
        write_advisory(tmp_path / "secret.json", FOO)
        write_advisory(tmp_path / "other" / "a.json", FOO)
        write_advisory(tmp_path / "db" / ".hidden" / "a.json", FOO)
        (tmp_path / "db" / "notes.txt").write_text("x", encoding="utf-8")
        (tmp_path / "db" / "a.json").symlink_to(target)
        assert "`a.json`: it is a link" in refuse(tmp_path / "db")

    def test_the_database_itself_may_be_one(self, tmp_path: Path) -> None:
        write_advisory(tmp_path / "real" / "A-1.json", FOO)
        (tmp_path / "db").symlink_to("real")
        assert read(tmp_path / "db")[0] == ["A-1"]

    def test_a_pipe(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "a.json")
        assert "`a.json`: it is not a regular file" in refuse(tmp_path)
        assert "neither a file nor a folder" in refuse(tmp_path / "a.json")


class TestHostileZips:
    def test_one_that_unpacks_to_too_much(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(advisory_files, "MAX_UNPACKED", 3000)
        path = write_zip(tmp_path / "all.zip", {f"{number}.json": b"[" + b" " * 1000 + b"]" for number in range(5)})
        assert "unpacks to more than 3000 bytes" in refuse(path)

    def test_a_member_that_is_too_large(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = write_zip(tmp_path / "all.zip", {"a.json": b" " * 5000})
        monkeypatch.setattr(advisory_files, "MAX_SIZE", 1000)
        assert "`a.json`: it is larger than 1000 bytes" in refuse(path)

    def test_damaged_ones(self, tmp_path: Path) -> None:
        path = write_zip(tmp_path / "all.zip", {"a.json": FOO})
        whole = path.read_bytes()
        for position in range(len(whole)):
            path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
            with suppress(AdvisoryError):
                read(path)

    def test_an_encrypted_member(self, tmp_path: Path) -> None:
        path = write_zip(tmp_path / "all.zip", {"a.json": FOO})
        content = bytearray(path.read_bytes())
        content[6] |= 1
        content[content.index(b"PK\x01\x02") + 8] |= 1
        path.write_bytes(content)
        assert "`a.json`: it is encrypted" in refuse(path)
