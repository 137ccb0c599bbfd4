"""Real git repositories for tests, and a server that gives them out by HTTP as `git http-backend` does."""

import base64
import os
import ssl
import subprocess
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import final
from urllib.parse import urlsplit

from support.serving import LoopbackServer

ENVIRON: Mapping[str, str] = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "demo",
    "GIT_AUTHOR_EMAIL": "demo@git.example",
    "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "demo",
    "GIT_COMMITTER_EMAIL": "demo@git.example",
    "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z",
}


def run_git(folder: Path, *arguments: str, given: str | None = None) -> str:
    completed = subprocess.run(
        ["git", *arguments], cwd=folder, env=ENVIRON, check=True, capture_output=True, text=True, input=given
    )
    return completed.stdout.strip()


@final
class GitRepository:
    """A repository with a work tree, whose default branch is `main`."""

    def __init__(self, folder: Path, *, algorithm: str = "sha1") -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.run("init", "--quiet", "--initial-branch=main", f"--object-format={algorithm}")

    @property
    def url(self) -> str:
        return self.folder.as_uri()

    def run(self, *arguments: str, given: str | None = None) -> str:
        return run_git(self.folder, *arguments, given=given)

    def commit(self, files: Mapping[str, str] | None = None) -> str:
        """Commit everything, after writing files."""
        for name, text in (files or {}).items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.run("add", "--all")
        self.run("commit", "--quiet", "--allow-empty", "--message=change")
        return self.run("rev-parse", "HEAD")

    def commit_entries(self, *entries: str) -> str:
        """Commit a tree of entries as `git mktree` reads them, whatever they are."""
        tree = self.run("mktree", "--missing", given="".join(f"{entry}\n" for entry in entries))
        commit = self.run("commit-tree", "-m", "made", tree)
        self.run("update-ref", "refs/heads/made", commit)
        return commit

    def blob(self, text: str) -> str:
        return self.run("hash-object", "-w", "--stdin", given=text)


@final
class GitServer(LoopbackServer):
    """Gives out the repositories in a folder by the smart protocol, or their files alone by the dumb one."""

    def __init__(self, folder: Path, tls: ssl.SSLContext | None = None) -> None:
        self.password: str | None = None
        """What it wants from the user `me`, if anything."""
        self.redirect: str | None = None
        """The server that it sends everyone to."""
        self.dumb = False
        self.requests: list[str] = []
        self.authorizations: list[str | None] = []
        self._folder = folder
        super().__init__(self._make_handler(), tls)

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                authorization = self.headers["Authorization"]
                server.requests.append(self.path)
                server.authorizations.append(authorization)
                if server.redirect is not None:
                    self._answer(302, [("Location", server.redirect + self.path)], b"")
                elif server.password is not None and authorization != _basic(server.password):
                    self._answer(401, [("WWW-Authenticate", 'Basic realm="git"')], b"who are you?")
                elif server.dumb:
                    path = server._folder / urlsplit(self.path).path.lstrip("/")
                    found = path.is_file()
                    self._answer(200 if found else 404, [], path.read_bytes() if found else b"")
                else:
                    self._ask_backend()

            do_POST = do_GET  # noqa: N815 - the name that http.server calls

            def _ask_backend(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                environ = {
                    **ENVIRON,
                    "GIT_PROJECT_ROOT": str(server._folder),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "PATH_INFO": parts.path,
                    "QUERY_STRING": parts.query,
                    "REQUEST_METHOD": self.command,
                    "CONTENT_TYPE": self.headers["Content-Type"] or "",
                    "HTTP_CONTENT_ENCODING": self.headers["Content-Encoding"] or "",
                    "GIT_PROTOCOL": self.headers["Git-Protocol"] or "",
                }
                answer = subprocess.run(
                    ["git", "http-backend"], env=environ, input=body, capture_output=True, check=False
                ).stdout
                head, _, content = answer.partition(b"\r\n\r\n")
                headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
                status = int(headers.pop("Status", "200").split()[0])
                self._answer(status, list(headers.items()), content)

            def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
                self.send_response(status)
                for name, value in [*headers, ("Content-Length", str(len(body)))]:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"me:{password}".encode()).decode()
