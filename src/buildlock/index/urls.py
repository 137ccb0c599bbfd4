"""URLs as they may be requested: credentials apart, redirects judged."""

import base64
from functools import lru_cache
from pathlib import Path
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

from buildlock.text import without_credentials
from buildlock.values import dataclass, field

_DEFAULT_PORTS = {"http": 80, "https": 443}


class InvalidUrlError(ValueError):
    """Not a URL that can be asked, and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """A URL taken apart into what is asked and what proves that we may."""

    url: str
    """Without credentials and fragment."""
    scheme: str
    origin: str
    """Scheme, host and port."""
    path: str
    authorization: str | None = field(default=None, repr=False)
    """The value of an `Authorization` header, where the URL carried credentials."""
    username: str | None = field(default=None, repr=False)
    """The name, where the URL carried that and no password."""


@lru_cache(maxsize=4096)
def parse_address(url: str) -> Address:
    """Take a URL apart.

    Raises:
        InvalidUrlError: It is malformed, or neither `http:`, `https:` nor `file:`.
    """
    # Parsers disagree on what these mean, and readers cannot see them.
    if not url.isprintable() or " " in url or "\\" in url:
        raise InvalidUrlError("it has white space, control characters or backslashes")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:  # its text may show the credentials
        raise InvalidUrlError("it is malformed") from error
    bare = without_credentials(urlunsplit(parts._replace(fragment="")))
    if parts.scheme == "file":
        return Address(url=bare, scheme="file", origin="file:", path=parts.path)
    if parts.scheme not in _DEFAULT_PORTS:
        raise InvalidUrlError(f"its scheme is `{parts.scheme}`, not `https`, `http` or `file`")
    if not host:
        raise InvalidUrlError("it has no host")
    try:
        encode_host(host)
    except UnicodeError as error:
        raise InvalidUrlError("its host is no name that the network knows; write it in ASCII (`xn--…`)") from error
    return Address(
        url=bare,
        scheme=parts.scheme,
        origin=f"{parts.scheme}://{host}:{port or _DEFAULT_PORTS[parts.scheme]}",
        path=parts.path,
        authorization=_basic(parts),
        username=unquote(parts.username) if parts.username and not parts.password else None,
    )


def follow(address: Address, location: str) -> Address:
    """Where a redirect leads. Credentials that a redirect brings along are not taken from it.

    Raises:
        InvalidUrlError: It may not be followed: to another scheme than HTTP, or out of TLS.
    """
    try:
        joined = urljoin(address.url, location)
    except ValueError as error:
        raise InvalidUrlError("it is malformed") from error
    destination = parse_address(joined)
    if destination.scheme == "file":
        raise InvalidUrlError("a redirect to a local file is not followed")
    if address.scheme == "https" and destination.scheme == "http":
        raise InvalidUrlError("a redirect from https to http is not followed")
    return Address(url=destination.url, scheme=destination.scheme, origin=destination.origin, path=destination.path)


def to_path(url: str) -> Path:
    """The path that a `file:` URL names.

    Raises:
        InvalidUrlError: It names another host, a relative path, or one that cannot exist.
    """
    from urllib.request import url2pathname  # noqa: PLC0415 - a client for HTTP and FTP comes with it

    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"}:
        raise InvalidUrlError(f"it names the host `{parts.netloc}`")

    path = Path(url2pathname(parts.path))
    if "\0" in str(path):
        raise InvalidUrlError("its path has a null byte")
    if not path.is_absolute():
        raise InvalidUrlError("its path is relative")
    return path


def is_url(location: str) -> bool:
    """Whether a location is a URL; otherwise it is a path, on Windows perhaps with a drive letter."""
    return "://" in location or location.startswith("file:")


def encode_host(host: str) -> bytes:
    """A host name as the network knows it.

    Raises:
        UnicodeError: It is none.
    """
    if host.isascii():
        return host.encode()
    encoded = host.encode("idna")
    # Python knows the rules of 2003, where some letters (`ß`) were others (`ss`): this is another host elsewhere.
    if encoded.decode("idna") != host:
        raise UnicodeError("it is written in more than one way")
    return encoded


def bracket(host: str) -> str:
    """A host name, or an address, as it is written before a port."""
    return f"[{host}]" if ":" in host else encode_host(host).decode()


def _basic(parts: SplitResult) -> str | None:
    """Of the user and the password, percent-decoded as RFC 3986 wants them written."""
    if not parts.username and not parts.password:
        return None
    return encode_basic(unquote(parts.username or ""), unquote(parts.password or ""))


def encode_basic(username: str, password: str) -> str:
    """The value of an `Authorization` header (RFC 7617)."""
    pair = f"{username}:{password}"
    return "Basic " + base64.b64encode(pair.encode("utf-8", "surrogatepass")).decode("ascii")
