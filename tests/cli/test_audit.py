"""`buildlock audit`: what is known against a lock, and what the exit code makes of it."""

import json
from collections.abc import Iterator

import pytest

from index.server import IndexServer
from support.command import CopyLockedProject
from support.http import Answer, WebServer

FOUND = """\
1 high risk; the policy denies 1: 1 package checked against 3 advisories of
  advisories, the newest of 2026-02-14

HIGH RISK
  vulnerable: an advisory says so of this version
    tinybackend 1.0: EXAMPLE-2026-0001 (OTHER-2026-17)
      required as tinybackend
      Wheels have files that the project does not
      severity high; fixed in 1.1
      DENIED by the policy

UPDATE
  buildlock lock --upgrade-package tinybackend
"""


@pytest.fixture
def service() -> Iterator[WebServer]:
    with WebServer() as service:
        yield service


def test_what_is_known_is_denied(locked: CopyLockedProject, server: IndexServer) -> None:
    result = locked("audited").run("audit")
    assert (result.code, result.stdout, result.stderr) == (3, FOUND, "")
    assert server.exchanges == []


def test_nothing_is_known(locked: CopyLockedProject) -> None:
    project = locked("audited")
    result = project.run("audit", "--database", "advisories/EXAMPLE-2026-0002.json", "--quiet")
    scope = "1 package checked against 1 advisory of advisories/EXAMPLE-2026-0002.json, the newest of 2026-02-01"
    assert (result.code, result.stderr) == (0, "")
    assert " ".join(result.stdout.split()) == f"nothing is known against this lock: {scope}"


def test_other_formats(locked: CopyLockedProject) -> None:
    project = locked("audited")
    value = project.run("audit", "--format", "json")
    assert (value.code, json.loads(value.stdout)["findings"][0]["vulnerability"]["fixed"]) == (3, ["1.1"])
    comment = project.run("audit", "--format", "markdown")
    assert (comment.code, comment.stdout.splitlines()[0]) == (3, "<!-- buildlock-audit -->")


def test_a_service_and_the_indexes(locked: CopyLockedProject, server: IndexServer, service: WebServer) -> None:
    service.answers["/v1/querybatch"] = Answer(b'{"results": [{}]}')
    result = locked("audited").run("audit", "--service", service.url, "--database", "advisories/EXAMPLE-2026-0002.json")
    assert (result.code, result.stderr) == (0, "")
    assert "0 advisories of" in result.stdout
    assert [exchange.path for exchange in server.exchanges] == ["/simple/tinybackend/"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--database", "nowhere"], 1, "there is no advisory database `nowhere`"),
        (["--service", "osv.example"], 2, "`--service osv.example` is not the URL of a server"),
        (["--variant", "rocm"], 2, "`build-lock.toml` does not have the variant `rocm`: it has `default`"),
    ],
)
def test_what_cannot_be_checked(locked: CopyLockedProject, arguments: list[str], code: int, message: str) -> None:
    result = locked("audited").run("audit", *arguments)
    assert (result.code, result.stdout) == (code, "")
    assert message in result.stderr


def test_without_anything_to_check_against(locked: CopyLockedProject) -> None:
    result = locked("tiny").run("audit")
    assert (result.code, result.stdout) == (2, "")
    assert "`--database PATH`" in result.stderr


def test_an_index_that_does_not_answer_is_no_pass(
    locked: CopyLockedProject, server: IndexServer, service: WebServer
) -> None:
    project = locked("audited")
    project.lock_path.write_text(
        project.lock_path.read_text(encoding="utf-8").replace(server.url("simple"), f"{service.url}/gone"),
        encoding="utf-8",
    )
    service.answers["/gone/tinybackend/"] = Answer(b"{", {"Content-Type": "application/vnd.pypi.simple.v1+json"})
    service.answers["/v1/querybatch"] = Answer(b'{"results": [{}]}')
    result = project.run("audit", "--service", service.url, "--database", "advisories/EXAMPLE-2026-0002.json")
    assert result.code == 1
    assert "nothing is known against this lock; incomplete" in result.stdout
    assert "NOT KNOWN" in result.stdout
    assert "not everything could be found out" in result.stderr
