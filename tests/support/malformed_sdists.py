"""Sdists with one defect each, by its name."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping

from support import wheel_forge
from support.tar_forge import (
    END,
    GNU,
    ROOT,
    V7,
    block,
    folder,
    forge,
    hard,
    long_name,
    member,
    pack,
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


def all_malformed() -> Iterator[tuple[str, bytes]]:
    """Every sdist that is to be refused, by what is wrong with it."""
    yield from ((defect, make()) for defect, (make, _) in MALFORMED.items())
