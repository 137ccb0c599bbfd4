"""Which proxy a URL is asked through: one of the settings, else of the environment or the system, or none."""

import os
import sys
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from buildlock.project.network import Network

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Proxies:
    """The proxies of a network's settings, and of this machine."""

    def __init__(self, network: Network) -> None:
        self._proxies = dict(network.proxies)
        self._no_proxy = network.no_proxy
        self._exempt: list[str] = []
        self._bypass: Callable[[str], object] | None = None
        # On other systems only variables name any, and a client for HTTP and FTP comes with who reads them.
        if sys.platform in {"win32", "darwin"} or any(name.lower().endswith("_proxy") for name in os.environ):
            from urllib.request import getproxies, getproxies_environment, proxy_bypass  # noqa: PLC0415 - see above

            self._proxies = {**getproxies(), **network.proxies}
            self._exempt = getproxies_environment().get("no", "").split(",")
            self._bypass = proxy_bypass

    def find(self, url: str) -> str | None:
        """The proxy for `url`, perhaps with credentials; `None` where it is asked directly."""
        parts = urlsplit(url)
        proxy = self._proxies.get(parts.scheme) or self._proxies.get("all")
        if not proxy or parts.hostname is None:
            return None
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
        if self._no_proxy is not None:
            direct = _is_exempt(parts.hostname, port, self._no_proxy)
        else:
            direct = _is_exempt(parts.hostname, port, self._exempt) or bool(self._bypass and self._bypass(parts.netloc))
        return None if direct else proxy


def _is_exempt(host: str, port: int | None, exempt: Iterable[str]) -> bool:
    """Whether a list as in `NO_PROXY` names a host: itself, a domain that it is in, or a network (`10.0.0.0/8`).

    >>> _is_exempt("a.pkgs.example", None, ["pkgs.example"]), _is_exempt("otherpkgs.example", None, ["pkgs.example"])
    (True, False)
    """
    host = host.removesuffix(".")
    for each in exempt:
        name = each.strip().lower()
        if name == "*" or (name and _is_in_network(host, name)):
            return True
        name, _, wanted = name.partition("]:" if name.startswith("[") else ":")
        name = name.removeprefix("*").strip(".[]")
        if name and wanted in {"", str(port)} and f".{host}".endswith(f".{name}"):
            return True
    return False


def _is_in_network(host: str, network: str) -> bool:
    from ipaddress import ip_address, ip_network  # noqa: PLC0415 - nobody else needs it

    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False
