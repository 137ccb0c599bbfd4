"""Lines out of a process, whatever bytes it writes and however they are cut into chunks."""

from hypothesis import example, given
from hypothesis import strategies as st

from buildlock.frontend.process import clean_line, read_lines


@given(st.lists(st.binary(max_size=20)))
def test_the_cuts_between_chunks_do_not_matter(chunks: list[bytes]) -> None:
    assert list(read_lines(chunks)) == list(read_lines([b"".join(chunks)]))


@given(st.lists(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=20)))
def test_lines_come_as_they_were_written(lines: list[str]) -> None:
    assert list(read_lines(["".join(f"{line}\n" for line in lines).encode()])) == lines


@given(st.binary(max_size=200))
@example(b"\r\xc2")
def test_no_line_drives_a_terminal(data: bytes) -> None:
    lines = list(read_lines([data]))
    assert not any(character < " " and character != "\t" for line in lines for character in line)
    assert [clean_line(line) for line in lines] == lines


@given(st.integers(0, 50_000))
def test_a_long_line_comes_in_pieces(length: int) -> None:
    lines = list(read_lines([b"x" * 1000] * (length // 1000) + [b"x" * (length % 1000)]))
    assert "".join(lines) == "x" * length
    assert all(len(line) <= 4096 for line in lines)
