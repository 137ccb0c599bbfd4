"""The search paths of real libraries, and of files that only look like some."""

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildlock.environment.elf import ElfFacts, read_elf

linux = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("gcc"), reason="ELF files are made by the compiler of Linux"
)


def build(folder: Path, *options: str) -> Path:
    (folder / "demo.c").write_text("int main(void) { return 0; }\n")
    subprocess.run(["gcc", "demo.c", "-o", "demo", *options], cwd=folder, check=True)
    return folder / "demo"


@linux
@pytest.mark.parametrize("tags", ["--enable-new-dtags", "--disable-new-dtags"])
def test_a_library(tmp_path: Path, tags: str) -> None:
    path = build(tmp_path, "-shared", "-fPIC", f"-Wl,{tags}", "-Wl,-rpath,$ORIGIN/../lib:/opt/lib")
    assert read_elf(path) == ElfFacts(paths=("$ORIGIN/../lib", "/opt/lib"), is_program=False)


@linux
@pytest.mark.parametrize("options", [(), ("-static",), ("-no-pie",)])
def test_a_program(tmp_path: Path, options: tuple[str, ...]) -> None:
    assert read_elf(build(tmp_path, *options)) == ElfFacts(paths=(), is_program=True)


@linux
def test_the_interpreter() -> None:
    facts = read_elf(Path(os.path.realpath(sys.executable)))
    assert facts is not None
    assert facts.is_program


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF"[:3], b"MZ" * 100])
def test_no_elf_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert read_elf(tmp_path / "file") is None


@linux
@given(data=st.data())
def test_a_broken_one_is_read_all_the_same(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    if not (folder / "demo").exists():
        build(folder, "-shared", "-fPIC", "-Wl,-rpath,$ORIGIN/../lib")
    content = bytearray((folder / "demo").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 400))] = data.draw(st.integers(0, 255))
    broken = folder / "broken"
    broken.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    assert isinstance(read_elf(broken), ElfFacts | None)


def test_numbers_without_bound_cost_nothing(tmp_path: Path) -> None:
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    huge = struct.pack("<IIQQQQQQ", 2, 4, 120, 0, 0, (1 << 64) - 1, (1 << 64) - 1, 8)
    (tmp_path / "file").write_bytes(
        head + huge + struct.pack("<QQ", 5, (1 << 64) - 1) + struct.pack("<QQ", 29, 1 << 63)
    )
    assert read_elf(tmp_path / "file") in (ElfFacts(paths=(), is_program=False), ElfFacts(paths=(), is_program=True))


def test_of_many_search_paths_the_last_counts(tmp_path: Path) -> None:
    """As for the loader; all of them together could be as large as one likes."""
    count = 60_000
    size, text = 16 * (count + 1), b"$ORIGIN/a:" * 6_000
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 2, 4, 120, 0, 0, size, size, 8)
    table = struct.pack("<QQ", 5, 120 + size) + struct.pack("<QQ", 29, 0) * count
    (tmp_path / "file").write_bytes(head + segment + table + text + b"\0")
    assert read_elf(tmp_path / "file") == ElfFacts(paths=("$ORIGIN/a",) * 6_000, is_program=False)


def write_library(path: Path, *, bits: int, order: str, search: bytes) -> None:
    """The least that a loader of that kind goes by: headers, a segment with all of it, the dynamic section, text."""
    word = "Q" if bits == 64 else "I"
    head_size, entry_size = (64, 56) if bits == 64 else (52, 32)
    dynamic = head_size + 2 * entry_size
    text = dynamic + 4 * 2 * struct.calcsize(f"{order}{word}")
    strings = b"\0" + search + b"\0"
    size = text + len(strings)
    start = 0x10000

    def segment(kind: int, offset: int, length: int) -> bytes:
        place = (offset, start + offset, start + offset, length, length)
        if bits == 64:
            return struct.pack(f"{order}II6Q", kind, 4, *place, 8)
        return struct.pack(f"{order}8I", kind, *place, 4, 4)

    kinds = bytes([bits // 32, "<>".index(order) + 1, 1])
    head = b"\x7fELF" + kinds + bytes(9)
    head += struct.pack(f"{order}HHI3{word}I6H", 3, 8, 1, 0, head_size, 0, 0, head_size, entry_size, 2, 0, 0, 0)
    # DT_STRTAB, DT_STRSZ, DT_RUNPATH, DT_NULL.
    entries = struct.pack(f"{order}8{word}", 5, start + text, 10, len(strings), 29, 1, 0, 0)
    path.write_bytes(head + segment(1, 0, size) + segment(2, dynamic, len(entries)) + entries + strings)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [32, 64])
def test_libraries_of_other_machines(tmp_path: Path, bits: int, order: str) -> None:
    path = tmp_path / "library.so"
    write_library(path, bits=bits, order=order, search=b"$ORIGIN/../../nvidia/lib")
    assert read_elf(path) == ElfFacts(paths=("$ORIGIN/../../nvidia/lib",), is_program=False)
    if shutil.which("readelf"):
        shown = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=True)
        assert "[$ORIGIN/../../nvidia/lib]" in shown.stdout, shown
        assert not shown.stderr
