"""A small real web server whose answers a test writes down.

```
with WebServer() as server:
    server.answers["/simple/foo/"] = Answer(b"<a href='foo-1.0.tar.gz'>", {"Content-Type": "text/html"})
    server.scripts["/flaky"] = [Answer(status=503), Answer(b"at last")]   # one after the other, the last for ever
    get(server.url + "/simple/foo/")
    server.requests[0].headers["accept"]
```
"""

import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TypeAlias, final

from support.serving import LoopbackServer


@dataclass(frozen=True)
class Request:
    path: str
    headers: Mapping[str, str]
    """With lower-case names."""
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True)
class Raw:
    """Bytes for the socket as they are, after which the connection is closed."""

    data: bytes
    wait_for: threading.Event | None = None
    """Held open until this is set."""
    dripping: bytes = b""
    """What follows, byte by byte, a hundred in a second."""


Script: TypeAlias = Answer | Raw | Callable[[Request], "Answer | Raw"]


@final
class WebServer(LoopbackServer):
    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Script] = {}
        self.scripts: dict[str, Sequence[Script]] = {}
        self.requests: list[Request] = []
        self.connections = 0
        self._asked: dict[str, int] = {}
        self._lock = threading.Lock()
        super().__init__(self._make_handler(), tls)

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def _answer(self, request: Request) -> Answer | Raw:
        with self._lock:
            self.requests.append(request)
            turn = self._asked.get(request.path, 0)
            self._asked[request.path] = turn + 1
        script = self.scripts.get(request.path)
        found = script[min(turn, len(script) - 1)] if script else self.answers.get(request.path, Answer(status=404))
        return found(request) if callable(found) else found

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # head and body in one packet
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                with server._lock:
                    server.connections += 1

            def do_POST(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", "0")))
                answer = server._answer(Request(self.path, headers, body))
                if isinstance(answer, Raw):
                    self.wfile.write(answer.data)
                    self.wfile.flush()
                    for start in range(len(answer.dripping)):
                        self.wfile.write(answer.dripping[start : start + 1])
                        self.wfile.flush()
                        threading.Event().wait(0.01)
                    if answer.wait_for:
                        answer.wait_for.wait(10)
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                length = {} if "Transfer-Encoding" in answer.headers else {"Content-Length": str(len(answer.body))}
                for name, value in {**length, **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if answer.status != 304:
                    self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
