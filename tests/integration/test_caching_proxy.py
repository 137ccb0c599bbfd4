"""A real caching proxy, proxpi, between us and the indexes."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from index.server import IndexServer, serve
from projects import copy_project
from support.command import Checkout, hermetic

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def proxy_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("proxy")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "proxpi"], check=True)
    return python


@contextmanager
def run_proxy(python: Path, upstream: str, cache: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {"FLASK_APP": "proxpi.server", "PROXPI_INDEX_URL": f"{upstream}/", "PROXPI_CACHE_DIR": str(cache)}
    command = [str(python), "-m", "flask", "run", "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, **variables, "NO_PROXY": "127.0.0.1"})
    try:
        for _ in range(100):
            try:
                urlopen(f"http://127.0.0.1:{port}/index/wheel/").close()
                break
            except URLError as error:
                if not isinstance(error.reason, ConnectionError):
                    break
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/index"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def server() -> Iterator[IndexServer]:
    with serve() as running:
        yield running


def test_all_files_come_through_it(proxy_python: Path, server: IndexServer, tmp_path: Path) -> None:
    root = copy_project("seed", tmp_path, server.root)
    seed = Checkout(root=root, environment=hermetic(tmp_path, server.environment))
    seed.succeed("lock", "--variant", "cu124", "--no-dynamic")
    lock = seed.lock_path.read_bytes()
    with ExitStack() as stack:
        simple = stack.enter_context(run_proxy(proxy_python, server.url(), tmp_path / "simple"))
        cu124 = stack.enter_context(run_proxy(proxy_python, server.url("cu124"), tmp_path / "cu124"))
        seed.append(f'[tool.buildlock.mirrors]\n"{server.url()}" = "{simple}"')
        through = {"BUILDLOCK_MIRROR_PYTORCH_CU124": cu124, "BUILDLOCK_CACHE_DIR": str(tmp_path / "first")}
        seed.succeed("install", "--variant", "cu124", **through)
        server.exchanges.clear()
        # Now it has them all, and the indexes are asked for nothing.
        result = seed.succeed(
            "install", "--variant", "cu124", **{**through, "BUILDLOCK_CACHE_DIR": str(tmp_path / "b")}
        )
    assert f"Installed {len(seed.packages('cu124'))} packages of cu124\n" in result.stderr
    assert not [exchange for exchange in server.exchanges if exchange.path.endswith(".whl")]
    assert seed.lock_path.read_bytes() == lock
