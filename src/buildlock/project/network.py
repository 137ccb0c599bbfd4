"""How servers are reached: whom to trust, through which proxies, with which credentials, and how patiently."""

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv6Address
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from buildlock.patterns import compile_pattern
from buildlock.values import dataclass, field

_Value = TypeVar("_Value")

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = compile_pattern(
    r"(?:(https?)://)?([^\s/:@?#\[\]\\`]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(?:/.*)?", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True, slots=True)
class InsecureHost:
    """A server whose certificate is not checked.

    >>> parse_insecure_host("localhost:8443").matches("https://localhost:8443/simple/")
    True
    """

    scheme: str | None = None
    """`None`: any."""
    host: str
    """In lower case, IPv6 without brackets; `*`: every host."""
    port: int | None = None
    """`None`: any."""

    def matches(self, url: str) -> bool:
        parts = urlsplit(url)
        return (
            self.host in {"*", parts.hostname}
            and self.scheme in {None, parts.scheme}
            and self.port in {None, parts.port or _DEFAULT_PORTS.get(parts.scheme)}
        )

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{f'{self.scheme}://' if self.scheme else ''}{host}{'' if self.port is None else f':{self.port}'}"


@dataclass(frozen=True, kw_only=True, slots=True)
class CertificatePath:
    """A file or a folder of certificates."""

    path: Path
    origin: str
    """What named it, for messages: `SSL_CERT_FILE`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """What one place says, or all of them together; `None` and empty where it is silent."""

    insecure_hosts: tuple[InsecureHost, ...] = ()
    authorities: tuple[CertificatePath, ...] = ()
    """Whom to trust, in place of those that the system trusts."""
    client_certificate: CertificatePath | None = None
    """What proves who we are, with its key."""
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By scheme; they go before those of the environment. May carry credentials."""
    no_proxy: tuple[str, ...] | None = None
    """Hosts that are asked without those."""
    keyring: bool | None = None
    """Whether the command `keyring` is asked for passwords."""
    netrc: Path | None = None
    concurrent_downloads: int | None = None
    """How many requests are under way at a time."""
    timeout: float | None = None
    """Seconds without a byte until an attempt has failed."""
    connect_timeout: float | None = None
    """Seconds without a connection."""
    retries: int | None = None
    """Attempts after the first, for failures that may pass."""


def merge_networks(places: Sequence[Network]) -> Network:
    """Merge places, the weightiest first, as uv does: single values from the first that has one, hosts joined."""

    def first(choose: Callable[[Network], _Value | None]) -> _Value | None:
        return next((value for place in places if (value := choose(place)) is not None), None)

    return Network(
        insecure_hosts=tuple(dict.fromkeys(host for place in places for host in place.insecure_hosts)),
        authorities=first(lambda place: place.authorities or None) or (),
        client_certificate=first(lambda place: place.client_certificate),
        proxies={scheme: url for place in reversed(places) for scheme, url in place.proxies.items()},
        no_proxy=first(lambda place: place.no_proxy),
        keyring=first(lambda place: place.keyring),
        netrc=first(lambda place: place.netrc),
        concurrent_downloads=first(lambda place: place.concurrent_downloads),
        timeout=first(lambda place: place.timeout),
        connect_timeout=first(lambda place: place.connect_timeout),
        retries=first(lambda place: place.retries),
    )


def parse_insecure_host(text: str) -> InsecureHost:
    """A host, a host with its port, or a URL; `*` is every host, as in uv.

    Raises:
        ValueError: It is none of these; the message says what is wrong with it.
    """
    if text == "*":
        return InsecureHost(host="*")
    if text.count(":") > 1 and "://" not in text and not text.startswith("["):
        text = f"[{text}]"
    if (found := _HOST.fullmatch(text)) is None:
        raise ValueError("is not a host such as `pkgs.example` or `pkgs.example:8443`")
    scheme, host, digits = found[1], found[2].lower(), found[3]
    if host.startswith("["):
        try:
            host = str(IPv6Address(host[1:-1]))
        except ValueError:
            raise ValueError("is not an IPv6 address") from None
    port = int(digits) if digits else None
    if port is not None and not 0 < port < 1 << 16:
        raise ValueError(f"has the port {port}, which there is not")
    return InsecureHost(scheme=scheme.lower() if scheme else None, host=host, port=port)
