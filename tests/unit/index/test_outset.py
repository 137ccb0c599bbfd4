import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import NormalizedName

from buildlock.errors import UnavailableError
from buildlock.index.asking import ask_index
from buildlock.index.http import HttpClient
from buildlock.index.outset import connect_ahead
from buildlock.project.model import BuildInputs, BuildRequirement, Index, Settings, SourceRule
from buildlock.project.network import Network
from buildlock.reporting import Event, Noted
from buildlock.variants import Variant
from support.http import Answer, WebServer

OURS = Index(url="https://ours.example/simple", location="https://ours.example/simple", origin="uv.toml")
THEIRS = replace(OURS, url="https://theirs.example/simple", location="https://theirs.example/simple", name="theirs")


def require(*texts: str, indexes: tuple[Index, ...] = (OURS,), **sources: SourceRule) -> BuildInputs:
    return BuildInputs(
        variant=Variant(name="default"),
        requires=tuple(BuildRequirement(requirement=Requirement(text), origin="pyproject.toml") for text in texts),
        sources={NormalizedName(name): (rule,) for name, rule in sources.items()},
        settings=Settings(indexes=indexes),
    )


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, int]:
    """How many connections are wanted, by the URL of the index."""
    begun: dict[str, int] = {}
    monkeypatch.setattr(HttpClient, "connect", lambda _client, url, requests: begun.update({url: requests}))
    return begun


def test_the_servers_of_what_is_required_are_connected_to(client: HttpClient, begun: Mapping[str, int]) -> None:
    rule = SourceRule(index=THEIRS, origin="pyproject.toml")
    connect_ahead(require("a", "b>1", "torch", "B", torch=rule), client)
    assert begun == {OURS.url: 2, THEIRS.url: 1}


def test_an_index_that_is_asked_only_where_another_fails_is_not(client: HttpClient, begun: Mapping[str, int]) -> None:
    connect_ahead(require("a", indexes=(THEIRS, OURS)), client)
    assert begun == {THEIRS.url: 1}


@pytest.mark.parametrize(
    "indexes",
    [
        (replace(OURS, explicit=True),),
        (replace(OURS, format="flat"),),
        # What the first one has is not looked for elsewhere.
        (replace(THEIRS, format="flat"), OURS),
        (replace(OURS, url="ftp://ours.example/simple"),),
    ],
)
def test_no_index_is_that_is_perhaps_not_asked(
    client: HttpClient, begun: Mapping[str, int], indexes: tuple[Index, ...]
) -> None:
    connect_ahead(require("a", indexes=indexes), client)
    assert begun == {}


def test_no_index_is_for_what_comes_from_a_url(client: HttpClient, begun: Mapping[str, int]) -> None:
    connect_ahead(require("a @ https://files.example/a-1-py3-none-any.whl"), client)
    assert begun == {}


def test_what_a_target_decides_is_left_to_the_target(client: HttpClient, begun: Mapping[str, int]) -> None:
    rule = SourceRule(index=THEIRS, origin="pyproject.toml", marker=Marker("os_name == 'nt'"))
    connect_ahead(require("torch", "a; python_version < '3'", torch=rule), client)
    assert begun == {}


def test_no_server_is_whose_answer_is_kept(
    client: HttpClient, server: WebServer, begun: Mapping[str, int], events: list[Event]
) -> None:
    headers = {"Content-Type": "text/html", "Cache-Control": "max-age=600"}
    server.answers["/simple/a/"] = Answer(b"<a href='a-1.tar.gz'>a</a>", headers)
    index = replace(OURS, url=f"{server.url}/simple", location=f"{server.url}/simple")
    ask_index(index, NormalizedName("a"), client, events.append)
    connect_ahead(require("a", indexes=(index,)), client)
    assert begun == {}
    connect_ahead(require("a", "b", indexes=(index,)), client)
    assert begun == {index.url: 1}


def wait_for_connections(server: WebServer, count: int) -> None:
    deadline = time.monotonic() + 10
    while server.connections < count and time.monotonic() < deadline:
        time.sleep(0.001)
    assert server.connections == count


def test_nothing_is_asked_over_what_is_opened_and_who_asks_takes_it(client: HttpClient, server: WebServer) -> None:
    server.answers["/simple/a/"] = Answer(b"page")
    client.connect(f"{server.url}/simple", 2)
    wait_for_connections(server, 2)
    assert server.requests == []
    assert client.get(f"{server.url}/simple/a/").content == b"page"
    assert server.connections == 2


def test_no_more_are_opened_than_may_be_used_at_a_time(server: WebServer) -> None:
    network = Network(concurrent_downloads=1)
    with HttpClient(cache_dir=None, report=lambda _event: None, network=network) as client:
        client.connect(server.url, 9)
        wait_for_connections(server, 1)


def test_offline_and_for_a_folder_none_is_opened(server: WebServer, tmp_path: Path) -> None:
    with HttpClient(cache_dir=None, report=lambda _event: None, offline=True) as client:
        client.connect(server.url, 1)
    with HttpClient(cache_dir=None, report=lambda _event: None) as client:
        client.connect(tmp_path.as_uri(), 1)
        assert client._opened is None
    assert server.connections == 0


def test_what_cannot_be_reached_is_told_to_who_asks(client: HttpClient, events: list[Event]) -> None:
    with WebServer() as server:
        url = f"{server.url}/simple/a/"
    client.connect(url, 1)
    assert events == []
    with pytest.raises(UnavailableError, match="no connection"):
        client.get(url)
    assert len([event for event in events if isinstance(event, Noted)]) == 2  # it was tried again twice, as always
