"""A wheel with any bytes changed is refused, or unpacks to exactly what its RECORD says."""

import base64
import binascii
import csv
import hashlib
import io
import tempfile
import zipfile
from pathlib import Path
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from buildlock.environment import entry_names
from buildlock.environment.entry_names import find_clash, find_name_fault
from buildlock.environment.record import InvalidRecordError, encode_digest, parse_record
from buildlock.environment.wheel import open_wheel
from buildlock.errors import InvalidArchiveError
from support.wheel_forge import FILENAME, INFO, Entry, changed, forge, sound_wheel

_ENTRIES = sound_wheel(
    {"demo.py": b"answer = 42\n" * 9, f"{INFO}/entry_points.txt": b"[console_scripts]\nrun = demo:f\n"}
)
SOUND = (
    forge(_ENTRIES),
    forge(changed(_ENTRIES, "demo.py", streamed=True, wide=True), end64={}, comment=b"by hand"),
    forge([Entry("pkg/", method=0, mode=0o40755), *changed(_ENTRIES, "demo.py", method=0)]),
)


@st.composite
def mutated_wheels(draw: st.DrawFn) -> bytes:
    """A sound wheel after a few cuts, insertions, copies and changed bytes."""
    content = bytearray(draw(st.sampled_from(SOUND)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 8)))
        content[start:end] = draw(
            st.binary(min_size=end - start, max_size=end - start)  # the lengths still fit
            | st.binary(max_size=8)
            | st.sampled_from([b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04", b"\xff" * 4, b"\xff" * 2, b"../"])
            | st.just(bytes(content[:60]))
        )
    return bytes(content)


@given(mutated_wheels())
@settings(max_examples=400, deadline=None)
def test_a_mutated_wheel_is_refused_or_unpacks_to_its_record(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive, tree = Path(folder, "archive"), Path(folder, "tree")
        archive.write_bytes(content)
        tree.mkdir()
        try:
            with open_wheel(archive, filename=FILENAME) as wheel:
                wheel.unpack(tree)
        except InvalidArchiveError:
            return
        found = {path.relative_to(tree).as_posix(): path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    record = found.pop(f"{INFO}/RECORD")
    recorded = {name: hashed for name, hashed, _ in csv.reader(io.StringIO(record.decode())) if hashed}
    actual = {
        name: f"sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()}"
        for name, data in found.items()
    }
    assert actual == recorded
    # And another reader sees the same.
    with zipfile.ZipFile(io.BytesIO(content)) as other:
        assert {name: other.read(name) for name in found} == found


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "archive")
        archive.write_bytes(content)
        try:
            with open_wheel(archive, filename=FILENAME):
                raise AssertionError("accepted")
        except InvalidArchiveError:
            pass


@given(st.text(max_size=40))
def test_a_name_without_fault_stays_below_its_folder(name: str) -> None:
    if find_name_fault(name) is None:
        parts = name.removesuffix("/").split("/")
        assert all(part not in ("", ".", "..") for part in parts)
        assert not set(name) & set("\\:\0\n\r\x1b")


@given(
    st.one_of(
        st.text("aAcConN1._+-/$: ~é", max_size=40),
        st.lists(
            st.sampled_from(["con", "aux.c", "lpt1", "com10", "..", ".", "", "a.", ".a", "x" * 99]), max_size=22
        ).map("/".join),
    )
)
def test_the_short_look_at_a_name_finds_what_the_rules_find(name: str) -> None:
    with mock.patch.object(entry_names, "_PLAIN_PATH", -1):
        expected = find_name_fault(name)
    assert find_name_fault(name) == expected


@given(st.one_of(st.binary(min_size=31, max_size=33).map(encode_digest), st.text("AEIQaz09-_+/=", max_size=45)))
def test_a_digest_has_one_spelling(digest: str) -> None:
    try:
        raw = base64.b64decode(digest + "=" * (-len(digest) % 4), altchars=b"-_")
    except binascii.Error:
        raw = b""
    sound = len(raw) == 32 and base64.urlsafe_b64encode(raw).decode().rstrip("=") == digest
    try:
        assert parse_record(f"a.py,sha256={digest},3\n")["a.py"].digest == digest
    except InvalidRecordError:
        assert not sound
    else:
        assert sound


@given(st.lists(st.text("aAé/", min_size=1, max_size=5), max_size=5))
def test_a_clash_does_not_depend_on_order(names: list[str]) -> None:
    assert (find_clash(names) is None) == (find_clash(names[::-1]) is None)


@given(
    entry_points=st.text(max_size=80),
    wheel=st.text(max_size=80),
    metadata=st.text(max_size=80),
    record=st.text(max_size=80),
)
@settings(max_examples=200, deadline=None)
def test_any_text_in_dist_info_is_refused_or_accepted(
    entry_points: str, wheel: str, metadata: str, record: str
) -> None:
    for entries in (
        sound_wheel({f"{INFO}/entry_points.txt": entry_points.encode("utf-8", "surrogatepass")}),
        sound_wheel(wheel=wheel.encode("utf-8", "surrogatepass")),
        sound_wheel(
            wheel=f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {wheel}\n".encode("utf-8", "surrogatepass")
        ),
        sound_wheel(metadata=metadata.encode("utf-8", "surrogatepass")),
        sound_wheel(
            metadata=b"Metadata-Version: 2.1\nName: demo\nVersion: " + metadata.encode("utf-8", "surrogatepass")
        ),
        sound_wheel(record=record.encode("utf-8", "surrogatepass")),
    ):
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder, "archive")
            archive.write_bytes(forge(entries))
            try:
                with open_wheel(archive, filename=FILENAME):
                    pass
            except InvalidArchiveError:
                pass
