import gzip
import io
import os
import stat
import struct
import sys
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from buildlock.environment import tar_entries
from buildlock.environment.entry_names import NameRules, find_clash, find_name_fault
from buildlock.environment.sdist import open_sdist
from buildlock.errors import EnvironmentPreparationError, InvalidArchiveError
from support import wheel_forge
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
    record,
    sound_members,
    symbolic,
)

CODE = b"answer = 42\n" * 40
NAME = f"{ROOT}/demo.py"


def demo(*before: bytes, name: str | bytes = NAME, data: bytes = CODE, **header: object) -> bytes:
    """A sound sdist, but for one more member and what stands before it."""
    return forge(*sound_members(), *before, member(name, data, **header))  # type: ignore[arg-type]


def of(*members: bytes, end: bytes = END) -> bytes:
    return forge(*sound_members(), *members, end=end)


def with_field(header: bytes, position: int, value: bytes) -> bytes:
    """A header with other bytes in one place, and a checksum that is right."""
    changed = bytearray(header)
    changed[position : position + len(value)] = value
    changed[148:156] = b" " * 8
    changed[148:156] = b"%06o\0 " % sum(changed)
    return bytes(changed)


def polyglot() -> bytes:
    """A gzip file that ends as a ZIP file: its own last member holds one, unpacked as it is."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{ROOT}/setup.py", "evil()")
    tar = b"".join([*sound_members(), member(f"{ROOT}/a.zip", buffer.getvalue()), END])
    return gzip.compress(tar, 0)


def flip(content: bytes, position: int) -> bytes:
    damaged = bytearray(content)
    damaged[position] ^= 0xFF
    return bytes(damaged)


MALFORMED: Mapping[str, tuple[Callable[[], bytes], str]] = {
    # The gzip file.
    "empty": (lambda: b"", "stops early"),
    "one-byte": (lambda: b"\x1f", "stops early"),
    "no-gzip": (lambda: b"x" * 1000, "no sound gzip"),
    "bare-tar": (lambda: b"".join(sound_members()) + END, "no sound gzip"),
    "bzip2": (lambda: b"BZh91AY&SY" + bytes(50), "no sound gzip"),
    "xz": (lambda: b"\xfd7zXZ\x00" + bytes(50), "no sound gzip"),
    "zlib": (lambda: zlib.compress(b"".join(sound_members()) + END), "no sound gzip"),
    "zip-named-tar": (lambda: wheel_forge.forge([wheel_forge.Entry(NAME, CODE)]), "a ZIP file too"),
    "zip-at-the-end": (polyglot, "a ZIP file too"),
    "zip-appended": (lambda: of() + wheel_forge.forge([wheel_forge.Entry(NAME, CODE)]), "a ZIP file too"),
    "zip64-appended": (lambda: of() + wheel_forge.forge([wheel_forge.Entry(NAME, CODE)], end64={}), "a ZIP file too"),
    "reserved-flag": (lambda: of()[:3] + b"\x80" + of()[4:], "no sound gzip"),
    "unknown-method": (lambda: of()[:2] + b"\x07" + of()[3:], "no sound gzip"),
    "truncated": (lambda: of()[:-1], "stops early"),
    "truncated-in-the-middle": (lambda: of()[:200], "stops early"),
    "truncated-header": (lambda: of()[:5], "stops early"),
    "wrong-checksum": (lambda: flip(of(), -8), "incorrect data check"),
    "wrong-length": (lambda: flip(of(), -4), "incorrect length check"),
    "damaged": (lambda: flip(of(), 100), "refused"),
    "two-members": (lambda: of() + of(), "follows the gzip data"),
    "second-member-in-the-tar": (
        lambda: pack(b"".join(sound_members())) + pack(member(NAME, CODE) + END),
        "stops early",
    ),
    "empty-second-member": (lambda: of() + pack(b""), "follows the gzip data"),
    "junk-behind": (lambda: of() + b"junk", "follows the gzip data"),
    "junk-behind-zeros": (lambda: of() + bytes(600_000) + b"junk", "follows the gzip data"),
    "bomb": (lambda: forge(*sound_members(), end=bytes(70 << 20)), "50 times"),
    # The end of the tar.
    "no-entries": (lambda: pack(END), "it is empty"),
    "nothing": (lambda: pack(b""), "it is empty"),
    "no-end": (lambda: of(end=b""), "its end is not marked"),
    "half-a-block": (lambda: of(block(NAME)[:300], end=b""), "stops early"),
    "data-cut": (lambda: of(block(NAME, size=4000), end=b""), "stops early"),
    "padding-cut": (lambda: of(block(NAME, size=3) + b"abc", end=b""), "stops early"),
    "end-in-the-middle": (lambda: forge(*sound_members(), END, member(NAME, CODE)), "follows the end"),
    "one-zero-block-in-the-middle": (lambda: of(bytes(512), member(NAME, CODE)), "follows the end"),
    "junk-after-the-end": (lambda: of(end=END + b"junk"), "follows the end"),
    "second-tar": (lambda: of(end=END + b"".join(sound_members()) + END), "follows the end"),
    # Headers.
    "wrong-header-checksum": (lambda: demo(checksum=b"000001\0 "), "checksum"),
    "no-header-checksum": (lambda: demo(checksum=b"        "), "checksum"),
    "header-checksum-no-number": (lambda: demo(checksum=b"xyz".ljust(8)), "no number"),
    "no-header-at-all": (lambda: of(b"x" * 512), "no number"),
    "size-no-number": (lambda: demo(size=b"12x"), "no number"),
    "size-decimal": (lambda: demo(size=b"00000000899"), "no number"),
    "size-negative": (lambda: demo(size=b"-0000000001"), "no number"),
    "size-signed": (lambda: demo(size=b"+0000000001"), "no number"),
    "size-underscored": (lambda: demo(size=b"0000000_740"), "no number"),
    "size-two-numbers": (lambda: demo(size=b"740 740"), "no number"),
    "size-after-nul": (lambda: demo(size=b"740\x00740"), "no number"),
    "size-missing": (lambda: demo(size=b""), "has no size"),
    "size-blank": (lambda: demo(size=b" " * 12), "has no size"),
    "size-binary-negative": (lambda: demo(size=b"\xff" * 12), "no number"),
    "size-binary-huge": (lambda: demo(size=b"\x80" + b"\xff" * 11), "are the most"),
    "size-octal-huge": (lambda: demo(size=b"7" * 12), "are the most"),
    "mode-no-number": (lambda: demo(mode=b"rw-r--r-"), "no number"),
    "mode-negative": (lambda: demo(mode=b"-000644"), "no number"),
    "time-no-number": (lambda: demo(modified=b"yesterday"), "no number"),
    "owner-no-number": (lambda: of(with_field(block(NAME), 108, b"nobody")), "no number"),
    "group-no-number": (lambda: of(with_field(block(NAME), 116, b"nobody")), "no number"),
    "device-no-number": (lambda: of(with_field(block(NAME), 329, b"sda")), "no number"),
    "minor-device-no-number": (lambda: of(with_field(block(NAME), 337, b"1x")), "no number"),
    "unknown-magic": (lambda: demo(magic=b"mytar\x0000"), "known tar format"),
    "magic-without-end": (lambda: demo(magic=b"ustar000"), "known tar format"),
    "star": (lambda: demo(trailer=b"tar\0"), "star"),
    "prefix-of-gnu": (lambda: demo(name="demo.py", magic=GNU, prefix=ROOT.encode()), "prefix"),
    "prefix-of-v7": (lambda: demo(name="demo.py", magic=V7, prefix=ROOT.encode()), "prefix"),
    # What an entry is.
    "character-device": (lambda: demo(kind=b"3", data=b""), "neither a file nor a folder"),
    "block-device": (lambda: demo(kind=b"4", data=b""), "neither a file nor a folder"),
    "fifo": (lambda: demo(kind=b"6", data=b""), "neither a file nor a folder"),
    "contiguous": (lambda: demo(kind=b"7"), "neither a file nor a folder"),
    "unknown-type": (lambda: demo(kind=b"Z"), "neither a file nor a folder"),
    "gnu-sparse": (lambda: demo(kind=b"S", magic=GNU), "neither a file nor a folder"),
    "gnu-multi-volume": (lambda: demo(kind=b"M", magic=GNU), "neither a file nor a folder"),
    "gnu-volume-label": (lambda: demo(kind=b"V", magic=GNU, data=b""), "neither a file nor a folder"),
    "gnu-dump-folder": (lambda: demo(kind=b"D", magic=GNU), "neither a file nor a folder"),
    "solaris-extension": (lambda: demo(kind=b"X"), "neither a file nor a folder"),
    "folder-with-content": (lambda: demo(name=f"{ROOT}/a/", kind=b"5"), "and has content"),
    "old-folder-with-content": (lambda: demo(name=f"{ROOT}/a/", kind=b"\0", magic=V7), "and has content"),
    "file-named-as-folder": (lambda: demo(name=f"{ROOT}/a/"), "a folder by its name"),
    # Links.
    "link-with-content": (lambda: demo(kind=b"2", target="PKG-INFO"), "and has content"),
    "hard-link-with-content": (lambda: demo(kind=b"1", target=f"{ROOT}/PKG-INFO"), "and has content"),
    "link-absolute": (lambda: of(symbolic(NAME, "/etc/passwd")), "no file of the archive"),
    "link-out": (lambda: of(symbolic(NAME, "../../etc/passwd")), "no file of the archive"),
    "link-to-above-the-top": (lambda: of(symbolic(NAME, "..")), "no file of the archive"),
    "link-out-and-in": (lambda: of(symbolic(NAME, f"../{ROOT}/PKG-INFO")), "no file of the archive"),
    "link-through-what-is-not-there": (lambda: of(symbolic(NAME, "no/../PKG-INFO")), "no file of the archive"),
    "link-through-a-file": (lambda: of(symbolic(NAME, "run.sh/../PKG-INFO")), "no file of the archive"),
    "link-to-nothing": (lambda: of(symbolic(NAME, "")), "a folder that it is in"),
    "link-to-what-is-not-there": (lambda: of(symbolic(NAME, "no.py")), "no file of the archive"),
    "link-to-its-folder": (lambda: of(symbolic(NAME, ".")), "a folder that it is in"),
    "link-to-its-folder-by-a-link": (
        lambda: of(symbolic(NAME, "b"), symbolic(f"{ROOT}/b", "src/..")),
        "a folder that it is in",
    ),
    "links-to-each-other's-folders": (
        lambda: of(symbolic(f"{ROOT}/a/link", "../b"), symbolic(f"{ROOT}/b/link", "../a")),
        "a folder that it is in",
    ),
    "links-that-multiply": (
        lambda: of(
            *(symbolic(f"{ROOT}/{number}/{name}", f"../{number + 1}") for number in range(30) for name in ("a", "b")),
            folder(f"{ROOT}/30"),
        ),
        "too many copies",
    ),
    "link-below-a-link": (lambda: of(symbolic(NAME, "src"), member(f"{NAME}/a.py", CODE)), "one name"),
    "link-to-a-file-as-folder": (lambda: of(symbolic(NAME, "PKG-INFO/")), "no file of the archive"),
    "link-to-itself": (lambda: of(symbolic(NAME, "demo.py")), "in a circle"),
    "link-loop": (lambda: of(symbolic(NAME, "b.py"), symbolic(f"{ROOT}/b.py", "demo.py")), "in a circle"),
    "link-with-drive": (lambda: of(symbolic(NAME, "C:\\evil")), "no file of the archive"),
    "link-in-the-way": (
        lambda: of(symbolic(f"{ROOT}/src/sub", ".."), member(f"{ROOT}/src/sub/evil.py", CODE)),
        "are one name|no file",
    ),
    "link-replaced-by-file": (lambda: of(symbolic(NAME, "PKG-INFO"), member(NAME, CODE)), "is there twice"),
    "link-as-top": (lambda: forge(symbolic(ROOT, "other"), member(f"{ROOT}/a.py", CODE)), "are one name"),
    "hard-link-out": (lambda: of(hard(NAME, "../etc/passwd")), "no file of the archive"),
    "hard-link-absolute": (lambda: of(hard(NAME, "/etc/passwd")), "no file of the archive"),
    "hard-link-from-its-folder": (lambda: of(hard(NAME, "PKG-INFO")), "no file of the archive"),
    "hard-link-to-a-link": (
        lambda: of(symbolic(NAME, "PKG-INFO"), hard(f"{ROOT}/b.py", NAME)),
        "no file of the archive",
    ),
    "hard-link-before-its-file": (lambda: of(hard(NAME, f"{ROOT}/b.py"), member(f"{ROOT}/b.py", CODE)), "behind it"),
    "link-target-in-another-encoding": (lambda: demo(kind=b"2", target=b"\xe9", data=b""), "not UTF-8"),
    "target-of-a-file": (lambda: demo(long_name("PKG-INFO", kind=b"K")), "and is none"),
    "pax-target-of-a-file": (lambda: demo(pax({"linkpath": "PKG-INFO"})), "and is none"),
    # Pax headers.
    "pax-size-differs": (lambda: demo(pax({"size": "1024"})), "by its pax header"),
    "pax-size-hides-headers": (
        lambda: of(pax({"size": "1536"}), member(NAME, b""), member(f"{ROOT}/evil.py", b"x" * 512)),
        "by its pax header",
    ),
    "pax-size-zero": (lambda: demo(pax({"size": "0"})), "by its pax header"),
    "pax-size-negative": (lambda: demo(pax({"size": "-1"})), "by its pax header"),
    "pax-size-no-number": (lambda: demo(pax({"size": "many"})), "by its pax header"),
    "pax-size-other-digits": (lambda: demo(pax({"size": "٤٨٠"})), "by its pax header"),
    "pax-size-endless": (lambda: demo(pax({"size": "9" * 9999})), "by its pax header"),
    "pax-size-empty": (lambda: demo(pax({"size": ""})), "empty pax record"),
    "pax-path-empty": (lambda: demo(pax({"path": ""})), "empty pax record"),
    "pax-path-out": (lambda: demo(pax({"path": f"{ROOT}/../../evil.py"})), "leaves the folder"),
    "pax-path-nul": (lambda: demo(pax({"path": f"{NAME}\0.txt"})), "control"),
    "pax-path-not-utf8": (lambda: demo(pax({"path": b"demo-1.0/\xe9"})), "not UTF-8"),
    "pax-path-of-a-folder": (lambda: demo(pax({"path": f"{ROOT}/a/"})), "a folder by its name"),
    "pax-time-no-number": (lambda: demo(pax({"mtime": "noon"})), "no time"),
    "pax-time-endless": (lambda: demo(pax({"mtime": "9" * 9999})), "no time"),
    "pax-time-nan": (lambda: demo(pax({"mtime": "nan"})), "no time"),
    "pax-charset": (lambda: demo(pax({"hdrcharset": "BINARY"})), "not in UTF-8"),
    "pax-sparse": (lambda: demo(pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0"})), "no plain file"),
    "pax-sparse-name": (lambda: demo(pax({"GNU.sparse.name": "evil.py"})), "no plain file"),
    "pax-sparse-size": (lambda: demo(pax({"SCHILY.realsize": "9999"})), "no plain file"),
    "pax-twice-in-one": (
        lambda: demo(pax(record("path", f"{ROOT}/a.py") + record("path", f"{ROOT}/b.py"))),
        "two pax records",
    ),
    "pax-no-record": (lambda: demo(pax(b"nonsense")), "malformed"),
    "pax-no-equals": (lambda: demo(pax(b"8 path\n\n")), "malformed"),
    "pax-no-key": (lambda: demo(pax(b"6 =ab\n")), "malformed"),
    "pax-no-newline": (lambda: demo(pax(b"11 path=abcd")), "malformed"),
    "pax-length-too-long": (lambda: demo(pax(b"99 path=ab\n")), "malformed"),
    "pax-length-too-short": (lambda: demo(pax(b"9 path=ab\n")), "malformed"),
    "pax-length-in-the-key": (lambda: demo(pax(b"4 path=ab\n")), "malformed"),
    "pax-length-zero": (lambda: demo(pax(b"0 path=ab\n")), "malformed"),
    "pax-length-negative": (lambda: demo(pax(b"-9 path=ab\n")), "malformed"),
    "pax-length-padded": (lambda: demo(pax(b"012 path=abc\n")), "malformed"),
    "pax-length-huge": (lambda: demo(pax(b"9" * 5000 + b" path=ab\n")), "malformed"),
    "pax-nul-behind": (lambda: demo(pax(record("path", NAME) + bytes(20))), "malformed"),
    "pax-huge": (lambda: demo(pax({"comment": "x" * (2 << 20)})), "is larger than"),
    "pax-cut": (lambda: of(block("x", size=4000, kind=b"x"), end=b""), "stops early"),
    "pax-of-nothing": (lambda: of(pax({"path": NAME})), "not there"),
    "pax-twice": (lambda: demo(pax({"path": f"{ROOT}/a.py"}), pax({"path": f"{ROOT}/b.py"})), "second header"),
    "pax-empty-twice": (lambda: demo(pax({}), pax({"path": f"{ROOT}/b.py"})), "second header"),
    "pax-before-long-name": (lambda: demo(pax({"size": "2048"}), long_name(f"{ROOT}/b.py")), "second header"),
    "pax-after-long-name": (lambda: demo(long_name(f"{ROOT}/b.py"), pax({"path": NAME})), "second header"),
    "global-path": (lambda: demo(pax({"path": f"{ROOT}/b.py"}, kind=b"g")), "of every entry"),
    "global-size": (lambda: demo(pax({"size": "480"}, kind=b"g")), "of every entry"),
    "global-target": (lambda: demo(pax({"linkpath": "PKG-INFO"}, kind=b"g")), "of every entry"),
    "global-charset": (lambda: demo(pax({"hdrcharset": "ISO-IR 10646 2000 UTF-8"}, kind=b"g")), "of every entry"),
    "global-malformed": (lambda: demo(pax(b"x", kind=b"g")), "malformed"),
    "global-between": (lambda: demo(pax({"path": NAME}), pax({"comment": "x"}, kind=b"g")), "stands between"),
    # GNU's long names.
    "long-name-twice": (lambda: demo(long_name(f"{ROOT}/a.py"), long_name(f"{ROOT}/b.py")), "second header"),
    "long-name-empty-twice": (lambda: demo(long_name(""), long_name(f"{ROOT}/b.py")), "second header"),
    "long-name-of-nothing": (lambda: of(long_name(NAME)), "not there"),
    "long-name-empty": (lambda: demo(long_name("")), "empty"),
    "long-name-holds-nul": (lambda: demo(long_name(f"{NAME}\0.txt")), "control"),
    "long-name-not-utf8": (lambda: demo(long_name(b"demo-1.0/\xe9")), "not UTF-8"),
    "long-name-huge": (lambda: demo(long_name("x" * (2 << 20))), "is larger than"),
    "long-name-out": (lambda: demo(long_name("../evil.py")), "leaves the folder"),
    # Names.
    "absolute": (lambda: demo(name="/etc/passwd"), "absolute"),
    "parent": (lambda: demo(name=f"{ROOT}/../evil.py"), "leaves the folder"),
    "parent-alone": (lambda: demo(name="..", kind=b"5", data=b""), "leaves the folder"),
    "parent-by-prefix": (lambda: demo(name="evil.py", prefix=b"demo-1.0/.."), "leaves the folder"),
    "backslash": (lambda: demo(name=f"{ROOT}\\..\\evil.py"), "backslash"),
    "drive": (lambda: forge(member("C:/demo.py", CODE)), "drive|not a folder|colon"),
    "empty-name": (lambda: demo(name=""), "empty"),
    "empty-component": (lambda: demo(name=f"{ROOT}//demo.py"), "empty component"),
    "dot-component": (lambda: demo(name=f"{ROOT}/./demo.py"), "`.` component"),
    "two-dots-before": (lambda: demo(name=f"././{NAME}"), "`.` component"),
    "dot-as-file": (lambda: demo(name="."), "`.` component"),
    "newline": (lambda: demo(name=f"{ROOT}/a\nb.py"), "control"),
    "escape": (lambda: demo(name=f"{ROOT}/\x1b[2J.py"), "control"),
    "right-to-left": (lambda: demo(name=f"{ROOT}/\u202egnp.py"), "invisible"),
    "latin-1": (lambda: demo(name=b"demo-1.0/caf\xe9.py"), "not UTF-8"),
    "surrogate": (lambda: demo(name=b"demo-1.0/\xed\xa0\x80.py"), "not UTF-8"),
    "long-component": (lambda: demo(pax({"path": f"{ROOT}/{'x' * 256}"})), "longer than 255"),
    "long-path": (lambda: demo(pax({"path": "/".join([ROOT, *["x" * 200] * 6])})), "longer than 1000"),
    "deep-path": (lambda: demo(pax({"path": "/".join([ROOT, *["x"] * 60])})), "nested deeper"),
    # Clashes.
    "file-twice": (lambda: of(member(NAME, CODE), member(NAME, CODE)), "is there twice"),
    "file-twice-by-dot": (lambda: of(member(NAME, CODE), member(f"./{NAME}", b"evil()")), "is there twice"),
    "file-twice-by-pax": (lambda: of(member(NAME, CODE), pax({"path": NAME}), member("x", b"y")), "is there twice"),
    "file-and-folder": (lambda: of(member(NAME, CODE), folder(f"{NAME}/")), "are one name"),
    "folder-and-file": (lambda: of(folder(f"{NAME}/"), member(NAME, CODE)), "are one name"),
    "file-as-folder": (lambda: of(member(NAME, CODE), member(f"{NAME}/x.py", CODE)), "are one name"),
    "unicode-forms": (
        lambda: of(member(f"{ROOT}/\u00e9.py", CODE), member(f"{ROOT}/e\u0301.py", CODE)),
        "are one name",
    ),
    # The top.
    "two-tops": (lambda: of(member("other/setup.py", CODE)), "2 files and folders at its top"),
    "file-beside": (lambda: of(member("setup.py", CODE)), "2 files and folders at its top"),
    "folder-beside": (lambda: of(folder("other/")), "2 files and folders at its top"),
    "file-only": (lambda: forge(member("setup.py", CODE)), "is not a folder"),
    "top-in-other-case": (lambda: of(member("Demo-1.0/x.py", CODE)), "2 files and folders|are one name"),
    "dot-only": (lambda: forge(folder("./")), "0 files and folders at its top"),
}


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
