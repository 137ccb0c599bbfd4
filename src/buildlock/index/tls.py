"""TLS over a connection, also over one that is TLS itself."""

import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar, final

from buildlock.errors import UnavailableError
from buildlock.index.failures import TransientError
from buildlock.index.urls import bracket, encode_host
from buildlock.index.wire import Socket
from buildlock.text import printable

_PIECE = 1 << 16
_OF_ANOTHER = "ask it by a name that is in its certificate"
# By what OpenSSL calls them (X509_V_ERR_…).
_HINTS = {
    9: "the clock of this machine is slow, or its certificate is not to be used yet",
    10: "the clock of this machine is fast, or whoever runs the server has to renew its certificate",
    62: _OF_ANOTHER,
    64: _OF_ANOTHER,
}
_T = TypeVar("_T")


@final
class _Outer(ssl.SSLSocket):
    def shutdown(self, how: int) -> None:
        """Of the socket: that of TLS first has it send what comes from other threads without TLS."""
        socket.socket.shutdown(self, how)


def secure(connection: Socket, context: ssl.SSLContext, host: str, port: int) -> Socket:
    """TLS over a connection, which is closed where there is none.

    Raises:
        TransientError: The server speaks no TLS, or none that we do.
        UnavailableError: Its certificate is not trusted.
    """
    try:
        # As bytes: for a text Python reads the tables of all the world's scripts.
        # No certificate has the dot that a whole name may end with.
        name: str = encode_host(host).removesuffix(b".")  # type: ignore[assignment]  # `ssl` takes either
        if isinstance(connection, ssl.SSLSocket):
            return _Inner(connection, context, name)
        assert isinstance(connection, socket.socket)
        context.sslsocket_class = _Outer
        return context.wrap_socket(connection, server_hostname=name, suppress_ragged_eofs=False)
    except ssl.SSLCertVerificationError as error:
        connection.close()
        raise UnavailableError(
            f"`https://{bracket(host)}:{port}` shows a certificate that is not trusted: {error.verify_message}",
            hint=_HINTS.get(error.verify_code, "name the file of your certificate authority in `SSL_CERT_FILE`"),
        ) from error
    except (OSError, ValueError) as error:
        connection.close()
        reason = "no connection in time" if isinstance(error, TimeoutError) else f"no TLS: {error}"
        raise TransientError(printable(reason)) from error


@final
class _Inner:
    """TLS inside of what is TLS itself: to a server, through a proxy that is reached by TLS."""

    def __init__(self, outer: ssl.SSLSocket, context: ssl.SSLContext, name: str) -> None:
        self._outer = outer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._attempt(self._tls.do_handshake)

    def recv(self, size: int, /) -> bytes:
        try:
            return self._attempt(lambda: self._tls.read(size))
        except ssl.SSLZeroReturnError:
            return b""

    def sendall(self, data: bytes, /) -> None:
        while data:
            data = data[self._attempt(partial(self._tls.write, data)) :]

    def pending(self) -> int:
        return self._tls.pending() or self._incoming.pending or self._outer.pending()

    def settimeout(self, seconds: float | None, /) -> None:
        self._outer.settimeout(seconds)

    def fileno(self) -> int:
        return self._outer.fileno()

    def shutdown(self, how: int, /) -> None:
        self._outer.shutdown(how)

    def close(self) -> None:
        self._outer.close()

    def _attempt(self, action: Callable[[], _T]) -> _T:
        """Do it as soon as enough has come for it; the time is for all of that, as with TLS over a socket."""
        timeout = self._outer.gettimeout()
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            with suppress(ssl.SSLWantReadError):
                done = action()
                self._flush()
                return done
            self._flush()
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError
            if data := self._outer.recv(_PIECE):
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._outer.sendall(data)
