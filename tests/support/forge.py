"""A code host on loopback that knows the comments of one pull request, as GitHub's or GitLab's REST API has them.

with serve(GitHub()) as host:
    host.add("octocat", "hello")
    result = project.run("comment", **host.environ(tmp_path))
    assert host.bodies == ["hello", "<!-- buildlock-diff -->…"]
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

TOKEN = "t0ken-that-nobody-sees"
NUMBER = 7
MAX_BODY = 65_536


class Forge:
    """What the two have in common: comments with numbers, in pages, written by whom a token belongs to."""

    own = ""
    list_path = ""

    def __init__(self) -> None:
        self.comments: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.authorizations: set[str | None] = set()
        self.writable = True
        self.faults: list[Callable[[str], tuple[int, dict[str, str], bytes] | None]] = []
        """Asked before each answer with `METHOD /path`; the first answer that one gives is given instead."""
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def bodies(self) -> list[str]:
        return [comment["body"] for comment in self.comments]

    def environ(self, folder: Path) -> dict[str, str]:
        raise NotImplementedError

    def describe(self, author: str, body: str) -> dict[str, Any]:
        raise NotImplementedError

    def identify(self, request: str, content: Any) -> object:
        raise NotImplementedError

    def find(self, request: str) -> dict[str, Any] | None:
        """The comment that a request would change."""
        raise NotImplementedError

    def add(self, author: str, body: str) -> dict[str, Any]:
        comment = {**self.describe(author, body), "id": 1000 + len(self.comments)}
        self.comments.append(comment)
        return comment

    def fail_once(self, request: str, status: int, **headers: str) -> None:
        """Answer the first such request with an error."""
        left = [1]

        def fault(asked: str) -> tuple[int, dict[str, str], bytes] | None:
            if asked.partition("?")[0] != request or not left[0]:
                return None
            left[0] -= 1
            return status, {name.replace("_", "-"): value for name, value in headers.items()}, b'{"message": "no"}'

        self.faults.append(fault)

    def answer(self, request: str, content: bytes) -> tuple[int, dict[str, str], bytes]:
        for fault in self.faults:
            if (given := fault(request)) is not None:
                return given
        path = urlsplit(request.partition(" ")[2])
        value: Any = json.loads(content or b"{}")
        if (identity := self.identify(request, value)) is not None:
            return self._json(200, identity)
        if request.startswith("GET ") and path.path == self.list_path:
            return self._list(parse_qs(path.query))
        return self._json(*self._write(request, value.get("body", "")))

    def _write(self, request: str, body: str) -> tuple[int, object]:
        if not self.writable:
            return 403, {"message": "Resource not accessible by integration"}
        if len(body) > MAX_BODY:
            return 422, {"message": "Body is too long (maximum is 65536 characters)"}
        if request == f"POST {self.list_path}":
            return 201, self.add(self.own, body)
        comment = self.find(request)
        if comment is None:
            return 404, {"message": "Not Found"}
        comment["body"] = body
        return 200, comment

    def _list(self, query: dict[str, list[str]]) -> tuple[int, dict[str, str], bytes]:
        size, page = int(query["per_page"][0]), int(query["page"][0])
        status, headers, body = self._json(200, self.comments[(page - 1) * size : page * size])
        if page * size < len(self.comments):
            headers["Link"] = f'<{self.url}{self.list_path}?per_page={size}&page={page + 1}>; rel="next"'
        return status, headers, body

    @staticmethod
    def _json(status: int, value: object) -> tuple[int, dict[str, str], bytes]:
        return status, {"Content-Type": "application/json"}, json.dumps(value).encode()

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        forge = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                request = f"{self.command} {self.path}"
                content = self.rfile.read(int(self.headers["Content-Length"] or 0))
                forge.requests.append(request)
                forge.authorizations.add(self.headers["Authorization"])
                status, headers, body = forge.answer(request, content)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_PATCH = do_PUT = do_GET  # noqa: N815 - the names that http.server calls

            def log_message(self, *_: object) -> None:
                pass

        return Handler


class GitHub(Forge):
    own = "github-actions[bot]"
    list_path = f"/api/v3/repos/acme/kernels/issues/{NUMBER}/comments"

    def environ(self, folder: Path) -> dict[str, str]:
        """What a run about the pull request has, its event written into a folder."""
        event = folder / "event.json"
        event.write_text(json.dumps({"pull_request": {"number": NUMBER}}), encoding="utf-8")
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": f"{self.url}/api/v3",
            "GITHUB_GRAPHQL_URL": f"{self.url}/api/graphql",
            "GITHUB_REPOSITORY": "acme/kernels",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_TOKEN": TOKEN,
        }

    def describe(self, author: str, body: str) -> dict[str, Any]:
        return {"user": {"login": author}, "body": body}

    def identify(self, request: str, content: Any) -> object:
        if request == "POST /api/graphql" and "viewer" in content["query"]:
            return {"data": {"viewer": {"login": self.own}}}
        return None

    def find(self, request: str) -> dict[str, Any] | None:
        prefix = "PATCH /api/v3/repos/acme/kernels/issues/comments/"
        return next((each for each in self.comments if request == f"{prefix}{each['id']}"), None)


class GitLab(Forge):
    own = "42"
    list_path = f"/api/v4/projects/12/merge_requests/{NUMBER}/notes"

    def environ(self, folder: Path) -> dict[str, str]:
        del folder
        return {
            "GITLAB_CI": "true",
            "CI_API_V4_URL": f"{self.url}/api/v4",
            "CI_PROJECT_ID": "99",
            "CI_MERGE_REQUEST_PROJECT_ID": "12",
            "CI_MERGE_REQUEST_IID": str(NUMBER),
            "GITLAB_TOKEN": TOKEN,
        }

    def describe(self, author: str, body: str) -> dict[str, Any]:
        return {"author": {"id": int(author) if author.isdigit() else 1}, "body": body}

    def identify(self, request: str, content: Any) -> object:
        del content
        return {"id": int(self.own)} if request == "GET /api/v4/user" else None

    def find(self, request: str) -> dict[str, Any] | None:
        return next((each for each in self.comments if request == f"PUT {self.list_path}/{each['id']}"), None)


_Host = TypeVar("_Host", bound=Forge)


@contextmanager
def serve(host: _Host) -> Iterator[_Host]:
    """Let a code host answer while the block runs."""
    thread = threading.Thread(target=lambda: host.server.serve_forever(poll_interval=0.01))
    thread.start()
    try:
        yield host
    finally:
        host.server.shutdown()
        thread.join()
        host.server.server_close()
