"""What the files, the variables and pip's options say of the network, and which of them weighs more."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from buildlock.project.model import Overrides
from buildlock.project.network import CertificatePath, Network, parse_insecure_host
from unit.project.conftest import Faults, Read, Warnings

NO_DEFAULT = Overrides()


def read_network(read: Read, text: str = "", environ: Mapping[str, str] | None = None) -> Network:
    return read(text, environ, NO_DEFAULT).inputs["default"].settings.network


def hosts(network: Network) -> list[str]:
    return [str(host) for host in network.insecure_hosts]


@pytest.mark.parametrize(
    ("text", "matched", "not_matched"),
    [
        ("pkgs.example", "https://PKGS.example:1234/simple", "https://a.pkgs.example"),
        ("pkgs.example", "http://pkgs.example", "https://pkgs.example.com"),
        ("pkgs.example:8443", "https://pkgs.example:8443/", "https://pkgs.example/"),
        ("pkgs.example:443", "https://pkgs.example/", "https://pkgs.example:8443/"),
        ("https://pkgs.example/simple", "https://pkgs.example/other", "http://pkgs.example/simple"),
        ("https://pkgs.example:8443/simple", "https://pkgs.example:8443", "https://pkgs.example"),
        ("[::1]:8443", "https://[::1]:8443/", "https://[::1]/"),
        ("::1", "https://[::1]:8443/", "https://[::2]/"),
        ("*", "https://anywhere.example", None),
    ],
)
def test_a_host_is_matched_exactly(text: str, matched: str, not_matched: str | None) -> None:
    host = parse_insecure_host(text)
    assert host.matches(matched)
    assert not_matched is None or not host.matches(not_matched)
    assert parse_insecure_host(str(host)) == host


@pytest.mark.parametrize(
    "text",
    ["", "a b", "https://", "a:0", "a:65536", "a:b", "me:secret@a.example", "https://me:secret@a", "[::1", ":::"],
)
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|has the port"):
        parse_insecure_host(text)


def test_the_settings_of_uv_are_read(read: Read) -> None:
    network = read_network(
        read,
        """
[tool.uv]
allow-insecure-host = ["a.example", "https://b.example:8443"]
concurrent-downloads = 4
http-proxy = "http://proxy.example"
https-proxy = "http://me:secret@proxy.example"
no-proxy = ["c.example"]
keyring-provider = "subprocess"
native-tls = false
system-certs = true
[tool.buildlock]
allow-insecure-host = ["d.example"]
""",
    )
    assert hosts(network) == ["d.example", "a.example", "https://b.example:8443"]
    assert (network.concurrent_downloads, network.keyring, network.no_proxy) == (4, True, ("c.example",))
    assert network.proxies == {"http": "http://proxy.example", "https": "http://me:secret@proxy.example"}
    assert "secret" not in repr(network)


def test_the_variables_of_uv_are_read(read: Read, tmp_path: Path) -> None:
    (tmp_path / ".netrc").touch()
    network = read_network(
        read,
        "[tool.uv]\nconcurrent-downloads = 9\nallow-insecure-host = ['c.example']\nkeyring-provider = 'subprocess'",
        {
            "UV_INSECURE_HOST": "a.example b.example:1",
            "UV_CONCURRENT_DOWNLOADS": "3",
            "UV_HTTP_TIMEOUT": "120",
            "UV_REQUEST_TIMEOUT": "1",
            "UV_HTTP_CONNECT_TIMEOUT": "5",
            "UV_HTTP_RETRIES": "0",
            "UV_KEYRING_PROVIDER": "disabled",
            "SSL_CERT_FILE": "/ca.pem",
            "SSL_CERT_DIR": "",
            "SSL_CLIENT_CERT": "/client.pem",
            "PIP_CERT": "/pip.pem",
            "PIP_RETRIES": "7",
            "HOME": str(tmp_path),
        },
    )
    assert hosts(network) == ["a.example", "b.example:1", "c.example"]
    assert (network.concurrent_downloads, network.retries, network.keyring) == (3, 0, False)
    assert (network.timeout, network.connect_timeout) == (120, 5)
    assert network.authorities == (CertificatePath(path=Path("/ca.pem"), origin="SSL_CERT_FILE"),)
    assert network.client_certificate == CertificatePath(path=Path("/client.pem"), origin="SSL_CLIENT_CERT")
    assert network.netrc == tmp_path / ".netrc"


def test_the_variables_of_pip_are_read(read: Read, tmp_path: Path) -> None:
    network = read_network(
        read,
        "",
        {
            "PIP_TRUSTED_HOST": "a.example b.example:1",
            "PIP_CERT": "/ca.pem",
            "PIP_CLIENT_CERT": "/client.pem",
            "PIP_PROXY": "http://proxy.example",
            "PIP_DEFAULT_TIMEOUT": "7.5",
            "PIP_RETRIES": "2",
            "PIP_KEYRING_PROVIDER": "subprocess",
            "NETRC": str(tmp_path / "missing"),
        },
    )
    assert hosts(network) == ["a.example", "b.example:1"]
    assert network.proxies == {"http": "http://proxy.example", "https": "http://proxy.example"}
    assert (network.timeout, network.retries, network.keyring) == (7.5, 2, True)
    assert network.authorities == (CertificatePath(path=Path("/ca.pem"), origin="PIP_CERT"),)
    assert network.client_certificate == CertificatePath(path=Path("/client.pem"), origin="PIP_CLIENT_CERT")
    assert network.netrc == tmp_path / "missing"


def test_the_configuration_files_of_pip_are_read(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "pip.conf"
    path.write_text(
        "[global]\ntrusted-host = a.example\n  b.example\ncert = ca.pem\ntimeout = 5\n[install]\ntimeout = 9\n"
        "[freeze]\nretries = 3\n"
    )
    network = read_network(read, "", {"PIP_CONFIG_FILE": str(path)})
    assert hosts(network) == ["a.example", "b.example"]
    assert (network.timeout, network.retries) == (9, None)
    assert network.authorities == (CertificatePath(path=tmp_path / "ca.pem", origin=f"{path}: [global].cert"),)
    assert read_network(read, "", {"PIP_CONFIG_FILE": str(path), "PIP_DEFAULT_TIMEOUT": "1"}).timeout == 1


def test_a_setting_of_pip_that_cannot_be_honoured_is_named(warnings_of: Warnings, tmp_path: Path) -> None:
    path = tmp_path / "pip.conf"
    path.write_text("[global]\nkeyring-provider = import\n")
    assert f"`{path}: [global].keyring-provider`" in "".join(warnings_of("", {"PIP_CONFIG_FILE": str(path)}))
    assert "`PIP_KEYRING_PROVIDER`" in "".join(warnings_of("", {"PIP_KEYRING_PROVIDER": "import"}))


def test_variables_that_cannot_be_honoured_are_named(warnings_of: Warnings) -> None:
    names = ["UV_AZURE_ENDPOINT_URL", "UV_CREDENTIALS_DIR", "UV_GCS_ENDPOINT_URL", "UV_S3_ENDPOINT_URL"]
    (warning,) = warnings_of("", dict.fromkeys(names, "https://a.example"))
    assert all(f"`{name}`" in warning for name in names)


def test_what_is_honoured_or_changes_nothing_is_not_named(warnings_of: Warnings) -> None:
    environ = {
        **dict.fromkeys(("UV_NATIVE_TLS", "UV_SYSTEM_CERTS"), "true"),
        **dict.fromkeys(("UV_INSECURE_HOST", "PIP_TRUSTED_HOST"), "a.example"),
        **dict.fromkeys(("SSL_CLIENT_CERT", "PIP_CLIENT_CERT", "PIP_CERT"), "/a.pem"),
        **dict.fromkeys(("UV_KEYRING_PROVIDER", "PIP_KEYRING_PROVIDER"), "subprocess"),
        "PIP_PROXY": "http://a.example",
        "UV_CONCURRENT_DOWNLOADS": "3",
    }
    assert warnings_of("[tool.uv]\nsystem-certs = true\nkeyring-provider = 'disabled'", environ) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("allow-insecure-host = 'a.example'", "must be a list of hosts, not a string"),
        ("allow-insecure-host = [3]", "allow-insecure-host[0]` must be a string, not an integer"),
        (
            "allow-insecure-host = ['https://me:s3cret@a']",
            "[0]` is `a`, which is not a host",
        ),
        ("concurrent-downloads = 0", "must be a number above 0"),
        ("concurrent-downloads = true", "must be a number above 0"),
        ("http-proxy = 3", "http-proxy` must be a string"),
        ("no-proxy = 'a'", "must be a list of strings"),
        ("keyring-provider = 'import'", "must be one of `disabled`, `subprocess`, not `import`"),
        ("native-tls = 'yes'", "must be `true` or `false`"),
    ],
)
def test_faults_in_settings(faults: Faults, text: str, message: str) -> None:
    for table in ("uv", "buildlock"):
        told = faults(f"[tool.{table}]\n{text}")
        assert message in told
        assert "s3cret" not in told


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("UV_INSECURE_HOST", "a b:c", "`UV_INSECURE_HOST` has `b:c`, which is not a host"),
        ("PIP_TRUSTED_HOST", "me:s3cret@a", "`PIP_TRUSTED_HOST` has"),
        ("UV_HTTP_TIMEOUT", "soon", "must be a number of seconds above 0, not `soon`"),
        ("UV_HTTP_TIMEOUT", "nan", "must be a number of seconds above 0"),
        ("PIP_DEFAULT_TIMEOUT", "-1", "must be a number of seconds above 0"),
        ("UV_HTTP_RETRIES", "-1", "must be a number from 0"),
        ("UV_CONCURRENT_DOWNLOADS", "0", "must be a number from 1"),
        ("UV_CONCURRENT_DOWNLOADS", "9" * 5000, "must be a number from 1"),
    ],
)
def test_faults_in_variables(faults: Faults, variable: str, value: str, message: str) -> None:
    told = faults("", {variable: value})
    assert message in told
    assert "s3cret" not in told
