"""What `[tool.uv]`, uv.toml and `[tool.buildlock]` say of the network, with uv's names."""

from buildlock.project.document import Table, describe_type
from buildlock.project.network import InsecureHost, Network, parse_insecure_host

KEYS = (
    "allow-insecure-host",
    "concurrent-downloads",
    "http-proxy",
    "https-proxy",
    "keyring-provider",
    "native-tls",
    "no-proxy",
    "system-certs",
)
_PROVIDERS = ("disabled", "subprocess")


def read_network(table: Table) -> Network:
    """Read the keys in `KEYS`; a fault for each value that cannot be used.

    `native-tls` and `system-certs` change nothing: the certificates are those of the system, whatever they say.
    """
    for key in ("native-tls", "system-certs"):
        table.boolean(key)
    provider = table.choice("keyring-provider", _PROVIDERS)
    proxies = {scheme: url for scheme in ("http", "https") if (url := table.string(f"{scheme}-proxy"))}
    return Network(
        insecure_hosts=_read_insecure_hosts(table),
        proxies=proxies,
        no_proxy=table.strings("no-proxy") if "no-proxy" in table else None,
        keyring=None if provider is None else provider == "subprocess",
        concurrent_downloads=_read_count(table, "concurrent-downloads"),
    )


def _read_insecure_hosts(table: Table) -> tuple[InsecureHost, ...]:
    key = "allow-insecure-host"
    value = table.get(key)
    if value is not None and not isinstance(value, list):
        table.fault(key, f"must be a list of hosts, not {describe_type(value)}")
        return ()
    hosts = (_read_insecure_host(table, f"{key}[{position}]", item) for position, item in enumerate(value or ()))
    return tuple(host for host in hosts if host is not None)


def _read_insecure_host(table: Table, place: str, item: object) -> InsecureHost | None:
    if not isinstance(item, str):
        table.fault(place, f"must be a string, not {describe_type(item)}")
        return None
    try:
        return parse_insecure_host(item)
    except ValueError as error:
        table.fault(place, f"is `{item.rpartition('@')[2]}`, which {error}")
        return None


def _read_count(table: Table, key: str) -> int | None:
    value = table.get(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    table.fault(key, "must be a number above 0")
    return None
