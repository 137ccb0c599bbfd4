"""zlib-ng, which the extra `fast` brings, accepts and refuses what zlib does."""

import io
import random
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from buildlock.environment import deflate
from buildlock.environment.gzip_stream import GzipStream
from buildlock.environment.wheel import open_wheel
from buildlock.errors import InvalidArchiveError
from support.malformed_wheels import CONTENT_DEFECTS, SOUND, ZIP_DEFECTS
from support.wheel_forge import FILENAME

zlib_ng: ModuleType = pytest.importorskip("zlib_ng.zlib_ng")

CODECS = (zlib, zlib_ng)
WHEELS = {
    **{f"sound {name}": make for name, make in SOUND.items()},
    **{f"malformed {name}": make for defects in (ZIP_DEFECTS, CONTENT_DEFECTS) for name, (make, _) in defects.items()},
}


@pytest.mark.skipif(deflate.codec is zlib, reason="the extra is installed after this was imported")
def test_it_is_used_where_it_is_installed() -> None:
    assert deflate.codec is zlib_ng


def unpack(content: bytes, folder: Path) -> object:
    """What is in a wheel, or why it is refused."""
    archive, tree = folder / "archive", folder / "tree"
    folder.mkdir()
    tree.mkdir()
    archive.write_bytes(content)
    try:
        with open_wheel(archive, filename=FILENAME) as wheel:
            return wheel.unpack(tree)
    except InvalidArchiveError as error:
        return error.message


@pytest.mark.parametrize("name", WHEELS)
def test_a_wheel_is_the_same_by_both(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = WHEELS[name]()
    found = []
    for codec in CODECS:
        monkeypatch.setattr(deflate, "codec", codec)
        found.append(unpack(content, tmp_path / codec.__name__))
    assert found[0] == found[1]


def pack(data: bytes) -> Sequence[bytes]:
    """The same data deflated in each way that zlib has."""
    packers = [
        zlib.compressobj(level, wbits=-15, strategy=strategy)
        for level in (0, 1, 9)
        for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY)
    ]
    return [packer.compress(data) + packer.flush() for packer in packers]


def damage(data: bytes, chance: random.Random) -> bytes:
    """Most often near the beginning, where the codes of a block are described."""
    damaged = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        place = min(int(chance.expovariate(1 / 30)), len(damaged) - 1)
        damaged[place] ^= 1 << chance.randrange(8)
    return bytes(damaged[: chance.randint(1, len(damaged))] if chance.random() < 0.1 else damaged)


def inflate(codec: ModuleType, packed: bytes, window: int) -> object:
    """What comes out, what is left over, and whether it ended or failed."""
    inflater, found = codec.decompressobj(window), b""
    try:
        found = inflater.decompress(packed, 1 << 16)
    except codec.error:
        return "refused"
    return found, inflater.eof, inflater.unconsumed_tail, inflater.unused_data


def compress(data: bytes, window: int) -> bytes:
    packer = zlib.compressobj(wbits=window)  # `zlib.compress` takes this since Python 3.11
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize("window", [-15, 31], ids=["raw", "gzip"])
def test_damaged_data_is_the_same_to_both(window: int) -> None:
    chance = random.Random(window)
    texts = (b"", b"a" * 1000, bytes(chance.choice(b"abcdefgh \n") for _ in range(400)), chance.randbytes(500))
    streams = [packed for text in texts for packed in pack(text)]
    if window > 0:
        streams = [compress(text, window) for text in texts]
    outcomes = set()
    for _ in range(3000):
        packed = damage(chance.choice(streams), chance)
        by_zlib, by_zlib_ng = (inflate(codec, packed, window) for codec in CODECS)
        assert by_zlib == by_zlib_ng, packed.hex()
        outcomes.add(by_zlib == "refused")
    assert outcomes == {True, False}


def test_a_gzip_file_is_the_same_by_both(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = compress(bytes(1 << 20), 31) + b"\0" * 600
    for codec in CODECS:
        monkeypatch.setattr(deflate, "codec", codec)
        stream = GzipStream(io.BytesIO(packed), "demo.tar.gz")
        assert stream.read(1 << 19) == bytes(1 << 19)
        stream.expect_zeros()


def test_checksums_are_the_same() -> None:
    data = random.Random(1).randbytes(100_000)
    for size in (0, 1, 15, 64, 1000, len(data)):
        assert zlib.crc32(data[:size]) == zlib_ng.crc32(data[:size])
        assert zlib.crc32(data[:size], 7) == zlib_ng.crc32(data[:size], 7)
