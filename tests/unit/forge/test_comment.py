"""One comment, whoever else comments, and whatever the code host answers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildlock.errors import ForgeError, UnavailableError, UsageError
from buildlock.forge import github, gitlab
from buildlock.forge.comment import Outcome, put_comment
from buildlock.forge.model import Thread
from buildlock.forge.token import read_token
from buildlock.index.http import HttpClient
from buildlock.reporting import Event
from support.forge import TOKEN, Forge, GitHub, GitLab, serve

MARKER = "<!-- buildlock-diff -->"
BODY = f"{MARKER}\n### Build lock: 1 high risk\n"


@pytest.fixture(params=[GitHub, GitLab])
def host(request: pytest.FixtureRequest) -> Iterator[Forge]:
    with serve(request.param()) as running:
        yield running


def find_thread(host: Forge, folder: Path) -> Thread:
    environ = host.environ(folder)
    return github.find_thread(environ) if isinstance(host, GitHub) else gitlab.find_thread(environ)


def put(host: Forge, folder: Path, body: str = BODY, *, create: bool = True) -> Outcome:
    events: list[Event] = []
    with HttpClient(cache_dir=None, report=events.append, backoff=0.0) as client:
        outcome = put_comment(client, find_thread(host, folder), body, marker=MARKER, create=create)
    assert TOKEN not in str(events)
    return outcome


class TestOneComment:
    def test_is_written_once_and_then_changed(self, host: Forge, tmp_path: Path) -> None:
        host.add("octocat", "hello")
        assert put(host, tmp_path) == "created"
        assert put(host, tmp_path, BODY + "more") == "updated"
        assert host.bodies == ["hello", BODY + "more"]
        assert host.authorizations == {f"Bearer {TOKEN}"}
        assert TOKEN not in "".join(host.requests)

    def test_what_says_it_already_is_left(self, host: Forge, tmp_path: Path) -> None:
        host.add(host.own, BODY.replace("\n", "\r\n").rstrip())
        assert put(host, tmp_path) == "unchanged"
        assert not [asked for asked in host.requests if asked.startswith(("PATCH", "PUT"))]

    def test_none_is_written_where_nothing_is_to_be_said(self, host: Forge, tmp_path: Path) -> None:
        assert put(host, tmp_path, create=False) == "none"
        assert not host.comments
        host.add(host.own, BODY)
        assert put(host, tmp_path, f"{MARKER}\nnothing changed", create=False) == "updated"
        assert host.bodies == [f"{MARKER}\nnothing changed"]

    def test_that_of_a_stranger_is_not_ours(self, host: Forge, tmp_path: Path) -> None:
        host.add("octocat", BODY + "by a stranger")
        host.add(host.own, f"as {MARKER} begins")
        assert put(host, tmp_path) == "created"
        assert host.bodies == [BODY + "by a stranger", f"as {MARKER} begins", BODY]

    def test_it_is_found_on_a_later_page(self, host: Forge, tmp_path: Path) -> None:
        for number in range(230):
            host.add("octocat", f"comment {number}")
        host.add(host.own, BODY)
        assert put(host, tmp_path, BODY + "more") == "updated"
        assert len(host.comments) == 231


class TestFailures:
    @pytest.mark.parametrize("status", [429, 500, 502, 503])
    def test_what_may_pass_is_tried_again(self, host: Forge, tmp_path: Path, status: int) -> None:
        host.fail_once(f"GET {host.list_path}", status)
        host.fail_once(f"POST {host.list_path}", status)
        assert put(host, tmp_path) == "created"
        assert len(host.comments) == 1

    def test_a_comment_whose_answer_was_lost_is_not_written_again(self, host: Forge, tmp_path: Path) -> None:
        def lose(asked: str) -> tuple[int, dict[str, str], bytes] | None:
            if asked != f"POST {host.list_path}" or host.comments:
                return None
            host.add(host.own, BODY)
            return 502, {}, b""

        host.faults.append(lose)
        assert put(host, tmp_path) == "unchanged"
        assert host.bodies == [BODY]

    @pytest.mark.parametrize("headers", [{"Retry-After": "0"}, {"X-RateLimit-Remaining": "0"}])
    def test_a_limit_is_waited_for(self, host: Forge, tmp_path: Path, headers: dict[str, str]) -> None:
        host.fail_once(f"POST {host.list_path}", 403, **headers)
        assert put(host, tmp_path) == "created"

    def test_a_token_that_may_only_read(self, host: Forge, tmp_path: Path) -> None:
        host.writable = False
        with pytest.raises(ForgeError, match="answered 403 Resource not accessible by integration") as caught:
            put(host, tmp_path)
        assert "permissions" in str(caught.value.hint) or "scope" in str(caught.value.hint)
        assert TOKEN not in str(caught.value)

    def test_it_goes_on_failing(self, host: Forge, tmp_path: Path) -> None:
        host.faults.append(lambda _: (500, {}, b"<html>"))
        with pytest.raises(UnavailableError, match="500"):
            put(host, tmp_path)

    def test_a_redirect_is_not_followed(self, host: Forge, tmp_path: Path) -> None:
        with serve(GitHub()) as other:
            host.faults.append(lambda _: (307, {"Location": f"{other.url}/collect"}, b""))
            with pytest.raises(UnavailableError, match="307"):
                put(host, tmp_path)
            assert not other.requests

    def test_the_token_goes_to_no_other_page(self, host: Forge, tmp_path: Path) -> None:
        with serve(GitHub()) as other:
            link = {"Link": f'<{other.url}/collect>; rel="next"'}
            host.faults.append(lambda asked: (200, link, b"[]") if asked.endswith("&page=1") else None)
            assert put(host, tmp_path) == "created"
            assert not other.requests

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"\xff",
            b"<html>",
            b"null",
            b"{}",
            b"1",
            b"[[]]",
            b"[null, 1, {}]",
            b"[" * 100_000,
            json.dumps([{"body": BODY, "user": [], "author": "x", "id": 1}]).encode(),
            json.dumps([{"body": [BODY], "user": {"login": "github-actions[bot]"}, "author": {"id": 42}}]).encode(),
            json.dumps([{"body": BODY, "user": {"login": "github-actions[bot]"}, "author": {"id": 42}}]).encode(),
            json.dumps(
                [{"body": BODY, "user": {"login": "github-actions[bot]"}, "author": {"id": 42}, "id": "1/../x"}]
            ).encode(),
            json.dumps(
                [{"body": BODY, "user": {"login": "github-actions[bot]"}, "author": {"id": 42}, "id": True}]
            ).encode(),
        ],
    )
    @pytest.mark.parametrize("asked", ["identity", "list"])
    def test_nonsense_is_an_error_or_no_comment_of_ours(
        self, host: Forge, tmp_path: Path, answer: bytes, asked: str
    ) -> None:
        is_list = asked == "list"
        host.faults.append(
            lambda asked: (200, {}, answer) if asked.startswith(f"GET {host.list_path}") == is_list else None
        )
        try:
            outcome: str = put(host, tmp_path)
        except ForgeError as error:
            outcome = error.code
        assert (outcome, len(host.comments)) in {("created", 1), ("forge", 0)}

    def test_pages_without_end(self, host: Forge, tmp_path: Path) -> None:
        link = {"Link": '<x>; rel="next"'}
        host.faults.append(lambda asked: (200, link, b"[]") if "page=" in asked else None)
        with pytest.raises(ForgeError, match="more than 10000 comments"):
            put(host, tmp_path)


class TestWhere:
    def test_on_github(self, tmp_path: Path) -> None:
        with serve(GitHub()) as host:
            environ = host.environ(tmp_path)
        thread = github.find_thread(environ)
        assert thread.title == "pull request 7 of acme/kernels"
        assert TOKEN not in repr(thread)
        for name, value in (
            ("GITHUB_TOKEN", ""),
            ("GITHUB_REPOSITORY", "acme/kernels/../.."),
            ("GITHUB_REPOSITORY", "acme"),
            ("GITHUB_API_URL", ""),
            ("GITHUB_EVENT_PATH", str(tmp_path)),
            ("GITHUB_EVENT_PATH", ""),
        ):
            with pytest.raises(UsageError):
                github.find_thread({**environ, name: value})

    @pytest.mark.parametrize(
        "event",
        [
            "",
            "[]",
            "{}",
            '{"pull_request": null}',
            '{"pull_request": {"number": "7/../8"}}',
            "[" * 100_000,
            '{"pull_request": {"number": true}}',
        ],
    )
    def test_an_event_about_no_pull_request(self, tmp_path: Path, event: str) -> None:
        with serve(GitHub()) as host:
            environ = host.environ(tmp_path)
        (tmp_path / "event.json").write_text(event, encoding="utf-8")
        with pytest.raises(UsageError, match="pull request"):
            github.find_thread(environ)

    def test_on_gitlab(self, tmp_path: Path) -> None:
        with serve(GitLab()) as host:
            environ = host.environ(tmp_path)
        assert "/projects/12/" in gitlab.find_thread(environ).comments
        for name, value in (("GITLAB_TOKEN", ""), ("CI_MERGE_REQUEST_IID", ""), ("CI_MERGE_REQUEST_PROJECT_ID", "a/b")):
            with pytest.raises(UsageError):
                gitlab.find_thread({**environ, name: value})

    @pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "a b", "é", " "])
    def test_a_token_that_no_header_can_hold(self, token: str) -> None:
        with pytest.raises(UsageError, match="`GITHUB_TOKEN`") as caught:
            read_token({"GITHUB_TOKEN": token}, "GITHUB_TOKEN", "")
        assert token == " " or token not in str(caught.value)

    def test_a_token_that_was_pasted_with_its_line_end(self) -> None:
        assert read_token({"GITHUB_TOKEN": f"{TOKEN}\n"}, "GITHUB_TOKEN", "") == TOKEN
