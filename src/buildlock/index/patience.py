"""Connections that wait for an answer to begin only so long, however steadily its beginning drips in."""

import http.client
import time
from functools import partial
from typing import Any

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


class _Head(http.client.HTTPResponse):
    """A socket's timeout is for each of its reads: a byte now and then, or a `100 Continue`, would go on for ever.

    No thread watches it, since to start one for each request takes longer than the request.
    """

    def __init__(self, patience: float, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._patience = patience

    def begin(self) -> None:
        deadline = time.monotonic() + self._patience
        raw = self.fp.raw
        read = raw.readinto

        def read_in_time(buffer: Any) -> int | None:
            if time.monotonic() > deadline:
                raise TimeoutError(_LATE)
            return read(buffer)

        raw.readinto = read_in_time  # type: ignore[method-assign]
        super().begin()
        raw.readinto = read  # type: ignore[method-assign]


class _Patience(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as in urllib3
        assert isinstance(self.timeout, (int, float))  # as we ask; that of the socket is still the one for connecting
        self.response_class = partial(_Head, FACTOR * self.timeout)  # type: ignore[assignment]
        return super().getresponse()


class _SecurePatience(_Patience, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Patience


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecurePatience
