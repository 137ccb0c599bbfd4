"""A real HTTP server on loopback that serves files from a dictionary, with ranges as well or badly as it is told.

>>> server = RangeServer(ranges="refused")
>>> server.start()
>>> server.files["/foo-1.0-py3-none-any.whl"] = b"..."
>>> client.get(server.url + "/foo-1.0-py3-none-any.whl")
>>> server.requests
[('/foo-1.0-py3-none-any.whl', None, 200, 3)]
"""

import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, NamedTuple, TypeAlias

Ranges: TypeAlias = Literal[
    "served",
    "ignored",  # the whole file, status 200
    "refused",  # status 416
    "failing",  # status 501
    "absolute-only",  # `bytes=-N` is refused
    "suffix-from-start",  # `bytes=-N` answers the first N bytes
    "unlabelled",  # status 206 without Content-Range
    "shifted",  # another range than the one asked for, correctly labelled
]


class Request(NamedTuple):
    path: str
    range: str | None
    status: int
    sent: int
    """Bytes of the body."""


class RangeServer:
    def __init__(self, ranges: Ranges = "served") -> None:
        self.ranges = ranges
        self.files: dict[str, bytes] = {}
        self.statuses: dict[str, int] = {}
        """Answers other than 200 and 404, by path."""
        self.requests: list[Request] = []
        self.before_answer: Callable[[str], None] = lambda _path: None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def bytes_sent(self) -> int:
        return sum(request.sent for request in self.requests)

    def asked(self, suffix: str) -> list[Request]:
        return [request for request in self.requests if request.path.endswith(suffix)]

    def answer(self, path: str, span: str | None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        if path in self.statuses:
            return self.statuses[path], {}, b""
        if path not in self.files:
            return 404, {}, b"not here"
        content = self.files[path]
        if span is None or self.ranges == "ignored":
            return 200, {}, content
        if self.ranges == "failing":
            return 501, {}, b""
        first, end = self._resolve(span, len(content))
        if first >= end:
            return 416, {"Content-Range": f"bytes */{len(content)}"}, b""
        label = {} if self.ranges == "unlabelled" else {"Content-Range": f"bytes {first}-{end - 1}/{len(content)}"}
        return 206, label, content[first:end]

    def _resolve(self, span: str, size: int) -> tuple[int, int]:
        matched = re.fullmatch(r"bytes=(\d*)-(\d*)", span)
        assert matched is not None
        suffix = not matched[1]
        if self.ranges == "refused" or (suffix and self.ranges == "absolute-only"):
            return 0, 0
        if suffix and self.ranges == "suffix-from-start":
            return 0, min(int(matched[2]), size)
        if suffix:
            return max(0, size - int(matched[2])), size
        shift = 1 if self.ranges == "shifted" and matched[1] != "0" else 0
        return int(matched[1]) - shift, min(int(matched[2]) + 1, size) - shift

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                outer.before_answer(self.path)
                status, headers, body = outer.answer(self.path, self.headers.get("Range"))
                outer.requests.append(Request(self.path, self.headers.get("Range"), status, len(body)))
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(body)
                except ConnectionError:
                    self.close_connection = True  # the client has seen enough

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
                pass

        return Handler
