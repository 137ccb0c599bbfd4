"""How often servers are asked for a lock: each page and each metadata file once, and what is known already never."""

import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName

from buildlock.errors import BuildlockError, InvalidLockError, UnavailableError
from buildlock.index.http import HttpClient
from buildlock.index.page_json import JsonPage, read_json
from buildlock.project.model import BuildRequirement
from buildlock.reporting import Event, Warned
from buildlock.workflows.lock import lock
from buildlock.workflows.lock_options import LockOptions
from buildlock.workflows.workspace import Workspace
from index.answers import Answer, Request
from index.faults import Fault
from index.offer import MetadataOffer, OfferedFile, offer_wheel
from index.server import IndexServer, serve

LINUX_ALONE = LockOptions(pythons=("3.12",), platforms=("x86_64-manylinux_2_28",), dynamic=False)
LINUX = replace(LINUX_ALONE, all_variants=True)
BUILD_SYSTEM = '[build-system]\nrequires = ["tool", "helper<3"]\nbuild-backend = "backend"\n'
PAGES = Counter({"/simple/tool/": 1, "/simple/helper/": 1, "/simple/mid/": 1, "/simple/leaf/": 1})
FILES = Counter(
    {
        "tool-3.0-py3-none-any.whl.metadata": 1,
        "helper-2.0-py3-none-any.whl.metadata": 1,
        # Nobody says that there is any beside these, and the end of the wheel holds it all.
        "mid-3.0-py3-none-any.whl": 1,
        "leaf-3.0-py3-none-any.whl": 1,
    }
)


def offer(name: str, *requires: str, metadata: MetadataOffer = "hashed") -> list[OfferedFile]:
    versions = (f"{major}.0" for major in range(1, 4))
    return [offer_wheel(name=name, version=version, requires=requires, metadata_offer=metadata) for version in versions]


@dataclass
class Project:
    workspace: Workspace
    server: IndexServer

    def lock(self, **changes: object) -> Counter[str]:
        """What was asked, by the path of a page and the name of a file."""
        self.server.exchanges.clear()
        lock(self.workspace, replace(LINUX, **changes))  # type: ignore[arg-type]
        paths = (exchange.path for exchange in self.server.exchanges)
        return Counter(path if path.endswith("/") else path.rpartition("/")[2] for path in paths)

    def write(self, text: str) -> None:
        (self.workspace.root / "pyproject.toml").write_text(text, encoding="utf-8")

    def forget(self) -> None:
        shutil.rmtree(self.workspace.cache_dir / "http-v1")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    offered = [
        *offer("tool", "mid>=1"),
        *offer("helper", "leaf"),
        *offer("mid", "leaf>2", "other; sys_platform == 'win32'", metadata="silent"),
        *offer("leaf", metadata="absent"),
        *offer("other"),
    ]
    with serve({"simple": offered}) as server:
        root = tmp_path / "project"
        root.mkdir()
        made = Project(Workspace(root=root, cache_dir=tmp_path / "cache", environ=server.environment), server)
        made.write(BUILD_SYSTEM)
        yield made


def test_a_first_lock(project: Project) -> None:
    assert project.lock() == PAGES + FILES


def test_servers_are_connected_to_before_it_is_known_what_to_ask_and_nothing_is_asked(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, connect = list[str](), HttpClient.connect

    def watch(client: HttpClient, url: str, requests: int) -> None:
        begun.append(url)
        connect(client, url, requests)

    monkeypatch.setattr(HttpClient, "connect", watch)
    (project.workspace.root / "build-lock.toml").write_text("this is no lock", encoding="utf-8")
    with pytest.raises(InvalidLockError):
        project.lock()
    assert [url.rpartition("/")[2] for url in begun] == ["simple"]
    assert project.server.exchanges == []


def test_a_server_that_cannot_be_reached_is_told_as_if_nobody_had_connected_before(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {**project.workspace.environ, "UV_DEFAULT_INDEX": "http://127.0.0.1:1/simple", "UV_HTTP_RETRIES": "0"}
    events: list[Event] = []
    workspace = replace(project.workspace, environ=environ, report=events.append)

    def fail() -> tuple[str, list[Event]]:
        events.clear()
        with pytest.raises(UnavailableError) as caught:
            lock(workspace, LINUX_ALONE)
        return str(caught.value), [event for event in events if isinstance(event, Warned)]

    told = fail()
    monkeypatch.setattr("buildlock.workflows.lock.connect_ahead", lambda *_: None)
    assert fail() == told


@pytest.mark.parametrize(
    "options",
    [
        {"variants": ("nosuch",)},
        {"variants": ("default",), "all_variants": True},
        {"packages": (BuildRequirement(requirement=Requirement("tool"), origin="--package"),)},
        {"drop_packages": frozenset({NormalizedName("tool")})},
    ],
)
def test_where_it_is_open_what_is_locked_no_server_is_connected_to(
    project: Project, options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("it was connected to a server")

    monkeypatch.setattr(HttpClient, "connect", refuse)
    with suppress(BuildlockError):
        lock(project.workspace, replace(LINUX_ALONE, **options))  # type: ignore[arg-type]


def test_a_lock_anew_asks_whether_the_pages_have_changed(project: Project) -> None:
    project.lock()
    assert project.lock() == PAGES
    assert project.lock(upgrade=True) == PAGES
    assert {exchange.status for exchange in project.server.exchanges} == {304}


def test_a_lock_anew_without_what_was_kept(project: Project) -> None:
    project.lock()
    before = project.workspace.lock_path.read_bytes()
    project.forget()
    assert project.lock() == PAGES + FILES
    assert project.workspace.lock_path.read_bytes() == before


def test_more_variants_and_targets_ask_for_no_more(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    def read(content: bytes, name: NormalizedName | None) -> JsonPage:
        parsed.append(str(name))
        return read_json(content, name)

    monkeypatch.setattr("buildlock.index.page.read_json", read)
    extras = "".join(f'[tool.buildlock.variants.v{n}]\nconstraints = ["tool>0.{n}"]\n' for n in range(4))
    project.write(BUILD_SYSTEM + extras)
    asked = project.lock(
        pythons=("3.11", "3.12", "3.13"), platforms=("x86_64-manylinux_2_28", "aarch64-manylinux_2_28")
    )
    assert asked == PAGES + FILES
    assert sorted(map(str, parsed)) == ["helper", "leaf", "mid", "tool"]


@pytest.mark.parametrize("recorded", ["https://private.example/simple", None])
def test_a_package_that_another_index_has_served_is_not_asked_for_ahead(project: Project, recorded: str | None) -> None:
    project.write(BUILD_SYSTEM.replace('"tool", ', '"tool", "other", '))
    project.lock()
    text = project.workspace.lock_path.read_text(encoding="utf-8")
    name = 'name = "other"\nversion = "3.0"\n'
    index = f'index = "{project.server.url()}"\n'
    assert name + index in text
    there = "" if recorded is None else f'index = "{recorded}"\n'
    project.workspace.lock_path.write_text(text.replace(name + index, name + there), encoding="utf-8")
    project.write(BUILD_SYSTEM)
    assert "/simple/other/" not in project.lock()


class TestPagesThatMayBeUsedAgain:
    @pytest.fixture(autouse=True)
    def _keep_pages(self, project: Project) -> None:
        index = f'[[tool.uv.index]]\nurl = "{project.server.url()}"\ndefault = true\n'
        project.write(f'{BUILD_SYSTEM}{index}cache-control = {{ api = "max-age=600" }}\n')
        project.lock()

    @staticmethod
    def _list_kept(project: Project) -> list[Path]:
        return [path for path in (project.workspace.cache_dir / "http-v1").rglob("*") if path.is_file()]

    def test_no_server_is_asked_and_no_thread_begun(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        begun: list[str] = []
        start = Thread.start

        def note(thread: Thread) -> None:
            begun.append(thread.name)
            start(thread)

        monkeypatch.setattr(Thread, "start", note)
        before = project.workspace.lock_path.read_bytes()
        project.workspace.lock_path.unlink()
        assert not project.lock()
        # Those of a subprocess, which an interpreter is asked with, have no name of their own.
        assert all(name.startswith("Thread-") for name in begun)
        assert project.workspace.lock_path.read_bytes() == before

    def test_each_is_read_whole_once_more(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        parsed: list[str] = []

        def read(content: bytes, name: NormalizedName | None) -> JsonPage:
            parsed.append(str(name))
            return read_json(content, name)

        monkeypatch.setattr("buildlock.index.page.read_json", read)
        for expected in (["helper", "leaf", "mid", "tool"], [], []):
            parsed.clear()
            assert not project.lock(upgrade=True)
            assert sorted(parsed) == expected

    def test_what_was_kept_of_them_counts_as_long_as_they_are_the_same(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project.lock(upgrade=True)
        for path in self._list_kept(project):
            path.write_bytes(path.read_bytes().replace(b'"max-age=600"', b'"max-age=000"'))
        monkeypatch.setattr("buildlock.index.page.read_json", None)
        assert project.lock(upgrade=True) == PAGES
        assert {exchange.status for exchange in project.server.exchanges} == {304}

    def test_what_is_damaged_of_them_is_passed_over(self, project: Project) -> None:
        project.lock(upgrade=True)
        before = project.workspace.lock_path.read_bytes()
        for path in self._list_kept(project):
            path.write_bytes(path.read_bytes()[:-1] + b"?")
        assert project.lock(upgrade=True) == PAGES + FILES
        assert project.workspace.lock_path.read_bytes() == before


def together(*waves: Sequence[str]) -> Fault:
    """Whatever is in a wave is answered when all of it is under way."""
    barriers = {name: barrier for wave in waves for barrier in [threading.Barrier(len(wave))] for name in wave}

    def wait(request: Request, answer: Answer) -> Answer:
        path = request.path
        barriers[path if path.endswith("/") else path.rpartition("/")[2]].wait(timeout=20)
        return answer

    return wait


def test_a_first_lock_waits_for_pages_and_metadata_in_turn(project: Project) -> None:
    """A round trip for each: what one answer names is asked for at once."""
    first, then = ["/simple/tool/", "/simple/helper/"], ["/simple/mid/"]
    files = ["tool-3.0-py3-none-any.whl.metadata", "helper-2.0-py3-none-any.whl.metadata"]
    project.server.faults.append(
        together(first, files, [*then, "/simple/leaf/"], ["mid-3.0-py3-none-any.whl", "leaf-3.0-py3-none-any.whl"])
    )
    assert project.lock() == PAGES + FILES


def test_a_lock_anew_asks_for_all_pages_and_then_for_all_metadata_at_once(project: Project) -> None:
    project.lock()
    project.forget()
    project.server.faults.append(together(list(PAGES), list(FILES)))
    assert project.lock() == PAGES + FILES


def test_a_lock_that_stays_is_not_read_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.lock()
    locked = project.workspace.lock_path.read_bytes()
    monkeypatch.setattr("buildlock.workflows.locking.write_sections", lambda *_: pytest.fail("it was read again"))
    project.lock()
    assert project.workspace.lock_path.read_bytes() == locked
