"""`buildlock diff --online`: what the indexes say today of what a change brings in."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from threading import Event

import pytest
from packaging.pylock import Package, PackageWheel
from packaging.version import Version

from buildlock.lockfile.writer import write_variant
from index.offer import OfferedFile, offer_wheel
from index.server import IndexServer, serve
from support.command import Checkout, hermetic
from support.http import Raw, Request, WebServer
from support.locks import make_environment

YESTERDAY = (datetime.now(timezone.utc) - timedelta(days=1, hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
OLD = offer_wheel(name="foo", version="1.0", upload_time="2024-06-22T10:00:00Z", publisher="org/foo")
NEW = offer_wheel(
    name="foo",
    version="1.1",
    upload_time=YESTERDAY,
    publisher="someone/foo",
    yanked="by mistake",
    project_status="deprecated",
)
BARE = offer_wheel(name="foo", version="1.2", upload_time="2024-06-22T10:00:00Z")


@pytest.fixture
def server() -> Iterator[IndexServer]:
    with serve({"simple": [OLD, NEW, BARE]}) as server:
        yield server


@pytest.fixture
def project(server: IndexServer, tmp_path: Path) -> Checkout:
    """A project with the lock of foo 1.0 in `old.toml`, and that of 1.1 as its own."""
    checkout = Checkout(root=tmp_path, environment=hermetic(tmp_path, server.environment))
    checkout.pyproject.write_text('[tool.buildlock.policy]\nminimum-age = "7 days"\n', encoding="utf-8")
    (tmp_path / "old.toml").write_text(lock(server, OLD), encoding="utf-8")
    checkout.lock_path.write_text(lock(server, NEW), encoding="utf-8")
    return checkout


def lock(server: IndexServer, file: OfferedFile) -> str:
    url = f"{server.root}/files/{file.filename}"
    wheel = PackageWheel(name=file.filename, url=url, hashes={"sha256": file.sha256})
    package = Package(name=file.project, version=Version(str(file.version)), index=server.url(), wheels=[wheel])
    return write_variant(None, "default", make_environment(package))


def test_what_the_index_says(project: Checkout) -> None:
    result = project.run("diff", "old.toml", "--online", "--exit-code")
    assert (result.code, result.stderr) == (3, "")
    for line in (
        "    foo 1.1: by mistake\n      DENIED by the policy\n",
        "    foo 1.1 is attested by GitHub someone/foo (release.yml): it was by GitHub\n      org/foo (release.yml)\n",
        f"    foo 1.1 was uploaded {YESTERDAY[:10]}, 25 hours ago: the policy wants 7 days\n      DENIED",
        f"    foo 1.0 → 1.1\n      uploaded {YESTERDAY[:10]}, 25 hours ago; attested by GitHub someone/foo\n",
        "    foo 1.1 is of a project that is deprecated\n",
    ):
        assert line in result.stdout


def test_an_attestation_that_is_missing(project: Checkout, server: IndexServer) -> None:
    project.lock_path.write_text(lock(server, BARE), encoding="utf-8")
    result = project.succeed("diff", "old.toml", "--online", "--format", "json")
    found = json.loads(result.stdout)["findings"]
    assert [each["code"] for each in found] == ["attestation-dropped", "version-raised", "project-status"]
    assert found[1]["facts"] == {"uploaded": "2024-06-22T10:00:00+00:00", "publishers": [], "link": None}


def test_without_it_nothing_is_asked(project: Checkout, server: IndexServer) -> None:
    result = project.succeed("diff", "old.toml", "--exit-code")
    assert not server.exchanges
    assert "NOT KNOWN\n  whether what is new is 7 days old, as the policy wants it: only --online" in result.stdout


def test_what_did_not_change_is_not_asked_about(project: Checkout, server: IndexServer) -> None:
    assert project.succeed("diff", "build-lock.toml", "--online").stdout.endswith("nothing changed\n")
    assert not server.exchanges


def test_an_index_that_refuses(project: Checkout, server: IndexServer) -> None:
    (project.root / "old.toml").write_text(
        lock(server, OLD).replace(server.url(), f"{server.root}/nowhere"), encoding="utf-8"
    )
    server.faults.append(lambda request, answer: answer if "/files/" in request.path else type(answer)(status=403))
    result = project.run("diff", "old.toml", "--online", "--exit-code")
    assert result.code == 3  # nobody says that it is old enough; and the index moved
    assert result.stdout.startswith("old.toml → working tree: 2 high, 1 low risk; the policy denies 2; incomplete\n")
    assert f"what {server.url()} says of foo:" in result.stdout
    assert result.stderr.count("warning: the answer is incomplete: ") == 2


@pytest.mark.parametrize(
    ("variables", "arguments"), [({"UV_OFFLINE": "1"}, ("--online",)), ({}, ("--online", "--offline"))]
)
def test_online_and_offline_exclude_each_other(
    project: Checkout, server: IndexServer, variables: dict[str, str], arguments: tuple[str, ...]
) -> None:
    result = project.run("diff", "old.toml", *arguments, **variables)
    assert (result.code, result.stdout) == (2, "")
    assert "offline" in result.stderr
    assert not server.exchanges


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_interrupted_while_an_index_keeps_us_waiting(project: Checkout, server: IndexServer) -> None:
    asked, over = Event(), Event()

    def answer(_: Request) -> Raw:
        asked.set()
        return Raw(b"HTTP/1.1 200 OK\r\n\r\n{", wait_for=over)

    with WebServer() as hanging:
        hanging.answers["/simple/foo/"] = answer
        project.lock_path.write_text(lock(server, NEW).replace(server.url(), f"{hanging.url}/simple"), encoding="utf-8")
        command = [sys.executable, "-m", "buildlock", "diff", "old.toml", "--online"]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, cwd=project.root, env=dict(project.environment), stdout=pipe, stderr=pipe
        ) as run:
            assert asked.wait(30)
            run.send_signal(signal.SIGINT)
            assert run.communicate(timeout=8) == (b"", b"")  # the time-out is of 30 seconds
        over.set()
    assert run.returncode == 130
