"""Where an index or a folder of links is: URLs and paths as the user wrote them."""

import os
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from buildlock.patterns import compile_pattern

# Two letters at least: `C:` is a drive.
_SCHEME = compile_pattern(r"([A-Za-z][A-Za-z0-9+.-]+):")
_MALFORMED = (
    "is not a URL: its host or its port is malformed; in a password `/`, `?`, `#`, `[`, `]` and `@` are written"
    " `%2F`, `%3F`, `%23`, `%5B`, `%5D` and `%40`"
)


def index_url(given: str, folder: Path) -> str:
    """The URL of an index: `given` itself, or the `file:` URL of a path relative to `folder`.

    Raises:
        ValueError: It is neither; the message says what is wrong with it.
    """
    return given if _is_url(given) else _absolute_path(given, folder).as_uri()


def links_location(given: str, folder: Path) -> str:
    """The place of `find-links`: `given` itself if it is a URL, else the absolute path.

    Raises:
        ValueError: It is neither; the message says what is wrong with it.
    """
    return given if _is_url(given) else str(_absolute_path(given, folder))


def with_credentials(url: str, username: str, password: str) -> str:
    """`url` with these credentials in place of any that it has; a `file:` URL needs none."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return url
    # A variable may hold half a surrogate pair, which no URL can: it is not the secret then, but no traceback either.
    user, word = (quote(each, safe="", errors="surrogatepass") for each in (username, password))
    login = f"{user}:{word}" if password else user
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}"))


def _is_url(given: str) -> bool:
    """Whether `given` is a URL that we can ask.

    Raises:
        ValueError: It is neither that nor a path.
    """
    if not given.strip():
        raise ValueError("must not be empty")
    if not given.isprintable():
        raise ValueError("has control characters")
    scheme = _SCHEME.match(given)
    if scheme is None:
        return False
    if scheme[1].lower() not in {"http", "https", "file"}:
        raise ValueError(f"has the scheme `{scheme[1]}`: `http`, `https` and `file` are supported")
    try:
        parts = urlsplit(given)
        host, _ = parts.hostname, parts.port
    except ValueError:  # its text may show the credentials
        raise ValueError(_MALFORMED) from None
    if " " in given:
        raise ValueError("is not a URL: it has spaces")
    if scheme[1].lower() != "file" and not host:
        raise ValueError("is not a URL: it has no host")
    return True


def _absolute_path(given: str, folder: Path) -> Path:
    # Not `resolve`: it would follow links that the user placed.
    return Path(os.path.abspath(folder / given))  # noqa: PTH100
