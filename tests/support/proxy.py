"""A small real proxy for TLS: it connects to where it is told, and relays what both say.

```
with TunnellingProxy() as proxy:
    ...                     # https through `proxy.url`
proxy.heads[0]              # "CONNECT 127.0.0.1:8443 HTTP/1.0 ..."
```
"""

import select
import socket
import ssl
from contextlib import suppress
from socketserver import StreamRequestHandler
from typing import final

from support.serving import LoopbackServer


@final
class TunnellingProxy(LoopbackServer):
    """A proxy; one that is reached by TLS itself, where it is told how."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.heads: list[str] = []
        super().__init__(self._make_handler(), tls)

    def _make_handler(self) -> type[StreamRequestHandler]:
        heads = self.heads

        class Handler(StreamRequestHandler):
            rbufsize = 0  # what follows the head is the client's and the server's alone

            def handle(self) -> None:
                lines = []
                while line := self.rfile.readline().strip():
                    lines.append(line.decode())
                heads.append("\n".join(lines))
                host, _, port = lines[0].split()[1].rpartition(":")
                with socket.create_connection((host, int(port))) as server, suppress(OSError):
                    self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
                    _relay(self.connection, server)

        return Handler


def _relay(client: socket.socket, server: socket.socket) -> None:
    while True:
        for source in select.select([client, server], [], [])[0]:
            if not (data := source.recv(1 << 16)):
                return
            (server if source is client else client).sendall(data)
            # TLS reads more at a time than it gives out.
            while isinstance(source, ssl.SSLSocket) and source.pending():
                server.sendall(source.recv(1 << 16))
