"""Hashes as indexes write them: which algorithms are known, what their digests look like, whether bytes have them."""

import hashlib
import re
from collections.abc import Mapping

from buildlock.errors import IntegrityError
from buildlock.patterns import compile_pattern

ALGORITHMS: Mapping[str, re.Pattern[str]] = {
    algorithm: compile_pattern(f"[0-9a-fA-F]{{{2 * size}}}")
    for algorithm in sorted(hashlib.algorithms_guaranteed)
    # The digests of the SHAKE functions have no length of their own, so they identify nothing.
    if (size := hashlib.new(algorithm, usedforsecurity=False).digest_size)
}
"""The algorithms that can be checked, each with the pattern of its hexadecimal digest."""


class MalformedHashError(ValueError):
    """A known algorithm with a value that cannot be its digest."""


def parse_hashes(pairs: Mapping[str, object]) -> dict[str, str]:
    """The hashes that can be checked, lower case; those of unknown algorithms are left out.

    Raises:
        MalformedHashError: A value is no digest of its algorithm.
    """
    hashes = {}
    for algorithm, digest in pairs.items():
        name = algorithm.lower()
        pattern = ALGORITHMS.get(name)
        if pattern is None:
            continue
        if not isinstance(digest, str) or not pattern.fullmatch(digest):
            raise MalformedHashError(f"its {name} hash is malformed")
        hashes[name] = digest.lower()
    return hashes


def check_hashes(content: bytes, hashes: Mapping[str, str], *, url: str) -> bool:
    """Compare `content` with every hash of an algorithm we know; return whether there was one.

    Raises:
        IntegrityError: One of them differs.
    """
    known = sorted(ALGORITHMS.keys() & hashes.keys())
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
