"""Servers that are asked whatever certificate they show."""

from collections.abc import Iterable

from buildlock.project.network import InsecureHost
from buildlock.reporting import Warned


def find_insecure(hosts: Iterable[InsecureHost], url: str) -> InsecureHost | None:
    """Which of the hosts that may be insecure an `https:` URL is of; `None`: its certificate is checked."""
    if not url.startswith("https:"):
        return None
    return next((host for host in hosts if host.matches(url)), None)


def warn_insecure(origin: str, host: InsecureHost) -> Warned:
    """What the user is told when one is asked."""
    return Warned(
        f"the certificate of `{origin}` is not checked: `{host}` is allowed to be insecure",
        hint="anyone on the way can answer in its place; name its authority in `SSL_CERT_FILE` instead",
    )
