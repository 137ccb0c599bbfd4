"""The metadata file inside a wheel: which one it is, and what is refused."""

import io
import struct
import warnings
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name
from packaging.version import Version

from buildlock.artifacts import Artifact
from buildlock.errors import InvalidMetadataError
from buildlock.metadata.core import MAX_METADATA_SIZE
from buildlock.metadata.ranged import open_local
from buildlock.metadata.wheel import read_wheel_metadata
from support.zips import make_zip, metadata_of

METADATA = metadata_of(requires=["bar>=1"])
PATH = "foo-1.0.dist-info/METADATA"


def read(wheel: bytes, *, name: str = "foo", version: str = "1.0") -> bytes:
    filename = f"{name}-{version}-py3-none-any.whl"
    artifact = Artifact(
        name=canonicalize_name(name),
        version=Version(version),
        kind="wheel",
        filename=filename,
        url=f"https://files.example/{filename}",
    )
    return read_wheel_metadata(open_local(io.BytesIO(wheel)), artifact)


@pytest.mark.parametrize(
    "wheel",
    [
        make_zip({"foo/__init__.py": b"", PATH: METADATA}),
        make_zip({PATH: METADATA}, compression=zipfile.ZIP_STORED),
        make_zip({PATH: METADATA}, comment=b"Zipped with care. " * 9),
        make_zip({PATH: METADATA}, prefix=b"#!/bin/sh\n"),
        make_zip({PATH: METADATA, "foo/vendored-2.0.dist-info/METADATA": b"another"}),
        make_zip({"Foo-1.0.0.dist-info/METADATA": METADATA}),
    ],
    ids=["deflated", "stored", "comment", "prefix", "nested-dist-info", "other-spelling"],
)
def test_reads_the_metadata(wheel: bytes) -> None:
    assert read(wheel) == METADATA


def test_reads_a_zip64_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    wheel = make_zip({"foo/__init__.py": b"", PATH: METADATA})
    assert b"PK\6\6" in wheel
    assert read(wheel) == METADATA


def test_the_version_is_compared_as_a_version() -> None:
    assert read(make_zip({"foo-1.0+cu124.1.dist-info/METADATA": METADATA}), version="1.0.0+cu124.1") == METADATA


def lie_about_size(wheel: bytes, size: int) -> bytes:
    """Change the uncompressed size in both headers of a wheel of one member."""
    forged = bytearray(wheel)
    struct.pack_into("<L", forged, 22, size)
    struct.pack_into("<L", forged, wheel.index(b"PK\1\2") + 24, size)
    return bytes(forged)


def duplicate() -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `zipfile` warns of what it is made to do
        return make_zip([(PATH, METADATA), (PATH, metadata_of(requires=["evil"]))])


DEFLATED = make_zip({PATH: METADATA})


@pytest.mark.parametrize(
    ("wheel", "fault"),
    [
        (b"", "it is not a readable zip archive"),
        (b"<html>", "it is not a readable zip archive"),
        (DEFLATED[:-1], "it is not a readable zip archive"),
        (make_zip({PATH: METADATA}, comment=b"PK\5\6" + bytes(40)), "it has no `.dist-info` directory"),
        (DEFLATED[1:], "it is not a readable zip archive"),
        (DEFLATED[:60] + b"\0" + DEFLATED[61:], "it is not a readable zip archive"),
        (make_zip({}), "it has no `.dist-info` directory"),
        (make_zip({"METADATA": METADATA}), "it has no `.dist-info` directory"),
        (make_zip({"./" + PATH: METADATA}), "it has no `.dist-info` directory"),
        (make_zip({"foo-1.0.dist-info/RECORD": b""}), "it has not exactly one file `foo-1.0.dist-info/METADATA`"),
        (make_zip({"foo-1.0.dist-info": b""}), "it has not exactly one file `foo-1.0.dist-info/METADATA`"),
        (make_zip({PATH.lower(): METADATA}), "it has not exactly one file"),
        (make_zip({PATH: METADATA, PATH.lower(): b""}), "it has not exactly one file"),
        (duplicate(), "it has not exactly one file"),
        (make_zip({PATH: METADATA, "bar-1.0.dist-info/METADATA": b""}), "it has several `.dist-info` directories"),
        (make_zip({PATH: METADATA, "FOO-1.0.DIST-INFO/METADATA": b""}), "it has several `.dist-info` directories"),
        (
            make_zip({"bar-1.0.dist-info/METADATA": METADATA}),
            "`bar-1.0.dist-info` is not that of `foo` 1.0",
        ),
        (
            make_zip({"foo-1.1.dist-info/METADATA": METADATA}),
            "`foo-1.1.dist-info` is not that of `foo` 1.0",
        ),
        (make_zip({"foo.dist-info/METADATA": METADATA}), "its directory `foo.dist-info` is not that of `foo` 1.0"),
        (make_zip({PATH: METADATA}, compression=zipfile.ZIP_BZIP2), "compressed by a method that wheels do not use"),
        (make_zip({PATH: bytes(MAX_METADATA_SIZE + 1)}), f"is larger than {MAX_METADATA_SIZE} bytes"),
        (lie_about_size(DEFLATED, len(METADATA) - 1), "it is not a readable zip archive"),
        (lie_about_size(DEFLATED, len(METADATA) + 1), "is cut short"),
    ],
)
def test_an_ambiguous_or_damaged_wheel_is_refused(wheel: bytes, fault: str) -> None:
    with pytest.raises(InvalidMetadataError) as caught:
        read(wheel)
    assert caught.value.message.startswith("the wheel `foo-1.0-py3-none-any.whl` is refused: ")
    assert fault in caught.value.message


def test_an_encrypted_member_is_refused() -> None:
    directory = DEFLATED.index(b"PK\1\2")
    wheel = bytearray(DEFLATED)
    wheel[6] |= 1
    wheel[directory + 8] |= 1
    with pytest.raises(InvalidMetadataError, match="encrypted"):
        read(bytes(wheel))


def test_a_forged_size_does_not_make_a_bomb_go_off() -> None:
    bomb = make_zip({PATH: bytes(1 << 26)})
    with pytest.raises(InvalidMetadataError, match="it is not a readable zip archive"):
        read(lie_about_size(bomb, 100))


def test_a_forged_directory_does_not_read_it_all() -> None:
    wheel = b"PK\1\2" + bytes((16 << 20) + 100) + DEFLATED[-22:]
    wheel = wheel[:-10] + struct.pack("<LLH", len(wheel) - 22, 0, 0)
    with pytest.raises(InvalidMetadataError, match="would have to be read"):
        read(wheel)


def test_overlong_names_are_shortened_and_made_printable() -> None:
    with pytest.raises(InvalidMetadataError) as caught:
        read(make_zip({f"\x1b[2J{'x' * 60_000}.dist-info/METADATA": b""}))
    assert len(caught.value.message) < 500
    assert caught.value.message.isprintable()


@given(st.binary(max_size=200), st.integers(0, len(DEFLATED)), st.integers(0, 8))
def test_any_damage_is_noticed_or_harmless(junk: bytes, position: int, removed: int) -> None:
    wheel = DEFLATED[:position] + junk + DEFLATED[position + removed :]
    try:
        content = read(wheel)
    except InvalidMetadataError:
        return
    assert zlib.crc32(content) == zlib.crc32(METADATA)
