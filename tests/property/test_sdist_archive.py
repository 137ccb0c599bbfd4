"""An sdist with any bytes changed is refused, or unpacks to what another reader sees in it."""

import gzip
import io
import sys
import tarfile
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from buildlock.environment.sdist import open_sdist
from buildlock.errors import InvalidArchiveError
from support.tar_forge import (
    END,
    FILENAME,
    GNU,
    ROOT,
    V7,
    block,
    folder,
    hard,
    long_name,
    member,
    pack,
    pax,
    record,
    sound_members,
    symbolic,
)

_NAME = f"{ROOT}/demo.py"
SOUND = (
    b"".join([*sound_members(), END]),
    b"".join(
        [
            pax({"comment": "c0ffee"}, kind=b"g"),
            *sound_members(),
            pax({"path": f"{ROOT}/größe.py", "size": "7", "mtime": "1.5"}),
            member("short", b"x = 42\n"),
            long_name(f"{ROOT}/{'long' * 30}.py"),
            member("short", b"y = 42\n", magic=GNU),
            symbolic(f"{ROOT}/link", "src/demo.py"),
            hard(f"{ROOT}/same", f"{ROOT}/PKG-INFO"),
            END,
        ]
    ),
)
_PIECES = st.sampled_from([
    b"../", b"/", b"\0", b"\xff", b"\x80", b"x", b"g", b"L", b"K", b"0", b"1", b"2", b"5", b"7",
    bytes(512), END, GNU, V7, record("size", "0"), record("path", _NAME),
    block(_NAME, size=512), folder(f"{ROOT}/src/"), member(_NAME, b"evil()"), member("evil.py", b"evil()"),
    symbolic(_NAME, "src"), symbolic(f"{ROOT}/src/x", "../.."), hard(_NAME, f"{ROOT}/run.sh"),
    pax({"path": _NAME}), pax({"size": "1024"}), pax({"path": _NAME}, kind=b"g"), long_name(_NAME),
])  # fmt: skip


@st.composite
def mutated_tars(draw: st.DrawFn) -> bytes:
    """A sound tar file after a few cuts, insertions and changed bytes, mostly with checksums that are right again."""
    content = bytearray(draw(st.sampled_from(SOUND)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)) | st.integers(0, len(content) // 512).map(lambda count: 512 * count))
        piece = draw(_PIECES | st.binary(max_size=8))
        end = start + draw(st.sampled_from([0, len(piece), 512]))
        content[start:end] = piece
    if draw(st.integers(0, 3)):
        for start in range(0, len(content) - 511, 512):
            header = content[start : start + 512]
            if header[257:262] == b"ustar":
                header[148:156] = b" " * 8
                content[start + 148 : start + 156] = b"%06o\0 " % sum(header)
    return bytes(content)


def _unpack(content: bytes) -> dict[str, bytes] | None:
    """Every file by its path, or `None` if it is refused; nothing is left then."""
    with tempfile.TemporaryDirectory() as scratch:
        archive, tree = Path(scratch, "archive"), Path(scratch, "tree")
        archive.write_bytes(content)
        tree.mkdir()
        try:
            with open_sdist(archive, filename=FILENAME) as sdist:
                project = sdist.unpack(tree)
                assert project.parent == tree
        except InvalidArchiveError:
            assert list(tree.iterdir()) == []
            return None
        assert sorted(path.name for path in Path(scratch).iterdir()) == ["archive", "tree"]
        assert not any(path.is_symlink() for path in tree.rglob("*"))
        return {path.relative_to(tree).as_posix(): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def _read_with_the_standard_library(content: bytes) -> dict[str, bytes] | None:
    """The same as others read it; `None` where a link leads to a folder, of which they have no content."""
    files = {}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz", encoding="utf-8") as archive:
        for info in archive:
            if not info.isdir():
                try:
                    opened = archive.extractfile(info)
                except KeyError:
                    return None
                if opened is None:
                    return None
                files[info.name.removeprefix("./")] = opened.read()
    return files


@given(mutated_tars())
@settings(max_examples=200, deadline=None)
def test_a_mutated_tar_is_refused_or_read_as_others_read_it(tar: bytes) -> None:
    content = pack(tar)
    files = _unpack(content)
    if files is not None and sys.platform == "linux":
        others = _read_with_the_standard_library(content)
        assert others is None or files == others


@given(
    st.sampled_from(SOUND).map(pack), st.lists(st.tuples(st.integers(0), st.integers(1, 255)), max_size=3), st.data()
)
@settings(max_examples=100, deadline=None)
def test_a_mutated_gzip_file_is_refused_or_the_same(
    content: bytes, flips: list[tuple[int, int]], data: st.DataObject
) -> None:
    sound = _unpack(content)
    assert sound is not None
    damaged = bytearray(content)
    for position, bits in flips:
        damaged[position % len(damaged)] ^= bits
    del damaged[data.draw(st.just(len(damaged)) | st.integers(0, len(damaged))) :]
    assert _unpack(bytes(damaged)) in (None, sound)


@given(st.binary(max_size=2000), st.booleans())
def test_any_bytes_are_refused(content: bytes, packed: bool) -> None:  # noqa: FBT001 - drawn, not passed
    assert _unpack(gzip.compress(content) if packed else content) is None
