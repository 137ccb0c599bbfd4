"""A server of wheels and a reader that asks it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from buildlock.index.http import HttpClient
from buildlock.metadata.reader import MetadataReader
from buildlock.project.network import Network
from buildlock.reporting import silence
from support.range_server import RangeServer


@pytest.fixture
def server() -> Iterator[RangeServer]:
    server = RangeServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[MetadataReader]:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with HttpClient(cache_dir=None, report=silence, network=Network(retries=0)) as client:
        reader = MetadataReader(client, silence, lambda: scratch)
        yield reader
        reader.close()
    assert list(scratch.iterdir()) == []
