"""A file with conflict markers, as its two sides."""

import pytest

from buildlock.errors import InvalidLockError
from buildlock.lockfile.conflicts import split_conflicts

TWO_WAY = b"a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> topic\nd\n"
THREE_WAY = b"a\n<<<<<<< HEAD\nb\n||||||| 0123abc\nx\n=======\nc\n>>>>>>> topic\nd\n"


@pytest.mark.parametrize("content", [TWO_WAY, THREE_WAY, THREE_WAY + TWO_WAY])
def test_two_sides(content: bytes) -> None:
    sides = split_conflicts(content, "x")
    assert sides is not None
    ours, theirs = sides
    assert (ours.label, theirs.label) == ("HEAD", "topic")
    assert ours.content.replace(b"a\nb\nd\n", b"") == b""
    assert theirs.content.replace(b"a\nc\nd\n", b"") == b""


def test_windows_line_ends_and_no_labels() -> None:
    content = TWO_WAY.replace(b" HEAD", b"").replace(b" topic", b"").replace(b"\n", b"\r\n")
    sides = split_conflicts(content, "x")
    assert sides is not None
    assert [(side.label, side.content) for side in sides] == [("", b"a\r\nb\r\nd\r\n"), ("", b"a\r\nc\r\nd\r\n")]


@pytest.mark.parametrize("content", [b"", b"a\nb\n", b"=======\n", b"<<<<<<<<\n", b"'<<<<<<< HEAD'\n"])
def test_no_conflict(content: bytes) -> None:
    assert split_conflicts(content, "x") is None


@pytest.mark.parametrize(
    "content",
    [
        b"<<<<<<< HEAD\na\n",
        b"<<<<<<< HEAD\n<<<<<<< HEAD\n",
        b">>>>>>> topic\n",
        b"<<<<<<< HEAD\n>>>>>>> topic\n",
        b"||||||| base\n",
        b"<<<<<<< HEAD\n=======\n=======\n>>>>>>> topic\n",
    ],
)
def test_markers_that_git_does_not_write_so(content: bytes) -> None:
    with pytest.raises(InvalidLockError, match="conflict"):
        split_conflicts(content, "x")
