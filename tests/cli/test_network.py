"""How servers are reached: what uv and pip are told holds for build requirements."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from index.archives import make_wheel, wheel_filename
from support.command import Checkout, CopyProject
from support.http import Answer, WebServer
from support.tls import AUTHORITY, serve_tls


@pytest.fixture
def secure() -> Iterator[WebServer]:
    """An index with `foo 1.0`, whose authority nobody knows."""
    with WebServer(serve_tls()) as server:
        name = wheel_filename("foo", "1.0")
        server.answers["/simple/foo/"] = Answer(f"<a href='/{name}'>{name}</a>".encode(), {"Content-Type": "text/html"})
        server.answers[f"/{name}"] = Answer(make_wheel(name="foo", version="1.0"))
        yield server


@pytest.fixture
def project(checkout: CopyProject, secure: WebServer) -> Checkout:
    tiny = checkout("tiny")
    tiny.replace('requires = ["tinybackend"]', 'requires = ["foo"]')
    tiny.append(f'[[tool.uv.index]]\nurl = "{secure.url}/simple"\ndefault = true')
    return tiny


def test_a_server_with_an_unknown_authority(project: Checkout, secure: WebServer) -> None:
    refused = project.run("lock", "--no-dynamic", UV_HTTP_RETRIES="0")
    assert refused.code == 1
    assert "shows a certificate that is not trusted" in refused.stderr
    assert secure.requests == []

    trusted = project.succeed("lock", "--no-dynamic", SSL_CERT_FILE=str(AUTHORITY))
    assert "warning" not in trusted.stderr
    assert project.versions() == {"foo": "1.0"}


def test_a_server_that_may_be_insecure(project: Checkout, secure: WebServer, tmp_path: Path) -> None:
    project.append(f'[tool.uv]\nallow-insecure-host = ["{secure.authority}"]')
    locked = project.succeed("lock", "--no-dynamic")
    assert locked.stderr.count(f"warning: the certificate of `{secure.url}` is not checked") == 1
    assert project.locked()["inputs"]["settings"]["allow-insecure-host"] == [secure.authority]
    # The files of a lock are fetched in the same way, where they are not kept.
    installed = project.succeed("install", BUILDLOCK_CACHE_DIR=str(tmp_path / "empty"))
    assert f"the certificate of `{secure.url}` is not checked" in installed.stderr
