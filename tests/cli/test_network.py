"""How servers are reached: what uv and pip are told holds for build requirements."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from index.archives import make_wheel, wheel_filename
from support.command import Checkout, CopyProject
from support.http import Answer, Request, WebServer
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


def test_a_password_is_nowhere_but_in_the_requests(project: Checkout, secure: WebServer, tmp_path: Path) -> None:
    right = "Basic " + base64.b64encode(b"me:s3cret").decode()

    def guard(answer: Answer) -> Callable[[Request], Answer]:
        return lambda request: answer if request.headers.get("authorization") == right else Answer(status=401)

    secure.answers.update(
        {path: guard(answer) for path, answer in secure.answers.items() if isinstance(answer, Answer)}
    )
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password s3cret\n")
    netrc.chmod(0o600)
    variables = {"SSL_CERT_FILE": str(AUTHORITY), "NETRC": str(netrc)}
    done = [project.succeed(*words, "--verbose", **variables) for words in (["lock", "--no-dynamic"], ["install"])]
    assert project.versions() == {"foo": "1.0"}
    said = "".join(f"{result.stdout}{result.stderr}" for result in done).encode()
    kept = [
        path.read_bytes() for folder in (project.root, project.cache) for path in folder.rglob("*") if path.is_file()
    ]
    for secret in (b"s3cret", right.encode().removeprefix(b"Basic ")):
        assert not [each for each in (said, *kept) if secret in each]

    netrc.unlink()
    refused = project.run("lock", "--no-dynamic", "--upgrade", **variables)
    assert refused.code == 1
    assert "answered 401 when asked for `foo`" in refused.stderr
    assert "UV_INDEX_<NAME>_USERNAME" in refused.stderr


def test_a_server_that_may_be_insecure(project: Checkout, secure: WebServer, tmp_path: Path) -> None:
    project.append(f'[tool.uv]\nallow-insecure-host = ["{secure.authority}"]')
    locked = project.succeed("lock", "--no-dynamic")
    assert locked.stderr.count(f"warning: the certificate of `{secure.url}` is not checked") == 1
    assert project.locked()["inputs"]["settings"]["allow-insecure-host"] == [secure.authority]
    assert project.run("check", "--quiet").code == 0
    # The files of a lock are fetched in the same way, where they are not kept.
    installed = project.succeed("install", BUILDLOCK_CACHE_DIR=str(tmp_path / "empty"))
    assert f"the certificate of `{secure.url}` is not checked" in installed.stderr


def test_a_server_that_may_be_insecure_this_once(project: Checkout, secure: WebServer) -> None:
    locked = project.succeed("lock", "--no-dynamic", "--allow-insecure-host", secure.authority)
    assert f"warning: the certificate of `{secure.url}` is not checked" in locked.stderr
    # It is not what the project says.
    assert "allow-insecure-host" not in project.lock_path.read_text(encoding="utf-8")
    wrong = project.run("install", "--allow-insecure-host", "me:s3cret@a.example")
    assert wrong.code == 2
    assert "which is not a host" in wrong.stderr
    assert "s3cret" not in wrong.stderr
