"""What the environment, and pip's options, say of the network."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from buildlock.answers.looking import is_file
from buildlock.project.faults import Faults
from buildlock.project.network import CertificatePath, InsecureHost, Network, parse_insecure_host
from buildlock.values import dataclass, replace

_PIP_OPTIONS = (
    *("cert", "client-cert", "default-timeout", "keyring-provider", "proxy", "retries", "timeout", "trusted-host"),
)

_LONGEST_WAIT = 86_400
"""Seconds."""
_MOST_RETRIES = 100
_KEYRINGS = {"disabled": False, "subprocess": True}


def read_uv_network(environ: Mapping[str, str], *, folder: Path, faults: Faults) -> Network:
    """Read uv's variables, and those of everyone that uv follows."""
    given = _Given(values=environ, folder=folder, faults=faults, origin=str)
    return Network(
        insecure_hosts=given.hosts("UV_INSECURE_HOST"),
        authorities=(*given.certificates("SSL_CERT_FILE"), *given.folders("SSL_CERT_DIR")),
        client_certificate=next(given.certificates("SSL_CLIENT_CERT"), None),
        keyring=given.keyring("UV_KEYRING_PROVIDER"),
        netrc=_find_netrc(environ),
        concurrent_downloads=given.number("UV_CONCURRENT_DOWNLOADS", smallest=1),
        # Of several names the first that is set, as in uv.
        timeout=given.seconds("UV_HTTP_TIMEOUT", "UV_REQUEST_TIMEOUT", "HTTP_TIMEOUT"),
        connect_timeout=given.seconds("UV_HTTP_CONNECT_TIMEOUT"),
        retries=given.number("UV_HTTP_RETRIES", largest=_MOST_RETRIES),
    )


def read_pip_network(environ: Mapping[str, str], *, folder: Path, faults: Faults) -> Network:
    """Read pip's variables, and the one of requests that pip follows."""

    def variable(option: str) -> str:
        return f"PIP_{option.upper().replace('-', '_')}"

    options = {option: environ.get(variable(option), "") for option in _PIP_OPTIONS}
    network = read_pip_options(options, folder=folder, faults=faults, origin=variable)
    if network.authorities:
        return network
    given = _Given(values=environ, folder=folder, faults=faults, origin=str)
    return replace(network, authorities=tuple(given.certificates("REQUESTS_CA_BUNDLE")))


def read_pip_options(
    options: Mapping[str, str], *, folder: Path, faults: Faults, origin: Callable[[str], str]
) -> Network:
    """Read pip's options by their long names; `origin` says where each was written."""
    given = _Given(values=options, folder=folder, faults=faults, origin=origin)
    proxy = options.get("proxy", "").strip()
    return Network(
        insecure_hosts=given.hosts("trusted-host"),
        authorities=tuple(given.certificates("cert")),
        client_certificate=next(given.certificates("client-cert"), None),
        proxies={"http": proxy, "https": proxy} if proxy else {},
        keyring=given.keyring("keyring-provider"),
        timeout=given.seconds("timeout", "default-timeout"),
        retries=given.number("retries", largest=_MOST_RETRIES),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Given:
    """Values by name, read with a fault for each that cannot be used; an empty one is as good as none."""

    values: Mapping[str, str]
    folder: Path
    """Where relative paths begin."""
    faults: Faults
    origin: Callable[[str], str]

    def hosts(self, name: str) -> tuple[InsecureHost, ...]:
        hosts = []
        for word in self.values.get(name, "").split():
            try:
                hosts.append(parse_insecure_host(word))
            except ValueError as error:  # noqa: PERF203 - each host has its fault
                self.faults.add(self.origin(name), f"has `{word.rpartition('@')[2]}`, which {error}")
        return tuple(hosts)

    def certificates(self, name: str) -> Iterator[CertificatePath]:
        if value := self.values.get(name, "").strip():
            yield CertificatePath(path=self.folder / value, origin=self.origin(name))

    def folders(self, name: str) -> Iterator[CertificatePath]:
        for value in self.values.get(name, "").split(os.pathsep):
            if value.strip():
                yield CertificatePath(path=self.folder / value.strip(), origin=self.origin(name))

    def keyring(self, name: str) -> bool | None:
        """What else there is to say, pip's `import`, is named as not supported; its `auto` says nothing."""
        return _KEYRINGS.get(self.values.get(name, "").strip().lower())

    def number(self, name: str, *, smallest: int = 0, largest: int = 1 << 16) -> int | None:
        value = self.values.get(name, "").strip()
        if not value:
            return None
        if value.isascii() and value.isdigit() and len(value) < 7 and smallest <= int(value):  # noqa: PLR2004
            return min(int(value), largest)
        self.faults.add(self.origin(name), f"must be a number from {smallest}, not `{value}`")
        return None

    def seconds(self, *names: str) -> float | None:
        for name in names:
            value = self.values.get(name, "").strip()
            if not value:
                continue
            try:
                seconds = float(value)
            except ValueError:
                seconds = 0.0
            if seconds > 0:
                return min(seconds, _LONGEST_WAIT)
            self.faults.add(self.origin(name), f"must be a number of seconds above 0, not `{value}`")
            return None
        return None


def _find_netrc(environ: Mapping[str, str]) -> Path | None:
    """The file of `NETRC`, else the user's, if there is one."""
    if chosen := environ.get("NETRC"):
        return Path(chosen)
    home = environ.get("HOME") or environ.get("USERPROFILE")
    files = (Path(home, name) for name in (".netrc", "_netrc")) if home else ()
    return next((path for path in files if _is_file(path)), None)


def _is_file(path: Path) -> bool:
    try:
        return is_file(path)
    except (OSError, ValueError):
        return False
