"""Connections that wait for an answer to begin only so long, however steadily its beginning drips in."""

import socket
from contextlib import suppress
from threading import Timer

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse

FACTOR = 10
"""How many times as long as for a single byte it is waited for all of an answer's head, or of a page."""
_LATE = "the head of the answer has not come in time"


def limit_heads(manager: urllib3.PoolManager) -> None:
    """Let the connections of `manager` be such."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


class _Patience(HTTPConnection):
    """A socket's timeout is for each of its reads: a byte now and then, or a `100 Continue`, would go on for ever."""

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as in urllib3
        waiting = getattr(self.sock, "socket", self.sock)  # within the TLS of a proxy
        over = False

        def cut() -> None:
            nonlocal over
            over = True
            with suppress(OSError):
                # Of the socket itself: TLS has nothing to say any more, and is being read by another thread.
                socket.socket.shutdown(waiting, socket.SHUT_RDWR)

        assert isinstance(self.timeout, (int, float))  # as we ask; that of the socket is still the one for connecting
        patience = Timer(FACTOR * self.timeout, cut)
        patience.daemon = True
        patience.start()
        try:
            response = super().getresponse()
        except Exception as error:
            if over:
                raise TimeoutError(_LATE) from error
            raise
        finally:
            patience.cancel()
        if over:  # what had come by then looks like a head to `http.client`
            response.close()
            raise TimeoutError(_LATE)
        return response


class _SecurePatience(_Patience, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Patience


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecurePatience
