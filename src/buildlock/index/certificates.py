"""Whom TLS trusts, and what proves who we are."""

import os
import ssl
import sys
from pathlib import Path

from buildlock.answers.looking import explained
from buildlock.errors import UnavailableError
from buildlock.project.network import CertificatePath, Network

_MOST_FILES = 10_000
_LARGEST_FILE = 16 << 20
"""Bytes; the authorities of all browsers are a quarter of one megabyte."""
_END = b"-----END CERTIFICATE-----"


@explained()  # an answer that is remembered asks no server
def make_context(network: Network, *, checked: bool) -> ssl.SSLContext:
    """TLS as the network's settings want it.

    Args:
        network: Names the authorities; where it names none, they are those that Python finds on the system.
        checked: Whether the server has to prove who it is.

    Raises:
        UnavailableError: Certificates that it names cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # which checks names, and knows nothing older than TLS 1.2
    context.set_alpn_protocols(["http/1.1"])
    if ssl.HAS_NEVER_CHECK_COMMON_NAME:
        context.hostname_checks_common_name = False  # no host's name is looked for there (RFC 9525, 2)
    # Where no length is told, only the end of TLS proves that nothing was cut off (RFC 9112, 9.8).
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    if sys.version_info >= (3, 13):
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    if not checked:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif network.authorities:
        known: set[bytes] = set()
        for authority in network.authorities:
            _load(context, authority, known)
    else:
        context.load_default_certs()
    if network.client_certificate is not None:
        _load_client(context, network.client_certificate)
    return context


def _load(context: ssl.SSLContext, authority: CertificatePath, known: set[bytes]) -> None:
    path = authority.path
    try:
        if not path.is_dir():
            # OpenSSL says of a file that is not there what it says of a malformed one.
            with path.open("rb") as file:
                _load_file(context, path, file.read(_LARGEST_FILE), known)
            return
        # OpenSSL itself looks only for files that are named by a hash; as uv does, all are read.
        if sum(_load_if_certificate(context, file, known) for file in _list_files(path)) == 0:
            raise _refuse(authority, "there is no certificate in it")
    except OSError as error:
        raise _refuse(authority, _describe(error)) from error


def _list_files(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        files = [Path(entry.path) for entry, _ in zip(entries, range(_MOST_FILES), strict=False) if entry.is_file()]
    return sorted(files)


def _load_if_certificate(context: ssl.SSLContext, file: Path, known: set[bytes]) -> bool:
    try:
        if file.stat().st_size > _LARGEST_FILE:
            return False
        _load_file(context, file, file.read_bytes(), known)
    except OSError:
        return False
    return True


def _load_file(context: ssl.SSLContext, path: Path, content: bytes, known: set[bytes]) -> None:
    """Trust what is in a file, unless it is `known`, as most of a folder is that has them one by one, and as a bundle.

    OpenSSL takes a fifth of a millisecond for each, and a system has hundreds.
    """
    certificates = {part.strip() for part in content.split(_END)} - {b""}
    if not certificates or not certificates <= known:
        context.load_verify_locations(cafile=path)
        known |= certificates


def _load_client(context: ssl.SSLContext, client: CertificatePath) -> None:
    def refuse_to_ask() -> str:
        raise ValueError("its key has a passphrase")

    try:
        client.path.open("rb").close()
        context.load_cert_chain(client.path, password=refuse_to_ask)
    except OSError as error:
        raise _refuse(client, _describe(error)) from error
    except ValueError as error:
        raise _refuse(client, str(error)) from error


def _describe(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "there is no certificate in it that OpenSSL can read, in PEM form and, for a client, with its key"
    return error.strerror or str(error)


def _refuse(named: CertificatePath, reason: str) -> UnavailableError:
    return UnavailableError(
        f"the certificates `{named.path}` cannot be used: {reason}",
        hint=f"correct `{named.origin}`, or leave it out to use those of the system",
    )
