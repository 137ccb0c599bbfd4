"""What is fuzzed: each reader of untrusted bytes, with what must hold of all that it accepts.

A target takes any bytes, and says whether they were accepted. Refused means one error of buildlock's own, whose message
fits on a terminal; anything else that comes out is a finding.
"""

import gzip
import io
import json
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock import backend
from buildlock.artifacts import Artifact
from buildlock.environment.sdist import open_sdist
from buildlock.environment.wheel import open_wheel
from buildlock.errors import BuildlockError
from buildlock.index.failures import TransientError
from buildlock.index.page import parse_page
from buildlock.index.wire import Answer, Wire
from buildlock.lockfile.reader import parse_lockfile
from buildlock.lockfile.writer import PREAMBLE, write_package, write_variant
from buildlock.metadata.core import parse_core_metadata
from buildlock.project.reader import read_project
from buildlock.reporting import silence
from support import malformed_sdists, malformed_wheels, tar_forge, wheel_forge
from support.locks import LOCKS

ROOT = Path(__file__).parents[2]
LARGEST = 64 << 10
"""Bytes of a seed: larger ones are slow to change in a way that matters."""
# A target that opens archives unpacks into it; anything outside a tree of its own is a finding.
_SCRATCH = "/dev/shm" if Path("/dev/shm").is_dir() else None


@dataclass(frozen=True)
class Target:
    """A reader and its seed corpus; see `TARGETS`."""

    run: Callable[[bytes], bool]
    seeds: Callable[[], Sequence[bytes]]


def read_archive(content: bytes) -> bool:
    """The first byte says what the others are: an archive as it stands, or a part of one that is made around them."""
    kind, rest = content[:1], content[1:]
    if kind in (b"s", b"t"):
        return _open_sdist(tar_forge.pack(_with_checksums(rest)) if kind == b"t" else rest)
    if kind in _PARTS:
        return _open_wheel(_wheel_with(_PARTS[kind], rest))
    return _open_wheel(rest)


_INFO = wheel_forge.INFO
_PARTS = {
    b"m": f"{_INFO}/METADATA",
    b"w": f"{_INFO}/WHEEL",
    b"r": f"{_INFO}/RECORD",
    b"e": f"{_INFO}/entry_points.txt",
    b"n": "",
}
"""The file that the bytes are the content of; of the last kind, each line of them is the name of one more file."""


def _wheel_with(file: str, content: bytes) -> bytes:
    files = {"demo.py": b"answer = 42\n"}
    if not file:
        names = {line.decode("utf-8", "replace") for line in content.split(b"\n")[:50] if len(line) < 2000}
        return wheel_forge.forge(wheel_forge.sound_wheel(files | dict.fromkeys(sorted(names), b"x")))
    if file.endswith("RECORD"):
        return wheel_forge.forge(wheel_forge.sound_wheel(files, record=content))
    if file.endswith("METADATA"):
        return wheel_forge.forge(wheel_forge.sound_wheel(files, metadata=content))
    if file.endswith("WHEEL"):
        return wheel_forge.forge(wheel_forge.sound_wheel(files, wheel=content))
    return wheel_forge.forge(wheel_forge.sound_wheel(files | {file: content}))


def _with_checksums(tar: bytes) -> bytes:
    """With the checksum right in every header, as no mutation finds it."""
    content = bytearray(tar)
    for start in range(0, len(content) - 511, 512):
        header = content[start : start + 512]
        if header[257:262] == b"ustar":
            header[148:156] = b" " * 8
            content[start + 148 : start + 156] = b"%06o\0 " % sum(header)
    return bytes(content)


def _open_wheel(content: bytes) -> bool:
    with tempfile.TemporaryDirectory(dir=_SCRATCH) as temporary:
        path, tree = Path(temporary, "archive"), Path(temporary, "tree")
        path.write_bytes(content)
        tree.mkdir()
        try:
            with open_wheel(path, filename=wheel_forge.FILENAME, limit=1 << 24) as wheel:
                wheel.unpack(tree)
        except BuildlockError as error:
            return _check_error(error)
        finally:
            assert {each.name for each in Path(temporary).iterdir()} == {"archive", "tree"}
        _check_tree(tree)
        # Another reader sees the same files.
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for each in tree.rglob("*"):
                if each.is_file():
                    assert archive.read(each.relative_to(tree).as_posix()) == each.read_bytes()
    return True


def _open_sdist(content: bytes) -> bool:
    with tempfile.TemporaryDirectory(dir=_SCRATCH) as temporary:
        path, tree = Path(temporary, "archive"), Path(temporary, "tree")
        path.write_bytes(content)
        tree.mkdir()
        try:
            with open_sdist(path, filename=tar_forge.FILENAME, limit=1 << 24) as sdist:
                assert sdist.unpack(tree).parent == tree
        except BuildlockError as error:
            assert not any(tree.iterdir())
            return _check_error(error)
        finally:
            assert {each.name for each in Path(temporary).iterdir()} == {"archive", "tree"}
        _check_tree(tree)
    return True


def _check_tree(tree: Path) -> None:
    for each in tree.rglob("*"):
        assert not each.is_symlink()
        assert each.is_dir() or (each.is_file() and each.stat().st_nlink == 1)
        assert not each.stat().st_mode & 0o7000


_SLOW = {"bomb", "links-that-multiply"}
"""What is up to the limits: every change of it takes as long again."""


def _archive_seeds() -> list[bytes]:
    wheels = [make() for make in malformed_wheels.SOUND.values()]
    wheels += [content for defect, content in malformed_wheels.all_malformed() if defect not in _SLOW]
    sdists = [content for defect, content in malformed_sdists.all_malformed() if defect not in _SLOW]
    tars = [b"t" + gzip.decompress(sdist) for sdist in sdists if _is_gzip(sdist) and len(sdist) < 4096]
    parts = {
        b"m": wheel_forge.METADATA,
        b"w": wheel_forge.WHEEL,
        b"r": b"demo.py,sha256=,12\n",
        b"e": b"[console_scripts]\nrun = demo:main [extra]\n",
        b"n": b"pkg/a.py\ndemo-1.0.data/scripts/run\n../x\nnul\nPKG/b.py\n",
    }
    return [
        *(b"z" + wheel for wheel in wheels),
        *(b"s" + sdist for sdist in sdists),
        *tars,
        *(kind + content for kind, content in parts.items()),
    ]


def _is_gzip(content: bytes) -> bool:
    try:
        return bool(gzip.decompress(content))
    except (OSError, EOFError, zlib.error):
        return False


_PAGE = "https://pkgs.example/simple/demo/"
_JSON = "application/vnd.pypi.simple.v1+json"


def read_page(content: bytes) -> bool:
    """A project page, of the content type that the first byte stands for."""
    kind = {b"j": _JSON, b"h": "text/html"}.get(content[:1])
    name = NormalizedName("demo")
    try:
        page = parse_page(content[1:], url=_PAGE, content_type=kind, name=name, report=silence)
    except BuildlockError as error:
        return _check_error(error)
    for each in page.artifacts:
        assert each.name == name
        assert each.filename.isascii()
        assert not set(each.filename) & set("/\\:\0 ")
        assert urlsplit(each.url).scheme in {"https", "http"}
        assert urlsplit(each.url).scheme == "https" or each.hashes
        assert "@" not in urlsplit(each.url).netloc
        assert each.url.isprintable()
        assert (each.requires_python or "").isprintable()
        assert (each.yanked or "").isprintable()
    return True


def _page_seeds() -> list[bytes]:
    digest = "0" * 64
    file = {
        "filename": "demo-1.0-py3-none-any.whl",
        "url": "../../files/demo-1.0-py3-none-any.whl",
        "hashes": {"sha256": digest},
        "size": 3,
        "upload-time": "2024-01-01T00:00:00.5Z",
        "requires-python": ">=3.8",
        "yanked": "broken",
        "core-metadata": {"sha256": digest},
        "provenance": "https://pkgs.example/p",
    }
    page = {
        "meta": {"api-version": "1.1"},
        "name": "demo",
        "files": [file],
        "project-status": {"status": "archived", "reason": "done"},
    }
    html = (
        '<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.1"><base href="/files/"></head>'
        f'<body><a href="demo-1.0.tar.gz#sha256={digest}" data-yanked="" data-requires-python="&gt;=3.8"'
        f' data-core-metadata="sha256={digest}" data-provenance="p">demo-1.0.tar.gz</a><!-- x --></body></html>'
    )
    text = json.dumps(page).encode()
    return [b"j" + text, b"h" + html.encode(), b"?" + text, b"?" + html.encode(), b"j[]", b"h<a href='//"]


class _Bytes:
    """What a server sends, in small pieces, before it closes the connection."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def pending(self) -> int:
        return 0

    def recv(self, size: int, /) -> bytes:
        return self._content.read(min(size, 7))

    def sendall(self, data: bytes, /) -> None:
        pass

    def settimeout(self, seconds: float | None, /) -> None:
        pass

    def fileno(self) -> int:
        return -1

    def shutdown(self, how: int, /) -> None:
        pass

    def close(self) -> None:
        pass


def read_answer(content: bytes) -> bool:
    """An answer over HTTP, with its body: the connection is let go of once, and not for use where anything is left."""
    wire, let_go = Wire(_Bytes(content), 30), list[bool]()
    try:
        head = wire.ask("GET", "/", {})
        for name, value in head.headers.items():
            assert not set(f"{name}{value}") & set("\r\n\0")
        answer = Answer(wire, head, let_go.append)
        announced = None if answer.chunked else answer.left
        body = b""
        while piece := answer.read(100):
            assert len(piece) <= 100
            body += piece
    except TransientError as error:
        assert True not in let_go
        return _check_message(str(error))
    assert body in content or answer.chunked
    assert announced in {None, len(body)}
    assert len(let_go) == 1
    return True


def _answer_seeds() -> list[bytes]:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\nConnection: keep-alive\nContent-Length: 5, 5\n\nhello",
        b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 404 No\r\nX: a\r\n b\r\nX: c\r\nConnection: close\r\n\r\nhello",
        b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n',
        chunked + b"5;x=y\r\nhello\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n",
        chunked.replace(b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\n") + b"0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ]


def read_metadata(content: bytes) -> bool:
    filename = wheel_forge.FILENAME
    artifact = Artifact(
        name=NormalizedName("demo"),
        version=Version("1.0"),
        kind="wheel",
        filename=filename,
        url=f"https://pkgs.example/{filename}",
    )
    try:
        metadata = parse_core_metadata(content, artifact=artifact)
    except BuildlockError as error:
        return _check_error(error)
    assert (metadata.name, metadata.version) == (artifact.name, artifact.version)
    for requirement in metadata.requires_dist:
        assert requirement.marker is None or isinstance(requirement.marker.evaluate({"extra": ""}), bool)
    return True


def _metadata_seeds() -> list[bytes]:
    requires = (
        b"Requires-Dist: torch (>=2,<3) ; python_version < '3.12' and extra == 'cuda'\n"
        b"Requires-Dist: foo @ https://pkgs.example/foo-1.0.tar.gz\nRequires-Python: >=3.8\nProvides-Extra: cuda\n"
    )
    folded = b"Metadata-Version: 2.2\r\nName: demo\r\nVersion: 1.0\r\nDynamic: Requires-Dist\r\nSummary: a\r\n b\r\n"
    return [wheel_forge.METADATA, wheel_forge.METADATA + requires + b"\nText\n", folded]


def read_lock(content: bytes) -> bool:
    """A lockfile: what is accepted is written and read back as the same."""
    try:
        lock = parse_lockfile(content, "build-lock.toml")
    except BuildlockError as error:
        return _check_error(error)
    text = PREAMBLE
    for variant, environment in lock.variants.items():
        text = write_variant(text, variant, environment)
        environment.pylock().validate()
    for name, variants in lock.packages.items():
        for variant, environment in variants.items():
            text = write_package(text, name, variant, environment)
    assert parse_lockfile(text.encode(), "build-lock.toml") == lock
    return True


def _lock_seeds() -> list[bytes]:
    files = sorted(LOCKS.glob("valid/*.toml")) + sorted(LOCKS.glob("invalid/*/build-lock.toml"))
    return [file.read_bytes() for file in files]


_MACHINE = cache(backend.Machine)


def read_lock_as_a_backend(content: bytes) -> bool:
    """The file that `init --backend` puts into projects reads locks by itself: no more than what buildlock reads."""
    with tempfile.TemporaryDirectory(dir=_SCRATCH) as temporary:
        path = Path(temporary, "build-lock.toml")
        path.write_bytes(content)
        try:
            variants = backend.read_lock(path)
            packages = [each for name in variants for each in backend.select(name, variants, _MACHINE(), path.parent)]
        except backend.Refused as error:
            return _check_message(str(error))
    for package in packages:
        assert (package.name + package.version + package.url).isprintable()
        assert not set(package.url) & set(' "<>')
        assert package.unlocked or "#sha256=" in package.url
    return True


def read_settings(content: bytes) -> bool:
    """A `pyproject.toml`, of which nothing but `[tool.uv]` and `[tool.buildlock]` may be strange."""
    with tempfile.TemporaryDirectory(dir=_SCRATCH) as temporary:
        folder = Path(temporary)
        (folder / "pyproject.toml").write_bytes(content)
        environ = {"PIP_CONFIG_FILE": "/dev/null", "PIP_INDEX_URL": "https://pkgs.example/simple", "UV_NO_CONFIG": "0"}
        try:
            project = read_project(folder, environ={**environ, "UV_NO_SYSTEM_CONFIG": "1"}, report=silence)
        except BuildlockError as error:
            return _check_error(error)
        assert project.inputs.keys() == project.variants.keys()
    return True


def _settings_seeds() -> list[bytes]:
    files = sorted((ROOT / "fixtures/projects").glob("*/pyproject.toml"))
    every = b"""
[build-system]
requires = ["torch==2.4.0", "setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "demo"
version = "1.0"
[project.optional-dependencies]
cu118 = ["torch==2.4.0"]
cu124 = ["torch==2.4.0"]
[tool.uv]
conflicts = [[{ extra = "cu118" }, { extra = "cu124" }]]
index-strategy = "unsafe-best-match"
exclude-newer = "2024-01-01"
constraint-dependencies = ["numpy<2"]
override-dependencies = ["numpy<2"]
no-binary-package = ["numpy"]
environments = ["sys_platform == 'linux'"]
[tool.uv.sources]
torch = [{ index = "pytorch-cu118", extra = "cu118" }, { index = "pytorch-cu124", extra = "cu124" }]
foo = { git = "https://git.example/foo", rev = "main", subdirectory = "py" }
bar = { url = "https://pkgs.example/bar-1.0.tar.gz", marker = "os_name == 'nt'" }
baz = { path = "../baz", editable = true }
[[tool.uv.index]]
name = "pytorch-cu118"
url = "https://download.pytorch.org/whl/cu118"
explicit = true
[[tool.uv.index]]
name = "pytorch-cu124"
url = "https://download.pytorch.org/whl/cu124"
format = "flat"
authenticate = "always"
[tool.buildlock]
default-variant = "auto"
python = ["3.11"]
platforms = ["x86_64-manylinux_2_28"]
match-runtime = ["torch"]
[tool.buildlock.variants.cu118]
extra = "cu118"
requires = ["torch==2.2.0"]
constraints = ["numpy<2"]
environment = { TORCH_CUDA_ARCH_LIST = "8.0;9.0" }
[tool.buildlock.policy]
deny = ["yanked"]
indexes = ["https://pkgs.example"]
minimum-age = "7 days"
"""
    return [every, *(file.read_bytes() for file in files)]


def _check_error(error: BuildlockError) -> bool:
    return _check_message(error.message)


def _check_message(message: str) -> bool:
    """Refused: with a message that says what, and that no terminal obeys."""
    assert message
    assert len(message) < 100_000
    assert all(line.isprintable() for line in message.split("\n")), message
    return False


TARGETS: dict[str, Target] = {
    "archive": Target(read_archive, _archive_seeds),
    "page": Target(read_page, _page_seeds),
    "answer": Target(read_answer, _answer_seeds),
    "metadata": Target(read_metadata, _metadata_seeds),
    "lock": Target(read_lock, _lock_seeds),
    "backend": Target(read_lock_as_a_backend, _lock_seeds),
    "settings": Target(read_settings, _settings_seeds),
}
