"""TLS on loopback, with certificates of our own making; `certificates/make.sh` made them."""

import ssl
from pathlib import Path

_FOLDER = Path(__file__).with_name("certificates")

AUTHORITY = _FOLDER / "authority.pem"
ANOTHER_AUTHORITY = _FOLDER / "another.pem"
CLIENT = _FOLDER / "client.pem"
"""With its key."""


def serve_tls(*, for_clients: bool = False) -> ssl.SSLContext:
    """What `WebServer` takes; `for_clients`: only those that have a certificate are let in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_FOLDER / "server.pem")
    if for_clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(AUTHORITY)
    return context
