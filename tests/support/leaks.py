"""Commands that need a password, and all the places where it might have been left.

with TemporaryDirectory() as folder:
    for place in try_credentials("netrc", Path(folder)):
        assert not has_secret(place.content), place
"""

import base64
import gzip
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from index.answers import Answer, Request
from index.faults import Fault, cut_short, demanding, with_status, with_wrong_byte
from index.offer import offer_sdist
from index.server import IndexServer, serve
from index.universe import standard_universe
from projects import copy_project
from support.command import Checkout, Result, hermetic

WAYS = ("URL", "variables", "netrc")
"""How the password of the index is said."""
INDEX_ERRORS: tuple[Fault, ...] = (demanding("ada", "another"), with_status(404), with_status(500))
FILE_ERRORS: tuple[Fault, ...] = (with_wrong_byte("/files/tinybackend"), cut_short("/files/tinybackend"))
_USER, _SECRET = "ada", "hunter2/+s3cret"
_FORMS = (
    _SECRET.encode(),
    quote(_SECRET, safe="").encode(),
    base64.b64encode(f"{_USER}:{_SECRET}".encode()).rstrip(b"="),
    base64.b64encode(_SECRET.encode()).rstrip(b"="),
)
_DUMP = "environment.txt"
_DUMPING = f"""
import os
from pathlib import Path

(dump,) = Path(__file__).parents[1].glob("src/*/__init__.py")
dump.with_name("{_DUMP}").write_text("".join(f"{{name}}={{value}}\\n" for name, value in os.environ.items()))
"""
_NOSY = {
    "pyproject.toml": (
        '[build-system]\nrequires = ["tinybackend"]\nbuild-backend = "nosy_backend"\nbackend-path = ["backend"]\n'
    ),
    "tiny.json": '{"name": "nosy", "version": "1.0"}',
    "src/nosy/__init__.py": "",
    "backend/nosy_backend.py": f"from tinybackend import *\n{_DUMPING}",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Something that was left, shown or sent."""

    kind: str
    name: str
    content: bytes = field(repr=False)


def has_secret(content: bytes) -> bool:
    """Whether the password is in it: as it is, quoted for a URL, or encoded for a header."""
    return any(form in content for form in _FORMS)


def try_credentials(way: str, folder: Path) -> Iterator[Place]:
    """Lock, install, build and fail with an index that asks for a password, and leads to files on another origin.

    Raises:
        AssertionError: What was to succeed did not, or the other way round.
    """
    standard = standard_universe()
    nosy = offer_sdist(name="nosy", version="1.0", files=_NOSY)
    with (
        serve({**standard, "simple": [*standard["simple"], nosy]}) as server,
        serve(standard) as other,
        _watch_commands(folder) as commands,
    ):
        project = _make_project(way, folder, server)
        server.faults += [_redirect(other), demanding(_USER, _SECRET)]
        results = [
            project.succeed(*words, "--verbose")
            for words in (["lock"], ["install"], ["build", "--wheel", "--sdist"], ["check"])
        ]
        results.append(project.succeed("export"))
        results += [_fail(project, server, error) for error in INDEX_ERRORS]
        results += [_fail(project, other, error) for error in FILE_ERRORS]
        sent = [str((exchange.path, dict(exchange.headers))) for exchange in other.exchanges]
    assert sent
    for result in results:
        yield Place(kind="stdout and stderr", name=way, content=f"{result.stdout}{result.stderr}".encode())
    for request in sent:
        yield Place(kind="requests that the other origin got", name=way, content=request.encode())
    for command in commands:
        yield Place(kind="command lines of processes", name=way, content=command)
    yield Place(kind="lockfiles", name=way, content=project.lock_path.read_bytes())
    for kind, root in (("files of the caches", folder / "cache"), ("built files", project.root / "dist")):
        for path, content in _read_tree(root):
            yield Place(kind="environments of backends" if path.endswith(_DUMP) else kind, name=path, content=content)


def _make_project(way: str, folder: Path, server: IndexServer) -> Checkout:
    url = server.url().replace("://", f"://{_USER}:{quote(_SECRET, safe='')}@")
    netrc = folder / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login {_USER} password {_SECRET}\n", encoding="utf-8")
    netrc.chmod(0o600)
    said = {
        "URL": {"UV_DEFAULT_INDEX": url},
        "variables": {"UV_INDEX_HOUSE_USERNAME": _USER, "UV_INDEX_HOUSE_PASSWORD": _SECRET},
        "netrc": {"NETRC": str(netrc)},
    }
    variables = {"NO_PROXY": "127.0.0.1", "UV_HTTP_RETRIES": "0", **said[way]}
    root = copy_project("in-tree-backend", folder, server.root)
    project = Checkout(root=root, environment=hermetic(folder, variables))
    project.replace('requires = ["tinybackend"]', 'requires = ["tinybackend", "nosy"]')
    if way != "URL":
        project.append(f'[[tool.uv.index]]\nname = "house"\nurl = "{server.url()}"\ndefault = true')
    with (root / "backend" / "house_backend.py").open("a", encoding="utf-8") as file:
        file.write(_DUMPING)
    return project


def _redirect(other: IndexServer) -> Fault:
    def lead(request: Request, answer: Answer) -> Answer:
        if not request.path.startswith("/files/tinybackend"):
            return answer
        return Answer(status=302, headers={"location": other.root + request.path})

    return lead


def _fail(project: Checkout, server: IndexServer, error: Fault) -> Result:
    """Install with nothing in the cache, where that fails."""
    server.faults.append(error)
    result = project.run("install", "--verbose", BUILDLOCK_CACHE_DIR=str(project.cache / "of-errors"))
    server.faults.remove(error)
    assert result.code == 1, result
    return result


@contextmanager
def _watch_commands(folder: Path) -> Iterator[set[bytes]]:
    """The command lines of the processes that are seen at work in a folder meanwhile."""
    seen: set[bytes] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            for process in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):  # it has ended, or is another user's
                    if (process / "cwd").readlink().is_relative_to(folder):
                        seen.add((process / "cmdline").read_bytes())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def _read_tree(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield from read_deep(str(path), path.read_bytes())


def read_deep(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """A file, and what is in it where it is an archive or compressed."""
    yield name, content
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                yield from read_deep(f"{name}/{member}", archive.read(member))
    elif content.startswith(b"\x1f\x8b"):
        yield from read_deep(f"{name}/content", gzip.decompress(content))
    elif tarfile.is_tarfile(io.BytesIO(content)):
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for entry in archive:
                file = archive.extractfile(entry)
                if file is not None:
                    yield from read_deep(f"{name}/{entry.name}", file.read())
