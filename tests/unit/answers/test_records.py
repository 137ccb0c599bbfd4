"""Remembered answers as files."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildlock.answers.records import MAX_RECORDS, Record, decode, encode, mark_used, read_record, write_record
from buildlock.answers.sights import digest

KEY = "0123456789" * 4
posix = pytest.mark.skipif(os.name != "posix", reason="owners, modes and links as POSIX has them")
# As Python has names of files and variables: all but surrogates, which it uses for bytes that are no text.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def facts(record: Record) -> tuple[object, ...]:
    return record.code, list(record.output), list(record.sights), record.seen, record.act


def sample(code: int = 0) -> Record:
    return Record(code=code, output=[("o", "{}\n"), ("e", "fresh\n")], sights=[("f", "/a"), ("d", "")], seen="abc")


@given(
    st.integers(0, 255),
    st.lists(st.tuples(st.sampled_from("oe"), texts)),
    st.lists(st.tuples(st.sampled_from("fklmrsvpd"), texts)),
    st.none() | st.tuples(st.just("buildlock.demo:holds"), texts),
)
def test_what_is_written_is_read(
    code: int, output: list[tuple[str, str]], sights: list[tuple[str, str]], act: tuple[str, str] | None
) -> None:
    record = Record(code=code, output=output, sights=sights, seen="abc", act=act)
    assert facts(decode(encode(record))) == facts(record)


def test_a_record_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "answers-v1"
    assert read_record(str(folder), KEY) is None
    write_record(str(folder), KEY, sample())
    found = read_record(str(folder), KEY)
    assert found is not None
    assert facts(found) == facts(sample())
    assert [path.name for path in folder.iterdir()] == [KEY]


@given(st.data())
def test_no_damage_is_taken_for_an_answer(data: st.DataObject) -> None:
    content = encode(sample())
    at = data.draw(st.integers(0, len(content) - 1))
    damaged = data.draw(
        st.sampled_from(
            [
                content[:at],
                content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :],
                content + b"x",
                content[at + 1 :],
            ]
        )
    )
    with pytest.raises(ValueError, match="damaged"):
        decode(damaged)


@pytest.mark.parametrize("body", [b"", b"x0\0", b"=abc\0", b"=abc\0xnone\0", b"\0\0"])
def test_what_has_a_digest_and_no_sense_is_no_record(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"incomplete|invalid literal"):
        decode(digest([body]).encode() + b"\n" + body)


@posix
class TestWhoCanWriteIt:
    def test_a_folder_that_others_can_write(self, tmp_path: Path) -> None:
        folder = tmp_path / "answers-v1"
        write_record(str(folder), KEY, sample())
        folder.chmod(0o777)
        assert read_record(str(folder), KEY) is None
        with pytest.raises(OSError, match="answers-v1"):
            write_record(str(folder), KEY, sample())

    def test_a_record_that_others_can_write(self, tmp_path: Path) -> None:
        write_record(str(tmp_path / "answers-v1"), KEY, sample())
        (tmp_path / "answers-v1" / KEY).chmod(0o666)
        assert read_record(str(tmp_path / "answers-v1"), KEY) is None

    def test_links(self, tmp_path: Path) -> None:
        write_record(str(tmp_path / "real"), KEY, sample())
        (tmp_path / "answers-v1").symlink_to("real")
        assert read_record(str(tmp_path / "answers-v1"), KEY) is None
        (tmp_path / "real" / ("f" * 40)).symlink_to(KEY)
        assert read_record(str(tmp_path / "real"), "f" * 40) is None

    def test_a_pipe(self, tmp_path: Path) -> None:
        (tmp_path / "answers-v1").mkdir(mode=0o700)
        os.mkfifo(tmp_path / "answers-v1" / KEY, 0o600)
        assert read_record(str(tmp_path / "answers-v1"), KEY) is None


def test_what_cannot_be_told_is_not_written(tmp_path: Path) -> None:
    for output in ("a\0b", "x" * (1 << 20)):
        record = Record(code=0, output=[("o", output)], sights=[], seen="")
        with pytest.raises(ValueError, match=r"NUL|too large"):
            write_record(str(tmp_path / "answers-v1"), KEY, record)


def test_those_that_were_not_used_for_longest_go(tmp_path: Path) -> None:
    folder = tmp_path / "answers-v1"
    for number in range(MAX_RECORDS):
        write_record(str(folder), f"{number:040}", sample())
        os.utime(folder / f"{number:040}", (number, number))
    mark_used(str(folder), f"{0:040}")
    write_record(str(folder), KEY, sample())
    left = {path.name for path in folder.iterdir()}
    assert KEY in left
    assert f"{0:040}" in left
    assert f"{1:040}" not in left
    assert len(left) <= MAX_RECORDS
