import gzip
import io
import os
import stat
import struct
import sys
import tarfile
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from buildlock.environment import tar_entries
from buildlock.environment.entry_names import NameRules, find_clash, find_name_fault
from buildlock.environment.sdist import open_sdist
from buildlock.errors import EnvironmentPreparationError, InvalidArchiveError
from support import wheel_forge
from support.malformed_sdists import CODE, MALFORMED, NAME, demo, of, with_field
from support.tar_forge import (
    END,
    FILENAME,
    GNU,
    PKG_INFO,
    POSIX,
    ROOT,
    V7,
    block,
    folder,
    forge,
    hard,
    long_name,
    member,
    octal,
    pack,
    pad,
    pax,
    sound_members,
    symbolic,
)


@pytest.mark.parametrize("defect", MALFORMED)
def test_a_malformed_sdist_is_refused_and_nothing_is_written(defect: str, tmp_path: Path) -> None:
    make, fault = MALFORMED[defect]
    path = write(tmp_path, make())
    with pytest.raises(InvalidArchiveError, match=fault) as caught, open_sdist(path, filename=FILENAME) as sdist:
        sdist.unpack(tmp_path)
    assert caught.value.message.startswith(f"`{FILENAME}` is refused: ")
    assert caught.value.message.isprintable()
    assert [entry.name for entry in tmp_path.iterdir()] == ["archive"]


def write(folder: Path, content: bytes) -> Path:
    path = folder / "archive"
    path.write_bytes(content)
    return path


def unpack(content: bytes, tmp_path: Path, filename: str = FILENAME) -> Path:
    (tmp_path / "tree").mkdir()
    with open_sdist(write(tmp_path, content), filename=filename) as sdist:
        assert sdist.facts.root == ROOT
        return sdist.unpack(tmp_path / "tree")


def list_tree(folder: Path) -> dict[str, bytes | None]:
    """The content of every file, and `None` for every folder."""
    return {
        path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_bytes() for path in folder.rglob("*")
    }


SOUND_TREE = {
    "PKG-INFO": PKG_INFO,
    "run.sh": b"#!/bin/sh\n",
    "src": None,
    "src/demo.py": b"answer = 42\n" * 60,
}


def old_magic(magic: bytes) -> bytes:
    return forge(
        member(f"{ROOT}/", kind=b"\0", mode=0o755, magic=magic),
        *[member(f"{ROOT}/{name}", data, magic=magic) for name, data in SOUND_TREE.items() if data is not None],
    )


HARMLESS: Mapping[str, Callable[[], bytes]] = {
    "plain": of,
    "no-folders": lambda: forge(*sound_members()[1:]),
    "folders-twice": lambda: of(folder(f"{ROOT}/"), folder(f"{ROOT}/src/"), folder(f"{ROOT}/src")),
    "dots-before": lambda: forge(
        folder("./"), folder(f"./{ROOT}/"), member(f"./{ROOT}/PKG-INFO", PKG_INFO), *sound_members()[2:]
    ),
    "one-zero-block": lambda: of(end=bytes(512)),
    "many-zeros": lambda: of(end=bytes(100_000)),
    "zeros-behind": lambda: of() + bytes(100_000),
    "gzip-header": lambda: gzip_with_header(b"".join(sound_members()) + END),
    "stored": lambda: gzip.compress(b"".join(sound_members()) + END, 0),
    "v7": lambda: old_magic(V7),
    "gnu": lambda: old_magic(GNU),
    "posix": lambda: old_magic(POSIX),
    "git-comment": lambda: forge(pax({"comment": "c0ffee" * 7}, kind=b"g"), *sound_members()),
    "own-mode-bits": lambda: forge(
        folder(f"{ROOT}/", mode=0o2775), member(f"{ROOT}/PKG-INFO", PKG_INFO, mode=0o104755), *sound_members()[2:]
    ),
    "pax-records": lambda: forge(
        *sound_members()[:2],
        pax(
            {
                "path": f"{ROOT}/src/demo.py",
                "size": "720",
                "mtime": "1234567890.5",
                "uname": "",
                "comment": "one\n9 path=x",
                "SCHILY.xattr.user.x": b"\xff\0",
            }
        ),
        member("short", SOUND_TREE["src/demo.py"] or b""),
        sound_members()[3],
    ),
    "long-name": lambda: forge(
        *sound_members()[:2],
        long_name(f"{ROOT}/src/demo.py"),
        member("short", SOUND_TREE["src/demo.py"] or b"", magic=GNU),
        sound_members()[3],
    ),
    "prefix": lambda: forge(
        *sound_members()[:2],
        member("demo.py", SOUND_TREE["src/demo.py"] or b"", prefix=f"{ROOT}/src".encode()),
        sound_members()[3],
    ),
    "signed-checksum": lambda: forge(*sound_members()[:3], signed_checksum(), sound_members()[3]),
    "binary-size": lambda: forge(
        sound_members()[0],
        member(f"{ROOT}/PKG-INFO", PKG_INFO, size=b"\x80" + len(PKG_INFO).to_bytes(11, "big"), magic=GNU),
        *sound_members()[2:],
    ),
    "owner-not-told": lambda: forge(
        sound_members()[0],
        with_field(block(f"{ROOT}/PKG-INFO", size=len(PKG_INFO)), 108, b"\xff" * 16) + pad(PKG_INFO),
        *sound_members()[2:],
    ),
    "spaces-for-zeros": lambda: forge(
        sound_members()[0],
        member(f"{ROOT}/PKG-INFO", PKG_INFO, size=b"%11o " % len(PKG_INFO), mode=b"   644 \0"),
        *sound_members()[2:],
    ),
    "binary-time": lambda: forge(
        sound_members()[0],
        member(f"{ROOT}/PKG-INFO", PKG_INFO, modified=(-5).to_bytes(12, "big", signed=True)),
        *sound_members()[2:],
    ),
    "junk-in-padding": lambda: forge(
        sound_members()[0],
        block(f"{ROOT}/PKG-INFO", size=len(PKG_INFO)) + PKG_INFO.ljust(512, b"~"),
        *sound_members()[2:],
    ),
}


def signed_checksum() -> bytes:
    """A folder whose header, with bytes beyond ASCII, has its checksum as some old writers counted it."""
    raw = block(f"{ROOT}/src/", kind=b"5", mode=0o755, target=b"\xff" * 9)
    total = sum(raw[:148]) + 8 * 32 + sum(raw[156:]) - 256 * 9
    return raw[:148] + b"%06o\0 " % total + raw[156:]


def gzip_with_header(content: bytes) -> bytes:
    """With all that a gzip header can hold: extra field, name, comment, checksum."""
    header = b"\x1f\x8b\x08\x1e" + struct.pack("<IBB", 1, 2, 3) + struct.pack("<H", 4) + b"ab\0\0"
    header += b"demo.tar\0" + b"by hand\0"
    header += struct.pack("<H", zlib.crc32(header) & 0xFFFF)
    return header + wheel_forge.deflate(content) + struct.pack("<II", zlib.crc32(content), len(content))


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_all_readers_agree_on_is_unpacked(kind: str, tmp_path: Path) -> None:
    project = unpack(HARMLESS[kind](), tmp_path)
    assert project == tmp_path / "tree" / ROOT
    assert list_tree(project) == SOUND_TREE
    assert [entry.name for entry in project.parent.iterdir()] == [ROOT]


@pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_the_formats_of_the_standard_library_are_read(layout: int, tmp_path: Path) -> None:
    files = {
        "short.py": CODE,
        "/".join(["long"] * 25) + "/" + "n" * 90 + ".py": CODE,
        "empty": b"",
        "exactly-a-block": b"x" * 512,
        "größe/名前.txt": b"unicode",
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=layout, encoding="utf-8") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"{ROOT}/{name}")
            info.size, info.mtime = len(data), 1_500_000_000.25
            archive.addfile(info, io.BytesIO(data))
    found = {name: data for name, data in list_tree(unpack(buffer.getvalue(), tmp_path)).items() if data is not None}
    assert found == files


def test_links_inside_become_copies(tmp_path: Path) -> None:
    project = unpack(
        of(
            symbolic(f"{ROOT}/later", "src/../src/late.py"),
            symbolic(f"{ROOT}/src/up", "../run.sh"),
            hard(f"{ROOT}/same", f"./{ROOT}/PKG-INFO"),
            pax({"linkpath": "./demo.py"}),
            symbolic(f"{ROOT}/src/pax", "x"),
            long_name("demo.py", kind=b"K"),
            symbolic(f"{ROOT}/src/gnu", "x"),
            member(f"{ROOT}/src/late.py", b"late"),
        ),
        tmp_path,
    )
    found = list_tree(project)
    assert found["later"] == b"late"
    assert found["src/up"] == SOUND_TREE["run.sh"]
    assert found["same"] == PKG_INFO
    assert found["src/pax"] == found["src/gnu"] == SOUND_TREE["src/demo.py"]
    assert not any(path.is_symlink() or path.stat().st_nlink > 1 for path in project.rglob("*") if not path.is_dir())
    assert os.access(project / "src" / "up", os.X_OK)


def test_links_to_folders_become_copies(tmp_path: Path) -> None:
    project = unpack(
        of(
            symbolic(f"{ROOT}/include", "./src/"),
            symbolic(f"{ROOT}/python/csrc", "../include"),
            symbolic(f"{ROOT}/python/run", "csrc/chain"),
            symbolic(f"{ROOT}/src/chain", "../run.sh"),
            folder(f"{ROOT}/src/empty"),
        ),
        tmp_path,
    )
    found = list_tree(project)
    for name in ("include", "python/csrc"):
        copied = {path.removeprefix(f"{name}/"): data for path, data in found.items() if path.startswith(f"{name}/")}
        assert copied == {path.removeprefix("src/"): data for path, data in found.items() if path.startswith("src/")}
        assert (project / name / "empty").is_dir()
    assert found["python/run"] == found["src/chain"] == SOUND_TREE["run.sh"]
    assert not any(path.is_symlink() or (path.is_file() and path.stat().st_nlink > 1) for path in project.rglob("*"))


def test_a_link_is_read_as_its_file(tmp_path: Path) -> None:
    path = write(tmp_path, forge(*sound_members()[:3], symbolic(f"{ROOT}/pyproject.toml", "src/demo.py")))
    with open_sdist(path, filename=FILENAME) as sdist:
        assert sdist.read("pyproject.toml") == SOUND_TREE["src/demo.py"]


@pytest.mark.skipif(sys.platform == "win32", reason="files have no such modes")
@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_modes_are_the_same_for_every_user(mask: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        project = unpack(of(member(f"{ROOT}/private", b"", mode=0o4100), folder(f"{ROOT}/shut/", mode=0)), tmp_path)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [project, *project.rglob("*")]}
    assert modes == {
        ROOT: 0o755, "src": 0o755, "shut": 0o755,
        "PKG-INFO": 0o644, "demo.py": 0o644, "run.sh": 0o755, "private": 0o755,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("modified", "seconds"),
    [
        (1_234_567_890, 1_234_567_890),
        (0, 315_619_200),
        (b"", 315_619_200),
        (b"\xff" * 12, 315_619_200),
        (octal(0o77777777777, 12), None),
        (b"\x80" + b"\xff" * 11, None),
    ],
)
def test_a_time_is_one_that_a_wheel_can_tell(modified: int | bytes, seconds: int | None, tmp_path: Path) -> None:
    began = int(time.time())
    project = unpack(demo(modified=modified), tmp_path)
    found = (project / "demo.py").stat().st_mtime
    assert began <= found <= time.time() if seconds is None else found == seconds


def test_the_time_of_a_pax_header_is_the_one(tmp_path: Path) -> None:
    project = unpack(demo(pax({"mtime": "1234567890.987"})), tmp_path)
    assert (project / "demo.py").stat().st_mtime == 1_234_567_890


class TestFacts:
    @pytest.mark.parametrize("filename", ["demo-1.0.tar.gz", "v1.0.tgz", "main.tar.gz", "My project (1).tar.gz"])
    def test_know_any_name_of_a_known_format(self, filename: str, tmp_path: Path) -> None:
        with open_sdist(write(tmp_path, of()), filename=filename) as sdist:
            assert sdist.facts.filename == filename

    @pytest.mark.parametrize(
        "filename",
        [
            "", "demo", "demo-1.0.tar.bz2", "demo-1.0.tar", "demo-1.0-py3-none-any.whl", "../demo-1.0.tar.gz",
            "a/demo-1.0.tar.gz", "a\\demo-1.0.tar.gz", "demo-1.0\n.tar.gz", "\x1b-1.0.tar.gz",
            f"demo-{'1' * 5000}.tar.gz",
        ],
    )  # fmt: skip
    def test_refuse_other_names(self, filename: str, tmp_path: Path) -> None:
        with pytest.raises(InvalidArchiveError) as caught, open_sdist(write(tmp_path, of()), filename=filename):
            pass
        assert caught.value.message.isprintable()

    @pytest.mark.parametrize("root", ["Demo-1.0", "demo_x-1.0", "demo", "demo-1.0-2", "v1.0"])
    def test_do_not_depend_on_the_name_of_the_folder(self, root: str, tmp_path: Path) -> None:
        with open_sdist(write(tmp_path, forge(member(f"{root}/PKG-INFO", PKG_INFO))), filename=FILENAME) as sdist:
            assert sdist.facts.root == root
            assert sdist.read("PKG-INFO") == PKG_INFO
            assert sdist.unpack(tmp_path) == tmp_path / root


class TestRead:
    def test_finds_files_below_the_folder_alone(self, tmp_path: Path) -> None:
        with open_sdist(write(tmp_path, of()), filename=FILENAME) as sdist:
            assert sdist.read("src/demo.py") == SOUND_TREE["src/demo.py"]
            assert sdist.read("PKG-INFO") == PKG_INFO
            for absent in ("pyproject.toml", "src", "src/", "", f"../{ROOT}/PKG-INFO", "/PKG-INFO", "./PKG-INFO"):
                assert sdist.read(absent) is None

    def test_is_limited(self, tmp_path: Path) -> None:
        with open_sdist(write(tmp_path, of()), filename=FILENAME) as sdist:
            assert sdist.read("PKG-INFO", len(PKG_INFO)) == PKG_INFO
            with pytest.raises(InvalidArchiveError, match=f"larger than {len(PKG_INFO) - 1} bytes"):
                sdist.read("PKG-INFO", len(PKG_INFO) - 1)

    def test_notices_that_the_file_changed(self, tmp_path: Path) -> None:
        path = write(tmp_path, of())
        with open_sdist(path, filename=FILENAME) as sdist:
            other = b"".join(sound_members()).replace(b"Version: 1.0", b"Version: 6.6") + END
            path.write_bytes(pack(other))
            with pytest.raises(InvalidArchiveError, match="changed while it was read"):
                sdist.read("PKG-INFO")
            with pytest.raises(InvalidArchiveError, match="changed while it was read"):
                sdist.unpack(tmp_path)
        assert [entry.name for entry in tmp_path.iterdir()] == ["archive"]


class TestUnpack:
    def test_replaces_nothing(self, tmp_path: Path) -> None:
        (tmp_path / ROOT).mkdir()
        with (
            open_sdist(write(tmp_path, of()), filename=FILENAME) as sdist,
            pytest.raises(EnvironmentPreparationError, match="is there already"),
        ):
            sdist.unpack(tmp_path)
        assert list_tree(tmp_path / ROOT) == {}
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ["archive", ROOT]

    def test_makes_the_folder(self, tmp_path: Path) -> None:
        with open_sdist(write(tmp_path, of()), filename=FILENAME) as sdist:
            assert list_tree(sdist.unpack(tmp_path / "a" / "b")) == SOUND_TREE

    def test_needs_a_place_for_the_folder(self, tmp_path: Path) -> None:
        path = write(tmp_path, of())
        with (
            open_sdist(path, filename=FILENAME) as sdist,
            pytest.raises(EnvironmentPreparationError, match="cannot be made"),
        ):
            sdist.unpack(path / "tree")

    @pytest.mark.parametrize("kind", ["absent", "folder"])
    def test_needs_a_file(self, kind: str, tmp_path: Path) -> None:
        path = tmp_path if kind == "folder" else tmp_path / "none"
        with (
            pytest.raises(EnvironmentPreparationError, match=r"not a file|cannot be read"),
            open_sdist(path, filename=FILENAME),
        ):
            pass


class TestLimits:
    def test_hold_for_all_that_is_unpacked(self, tmp_path: Path) -> None:
        content = of()
        size = len(gzip.decompress(content))
        path = write(tmp_path, content)
        with open_sdist(path, filename=FILENAME, limit=size):
            pass
        with pytest.raises(InvalidArchiveError, match="bytes"), open_sdist(path, filename=FILENAME, limit=size - 1):
            pass

    def test_hold_for_copies(self, tmp_path: Path) -> None:
        # A hundred links to one file of a thousand blocks.
        links = [symbolic(f"{ROOT}/{number}", "demo.py") for number in range(100)]
        path = write(tmp_path, of(member(NAME, bytes(512_000)), *links))
        with (
            pytest.raises(InvalidArchiveError, match="it unpacks to 51712"),
            open_sdist(path, filename=FILENAME, limit=2_000_000),
        ):
            pass

    def test_hold_for_the_ratio_of_copies(self, tmp_path: Path) -> None:
        links = [symbolic(f"{ROOT}/{number}", "demo.py") for number in range(1000)]
        path = write(tmp_path, of(member(NAME, os.urandom(100_000)), *links))
        with pytest.raises(InvalidArchiveError, match="50 times"), open_sdist(path, filename=FILENAME):
            pass

    @pytest.mark.parametrize(
        ("members", "fault"),
        [
            ([member(f"{ROOT}/{number}") for number in range(8)], "entries"),
            ([folder(f"{ROOT}/")] * 40, "entries"),
            ([pax({"comment": "x"}, kind=b"g")] * 40, "entries"),
            ([member(f"{ROOT}/a/b/c/d/e/f/g")], "folders"),
        ],
        ids=["files", "one-folder", "headers", "folders"],
    )
    def test_hold_for_their_number(
        self, members: list[bytes], fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tar_entries, "MAX_ENTRIES", 5)
        path = write(tmp_path, forge(*members))
        with (
            pytest.raises(InvalidArchiveError, match=f"more than 5 {fault}|5 are the most"),
            open_sdist(path, filename=FILENAME),
        ):
            pass


class TestZip:
    FILENAME = "demo-1.0.zip"

    def test_is_read_too(self, tmp_path: Path) -> None:
        content = wheel_forge.forge(
            [
                wheel_forge.Entry(f"{ROOT}/", method=0, mode=0o42775),
                wheel_forge.Entry(
                    f"{ROOT}/PKG-INFO", PKG_INFO, central={"date": 45 << 9 | 3 << 5 | 7, "time": 12 << 11}
                ),
                wheel_forge.Entry(f"{ROOT}/src/demo.py", SOUND_TREE["src/demo.py"] or b"", method=0),
                wheel_forge.Entry(f"{ROOT}/run.sh", b"#!/bin/sh\n", mode=0o100755, central={"date": 0}),
            ]
        )
        project = unpack(content, tmp_path, self.FILENAME)
        assert list_tree(project) == SOUND_TREE
        assert (project / "PKG-INFO").stat().st_mtime == 1_741_348_800  # noon of the 7th of March 2025
        assert (project / "run.sh").stat().st_mtime == 315_619_200
        assert os.access(project / "run.sh", os.X_OK)

    @pytest.mark.parametrize(
        ("entries", "fault"),
        [
            ([wheel_forge.Entry("setup.py", CODE)], "is not a folder"),
            ([wheel_forge.Entry(NAME, CODE), wheel_forge.Entry("setup.py", CODE)], "2 files and folders"),
            ([wheel_forge.Entry(NAME, CODE), wheel_forge.Entry(NAME, CODE)], "is there twice"),
            ([wheel_forge.Entry(NAME, b"PKG-INFO", mode=0o120777)], "is a link"),
            ([wheel_forge.Entry(f"{ROOT}/../evil.py", CODE)], "leaves the folder"),
            ([wheel_forge.Entry("/etc/passwd", CODE)], "absolute"),
            ([wheel_forge.Entry(f"{ROOT}\\evil.py", CODE)], "backslash"),
            ([wheel_forge.Entry(NAME, CODE, packed=b"")], "stops early"),
            ([wheel_forge.Entry(NAME, CODE, mode=0o104755)], "has the mode"),
        ],
    )
    def test_is_refused_where_it_is_malformed(
        self, entries: list[wheel_forge.Entry], fault: str, tmp_path: Path
    ) -> None:
        path = write(tmp_path, wheel_forge.forge(entries))
        with (
            pytest.raises(InvalidArchiveError, match=fault),
            open_sdist(path, filename=self.FILENAME) as sdist,
        ):
            sdist.unpack(tmp_path)
        assert [entry.name for entry in tmp_path.iterdir()] == ["archive"]

    def test_is_no_tar_file(self, tmp_path: Path) -> None:
        with (
            pytest.raises(InvalidArchiveError, match="not a ZIP file"),
            open_sdist(write(tmp_path, of()), filename=self.FILENAME),
        ):
            pass


class TestNameRules:
    @pytest.mark.parametrize("name", [f"{ROOT}/aux.c", f"{ROOT}/a:b", f"{ROOT}/dot.", f"{ROOT}/con/x.py"])
    def test_of_windows_refuse_what_windows_cannot_write(self, name: str) -> None:
        assert find_name_fault(name, NameRules.of_platform("win32"))
        assert find_name_fault(name, NameRules.of_platform("linux")) is None
        assert find_name_fault(name, NameRules.of_platform("darwin")) is None

    def test_of_case_sensitive_systems_allow_two_cases(self) -> None:
        names = [f"{ROOT}/Makefile", f"{ROOT}/makefile"]
        assert find_clash(names, NameRules.of_platform("linux")) is None
        assert find_clash(names, NameRules.of_platform("darwin"))
        assert find_clash(names, NameRules.of_platform("win32"))

    @pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
    def test_of_every_system_know_unicode_forms(self, platform: str) -> None:
        assert find_clash(["\u00e9.py", "e\u0301.py"], NameRules.of_platform(platform))

    @pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
    def test_hold_for_what_is_unpacked_here(self, tmp_path: Path) -> None:
        project = unpack(of(member(f"{ROOT}/aux.c", b"1"), member(f"{ROOT}/AUX.C", b"2")), tmp_path)
        assert (project / "aux.c").read_bytes() + (project / "AUX.C").read_bytes() == b"12"
