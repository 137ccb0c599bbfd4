import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildlock.index.encoding import EncodingError, decode


def cut(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


@given(content=st.binary(max_size=2000), repeat=st.integers(1, 500), size=st.integers(1, 5000))
def test_what_was_compressed_comes_back_however_it_was_cut(content: bytes, repeat: int, size: int) -> None:
    whole = content * repeat
    assert b"".join(decode(cut(gzip.compress(whole), size), "gzip")) == whole
    assert b"".join(decode(cut(zlib.compress(whole), size), "deflate")) == whole


@given(body=st.binary(), encoding=st.sampled_from(["gzip", "deflate", "br", "identity"]), size=st.integers(1, 9))
def test_any_bytes_are_decoded_or_refused(body: bytes, encoding: str, size: int) -> None:
    try:
        decoded = b"".join(decode(cut(body, size), encoding))
    except EncodingError:
        return
    assert decoded == body or encoding != "identity"


def test_pieces_are_bounded_whatever_they_expand_to() -> None:
    assert max(map(len, decode([gzip.compress(bytes(50_000_000))], "gzip"))) <= 1 << 18


@pytest.mark.parametrize("missing", [1, 8, 100])
def test_a_body_that_is_cut_short_is_refused(missing: int) -> None:
    with pytest.raises(EncodingError, match="cut short"):
        list(decode([gzip.compress(bytes(range(256)) * 10)[:-missing]], "gzip"))
