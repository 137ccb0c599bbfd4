"""Undoing `Content-Encoding` piece by piece, so that a small body cannot become a huge one unnoticed."""

import zlib
from collections.abc import Iterable, Iterator

_PIECE = 1 << 18
_GZIP = 16 + zlib.MAX_WBITS


class EncodingError(ValueError):
    """A body that is not encoded as its headers say."""


def decode(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The body behind `Content-Encoding`, in pieces of bounded size.

    Raises:
        EncodingError: An encoding that was not asked for, or a body that is damaged or cut short.
    """
    if encoding in {"", "identity"}:
        yield from chunks
    elif encoding in {"gzip", "x-gzip"}:
        yield from _inflate(chunks, _GZIP)
    elif encoding == "deflate":
        yield from _inflate(chunks, zlib.MAX_WBITS)
    else:
        raise EncodingError(f"its content encoding `{encoding}` was not asked for")


def _inflate(chunks: Iterable[bytes], window: int) -> Iterator[bytes]:
    inflater = zlib.decompressobj(window)
    empty = True
    try:
        for chunk in chunks:
            data = chunk
            empty = False
            while data:
                if inflater.eof:  # gzip members may follow one another (RFC 1952, 2.2)
                    inflater = zlib.decompressobj(window)
                if piece := inflater.decompress(data, _PIECE):
                    yield piece
                data = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        # Output can be pending though all input is consumed.
        while not inflater.eof and (piece := inflater.decompress(b"", _PIECE)):
            yield piece
    except zlib.error as error:
        raise EncodingError(f"its compressed body is damaged: {error}") from error
    # Servers name the encoding of an empty answer, too.
    if not inflater.eof and not empty:
        raise EncodingError("its compressed body is cut short")
