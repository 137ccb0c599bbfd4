"""A gzip file of one member, read from its beginning to its end and no further."""

import os
from collections.abc import Iterator
from typing import BinaryIO, NoReturn

from buildlock.environment import deflate
from buildlock.environment.zip_entries import DEFAULT_LIMIT, LIMIT_HINT, MAX_RATIO, RATIO_FREE
from buildlock.errors import InvalidArchiveError
from buildlock.text import present

_CHUNK = 256 << 10
_GZIP = deflate.codec.MAX_WBITS | 16
"""Makes zlib read the header and compare the checksum and the length at the end (RFC 1952)."""


class GzipStream:
    """What a gzip file holds, in one pass.

    Args:
        file: Open for reading, seekable.
        filename: What messages call it.
        limit: Bytes that it may unpack to.

    Raises:
        InvalidArchiveError: By any of its methods: it is no gzip file, is damaged, or unpacks beyond the limits.
    """

    def __init__(self, file: BinaryIO, filename: str, *, limit: int = DEFAULT_LIMIT) -> None:
        self._file = file
        self._filename = filename
        self._limit = limit
        self.packed_size = file.seek(0, os.SEEK_END)
        self._inflater = deflate.codec.decompressobj(_GZIP)
        self._pending = b""
        self._buffer = b""
        self._taken = 0
        self._produced = 0
        self.position = 0
        """Bytes taken so far, unpacked."""
        file.seek(0)

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer only at the end."""
        return b"".join(self._take(size))

    def chunks(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes, piece by piece; it is refused where there are fewer."""
        taken = 0
        for chunk in self._take(size):
            taken += len(chunk)
            yield chunk
        if taken < size:
            self._refuse("it stops early")

    def expect_zeros(self) -> None:
        """Read to the end, where nothing but zeros may be left: neither packed nor behind what is packed."""
        while chunk := self.read(_CHUNK):
            if any(chunk):
                self._refuse("something follows the end of the archive")
        # Tapes are filled up with zeros. A second member is what one reader unpacks and another one leaves out.
        tail = self._inflater.unused_data or self._file.read(_CHUNK)
        while tail:
            if any(tail):
                self._refuse("something follows the gzip data")
            tail = self._file.read(_CHUNK)

    def _take(self, size: int) -> Iterator[bytes]:
        while size and (self._taken < len(self._buffer) or self._fill()):
            chunk = self._buffer[self._taken : self._taken + size]
            self._taken += len(chunk)
            size -= len(chunk)
            self.position += len(chunk)
            yield chunk

    def _fill(self) -> bool:
        """Unpack a little more, if there is more."""
        while not self._inflater.eof:
            packed = self._pending or self._file.read(_CHUNK)
            try:
                self._buffer, self._taken = self._inflater.decompress(packed, _CHUNK), 0
            except deflate.codec.error as error:
                self._refuse(f"it is no sound gzip file: {error}")
            self._pending = self._inflater.unconsumed_tail
            if self._buffer:
                self._count(len(self._buffer))
                return True
            if not packed and not self._inflater.eof:
                self._refuse("its gzip data stops early")
        return False

    def _count(self, size: int) -> None:
        self._produced += size
        if self._produced > self._limit:
            self._refuse(f"it unpacks to more than {self._limit} bytes", hint=LIMIT_HINT)
        if self._produced > RATIO_FREE and self._produced > MAX_RATIO * self.packed_size:
            self._refuse(f"it unpacks to more than {MAX_RATIO} times its size")

    def _refuse(self, reason: str, *, hint: str | None = None) -> NoReturn:
        raise InvalidArchiveError(f"`{self._filename}` is refused: {present(reason)}", hint=hint)
