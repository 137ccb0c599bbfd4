"""The token that proves who comments."""

import re
from collections.abc import Mapping

from buildlock.errors import UsageError

_TOKEN = re.compile(r"[!-~]+", re.ASCII)


def read_token(environ: Mapping[str, str], name: str, hint: str) -> str:
    """The token in an environment variable.

    Raises:
        UsageError: There is none, or it is not one that a header can hold.
    """
    # A secret that was pasted tends to end with a line.
    token = environ.get(name, "").strip()
    if not token:
        raise UsageError(f"there is no token to comment with: `{name}` is not set", hint=hint)
    if not _TOKEN.fullmatch(token):
        raise UsageError(f"`{name}` is not a token: it has spaces or other characters that no token has", hint=hint)
    return token
