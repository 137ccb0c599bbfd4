"""Changing bytes at random, where no fuzzer is there to do it by what it sees."""

from collections.abc import Sequence
from random import Random

PIECES = (
    b"", b"\0", b"\xff", b"\n", b"[", b"]", b"{", b"}", b'"', b"'", b"=", b".", b",", b"#", b"<", b">", b"/", b"\\",
    b"../", b"@", b"-1", b"9" * 30, b"true", b"null", b"[]", b"{}", b'""', b"\xc3\xa9", b"\xe2\x80\xae", b"\x1b[2J",
    b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04", b"\xff\xff", b"\xff\xff\xff\xff", bytes(512),
)  # fmt: skip
MOST = 6
"""Changes at a time."""


def mutate(random: Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds after a few cuts, copies, insertions and changed bytes."""
    content = bytearray(random.choice(seeds))
    for _ in range(random.randint(1, MOST)):
        start = random.randint(0, len(content))
        end = min(len(content), start + random.choice((0, 0, 1, 1, 2, 4, 8, 40, 512)))
        match random.randrange(4):
            case 0:
                content[start:end] = random.choice(PIECES)
            case 1:
                content[start:end] = random.randbytes(end - start)
            case 2:
                source = random.choice(seeds)
                cut = random.randint(0, len(source))
                content[start:end] = source[cut : cut + random.choice((1, 4, 20, 200))]
            case _:
                content[start:start] = content[start:end]
    return bytes(content)
