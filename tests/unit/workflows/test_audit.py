"""An audit as a whole: databases, a service and the indexes, against real servers; and the policy on what is found."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from buildlock.audit.model import Audit
from buildlock.errors import InvalidProjectError, MissingLockError, UnknownVariantError, UsageError
from buildlock.lockfile.writer import write_variant
from buildlock.workflows.audit import AuditOptions, audit
from buildlock.workflows.workspace import Workspace
from support.advisories import make_advisory, make_affected, write_advisory
from support.http import Answer, WebServer
from support.locks import make_environment, make_package

SIMPLE = {"Content-Type": "application/vnd.pypi.simple.v1+json"}
WHEEL = "foo-1.0-py3-none-any.whl"
FOO = make_advisory("A-1", make_affected("foo", introduced="0", fixed="2.0"), aliases=["CVE-1"])
ALLOWANCE = '{ code = "vulnerable", package = "foo", reason = "not reached", expires = "2999-01-01", id = "%s" }'

Run = Callable[..., Audit]


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer() as server:
        server.answers["/v1/querybatch"] = answer({"results": [{}, {"vulns": [{"id": "A-1"}]}]})
        server.answers["/v1/vulns/A-1"] = answer(FOO)
        for name, files in (("foo", [serve_file(server)]), ("bar", [])):
            serve(server, name, files=files)
        yield server


@pytest.fixture
def workspace(tmp_path: Path, server: WebServer) -> Workspace:
    index = f"{server.url}/simple"
    environment = make_environment(make_package("foo", index=index, base=server.url), make_package("bar", index=index))
    text = write_variant(None, "cpu", environment)
    other = make_environment(make_package("bar", index=index))
    (tmp_path / "build-lock.toml").write_text(write_variant(text, "Gpu", other), encoding="utf-8")
    write_advisory(tmp_path / "db" / "A-1.json", FOO)
    return Workspace(root=tmp_path, cache_dir=tmp_path / "cache", environ={"HOME": str(tmp_path)})


@pytest.fixture
def run(workspace: Workspace, server: WebServer) -> Run:
    """Audit the project, with this in its `[tool.buildlock]`."""

    def run(text: str = "", **options: Any) -> Audit:
        service = f'[tool.buildlock.audit]\ndatabase = ["db"]\nservice = "{server.url}"\n'
        (workspace.root / "pyproject.toml").write_text(f"{service}{text}", encoding="utf-8")
        return audit(workspace, AuditOptions(**options))

    return run


def answer(value: Any, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(json.dumps(value).encode(), headers or {})


def serve(server: WebServer, name: str, **more: object) -> None:
    page = {"meta": {"api-version": "1.4"}, "name": name, **more}
    server.answers[f"/simple/{name}/"] = answer(page, SIMPLE)


def serve_file(server: WebServer, **more: object) -> dict[str, Any]:
    wheel = (make_package("foo", base=server.url).wheels or [])[0]
    return {"filename": WHEEL, "url": f"{server.url}/{WHEEL}", "hashes": dict(wheel.hashes), **more}


def find_codes(found: Audit) -> list[tuple[str, bool]]:
    return [(finding.code, finding.refused) for finding in found.findings]


class TestWhatIsAsked:
    def test_the_databases_of_the_settings(self, run: Run, server: WebServer) -> None:
        found = run()
        assert find_codes(found) == [("vulnerable", True)]
        assert [(source.name, source.advisories) for source in found.sources] == [("db", 1)]
        assert (found.packages, found.sections, found.releases) == (2, ("Gpu", "cpu"), None)
        assert server.requests == []

    def test_those_of_the_command_line_in_their_place(self, run: Run, tmp_path: Path) -> None:
        other = write_advisory(tmp_path / "other.json", {**FOO, "id": "A-2"})
        assert [source.name for source in run(databases=(other, other)).sources] == [str(other), str(other)]

    def test_nothing(self, workspace: Workspace) -> None:
        with pytest.raises(UsageError, match="nothing to check the lock against"):
            audit(workspace, AuditOptions())

    def test_the_service_and_the_indexes(self, run: Run, server: WebServer) -> None:
        found = run(online=True)
        assert [source.name for source in found.sources] == ["db", server.url]
        assert find_codes(found) == [("vulnerable", True), ("file-removed", True)]
        assert (found.releases, found.unknown) == (2, ())
        assert [str(place) for place in found.findings[1].places] == ["Gpu", "cpu"]

    def test_another_service(self, run: Run, server: WebServer) -> None:
        found = run(service=f"{server.url}/")
        assert (found.sources[-1].name, found.releases) == (f"{server.url}/", 2)

    def test_one_variant(self, run: Run) -> None:
        assert find_codes(run(variants=("gpu",))) == []
        assert run(variants=("CPU",)).sections == ("cpu",)
        with pytest.raises(UnknownVariantError, match="does not have the variant `rocm`: it has `Gpu`, `cpu`"):
            run(variants=("rocm",))

    def test_no_lock(self, run: Run, workspace: Workspace) -> None:
        workspace.lock_path.unlink()
        with pytest.raises(MissingLockError):
            run()

    def test_offline(self, run: Run, server: WebServer) -> None:
        with pytest.raises(UsageError, match="this is offline"):
            run("[tool.uv]\noffline = true", online=True)
        assert server.requests == []


class TestIndexes:
    def test_what_is_withdrawn(self, run: Run, server: WebServer) -> None:
        serve(server, "foo", files=[serve_file(server, yanked="broken")])
        serve(server, "bar", files=[], **{"project-status": {"status": "quarantined"}})
        found = run("[tool.buildlock.policy]\ndeny = ['yanked']", online=True)
        assert find_codes(found) == [("quarantined", False), ("vulnerable", False), ("yanked", True)]

    def test_what_does_not_answer_is_told(self, run: Run, server: WebServer) -> None:
        server.answers["/simple/bar/"] = Answer(b"<", {"Content-Type": "text/plain"})
        found = run(online=True)
        assert find_codes(found) == [("vulnerable", True)]
        [sentence] = found.unknown
        assert sentence.startswith(f"what `{server.url}/simple` says of `bar`: ")


class TestPolicy:
    @pytest.mark.parametrize(("identifier", "refused"), [("A-1", False), ("CVE-1", False), ("CVE-2", True)])
    def test_an_advisory_is_allowed_by_any_of_its_names(self, run: Run, identifier: str, refused: bool) -> None:  # noqa: FBT001 - a table
        found = run(f"[tool.buildlock.policy]\nallow = [{ALLOWANCE % identifier}]")
        assert found.refused is refused
        assert bool(found.list_updates()) is refused

    def test_a_package_is_allowed_with_all_of_them(self, run: Run) -> None:
        allowance = ALLOWANCE.replace(', id = "%s"', "")
        assert not run(f"[tool.buildlock.policy]\nallow = [{allowance}]").refused

    def test_what_is_not_denied_is_shown(self, run: Run) -> None:
        found = run("[tool.buildlock.policy]\ndeny = []")
        assert find_codes(found) == [("vulnerable", False)]
        assert found.list_updates() == ("buildlock lock --variant cpu --upgrade-package foo",)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[tool.buildlock.audit]\ndatabases = []", "is not a known key; did you mean `database`?"),
        ("[tool.buildlock.audit]\ndatabase = 'db'", "must be a list of strings"),
        ("[tool.buildlock.audit]\ndatabase = ['']", "has ``, which is not a path"),
        ("[tool.buildlock.audit]\nservice = 'osv.example'", "is not the URL of a server"),
        ("[tool.buildlock.audit]\nservice = 'file:///etc'", "is not the URL of a server"),
    ],
)
def test_settings_that_are_none(workspace: Workspace, text: str, fault: str) -> None:
    (workspace.root / "pyproject.toml").write_text(text, encoding="utf-8")
    for read in (lambda: audit(workspace, AuditOptions()), workspace.read_project):
        with pytest.raises(InvalidProjectError) as caught:
            read()
        assert fault in caught.value.message
