"""HTTP/1.1 over one connection (RFC 9112): a request is written, and its answer is read piece by piece.

What a lock asks is many small questions to one server, and what a library for all of HTTP does for each of them costs
more than the answers. This does what indexes need: no cookies, no uploads in pieces, no pipelines.
"""

import select
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol, final

from buildlock.errors import UnavailableError
from buildlock.index.failures import TransientError
from buildlock.patterns import compile_pattern
from buildlock.text import printable
from buildlock.values import dataclass

FACTOR = 10
"""How many times as long as for a single byte it is waited for all of an answer's head, or of a page."""
_MAX_HEAD = 1 << 16
_MAX_FIELDS = 100
_MAX_LINE = 1 << 12
"""Bytes of a line that says how long a chunk is, or of what follows the last one."""
_PIECE = 1 << 16
_STATUS = compile_pattern(rb"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: ([^\r\n\0]*))?")
_BEGINNING = b"HTTP/1."
_LENGTHS = compile_pattern(r"[0-9]+(, *[0-9]+)*")
_DIGITS = 18
_END_OF_HEAD = compile_pattern(rb"\r?\n\r?\n")
_CHUNK_SIZE = compile_pattern(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
_BLANK = " \t"
"""All that may stand around the value of a field; whoever takes more for it reads another value."""
_CUT_SHORT = "its answer was cut short"
_STOPPED = "it stopped sending"
_NO_STATUS = "it does not begin with a status"


class StaleError(TransientError):
    """Nothing of an answer has come: a connection that was kept open may have been closed before."""


class Socket(Protocol):
    """As much of a socket as is used here."""

    def pending(self) -> int: ...
    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> None: ...
    def settimeout(self, seconds: float | None, /) -> None: ...
    def fileno(self) -> int: ...
    def shutdown(self, how: int, /) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """The beginning of an answer."""

    status: int
    reason: str
    headers: Mapping[str, str]
    """With lower-case names; what was said twice is joined by commas."""
    lasting: bool
    """Whether the connection stays open."""


@final
class Wire:
    """A connection; one request at a time.

    Args:
        connection: Open.
        timeout: Seconds that are waited for each next byte.
    """

    def __init__(self, connection: Socket, timeout: float) -> None:
        self._socket = connection
        self._buffer = b""
        self.used = False
        """Whether something was asked over it."""
        self.timeout = timeout
        connection.settimeout(timeout)

    @property
    def has_more(self) -> bool:
        """Whether more has come than was read."""
        return bool(self._buffer)

    def close(self) -> None:
        self._socket.close()

    def break_off(self) -> None:
        """Wake whoever waits for it, from another thread: nothing more comes, and it is theirs to close."""
        with suppress(OSError):  # it broke before
            self._socket.shutdown(socket.SHUT_RDWR)

    def is_quiet(self) -> bool:
        """Whether nothing has come that was not asked for, such as the server's goodbye."""
        if not self.used:
            return True  # TLS brings something along that is not read before the first answer
        if self._buffer or self._socket.pending():
            return False
        if sys.platform == "win32":
            return not select.select([self._socket.fileno()], [], [], 0)[0]
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN)
        return not poll.poll(0)

    def ask(self, method: str, target: str, headers: Mapping[str, str], content: bytes | None = None) -> Head:
        """Send a request, and read the head of the answer.

        Raises:
            StaleError: Nothing came: it was closed before, perhaps.
            TransientError: It broke, or what came is no answer.
            UnavailableError: This cannot be asked.
        """
        head = _write_head(method, target, headers, content)
        self.used = True
        try:
            self._socket.sendall(head + (content or b""))
            first = self._socket.recv(_PIECE)
        except TimeoutError as error:
            raise TransientError(_STOPPED) from error
        except OSError as error:
            raise StaleError(describe_break(error)) from error
        if not first:
            raise StaleError(_CUT_SHORT)
        self._buffer = first
        return self.read_head()

    def read_head(self) -> Head:
        """The head of an answer, after those that only say that there will be one.

        Raises:
            TransientError: The connection broke, or what came is no answer.
        """
        # The time is for all of it: a byte now and then, or a `100 Continue`, would go on for ever.
        deadline = time.monotonic() + FACTOR * self.timeout
        while True:
            head = _parse_head(self._take_head(deadline))
            if head.status == 101:  # noqa: PLR2004
                raise _break("it changes the protocol")
            if head.status >= 200:  # noqa: PLR2004
                return head

    def receive(self, most: int) -> bytes:
        """Some bytes; none where the server has closed the connection.

        Raises:
            TransientError: It broke.
        """
        if self._buffer:
            piece, self._buffer = self._buffer[:most], self._buffer[most:]
            return piece
        try:
            return self._socket.recv(most)
        except TimeoutError as error:
            raise TransientError(_STOPPED) from error
        except OSError as error:
            raise TransientError(describe_break(error)) from error

    def read_line(self, deadline: float) -> bytes:
        """A line of the framing of a body.

        Raises:
            TransientError: It broke, or the line is too long.
        """
        while (end := self._buffer.find(b"\n", 0, _MAX_LINE)) < 0:
            if len(self._buffer) >= _MAX_LINE:
                raise _break("a line between two pieces of it is too long")
            self._fill(deadline)
        line, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
        return line.removesuffix(b"\r")

    def _take_head(self, deadline: float) -> bytes:
        seen = 0
        while True:
            found = _END_OF_HEAD.search(self._buffer, seen)
            if found and found.end() <= _MAX_HEAD:
                head, self._buffer = self._buffer[: found.start()], self._buffer[found.end() :]
                return head
            if not self._buffer.startswith(_BEGINNING[: len(self._buffer)]):
                raise _break(_NO_STATUS)  # some wait for a word from us, and we for the rest of this
            if len(self._buffer) > _MAX_HEAD:
                raise _break(f"its head is larger than {_MAX_HEAD} bytes")
            seen = max(len(self._buffer) - 3, 0)
            self._fill(deadline)

    def _fill(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise TransientError(_STOPPED)
        before, self._buffer = self._buffer, b""
        piece = self.receive(_PIECE)
        if not piece:
            raise TransientError(_CUT_SHORT)
        self._buffer = before + piece


@final
class Answer:
    """An answer whose body is still to be read.

    Args:
        wire: What it comes over.
        head: Its beginning.
        let_go: Called once, when all is read or nobody wants more; told whether the wire can be used again.

    Raises:
        TransientError: Nobody can tell how long the body is.
    """

    def __init__(self, wire: Wire, head: Head, let_go: Callable[[bool], None]) -> None:
        self.status, self.reason, self.headers = head.status, head.reason, head.headers
        self._wire = wire
        self._lasting = head.lasting
        self._let_go: Callable[[bool], None] | None = let_go
        self._chunked = False
        self.left: int | None = None
        """Bytes of the body, or of the piece of it that is read; `None` where it ends with the connection."""
        if head.status in {204, 304}:
            self.left = 0
        elif (coding := head.headers.get("transfer-encoding")) is not None:
            if coding.lower() != "chunked":
                raise TransientError(f"its transfer encoding `{printable(coding)}` was not asked for")
            self._chunked, self.left = True, 0
            # Whoever says two things of the length may have more to say.
            self._lasting = self._lasting and "content-length" not in head.headers
        elif (length := head.headers.get("content-length")) is not None:
            self.left = _parse_length(length)
        if self.left == 0 and not self._chunked:
            self._finish(whole=True)

    @property
    def chunked(self) -> bool:
        return self._chunked

    def read(self, most: int) -> bytes:
        """Some bytes of the body, as they are on the wire; none at its end, or once it has failed.

        Raises:
            TransientError: It broke, or was cut short.
        """
        try:
            return self._read(most)
        except BaseException:
            self.close()  # whoever tidies up is not to wait again
            raise

    def _read(self, most: int) -> bytes:
        if self._let_go is None or (self._chunked and not self.left and not self._begin_chunk()):
            return b""
        piece = self._wire.receive(most if self.left is None else min(most, self.left))
        if self.left is None:
            if not piece:
                self._finish(whole=False)
            return piece
        if not piece:
            raise TransientError(_CUT_SHORT)
        self.left -= len(piece)
        if not self.left:
            if self._chunked:
                if self._wire.read_line(self._deadline()):
                    raise _break("a piece of it is longer than it says")
            else:
                self._finish(whole=True)
        return piece

    def close(self) -> None:
        """Read no more."""
        self._finish(whole=False)

    def _begin_chunk(self) -> bool:
        line = self._wire.read_line(self._deadline())
        found = _CHUNK_SIZE.fullmatch(line)
        if not found:
            raise _break("a piece of it does not say how long it is")
        self.left = int(found[1], 16)
        if self.left:
            return True
        deadline = self._deadline()
        for _ in range(_MAX_FIELDS):
            if not self._wire.read_line(deadline):
                self._finish(whole=True)
                return False
        raise _break("too much follows it")

    def _deadline(self) -> float:
        return time.monotonic() + FACTOR * self._wire.timeout

    def _finish(self, *, whole: bool) -> None:
        let_go, self._let_go = self._let_go, None
        if let_go is not None:
            let_go(whole and self._lasting)


def describe_break(error: OSError) -> str:
    """What went wrong with a connection."""
    return f"the connection broke: {printable(str(error))}"


def _break(what: str) -> TransientError:
    return TransientError(f"its answer breaks the rules of HTTP: {what}")


def _write_head(method: str, target: str, headers: Mapping[str, str], content: bytes | None) -> bytes:
    fields = dict(headers)
    if content is not None:
        fields["Content-Length"] = str(len(content))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    head = "\r\n".join(lines)
    # A line that we did not write would be another field, or another request.
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1 or "\0" in head:
        raise UnavailableError("a request cannot be sent: a field of it has more than one line")
    try:
        return head.encode("latin-1")
    except UnicodeEncodeError as error:
        raise UnavailableError("a request cannot be sent: a field of it has letters that HTTP has not") from error


def _parse_head(head: bytes) -> Head:
    first, *lines = head.split(b"\n")
    status = _STATUS.fullmatch(first.removesuffix(b"\r"))
    if status is None:
        raise _break(_NO_STATUS)
    if len(lines) > _MAX_FIELDS:
        raise _break(f"it has more than {_MAX_FIELDS} header fields")
    headers: dict[str, str] = {}
    name = ""
    for raw in lines:
        line = raw.removesuffix(b"\r").decode("latin-1")
        if "\r" in line or "\0" in line:
            raise _break("a header field has control characters")
        if line[:1] in {" ", "\t"} and name:  # a field that goes on (RFC 9112, 5.2)
            headers[name] = f"{headers[name]} {line.strip(_BLANK)}".strip(_BLANK)
            continue
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise _break("a header field has no name")
        name, value = name.lower(), value.strip(_BLANK)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    connection = headers.get("connection", "").lower()
    return Head(
        status=int(status[2]),
        reason=(status[3] or b"").decode("latin-1").strip(),
        headers=headers,
        lasting="close" not in connection
        and (status[1] != b"0" or ("keep-alive" in connection and "transfer-encoding" not in headers)),
    )


def _parse_length(text: str) -> int:
    if not _LENGTHS.fullmatch(text):
        raise TransientError("its `Content-Length` is not a number")
    lengths = {each.strip() for each in text.split(",")}
    if len(lengths) > 1:
        raise TransientError("it has more than one `Content-Length`")
    (length,) = lengths
    return int(length) if len(length) <= _DIGITS else 10**_DIGITS
