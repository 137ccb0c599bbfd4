"""What indexes say today of what is locked, against a real server."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from buildlock.errors import UnavailableError, UsageError
from buildlock.published import LockedRelease, ProjectLink, Published, PublishedFile, Publisher
from buildlock.reporting import Event, Warned
from buildlock.workflows.published import ask_indexes
from buildlock.workflows.workspace import Workspace
from support.http import Answer, WebServer
from support.zips import make_zip, metadata_of

FOO = canonicalize_name("foo")
WHEEL = "foo-1.0-py3-none-any.whl"
SHA = "a" * 64
OTHER = "b" * 64
JSON = {"Content-Type": "application/vnd.pypi.simple.v1+json"}
GITHUB = {"kind": "GitHub", "repository": "org/foo", "workflow": "release.yml", "environment": "pypi"}

Ask = Callable[..., Published]


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def workspace(tmp_path: Path, events: list[Event], server: WebServer) -> Workspace:
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    environ = {"UV_DEFAULT_INDEX": f"http://me:secret@{server.authority}/simple", "HOME": str(tmp_path)}
    return Workspace(root=tmp_path, cache_dir=tmp_path / "cache", environ=environ, report=events.append)


@pytest.fixture
def release(server: WebServer) -> LockedRelease:
    return LockedRelease(index=f"{server.url}/simple", name=FOO, version=Version("1.0"), files=((WHEEL, SHA),))


@pytest.fixture
def ask(workspace: Workspace, release: LockedRelease) -> Ask:
    """What the index says of the release, everything asked for."""

    def ask(wanted: LockedRelease = release) -> Published:
        project = workspace.read_project()
        return ask_indexes(workspace, project, [wanted], attested=[wanted], linked=[wanted])[wanted]

    return ask


def serve(server: WebServer, *files: dict[str, Any], **more: object) -> None:
    page = {"meta": {"api-version": "1.4"}, "name": "foo", "files": list(files), **more}
    server.answers["/simple/foo/"] = Answer(json.dumps(page).encode(), JSON)


def make_file(**more: object) -> dict[str, Any]:
    return {"filename": WHEEL, "url": f"../../files/{WHEEL}", "hashes": {"sha256": SHA}, **more}


def provenance(*publishers: object) -> bytes:
    bundles = [{"publisher": publisher, "attestations": [{"version": 1}]} for publisher in publishers]
    return json.dumps({"version": 1, "attestation_bundles": bundles}).encode()


def warnings(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Warned)]


def test_everything_an_index_can_say(server: WebServer, ask: Ask, events: list[Event]) -> None:
    metadata = b"Metadata-Version: 2.1\nName: foo\nVersion: 1.0\nProject-URL: Release Notes, https://foo.example/new\n"
    serve(
        server,
        make_file(
            **{"upload-time": "2026-11-19T08:00:00Z", "yanked": "broken", "provenance": f"{server.url}/provenance"},
            **{"core-metadata": {"sha256": sha256(metadata).hexdigest()}},
        ),
        **{"project-status": {"status": "archived", "reason": "moved on"}},
    )
    server.answers["/provenance"] = Answer(provenance(GITHUB, GITHUB))
    server.answers[f"/files/{WHEEL}.metadata"] = Answer(metadata)
    publisher = Publisher(kind="GitHub", source="org/foo", workflow="release.yml")
    assert ask() == Published(
        files=(
            PublishedFile(
                filename=WHEEL,
                state="there",
                sha256=SHA,
                upload_time=datetime(2026, 11, 19, 8, tzinfo=timezone.utc),
                yanked="broken",
                provenance=f"{server.url}/provenance",
                publishers=(publisher,),
            ),
        ),
        status="archived",
        status_reason="moved on",
        link=ProjectLink(title="release notes", url="https://foo.example/new"),
    )
    assert "authorization" in server.asked("/simple/foo/")[0].headers
    assert not warnings(events)


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ([], "removed"),
        ([make_file(hashes={"sha256": OTHER})], "changed"),
        ([make_file(), make_file(hashes={"sha256": OTHER})], "changed"),
        ([make_file(hashes={})], "there"),
    ],
)
def test_what_became_of_a_file(server: WebServer, ask: Ask, files: list[dict[str, Any]], state: str) -> None:
    serve(server, *files)
    assert [file.state for file in ask().files] == [state]


def test_a_project_that_is_gone_and_one_that_is_quarantined(server: WebServer, ask: Ask, events: list[Event]) -> None:
    assert [file.state for file in ask().files] == ["removed"]
    serve(server, **{"project-status": {"status": "quarantined"}})
    assert ask() == Published(status="quarantined")
    assert not warnings(events)


def test_each_page_is_asked_once(server: WebServer, workspace: Workspace, release: LockedRelease) -> None:
    serve(server, make_file())
    others = [replace(release, version=Version(f"{number}.0")) for number in range(2, 9)]
    assert len(ask_indexes(workspace, workspace.read_project(), [release, *others, release])) == 8
    assert [request.path for request in server.requests] == ["/simple/foo/"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(status=401), "answered 401 when asked for `foo`"),
        (Answer(b"<", {"Content-Type": "image/png"}), "is not a page of a package index"),
        (Answer(b"[" * 100_000, JSON), "is not a page of a package index"),
    ],
)
def test_what_is_not_answered_is_unknown(
    server: WebServer, ask: Ask, events: list[Event], answer: Answer, message: str
) -> None:
    server.answers["/simple/foo/"] = answer
    published = ask()
    assert published.files == ()
    assert message in (published.unknown or "")
    (warning,) = warnings(events)
    assert warning.startswith("the answer is incomplete: ")


def test_an_index_that_is_down_is_not_asked_for_everything(
    workspace: Workspace, release: LockedRelease, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("buildlock.index.http.HttpClient.attempt", _attempt_once)
    index = "http://127.0.0.1:9/simple"
    releases = [replace(release, index=index, name=canonicalize_name(f"p{number}")) for number in range(50)]
    found = ask_indexes(workspace, workspace.read_project(), releases)
    assert all(published.unknown for published in found.values())
    assert sum("asked for nothing more" in (published.unknown or "") for published in found.values()) > 20
    assert len(warnings(events)) == 1


def _attempt_once(_client: object, url: str, _action: object) -> None:
    raise UnavailableError(f"`{url}` could not be fetched: no connection")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{" * 100_000,
        b'{"version": 2, "attestation_bundles": []}',
        b'{"version": 1, "attestation_bundles": {}}',
        b'{"version": 1, "attestation_bundles": [1]}',
        b'{"version": 1, "attestation_bundles": [{"publisher": "GitHub"}]}',
        b'{"version": 1, "attestation_bundles": [{"publisher": {"kind": 1}, "attestations": []}]}',
        b'{"version": 1, "attestation_bundles": [{"publisher": {"kind": "GitHub"}}]}',
        b'{"version": NaN}',
        provenance({"kind": "Git\x1b[2JHub"}),
        provenance({"kind": "GitHub", "repository": "o" * 301}),
        provenance(*({"kind": "GitHub", "repository": f"o/{number}"} for number in range(21))),
        b"\xff",
        b"1" * (5 << 20),
    ],
)
def test_attestations_that_cannot_be_read(server: WebServer, ask: Ask, events: list[Event], body: bytes) -> None:
    serve(server, make_file(provenance=f"{server.url}/provenance"))
    server.answers["/provenance"] = Answer(body)
    (file,) = ask().files
    assert (file.state, file.publishers) == ("there", None)
    assert len(warnings(events)) == 1


@pytest.mark.parametrize(
    ("publisher", "shown"),
    [
        ({"kind": "GitLab", "repository": "g/p", "workflow_filepath": "ci.yml"}, "GitLab g/p (ci.yml)"),
        ({"kind": "Google", "email": "a@b.example", "sub": None}, "Google a@b.example"),
        ({"kind": "Unheard-of", "repository": 7}, "Unheard-of"),
    ],
)
def test_publishers(server: WebServer, ask: Ask, publisher: object, shown: str) -> None:
    serve(server, make_file(provenance=f"{server.url}/provenance"))
    server.answers["/provenance"] = Answer(provenance(publisher))
    assert [str(each) for each in ask().files[0].publishers or ()] == [shown]


def test_no_attestation_has_no_publisher(server: WebServer, ask: Ask) -> None:
    serve(server, make_file(provenance=f"{server.url}/provenance"))
    server.answers["/provenance"] = Answer(b'{"version": 1, "attestation_bundles": []}')
    assert ask().files[0].publishers == ()


def test_metadata_in_a_wheel_has_links_too(server: WebServer, ask: Ask) -> None:
    wheel = make_zip({"foo-1.0.dist-info/METADATA": metadata_of() + b"Project-URL: News, https://foo.example/new\n"})
    digest = sha256(wheel).hexdigest()
    serve(server, make_file(hashes={"sha256": digest}))
    server.answers[f"/files/{WHEEL}"] = Answer(wheel)
    # The locked hash is another: what is shown is of the file that is there.
    assert ask().link == ProjectLink(title="release notes", url="https://foo.example/new")


def test_metadata_that_cannot_be_used_gives_no_link(server: WebServer, ask: Ask, events: list[Event]) -> None:
    serve(server, make_file(**{"core-metadata": {"sha256": OTHER}}))
    server.answers[f"/files/{WHEEL}.metadata"] = Answer(b"Metadata-Version: 2.1\nProject-URL: News, https://x.example")
    assert ask().link is None
    assert not warnings(events)


def test_offline_asks_nothing(workspace: Workspace, release: LockedRelease, server: WebServer) -> None:
    offline = replace(workspace, environ={**workspace.environ, "UV_OFFLINE": "1"})
    with pytest.raises(UsageError, match="this is offline"):
        ask_indexes(offline, offline.read_project(), [release])
    assert not server.requests
