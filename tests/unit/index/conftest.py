from collections.abc import Iterator
from pathlib import Path

import pytest

from buildlock.index.http import HttpClient
from buildlock.project.network import Network
from buildlock.reporting import Event
from support.http import WebServer


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def client(tmp_path: Path, events: list[Event]) -> Iterator[HttpClient]:
    network = Network(timeout=2, retries=2)
    with HttpClient(cache_dir=tmp_path / "cache", report=events.append, network=network, backoff=0) as client:
        yield client
