"""Comparing bytes with the hashes that an index gave for them."""

import hashlib
from collections.abc import Mapping

from buildlock.errors import IntegrityError

_ALGORITHMS = {name for name in hashlib.algorithms_guaranteed if not name.startswith("shake_")}
"""Those of `hashlib` whose digests have one length."""


def check_hashes(content: bytes, hashes: Mapping[str, str], *, url: str) -> bool:
    """Compare `content` with every hash of an algorithm we know; return whether there was one.

    Raises:
        IntegrityError: One of them differs.
    """
    known = sorted(_ALGORITHMS & hashes.keys())
    for algorithm in known:
        received = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
        if received != hashes[algorithm].lower():
            raise IntegrityError(
                f"`{url}` is not the file that the index promised\n"
                f"  expected {algorithm} {hashes[algorithm]}\n"
                f"  received {algorithm} {received}",
                hint="the file was replaced, or damaged on its way; report it to who runs the index",
            )
    return bool(known)
