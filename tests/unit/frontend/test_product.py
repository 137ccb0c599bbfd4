"""What is read of a product before it is believed, whatever its bytes."""

import contextlib
import gzip
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildlock.artifacts import ArtifactKind
from buildlock.frontend.product import InvalidProductError, take_product
from support.honest_backend import write_sdist, write_wheel


@pytest.mark.parametrize("name", ["My.Demo", "my_demo", "MY-DEMO", None])
def test_the_projects_name_is_compared_normalized(tmp_path: Path, name: str | None) -> None:
    filename = write_wheel(str(tmp_path), name="My.Demo")
    taken = take_product(tmp_path, filename, tmp_path, kind="wheel", name=name)
    assert taken != tmp_path / filename
    assert taken.read_bytes() == (tmp_path / filename).read_bytes()


@given(
    kind=st.sampled_from(["wheel", "sdist"]),
    edits=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=8),
    length=st.none() | st.integers(0, 1000),
)
def test_damage_is_refused_or_harmless(kind: ArtifactKind, edits: list[tuple[int, int]], length: int | None) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        filename = write_wheel(scratch) if kind == "wheel" else write_sdist(scratch)
        path = Path(scratch, filename)
        # Below the compression, where an edit is not found by its checksum.
        content = bytearray(path.read_bytes() if kind == "wheel" else gzip.decompress(path.read_bytes()))
        for position, value in edits:
            content[position % len(content)] = value
        damaged = bytes(content[:length])
        path.write_bytes(damaged if kind == "wheel" else gzip.compress(damaged))
        with contextlib.suppress(InvalidProductError):
            taken = take_product(Path(scratch), filename, Path(scratch), kind=kind, name="demo")
            assert taken.read_bytes() == path.read_bytes()


@given(
    st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.text())
)
def test_an_answer_that_names_no_new_file_is_refused(answer: object) -> None:
    with tempfile.TemporaryDirectory() as scratch, pytest.raises(InvalidProductError):
        take_product(Path(scratch), answer, Path(scratch), kind="wheel", name=None)
