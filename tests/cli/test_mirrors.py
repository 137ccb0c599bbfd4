"""Mirrors: files come from elsewhere, and are the locked ones."""

import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

import pytest

from index.server import IndexServer
from support.command import Checkout, CopyLockedProject
from support.http import Answer, WebServer

pytestmark = pytest.mark.slow

CU124 = ("--variant", "cu124", "--no-dynamic")


@pytest.fixture
def seed(locked: CopyLockedProject) -> Checkout:
    return locked("seed", *CU124)


@pytest.fixture
def mirror() -> Iterator[WebServer]:
    with WebServer() as running:
        yield running


def wheel_urls(project: Checkout) -> list[str]:
    return [wheel["url"] for package in project.packages("cu124").values() for wheel in package["wheels"]]


def mirror_files(mirror: WebServer, project: Checkout, server: IndexServer, prefix: str = "/mirror") -> None:
    """Serve the locked files as a plain copy of the server's tree."""
    for url in wheel_urls(project):
        with urlopen(url) as response:
            mirror.answers[prefix + urlsplit(url).path] = Answer(response.read())
    server.exchanges.clear()


def test_a_copy_of_the_files(seed: Checkout, server: IndexServer, mirror: WebServer) -> None:
    mirror_files(mirror, seed, server)
    lock = seed.lock_path.read_bytes()
    seed.append(f'[tool.buildlock.mirrors]\n"{server.root}" = "{mirror.url}/mirror/"')
    seed.succeed("install", "--variant", "cu124")
    assert not server.exchanges
    assert len(mirror.requests) == len(wheel_urls(seed))
    assert seed.lock_path.read_bytes() == lock


def test_of_some_files(seed: Checkout, server: IndexServer, mirror: WebServer) -> None:
    """The longest prefix counts; what has no mirror comes from where the lock says."""
    mirror_files(mirror, seed, server, prefix="")
    wrong, right = f"{mirror.url}/wrong", f"{mirror.url}/whl/cu124"
    seed.append(f'[tool.buildlock.mirrors]\n"{server.root}/whl" = "{wrong}"\n"{server.url("cu124")}" = "{right}"')
    seed.succeed("install", "--variant", "cu124")
    assert all(request.path.startswith("/whl/cu124/") for request in mirror.requests)
    assert any("/torch-2.4.0" in unquote(request.path) for request in mirror.requests)
    assert not server.asked("/torch-2.4.0")
    assert server.asked("/sympy-")


def test_a_folder(seed: Checkout, server: IndexServer, tmp_path: Path) -> None:
    for url in wheel_urls(seed):
        path = tmp_path / "files" / unquote(urlsplit(url).path).lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        with urlopen(url) as response:
            path.write_bytes(response.read())
    server.exchanges.clear()
    seed.append(f'[tool.buildlock.mirrors]\n"{server.root}" = "{(tmp_path / "files").as_uri()}"')
    seed.succeed("install", "--variant", "cu124", "--offline")
    assert not server.exchanges


def test_a_caching_proxy(seed: Checkout, server: IndexServer, mirror: WebServer) -> None:
    """devpi and proxpi name files as they like, and say how on their page of the package."""
    for number, (name, package) in enumerate(seed.packages("cu124").items()):
        links = []
        for wheel in package["wheels"]:
            filename = wheel["url"].rpartition("/")[2]
            with urlopen(wheel["url"]) as response:
                mirror.answers[f"/+f/{number}/{filename}"] = Answer(response.read())
            links.append(f'<a href="/+f/{number}/{filename}">{unquote(filename)}</a>')
        mirror.answers[f"/team/+simple/{name}/"] = Answer("".join(links).encode(), {"Content-Type": "text/html"})
    server.exchanges.clear()
    proxy = f"{mirror.url}/team/+simple"
    seed.succeed(
        "install", "--variant", "cu124", BUILDLOCK_MIRROR_DEFAULT=proxy, BUILDLOCK_MIRROR_PYTORCH_CU124=f"{proxy}/"
    )
    assert not server.exchanges


def test_a_mirror_that_lies(seed: Checkout, server: IndexServer, mirror: WebServer) -> None:
    mirror_files(mirror, seed, server)
    (place,) = (path for path in mirror.answers if "torch-2.4.0" in path)
    answer = mirror.answers[place]
    assert isinstance(answer, Answer)
    mirror.answers[place] = Answer(answer.body[:-1] + b"x")
    result = seed.run("install", "--variant", "cu124", BUILDLOCK_MIRROR_PYTORCH_CU124=f"{mirror.url}/mirror/whl/cu124")
    assert result.code == 1
    assert "does not match its hash" in result.stderr
    assert mirror.url in result.stderr
    assert not server.asked("/torch-2.4.0")


def test_a_mirror_that_is_down(seed: Checkout, server: IndexServer, mirror: WebServer) -> None:
    """What it stands in for is not asked instead."""
    result = seed.run("install", "--variant", "cu124", BUILDLOCK_MIRROR_PYTORCH_CU124=f"{mirror.url}/nothing")
    assert result.code == 1
    assert f"{mirror.url}/nothing" in result.stderr
    assert not server.asked("/torch-2.4.0")


def test_credentials_stay_with_the_mirror(seed: Checkout, server: IndexServer, mirror: WebServer) -> None:
    mirror_files(mirror, seed, server)
    secret = mirror.url.replace("http://", "http://me:geheim@")
    variable = {"BUILDLOCK_MIRROR_PYTORCH_CU124": f"{secret}/mirror/whl/cu124"}
    result = seed.succeed("install", "--variant", "cu124", "--verbose", **variable)
    expected = "Basic " + base64.b64encode(b"me:geheim").decode()
    assert {request.headers.get("authorization") for request in mirror.requests} == {expected}
    assert server.exchanges
    assert not any("authorization" in exchange.headers for exchange in server.exchanges)
    assert "geheim" not in result.stderr + result.stdout
    assert not any(b"geheim" in path.read_bytes() for path in seed.cache.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('"no url" = "http://mirror.example"', "is no URL"),
        ('"https://me:word@pkgs.example" = "http://mirror.example"', "credentials"),
        ('"https://pkgs.example" = "ftp://mirror.example"', "has the scheme `ftp`"),
        ('"https://pkgs.example" = 1', "must be a string"),
    ],
)
def test_what_is_no_mirror(seed: Checkout, table: str, said: str) -> None:
    seed.append(f"[tool.buildlock.mirrors]\n{table}")
    result = seed.run("check")
    assert result.code == 1
    assert said in result.stderr
    assert "word" not in result.stderr


def test_a_variable_for_no_index(seed: Checkout) -> None:
    result = seed.succeed("install", "--variant", "cu124", BUILDLOCK_MIRROR_CU999="http://mirror.example")
    assert "warning: `BUILDLOCK_MIRROR_CU999` names no index of the project" in result.stderr
    assert "`BUILDLOCK_MIRROR_PYTORCH_CU124`" in result.stderr
