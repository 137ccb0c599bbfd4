"""A wheel that says what it was built against, and nothing else changed."""

import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.metadata import parse_email
from packaging.requirements import Requirement

from buildlock.environment.wheel import open_wheel
from buildlock.errors import BackendError, BuildlockError
from buildlock.frontend.pinned_wheel import add_requirements, pin_wheel
from support.wheel_forge import make_wheel

TORCH = Requirement("torch==2.4.*")
HEAD = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"


def contents(wheel: Path) -> dict[str, tuple[bytes, int, int]]:
    with zipfile.ZipFile(wheel) as archive:
        return {
            entry.filename: (archive.read(entry), entry.external_attr, entry.compress_type)
            for entry in archive.infolist()
        }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (HEAD, HEAD + b"Requires-Dist: torch==2.4.*\n"),
        (HEAD.rstrip(), HEAD + b"Requires-Dist: torch==2.4.*\n"),
        (HEAD + b"\nRequires-Dist: in prose\n", HEAD + b"Requires-Dist: torch==2.4.*\n\nRequires-Dist: in prose\n"),
        (HEAD.replace(b"\n", b"\r\n"), HEAD.replace(b"\n", b"\r\n") + b"Requires-Dist: torch==2.4.*\r\n"),
        (
            HEAD + b"requires-dist: torch\n >=2\nLicense: MIT\n\nText",
            HEAD + b"requires-dist: torch\n >=2\nRequires-Dist: torch==2.4.*\nLicense: MIT\n\nText",
        ),
        (HEAD + b"Requires-Dist: torch==2.4.*\n", HEAD + b"Requires-Dist: torch==2.4.*\n"),
        (
            HEAD + b"Requires-Dist: torch==2.2.0; extra == 'cu118'\n",
            HEAD + b"Requires-Dist: torch==2.2.0; extra == 'cu118'\nRequires-Dist: torch==2.4.*\n",
        ),
    ],
)
def test_where_it_is_written(before: bytes, after: bytes) -> None:
    assert add_requirements(before, [TORCH], "demo.whl") == after


@given(st.binary(max_size=60))
def test_whatever_the_backend_wrote_the_requirement_is_there(text: bytes) -> None:
    for metadata in (HEAD + text, HEAD + b"Requires-Dist:" + text, text):
        try:
            pinned = add_requirements(metadata, [TORCH], "demo.whl")
        except BackendError:
            continue
        assert str(TORCH) in parse_email(pinned)[0]["requires_dist"]


def test_dependencies_that_contradict_it() -> None:
    with pytest.raises(BackendError, match=r"requires `Torch>=2\.5`, and was built against what is `torch==2\.4\.\*`"):
        add_requirements(HEAD + b"Requires-Dist: Torch>=2.5\n", [TORCH], "demo.whl")


def place(folder: Path, files: dict[str, bytes] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    filename, content = make_wheel(files=files, scripts={"demo": "demo:main"})
    (folder / filename).write_bytes(content)
    return folder / filename


def test_all_else_is_as_it_was(tmp_path: Path) -> None:
    wheel = place(tmp_path)
    before = contents(wheel)
    pin_wheel(wheel, [TORCH, Requirement("numpy==2.1.*")])
    after = contents(wheel)
    assert list(after) == list(before)
    differing = {name.partition("/")[2] for name in before if before[name] != after[name]}
    assert differing == {"METADATA", "RECORD"}
    assert [path.name for path in tmp_path.iterdir()] == [wheel.name]
    with open_wheel(wheel, filename=wheel.name) as opened:
        opened.unpack(tmp_path)


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    one, other = place(tmp_path / "one"), place(tmp_path / "other")
    pin_wheel(one, [TORCH])
    pin_wheel(other, [TORCH])
    assert one.read_bytes() == other.read_bytes()
    # What says so already says it once.
    pin_wheel(other, [TORCH])
    assert one.read_bytes() == other.read_bytes()


def test_a_signed_wheel(tmp_path: Path) -> None:
    wheel = place(tmp_path, {"demo-1.0.dist-info/RECORD.jws": b"{}"})
    with pytest.raises(BackendError, match="is signed"):
        pin_wheel(wheel, [TORCH])


@given(edits=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=8))
def test_damage_is_refused_or_harmless(edits: list[tuple[int, int]]) -> None:
    filename, sound = make_wheel()
    content = bytearray(sound)
    for position, value in edits:
        content[position % len(content)] = value
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(folder, filename)
        wheel.write_bytes(content)
        with suppress(BuildlockError):
            pin_wheel(wheel, [TORCH])
