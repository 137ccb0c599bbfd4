"""Backends that break the protocol, and what is said of each.

>>> HOSTILE["answer-is-a-pipe"].hook
'build_wheel'

Each is the source of a module that begins with `from honest_backend import *`, and lies from there.
"""

import textwrap
from dataclasses import dataclass
from typing import Literal, TypeAlias

Hook: TypeAlias = Literal[
    "build_wheel", "build_sdist", "get_requires_for_build_wheel", "prepare_metadata_for_build_wheel"
]


@dataclass(frozen=True, slots=True)
class HostileBackend:
    hook: Hook
    """Which one to call."""
    source: str
    fault: str
    """What the error says, besides the backend's name."""
    posix: bool = False
    """It takes what Windows does not have."""


def _wheel(fault: str, body: str, *, posix: bool = False) -> HostileBackend:
    return _hook("build_wheel", "directory, *_", fault, body, posix=posix)


def _sdist(fault: str, body: str) -> HostileBackend:
    return _hook("build_sdist", "directory, *_", fault, body)


def _requires(fault: str, body: str) -> HostileBackend:
    return _hook("get_requires_for_build_wheel", "_", fault, body)


def _metadata(fault: str, body: str, *, posix: bool = False) -> HostileBackend:
    return _hook("prepare_metadata_for_build_wheel", "directory, _", fault, body, posix=posix)


def _hook(hook: Hook, parameters: str, fault: str, body: str, *, posix: bool = False) -> HostileBackend:
    indented = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    return HostileBackend(hook, f"{_IMPORTS}def {hook}({parameters}):\n{indented}\n", fault, posix)


def _module(fault: str, source: str) -> HostileBackend:
    return HostileBackend("build_wheel", f"{_IMPORTS}{textwrap.dedent(source).strip()}\n", fault)


def _answer(fault: str, text: str) -> HostileBackend:
    """The answer is written past `pyproject_hooks`, and nothing after it."""
    return _wheel(fault, f"(answer / 'output.json').write_text({text!r}); os._exit(0)")


_IMPORTS = """
import asyncio, atexit, os, shutil, signal, socket, sys, threading, time, warnings, zipfile
from pathlib import Path
NAME = "demo-1.0-py3-none-any.whl"
answer = Path(sys.argv[2])
"""
_ESC = r"\x1b[2J\x1b]0;title\x07\u202e"
_NO_ANSWER = "ended without an answer to `build_wheel`"
_NO_FILE = "made no such file"
_FAILED = "failed in `build_wheel` (exit code 1)"

_ANSWERS = {
    "answer-is-a-pipe": _wheel(_NO_ANSWER, "os.mkfifo(answer / 'output.json'); os._exit(0)", posix=True),
    "answer-is-endless": _wheel(
        _NO_ANSWER, "(answer / 'output.json').symlink_to('/dev/zero'); os._exit(0)", posix=True
    ),
    "answer-is-a-folder": _wheel(_NO_ANSWER, "(answer / 'output.json').mkdir(); os._exit(0)"),
    "answer-is-large": _wheel(
        "answered to `build_wheel` with 33554432 bytes",
        "open(answer / 'output.json', 'wb').truncate(32 << 20); os._exit(0)",
    ),
    "answer-is-removed-with-its-folder": _wheel(_NO_ANSWER, "shutil.rmtree(answer); os._exit(0)"),
    "answer-folder-is-a-link": _wheel(
        _NO_ANSWER, "shutil.rmtree(answer); answer.symlink_to(directory); os._exit(0)", posix=True
    ),
    "answer-folder-is-a-file": _wheel(_NO_ANSWER, "shutil.rmtree(answer); answer.touch(); os._exit(0)"),
    "answer-is-a-list": _answer(_NO_ANSWER, "[1]"),
    "answer-is-deep": _answer(_NO_ANSWER, '{"return_val": ' + "[" * 99_999),
    "answer-has-a-number-of-many-digits": _answer("`build_wheel`", '{"return_val": ' + "9" * 9999 + "}"),
    "answer-names-another-hook": _answer(
        "has no hook `build_wheel`", '{"hook_missing": true, "missing_hook_name": "\\u001b[2J"}'
    ),
    "answer-drives-the-terminal": _answer("does not support", '{"unsupported": 1, "traceback": "\\u001b[2J\\u202e"}'),
    "answer-has-a-traceback-that-is-none": _answer("cannot be imported", '{"no_backend": true, "traceback": [3]}'),
    "answer-has-warnings-that-are-none": _answer(
        _NO_ANSWER, '{"warnings": [{"message": "\\u001b[2J", "filename": 1, "lineno": "x"}], "return_val": "x"}'
    ),
}

_PRODUCTS = {
    "returns-nothing": _wheel("returned None", "write_wheel(directory)"),
    "returns-bytes": _wheel(_FAILED, "return write_wheel(directory).encode()"),
    "returns-a-list": _wheel("returned ['demo-1", "return [write_wheel(directory)]"),
    "returns-a-line": _wheel("not the name of a file", "return write_wheel(directory) + '\\n'"),
    "returns-a-look-alike": _wheel("not the name of a file", "return write_wheel(directory, name='d\\u0435mo')"),
    "returns-what-is-outside": _wheel(
        "not the name of a file", "return '../' + write_wheel(str(Path(directory).parent))"
    ),
    "returns-a-promise": _module(_FAILED, "async def build_wheel(*_): return NAME"),
    "returns-without-building": _wheel(_NO_FILE, "return NAME"),
    "returns-much": _wheel("not the name of a file", f"return '{_ESC}' * 100_000"),
    "makes-two-wheels": _wheel(
        "made 'demo-2.0-py3-none-any.whl' too", "write_wheel(directory, version='2.0'); return write_wheel(directory)"
    ),
    "makes-a-thousand-wheels": _wheel(
        "too", "[write_wheel(directory, version=f'{n}.0') for n in range(2, 1002)]; return write_wheel(directory)"
    ),
    "makes-a-folder": _wheel(_NO_FILE, "Path(directory, NAME).mkdir(); return NAME"),
    "makes-a-pipe": _wheel(_NO_FILE, "os.mkfifo(Path(directory, NAME)); return NAME", posix=True),
    "makes-a-socket": _wheel(
        _NO_FILE, "os.chdir(directory); socket.socket(socket.AF_UNIX).bind(NAME); return NAME", posix=True
    ),
    "makes-a-link": _wheel(
        _NO_FILE,
        "elsewhere = write_wheel(str(answer)); Path(directory, NAME).symlink_to(answer / elsewhere); return NAME",
        posix=True,
    ),
    "makes-its-folder-a-link": _wheel(
        _NO_FILE,
        "shutil.rmtree(directory); write_wheel(str(answer)); Path(directory).symlink_to(answer); return NAME",
        posix=True,
    ),
    "makes-a-sparse-file": _wheel(
        "bytes, more than", "open(Path(directory, NAME), 'wb').truncate(1 << 40); return NAME", posix=True
    ),
    "makes-an-empty-file": _wheel("refused", "Path(directory, NAME).touch(); return NAME"),
    "makes-the-wheel-of-another": _wheel("for the project `demo`", "return write_wheel(directory, name='impostor')"),
    "makes-a-wheel-of-two-versions": _wheel(
        "2.0", "return write_wheel(directory, filename='demo-2.0-py3-none-any.whl')"
    ),
    "makes-a-wheel-of-two-platforms": _wheel(
        "py3-none-any", "return write_wheel(directory, filename='demo-1.0-cp311-cp311-linux_x86_64.whl')"
    ),
    "makes-a-wheel-of-other-metadata": _wheel(
        "`x`", "return write_wheel(directory, metadata='Metadata-Version: 2.1\\nName: x\\nVersion: 1.0\\n')"
    ),
    "makes-a-wheel-that-leaves-its-folder": _wheel(
        "`../evil.py`",
        """
        name = write_wheel(directory)
        with zipfile.ZipFile(Path(directory, name), "a") as archive:
            archive.writestr("../evil.py", "")
        return name
        """,
    ),
    "makes-a-wheel-with-what-is-not-recorded": _wheel(
        "RECORD",
        """
        name = write_wheel(directory)
        with zipfile.ZipFile(Path(directory, name), "a") as archive:
            archive.writestr("evil.py", "")
        return name
        """,
    ),
    "makes-a-wheel-that-unpacks-without-end": _wheel(
        "refused",
        """
        name = write_wheel(directory)
        with zipfile.ZipFile(Path(directory, name), "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("zeros", bytes(100 << 20))
        return name
        """,
    ),
    "makes-an-sdist-that-leaves-its-folder": _sdist(
        "leaves the folder", "return write_sdist(directory, contents={'demo-1.0/../PKG-INFO': ''})"
    ),
    "makes-an-sdist-of-another-version": _sdist(
        "`demo` 2.0, not of `demo` 1.0",
        "return write_sdist(directory, contents={'demo-1.0/PKG-INFO': describe('demo', '2.0')})",
    ),
    "makes-a-wheel-for-an-sdist": _sdist("is not the filename of an sdist", "return write_wheel(directory)"),
}

_PROCESSES = {
    "exits-with-success": _wheel(_NO_ANSWER, "sys.exit(0)"),
    "exits-at-once": _wheel(_NO_ANSWER, "os._exit(0)"),
    "exits-while-it-is-imported": _module(_NO_ANSWER, "sys.exit(0)"),
    "exits-with-a-message": _wheel("\n  gone", f"sys.exit('{_ESC}gone')"),
    "interrupts-itself": _wheel("failed in `build_wheel`", "raise KeyboardInterrupt"),
    "interrupts-itself-while-it-is-imported": _module("failed in `build_wheel`", "raise KeyboardInterrupt"),
    "fails-after-its-answer": _wheel(
        "failed in `build_wheel` (exit code 3)", "atexit.register(os._exit, 3); return write_wheel(directory)"
    ),
    "becomes-another-program": _wheel(_NO_ANSWER, "os.execv(sys.executable, [sys.executable, '-c', ''])", posix=True),
    "kills-itself": _wheel("(SIGKILL)", "os.kill(os.getpid(), signal.SIGKILL)", posix=True),
    "kills-its-group": _wheel("(SIGTERM)", "os.killpg(0, signal.SIGTERM)", posix=True),
    "runs-out-of-stack": _wheel(
        "failed in `build_wheel`",
        """
        def deeper():
            deeper()
        deeper()
        """,
    ),
    "asks-the-user": _wheel("EOFError", "input('password: ')"),
    "asks-the-terminal": _wheel("failed in `build_wheel`", "open('/dev/tty')", posix=True),
    "closes-its-output": _wheel(_FAILED, "os.closerange(1, 100); raise RuntimeError"),
    "sleeps": _wheel("did not finish `build_wheel` within 1 s", "time.sleep(600)"),
    "sleeps-while-it-is-imported": _module("within 1 s", "time.sleep(600)"),
    "sleeps-after-its-answer": _wheel(
        "within 1 s", "threading.Thread(target=time.sleep, args=(600,)).start(); return write_wheel(directory)"
    ),
    "ignores-signals": _wheel(
        "within 1 s",
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        time.sleep(600)
        """,
        posix=True,
    ),
    "prints-a-line-without-end": _wheel(
        "\n  " + "x" * 100,
        """
        for _ in range(300):
            os.write(1, b"x" * 65536)
        raise RuntimeError
        """,
    ),
    "drives-the-terminal": _wheel("RuntimeError: red", f"raise RuntimeError('{_ESC}red')"),
    "drives-the-terminal-by-a-name": _wheel("failed in `build_wheel`", f"raise type('{_ESC}', (Exception,), {{}})"),
    "fails-without-words": _wheel(
        "failed in `build_wheel`",
        """
        class Mute(Exception):
            def __str__(self):
                raise self
        raise Mute
        """,
    ),
    "has-hooks-that-are-none": _module(_FAILED, "build_wheel = 3"),
    "changes-directory-and-removes-it": _wheel(
        _NO_FILE, "os.chdir(directory); shutil.rmtree(directory); return NAME", posix=True
    ),
}

_REQUIREMENTS = {
    "requires-a-million": _requires(
        "returned 1000000 requirements from `get_requires_for_build_wheel`, more than 1000", "return ['a'] * 1_000_000"
    ),
    "requires-much": _requires("no requirement: 'aaaa", "return ['a' * 10_000_000]"),
    "requires-a-marker-that-is-deep": _requires("no requirement", "return ['a; ' + '(' * 99_999 + 'os_name']"),
    "requires-what-is-none": _requires("no requirement: 0, 1, 2, 3, 4 …", "return list(range(99))"),
    "requires-by-a-mapping": _requires("returned no list", "return {'ninja': '1.0'}"),
    "requires-a-name-that-drives-the-terminal": _requires("no requirement", f"return ['{_ESC}']"),
    "requires-a-command": _requires("no requirement", "return ['x @ git+ext::sh -c touch% pwned']"),
    "requires-an-option": _requires("no requirement", "return ['--index-url=https://evil.example/simple']"),
}

_PREPARED = {
    "prepares-nothing": _metadata("wrote no metadata", "return 'demo-1.0.dist-info'"),
    "prepares-elsewhere": _metadata("not the name of a `.dist-info` folder", "return '../demo-1.0.dist-info'"),
    "prepares-a-link": _metadata(
        "is not a file",
        """
        Path(directory, "demo-1.0.dist-info").mkdir()
        Path(directory, "demo-1.0.dist-info", "METADATA").symlink_to("/etc/hostname")
        return "demo-1.0.dist-info"
        """,
        posix=True,
    ),
    "prepares-a-pipe": _metadata(
        "is not a file",
        """
        Path(directory, "demo-1.0.dist-info").mkdir()
        os.mkfifo(Path(directory, "demo-1.0.dist-info", "METADATA"))
        return "demo-1.0.dist-info"
        """,
        posix=True,
    ),
    "prepares-a-folder-that-is-a-link": _metadata(
        "is not a file",
        """
        Path(answer, "METADATA").write_text(describe("demo", "1.0"))
        Path(directory, "demo-1.0.dist-info").symlink_to(answer)
        return "demo-1.0.dist-info"
        """,
        posix=True,
    ),
    "prepares-much": _metadata(
        "is larger than",
        """
        Path(directory, "demo-1.0.dist-info").mkdir()
        with open(Path(directory, "demo-1.0.dist-info", "METADATA"), "wb") as file:
            file.truncate(1 << 32)
        return "demo-1.0.dist-info"
        """,
        posix=True,
    ),
}

HOSTILE = {**_ANSWERS, **_PRODUCTS, **_PROCESSES, **_REQUIREMENTS, **_PREPARED}
