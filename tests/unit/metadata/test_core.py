"""Core metadata: what is read, what is refused, what is let pass."""

import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from buildlock.artifacts import Artifact
from buildlock.errors import BuildlockError, IntegrityError, InvalidMetadataError
from buildlock.metadata.core import MAX_METADATA_SIZE, parse_core_metadata, parse_requirement

HEAD = "Metadata-Version: 2.1\nName: foo\nVersion: 1.0\n"


def make_artifact(name: str = "foo", version: str = "1.0") -> Artifact:
    filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    return Artifact(
        name=canonicalize_name(name),
        version=Version(version),
        kind="wheel",
        filename=filename,
        url=f"https://files.example/{filename}",
    )


def parse(content: str | bytes, artifact: Artifact | None = None) -> object:
    if isinstance(content, str):
        content = content.encode()
    return parse_core_metadata(content, artifact=artifact or make_artifact())


def test_reads_what_resolution_needs() -> None:
    metadata = parse_core_metadata(
        (
            b"Metadata-Version: 2.4\n"
            b"Name: Flash_Attn\n"
            b"Version: 2.0.0+cu124\n"
            b"Summary: Fast\n"
            b"Requires-Python: >=3.9, !=3.9.1\n"
            b"Requires-Dist: torch==2.4.0\n"
            b"Requires-Dist: Einops (>=0.6) ; extra == 'Rotary_Emb'\n"
            b"Requires-Dist: bar @ https://files.example/bar-1.0-py3-none-any.whl\n"
            b"Provides-Extra: Rotary_Emb\n"
            b"\n"
            b"Requires-Dist: not-a-field\n"
        ),
        artifact=make_artifact("flash-attn", "2.0+cu124"),
    )
    assert metadata.name == "flash-attn"
    assert metadata.version == Version("2.0.0+cu124")
    assert metadata.requires_python == SpecifierSet(">=3.9,!=3.9.1")
    assert metadata.requires_dist == (
        Requirement("torch==2.4.0"),
        Requirement("einops>=0.6; extra == 'rotary-emb'"),
        Requirement("bar @ https://files.example/bar-1.0-py3-none-any.whl"),
    )
    assert metadata.provides_extra == {"rotary-emb"}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_folded_field_is_one_line(newline: str) -> None:
    text = HEAD + "Requires-Dist: bar>=1 ;\n        python_version > '3'\n"
    metadata = parse_core_metadata(text.replace("\n", newline).encode(), artifact=make_artifact())
    assert metadata.requires_dist == (Requirement("bar>=1; python_version > '3'"),)


@pytest.mark.parametrize(
    "harmless",
    [
        "License: a\n        b\n",
        "License-Expression: no such licence\n",
        "Description-Content-Type: text/nonsense; x*\n",
        "Content-Type: multipart/mixed; boundary=x\n",
        "Content-Type: message/rfc822\n",
        "Keywords: é, ü\n",
        "Project-URL: no comma\n",
        "License-File: ../../etc/passwd\n",
        "Dynamic: Nothing\n",
        "Made-Up: 1\nMade-Up: 2\n",
        "Summary: =?utf-8?q?x?=\n",
        "\nName: other\n--x\nVersion: 7\n",
    ],
)
def test_what_resolution_does_not_need_is_let_pass(harmless: str) -> None:
    metadata = parse_core_metadata(f"{HEAD}Requires-Dist: bar\n{harmless}".encode(), artifact=make_artifact())
    assert metadata.requires_dist == (Requirement("bar"),)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "it has no `Metadata-Version`"),
        ("<!DOCTYPE html>\n<html>", "a line of its header is not a field"),
        ('{"name": "foo"}', "it has no `Metadata-Version`"),
        ("Name: foo\nVersion: 1.0\n", "it has no `Metadata-Version`"),
        ("Metadata-Version: 3.0\nName: foo\nVersion: 1.0\n", "it has `Metadata-Version: 3.0`"),
        ("Metadata-Version: new\nName: foo\nVersion: 1.0\n", "`Metadata-Version: new` cannot be read"),
        ("Metadata-Version: 2.1\nVersion: 1.0\n", "it has no `Name`"),
        ("Metadata-Version: 2.1\nName: foo\n", "it has no `Version`"),
        (HEAD + "Name: foo\n", "it has 2 fields `Name`"),
        (HEAD + "version: 1.0\n", "it has 2 fields `Version`"),
        (HEAD + "Requires-Python: >=3\nRequires-Python: >=4\n", "it has 2 fields `Requires-Python`"),
        ("Metadata-Version: 2.1\nName: f!o\nVersion: 1.0\n", "`Name: f!o` cannot be read"),
        ("Metadata-Version: 2.1\nName: foo\nVersion: one\n", "`Version: one` cannot be read"),
        (HEAD + "Requires-Python: three\n", "`Requires-Python: three` cannot be read"),
        (HEAD + "Requires-Dist: bar >= 1.*\n", "`Requires-Dist: bar >= 1.*` cannot be read"),
        (HEAD + "Requires-Dist: bar; os_name ~= 'x'\n", "`Requires-Dist: bar; os_name ~= 'x'` cannot be read"),
        (HEAD + "Requires-Dist: bar; 'x' in extras\n", "`Requires-Dist: bar; 'x' in extras` cannot be read"),
        (HEAD + f"Requires-Dist: bar; {'(' * 2000}os_name == 'x'{')' * 2000}\n", "cannot be read"),
        (HEAD + f"Requires-Dist: bar>={'1' * 5000}\n", "has more than 4096 characters"),
        (HEAD + "Provides-Extra: a b\n", "`Provides-Extra: a b` cannot be read"),
        (HEAD + "Requires-Dist: \x1b[2Jbar !\n", "`Requires-Dist:  [2Jbar !` cannot be read"),
        (HEAD + "Summary: a\nsecond line\nRequires-Dist: bar\n", "a line of its header is not a field"),
        (HEAD.encode() + b"Summary: \xff\n", f"byte {len(HEAD) + 9} is not UTF-8"),
        (HEAD.encode("utf-16"), "byte 0 is not UTF-8"),
        (HEAD + "Requires-Dist: bar\n" * 60_000, "its header has more than 1048576 characters"),
        (HEAD + "Requires-Dist: bar" + " " * 5000 + "\n", "has more than 4096 characters"),
        (HEAD + "\n" * MAX_METADATA_SIZE, f"it is larger than {MAX_METADATA_SIZE} bytes"),
    ],
)
def test_unusable_metadata_is_refused(content: str | bytes, fault: str) -> None:
    with pytest.raises(InvalidMetadataError) as caught:
        parse(content)
    assert caught.value.message.startswith("the metadata of `foo-1.0-py3-none-any.whl` is refused: ")
    assert fault in caught.value.message
    assert caught.value.message.endswith("(https://files.example/foo-1.0-py3-none-any.whl)")


@pytest.mark.parametrize(
    ("name", "version"), [("bar", "1.0"), ("foo", "1.1"), ("foo", "1.0+cpu"), ("foo", "1.0.post1"), ("foo", "1!1.0")]
)
def test_the_metadata_of_another_file_is_refused(name: str, version: str) -> None:
    with pytest.raises(IntegrityError, match=r"is that of `.*`, not of|is that of .* not of `foo` 1\.0: https://"):
        parse(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_the_local_version_is_part_of_the_version() -> None:
    with pytest.raises(IntegrityError):
        parse(HEAD, make_artifact(version="1.0+cu124"))


def test_a_long_field_is_shortened_in_the_message() -> None:
    with pytest.raises(InvalidMetadataError) as caught:
        parse(f"{HEAD}Requires-Dist: {'x ' * 2000}\n")
    assert len(caught.value.message) < 500


fields = st.builds(
    "{}: {}".format,
    st.sampled_from(["Name", "Version", "Metadata-Version", "Requires-Dist", "Requires-Python", "Provides-Extra"]),
    st.text(max_size=40),
)
headers = st.lists(fields | st.text(max_size=40), max_size=8).map(
    lambda lines: (HEAD + "\n".join(lines)).encode("utf-8", "replace")
)


@given(st.binary(max_size=300) | headers)
@example(b"From x\n:\n")
@example(HEAD.encode() + b"From x\n")
@example(HEAD.encode() + b"A: b\r\rC: d\r\n\r\n")
def test_any_bytes_are_metadata_of_the_artifact_or_a_clear_error(content: bytes) -> None:
    try:
        metadata = parse_core_metadata(content, artifact=make_artifact())
    except BuildlockError:
        return
    assert (metadata.name, metadata.version) == ("foo", Version("1.0"))


@pytest.fixture
def _switching() -> Iterator[None]:
    """Threads that take turns in the midst of everything, as they may."""
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()

    def pause(_phase: str, _info: object) -> None:
        for _ in range(50):
            pass

    sys.setswitchinterval(1e-6)
    gc.set_threshold(3)
    gc.callbacks.append(pause)
    yield
    gc.callbacks.remove(pause)
    gc.set_threshold(*threshold)
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_switching")
def test_requirements_are_parsed_in_several_threads() -> None:
    """`ast` of Python 3.11, by which packaging reads the strings of markers, is not made for that."""
    text = "foo; " + " and ".join(f'os_name != "{n}"' for n in range(20))

    def read(depth: int) -> str:
        return read(depth - 1) if depth else str(parse_requirement(text))

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(read, [*range(7)] * 60)) == {text}
