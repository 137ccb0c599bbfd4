"""Asking a service with OSV's API, a real server on loopback."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from buildlock.errors import AdvisoryError, UnavailableError
from buildlock.workflows.advisory_files import Database
from buildlock.workflows.advisory_service import ask_service
from buildlock.workflows.workspace import Workspace
from support.advisories import make_advisory, make_affected
from support.http import Answer, Request, WebServer

NAMES = ("bar", "foo")
FOO = make_advisory("A-1", make_affected("foo", introduced="0"), modified="2026-03-01T00:00:00Z")

Ask = Callable[[], Database]


def answer(value: Any, status: int = 200) -> Answer:
    return Answer(json.dumps(value).encode(), {"Content-Type": "application/json"}, status)


def make_results(*results: Sequence[str]) -> Answer:
    return answer({"results": [{"vulns": [{"id": each} for each in ids]} if ids else {} for ids in results]})


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer() as server:
        server.answers["/v1/querybatch"] = make_results([], ["A-1"])
        server.answers["/v1/vulns/A-1"] = answer(FOO)
        yield server


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    return Workspace(root=tmp_path, cache_dir=tmp_path / "cache", environ={"HOME": str(tmp_path)})


@pytest.fixture
def ask(server: WebServer, workspace: Workspace) -> Ask:
    return lambda: ask_service(workspace, workspace.read_project(), server.url, NAMES)


class TestAnswers:
    def test_what_it_knows(self, server: WebServer, ask: Ask) -> None:
        database = ask()
        assert [each.id for each in database.advisories] == ["A-1"]
        source = database.source
        assert (source.name, source.advisories, source.newest) == (server.url, 1, "2026-03-01")
        [asked] = server.asked("/v1/querybatch")
        queries = [{"package": {"ecosystem": "PyPI", "name": name}} for name in NAMES]
        assert (asked.headers["content-type"], json.loads(asked.body)) == ("application/json", {"queries": queries})

    def test_nothing(self, server: WebServer, ask: Ask) -> None:
        answers: list[list[Any]] = [[{}, {}], [None, None], [{"vulns": []}, {"vulns": None}]]
        for results in answers:
            server.answers["/v1/querybatch"] = answer({"results": results})
            assert ask().source.advisories == 0

    def test_credentials_are_sent_and_not_shown(self, server: WebServer, workspace: Workspace) -> None:
        database = ask_service(workspace, workspace.read_project(), f"http://me:secret@{server.authority}/", NAMES)
        assert "secret" not in database.source.name
        assert all("authorization" in request.headers for request in server.requests)

    def test_pages(self, server: WebServer, ask: Ask) -> None:
        def give_pages(request: Request) -> Answer:
            queries = json.loads(request.body)["queries"]
            if len(queries) == 2:
                more = {"vulns": [{"id": "A-1"}], "next_page_token": "more"}
                return answer({"results": [{}, more]})
            assert queries == [{"package": {"ecosystem": "PyPI", "name": "foo"}, "page_token": "more"}]
            return make_results(["A-2"])

        server.answers["/v1/querybatch"] = give_pages
        server.answers["/v1/vulns/A-2"] = answer({**FOO, "id": "A-2"})
        assert [each.id for each in ask().advisories] == ["A-1", "A-2"]

    def test_an_identifier_is_no_path(self, server: WebServer, ask: Ask) -> None:
        server.answers["/v1/querybatch"] = make_results([], ["../../x?y"])
        server.answers["/v1/vulns/..%2F..%2Fx%3Fy"] = answer({**FOO, "id": "../../x?y"})
        assert [each.id for each in ask().advisories] == ["../../x?y"]


class TestHostile:
    @pytest.mark.parametrize(
        "value",
        [
            [],
            {},
            {"results": {}},
            {"results": []},
            {"results": [{}]},
            {"results": [{}, 7]},
            {"results": [{}, {"vulns": 7}]},
            {"results": [{}, {"vulns": ["A-1"]}]},
            {"results": [{}, {"vulns": [{"id": 1}]}]},
            {"results": [{}, {"vulns": [], "next_page_token": 7}]},
        ],
    )
    def test_what_is_no_answer(self, server: WebServer, ask: Ask, value: Any) -> None:
        server.answers["/v1/querybatch"] = answer(value)
        with pytest.raises(AdvisoryError, match="/v1/querybatch` cannot be used: `results"):
            ask()

    def test_pages_without_end(self, server: WebServer, ask: Ask) -> None:
        def give_more(request: Request) -> Answer:
            return answer({"results": [{"next_page_token": "x"} for _ in json.loads(request.body)["queries"]]})

        server.answers["/v1/querybatch"] = give_more
        with pytest.raises(AdvisoryError, match="there is no end to what it knows"):
            ask()

    @pytest.mark.parametrize(
        ("given", "fault"),
        [
            (answer(FOO, 404), "it has the status 404"),
            (Answer(b"<html>"), "it is not JSON"),
            (answer({**FOO, "id": "A-2"}), "it is `A-2`"),
            (answer({**FOO, "modified": 7}), "`modified` is not a string"),
        ],
    )
    def test_an_advisory_that_is_none(self, server: WebServer, ask: Ask, given: Answer, fault: str) -> None:
        server.answers["/v1/vulns/A-1"] = given
        with pytest.raises(AdvisoryError) as caught:
            ask()
        assert f"/v1/vulns/A-1` cannot be used: {fault}" in caught.value.message

    def test_no_network(self, server: WebServer, workspace: Workspace) -> None:
        (workspace.root / "pyproject.toml").write_text("[tool.uv]\noffline = true", encoding="utf-8")
        with pytest.raises(UnavailableError, match="this is offline"):
            ask_service(workspace, workspace.read_project(), server.url, NAMES)
        assert server.requests == []
