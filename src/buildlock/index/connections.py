"""Connections to servers, kept open: those that are trusted apart from those that are not, each proxy's apart."""

import ssl
from threading import Lock

import urllib3
from urllib3.exceptions import InsecureRequestWarning

from buildlock.errors import UnavailableError
from buildlock.index.certificates import make_context
from buildlock.index.insecurity import find_insecure, warn_insecure
from buildlock.index.patience import limit_heads
from buildlock.index.proxies import Proxies
from buildlock.index.urls import Address, parse_address
from buildlock.project.network import Network
from buildlock.reporting import Reporter

_KEPT_OPEN = 16
"""Connections to one host."""


class Connections:
    """Safe to share among threads.

    Args:
        network: Whom to trust, and which way to go.
        report: Told, once for each, of the servers whose certificate is not checked.
    """

    def __init__(self, network: Network, report: Reporter) -> None:
        self._network = network
        self._report = report
        self._proxies = Proxies(network)
        self._lock = Lock()
        self._pools: dict[tuple[str, str | None, bool], urllib3.PoolManager] = {}
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._warned: set[str] = set()

    def clear(self) -> None:
        with self._lock:
            for pool in self._pools.values():
                pool.clear()

    def pool(self, address: Address) -> urllib3.PoolManager:
        """What asks this address.

        Raises:
            UnavailableError: The proxy, or certificates, cannot be used.
        """
        proxy = self._proxies.find(address.url)
        insecure = find_insecure(self._network.insecure_hosts, address.url)
        with self._lock:
            if insecure is not None and address.origin not in self._warned:
                self._warned.add(address.origin)
                self._report(warn_insecure(address.origin, insecure))
            key = address.scheme, proxy, insecure is None
            if key not in self._pools:
                self._pools[key] = self._open(*key)
            return self._pools[key]

    def _open(self, scheme: str, proxy: str | None, checked: bool) -> urllib3.PoolManager:  # noqa: FBT001 - a key
        if not checked:
            urllib3.disable_warnings(InsecureRequestWarning)  # we have warned
        context = self._context(checked=checked) if scheme == "https" else None
        if proxy is None:
            manager = urllib3.PoolManager(maxsize=_KEPT_OPEN, ssl_context=context)
        else:
            manager = self._open_proxy(scheme, proxy, context)
        limit_heads(manager)
        return manager

    def _open_proxy(self, scheme: str, proxy: str, context: ssl.SSLContext | None) -> urllib3.ProxyManager:
        try:
            way = parse_address(proxy if "://" in proxy else f"http://{proxy}")
            return urllib3.ProxyManager(
                way.url,
                proxy_headers={"Proxy-Authorization": way.authorization} if way.authorization else None,
                proxy_ssl_context=self._context(checked=True) if way.scheme == "https" else None,
                maxsize=_KEPT_OPEN,
                ssl_context=context,
            )
        except ValueError as error:
            # Of a malformed URL nobody can tell what in it is secret.
            raise UnavailableError(
                f"the proxy for `{scheme}` cannot be used: {error}",
                hint="correct `HTTP_PROXY`, `HTTPS_PROXY` or `ALL_PROXY`, or the setting that names it",
            ) from error

    def _context(self, *, checked: bool) -> ssl.SSLContext:
        """Made once, and only where there is a use for it: it takes a while."""
        if checked not in self._contexts:
            self._contexts[checked] = make_context(self._network, checked=checked)
        return self._contexts[checked]
