"""What comes from no index: a URL, a path, a repository, a member of the workspace; locked, checked and built."""

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from index.archives import make_sdist, make_wheel
from support.command import Checkout, CopyProject, Result
from support.git import GitRepository, GitServer
from support.http import Answer, WebServer

pytestmark = pytest.mark.slow

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
BUILT = "tinybackend: building the wheel of"


def make_tree(name: str = "direct", version: str = "1.0", **described: object) -> dict[str, str]:
    """The files of a project that tinybackend builds, whose metadata its backend alone can tell."""
    module = name.replace("-", "_")
    return {
        "pyproject.toml": '[build-system]\nrequires = ["tinybackend"]\nbuild-backend = "tinybackend"\n',
        "tiny.json": json.dumps({"name": name, "version": version, **described}),
        f"src/{module}/__init__.py": f'__version__ = "{version}"\n',
    }


def write_tree(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def pack_tar(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def pack_zip(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def below(folder: str, files: Mapping[str, str]) -> dict[str, str]:
    return {f"{folder}/{name}": text for name, text in files.items()}


def require(project: Checkout, requirement: str, source: str | None = None) -> None:
    """Let the project be built with one more package, from a source."""
    project.replace('["tinybackend"]', f'["tinybackend", "{requirement}"]')
    if source is not None:
        project.append(f"[tool.uv.sources]\n{requirement} = {source}")


def empty(project: Checkout) -> None:
    shutil.rmtree(project.cache)


def installed(result: Result) -> Path:
    (line,) = result.stdout.splitlines()
    return Path(line)


def module_of(environment: Path, name: str = "direct") -> str:
    (found,) = environment.rglob(f"{name}/__init__.py")
    return found.read_text(encoding="utf-8")


def assert_blames(result: Result, *parts: str, code: int = 1) -> None:
    assert result.code == code, result
    for part in parts:
        assert part in result.stderr, result
    assert "src/buildlock" not in result.stderr


def assert_lives(project: Checkout, *, built: bool = True) -> None:
    """It is locked, checked, installed into an empty store, installed again, and the project built with it."""
    project.succeed("lock")
    before = project.lock_path.read_bytes()
    assert project.run("check").code == 0
    empty(project)
    result = project.succeed("install", "--verbose")
    assert (f"{BUILT} direct" in result.stderr) == built
    assert module_of(installed(result)) == '__version__ = "1.0"\n'
    again = project.succeed("install", "--verbose", "--target", project.root.parent / "again")
    assert BUILT not in again.stderr
    assert module_of(project.root.parent / "again") == '__version__ = "1.0"\n'
    with zipfile.ZipFile(project.succeed("build").stdout.strip()) as wheel:
        assert json.loads(wheel.read("tiny/built_with.json"))["distributions"]["direct"] == "1.0"
    result = project.succeed("lock", "--verbose")
    assert project.lock_path.read_bytes() == before
    assert BUILT not in result.stderr


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture
def project(checkout: CopyProject) -> Checkout:
    return checkout("tiny")


_WHEEL = make_wheel(name="direct", version="1.0")
_SDIST = make_sdist(name="direct", version="1.0", files=make_tree(), metadata_version="2.1")
ARCHIVES: Mapping[str, tuple[bytes, str | None]] = {
    "direct-1.0-py3-none-any.whl": (_WHEEL, None),
    "direct-1.0.tar.gz": (_SDIST, None),
    "archive/main.zip": (pack_zip(below("direct-main", make_tree())), None),
    "archive/refs/tags/v1.0.tar.gz": (pack_tar(below("direct-1", make_tree())), None),
    "archive/main.tar.gz": (pack_tar(below("repository-main/python/direct", make_tree())), "python/direct"),
}


class TestArchives:
    @pytest.mark.parametrize("path", ARCHIVES)
    def test_from_a_url(self, project: Checkout, web: WebServer, path: str) -> None:
        content, subdirectory = ARCHIVES[path]
        web.answers[f"/{path}"] = Answer(content)
        where = f', subdirectory = "{subdirectory}"' if subdirectory else ""
        require(project, "direct", f'{{ url = "{web.url}/{path}"{where} }}')
        assert_lives(project, built=not path.endswith(".whl"))
        archive = project.packages()["direct"]["archive"]
        assert archive["url"] == f"{web.url}/{path}"
        assert archive["hashes"] == {"sha256": hashlib.sha256(content).hexdigest()}
        assert archive.get("subdirectory") == subdirectory

    @pytest.mark.parametrize("path", ["direct-1.0-py3-none-any.whl", "direct-1.0.tar.gz", "archive/main.zip"])
    def test_from_a_path(self, project: Checkout, path: str) -> None:
        file = project.root.parent / "files" / path
        file.parent.mkdir(parents=True)
        file.write_bytes(ARCHIVES[path][0])
        require(project, "direct", f'{{ path = "../files/{path}" }}')
        assert_lives(project, built=not path.endswith(".whl"))
        assert project.packages()["direct"]["archive"]["path"] == f"../files/{path}"

    def test_from_a_reference(self, project: Checkout, web: WebServer) -> None:
        content, _ = ARCHIVES["archive/main.tar.gz"]
        web.answers["/main.tar.gz"] = Answer(content)
        sha256 = hashlib.sha256(content).hexdigest()
        require(project, f"direct @ {web.url}/main.tar.gz#sha256={sha256}&subdirectory=python/direct")
        assert_lives(project)

    def test_credentials_of_its_url_are_used_and_not_locked(self, project: Checkout, web: WebServer) -> None:
        web.answers["/direct-1.0.tar.gz"] = lambda request: (
            Answer(_SDIST) if request.headers.get("authorization") == "Basic bWU6c2VjcmV0" else Answer(status=401)
        )
        url = f"http://me:secret@{web.authority}/direct-1.0.tar.gz"
        require(project, "direct", f'{{ url = "{url}" }}')
        assert_lives(project)
        assert "secret" not in project.lock_path.read_text(encoding="utf-8")

    def test_what_is_kept_needs_no_network(self, project: Checkout) -> None:
        with WebServer() as web:
            web.answers["/direct-1.0.tar.gz"] = Answer(_SDIST)
            require(project, "direct", f'{{ url = "{web.url}/direct-1.0.tar.gz" }}')
            project.succeed("lock")
        shutil.rmtree(project.cache / "store-v2/built")
        assert f"{BUILT} direct" in project.succeed("install", "--verbose").stderr

    def test_a_format_that_is_not_read(self, project: Checkout, web: WebServer) -> None:
        web.answers["/direct-1.0.tar.xz"] = Answer(b"\xfd7zXZ\x00")
        require(project, "direct", f'{{ url = "{web.url}/direct-1.0.tar.xz" }}')
        assert_blames(project.run("lock"), "direct-1.0.tar.xz", "`.tar.gz`")

    def test_another_file_than_the_locked_one(self, project: Checkout, web: WebServer) -> None:
        web.answers["/main.tar.gz"] = Answer(pack_tar(below("x", make_tree())))
        require(project, "direct", f'{{ url = "{web.url}/main.tar.gz" }}')
        project.succeed("lock")
        empty(project)
        web.answers["/main.tar.gz"] = Answer(pack_tar(below("y", make_tree())))
        assert_blames(project.run("install"), "main.tar.gz", "not the one that was promised")


class TestFolders:
    def test_from_a_path(self, project: Checkout) -> None:
        write_tree(project.root / "libs/direct", make_tree())
        require(project, "direct", '{ path = "libs/direct" }')
        assert_lives(project)
        assert project.packages()["direct"]["directory"] == {"path": "libs/direct"}

    def test_a_reference(self, project: Checkout) -> None:
        folder = write_tree(project.root.parent / "elsewhere", make_tree())
        require(project, f"direct @ {folder.as_uri()}")
        assert_lives(project)

    def test_a_member_of_the_workspace(self, project: Checkout) -> None:
        files = make_tree()
        files["pyproject.toml"] += '[project]\nname = "direct"\nversion = "1.0"\n'
        write_tree(project.root / "libs/direct", files)
        require(project, "direct", "{ workspace = true }")
        project.append('[project]\nname = "tiny"\nversion = "1.0"\n[tool.uv.workspace]\nmembers = ["libs/*"]')
        assert_lives(project)

    def test_declared_metadata(self, project: Checkout) -> None:
        write_tree(project.root / "libs/direct", make_tree(dependencies=["filelock"]))
        require(project, "direct", '{ path = "libs/direct" }')
        project.append('[[tool.uv.dependency-metadata]]\nname = "direct"\nversion = "1.0"\nrequires-dist = []')
        assert_lives(project)
        assert "filelock" not in project.packages()

    def test_content_that_changed(self, project: Checkout) -> None:
        write_tree(project.root / "libs/direct", make_tree())
        require(project, "direct", '{ path = "libs/direct" }')
        project.succeed("lock")
        write_tree(project.root / "libs/direct", {"src/direct/__init__.py": "changed = True\n"})
        moved = "the content of `libs/direct` changed since it was locked"
        assert_blames(project.run("check"), moved, code=3)
        assert_blames(project.run("install"), moved, code=3)
        # What was built of it before is what is locked.
        assert "changed" not in module_of(installed(project.succeed("install", "--frozen")))
        empty(project)
        assert_blames(project.run("install", "--frozen"), "libs/direct", "not what was locked")
        project.succeed("lock")
        assert module_of(installed(project.succeed("install"))) == "changed = True\n"

    def test_content_that_is_gone(self, project: Checkout) -> None:
        write_tree(project.root / "libs/direct", make_tree())
        require(project, "direct", '{ path = "libs/direct" }')
        project.succeed("lock")
        shutil.rmtree(project.root / "libs")
        assert_blames(project.run("check"), "`libs/direct`", code=3)

    def test_a_file_that_changed(self, project: Checkout) -> None:
        path = project.root / "direct-1.0.tar.gz"
        path.write_bytes(_SDIST)
        require(project, "direct", f'{{ path = "{path.name}" }}')
        project.succeed("lock")
        path.write_bytes(make_sdist(name="direct", version="1.0", files={**make_tree(), "more": ""}))
        moved = f"the content of `{path.name}` changed since it was locked"
        assert_blames(project.run("check"), moved, code=3)

    def test_what_a_source_is_built_with_comes_from_a_folder(self, project: Checkout) -> None:
        """The project says so, for a package that only the build of another one needs."""
        files = make_tree()
        files["pyproject.toml"] = files["pyproject.toml"].replace('["tinybackend"]', '["tinybackend", "helper"]')
        write_tree(project.root / "libs/direct", files)
        write_tree(project.root / "libs/helper", make_tree("helper"))
        require(project, "direct", '{ path = "libs/direct" }\nhelper = { path = "libs/helper" }')
        assert_lives(project)
        write_tree(project.root / "libs/helper", {"more": ""})
        assert_blames(project.run("check"), "the content of `libs/helper` changed", code=3)
        shutil.copytree(project.root / "libs/helper", project.root / "libs/other")
        project.replace('"libs/helper"', '"libs/other"')
        moved = "the source of `helper` moved from `libs/helper` to `libs/other`"
        assert_blames(project.run("check"), moved, code=3)


@needs_git
class TestRepositories:
    @pytest.fixture
    def repository(self, tmp_path: Path) -> GitRepository:
        return GitRepository(tmp_path / "served/direct")

    @pytest.fixture
    def git_server(self, tmp_path: Path) -> Iterator[GitServer]:
        with GitServer(tmp_path / "served") as running:
            yield running

    @pytest.mark.parametrize("key", ["", ', branch = "main"', ', tag = "v1"', ', rev = "{commit}"'])
    def test_a_commit(self, project: Checkout, repository: GitRepository, git_server: GitServer, key: str) -> None:
        commit = repository.commit(make_tree())
        repository.run("tag", "v1")
        url = f"{git_server.url}/direct/.git"
        require(project, "direct", f'{{ git = "{url}"{key.format(commit=commit)} }}')
        assert_lives(project)
        vcs = project.packages()["direct"]["vcs"]
        assert (vcs["url"], vcs["commit-id"]) == (url, commit)

    def test_a_folder_of_it(self, project: Checkout, repository: GitRepository) -> None:
        repository.commit(below("python/direct", make_tree()))
        require(project, "direct", f'{{ git = "{repository.url}", subdirectory = "python/direct" }}')
        assert_lives(project)
        assert project.packages()["direct"]["vcs"]["path"] == "../served/direct"

    def test_a_reference_with_credentials(
        self, project: Checkout, repository: GitRepository, git_server: GitServer
    ) -> None:
        repository.commit(make_tree())
        git_server.password = "secret"
        require(project, f"direct @ git+http://me:secret@{git_server.authority}/direct/.git@main")
        assert_lives(project)
        assert "secret" not in project.lock_path.read_text(encoding="utf-8")

    @pytest.mark.parametrize("place", ["local", "remote"])
    def test_a_branch_that_moves(
        self, project: Checkout, repository: GitRepository, git_server: GitServer, place: str
    ) -> None:
        first = repository.commit(make_tree())
        url = repository.url if place == "local" else f"{git_server.url}/direct/.git"
        require(project, "direct", f'{{ git = "{url}" }}')
        project.succeed("lock")
        second = repository.commit({"more": ""})

        def commit() -> str:
            return str(project.packages()["direct"]["vcs"]["commit-id"])

        git_server.requests.clear()
        project.succeed("lock")
        assert (commit(), git_server.requests) == (first, [])
        project.succeed("lock", "--upgrade-package", "direct")
        assert commit() == second
        third = repository.commit({"more": "more"})
        project.succeed("lock", "--upgrade")
        assert commit() == third

    def test_what_is_kept_needs_no_network(self, project: Checkout, repository: GitRepository, tmp_path: Path) -> None:
        repository.commit(make_tree())
        with GitServer(tmp_path / "served") as git_server:
            require(project, "direct", f'{{ git = "{git_server.url}/direct/.git" }}')
            project.succeed("lock")
        shutil.rmtree(project.cache / "store-v2/built")
        assert f"{BUILT} direct" in project.succeed("install", "--verbose").stderr

    def test_a_version_that_git_knows(self, project: Checkout, repository: GitRepository) -> None:
        backend = _DESCRIBING.replace("REAL", "tinybackend")
        files = {
            "pyproject.toml": '[build-system]\nrequires = ["tinybackend"]\nbuild-backend = "backend"\n'
            'backend-path = ["."]\n',
            "backend.py": backend,
            "src/direct/__init__.py": "",
        }
        repository.commit(files)
        repository.run("tag", "v1.5")
        repository.commit({"more": ""})
        require(project, "direct", f'{{ git = "{repository.url}" }}')
        project.succeed("lock")
        assert project.versions()["direct"] == "1.5.post1"
        empty(project)
        project.succeed("install")
        # A tag that comes later is another version of the same commit.
        repository.run("tag", "v1.6")
        empty(project)
        assert_blames(project.run("install"), "`direct` could not be built", "1.5.post1 is locked", "tag")

    def test_links_in_it(self, project: Checkout, repository: GitRepository) -> None:
        files = make_tree()
        files["real.toml"] = files.pop("pyproject.toml")
        write_tree(repository.folder / "python", files)
        (repository.folder / "python/pyproject.toml").symlink_to("real.toml")
        (repository.folder / "link").symlink_to("python")
        repository.commit()
        require(project, "direct", f'{{ git = "{repository.url}", subdirectory = "link" }}')
        assert_lives(project)

    def test_a_folder_that_leads_out_of_it(self, project: Checkout, repository: GitRepository) -> None:
        write_tree(repository.folder.parent / "outside", make_tree())
        (repository.folder / "link").symlink_to("../outside")
        repository.commit()
        require(project, "direct", f'{{ git = "{repository.url}", subdirectory = "link" }}')
        assert_blames(project.run("lock"), "`link`", "leads out of the folder")


class TestBuilds:
    """A folder, whose backend is in it."""

    @pytest.fixture
    def place(self, project: Checkout) -> Path:
        files = make_tree()
        files["pyproject.toml"] = (
            '[build-system]\nrequires = ["tinybackend"]\nbuild-backend = "backend"\nbackend-path = ["."]\n'
            '[project]\nname = "direct"\nversion = "1.0"\n'
        )
        require(project, "direct", '{ path = "libs/direct" }')
        return write_tree(project.root / "libs/direct", {**files, "backend.py": "from tinybackend import *\n"})

    def test_a_wheel_that_requires_more_than_was_said(self, project: Checkout, place: Path) -> None:
        (place / "tiny.json").write_text('{"name": "direct", "version": "1.0", "dependencies": ["filelock>=3"]}')
        assert_blames(project.run("lock"), "`direct==1.0`", "`filelock>=3`: not in the lock", "dependency-metadata")
        project.append('[[tool.uv.dependency-metadata]]\nname = "direct"\nversion = "1.0"\nrequires-dist = []')
        project.succeed("lock")

    def test_processes_side_by_side_build_once(self, project: Checkout, place: Path) -> None:
        project.succeed("lock", "--no-dynamic")
        command = [sys.executable, "-m", "buildlock", "install", "--verbose", "--target"]
        started = [
            subprocess.Popen(
                [*command, str(place.parent / name)], cwd=project.root, env=project.environment, stderr=subprocess.PIPE
            )
            for name in ("first", "second")
        ]
        said = [process.communicate()[1].decode() for process in started]
        assert [process.returncode for process in started] == [0, 0], said
        assert sum(text.count(f"{BUILT} direct") for text in said) == 1

    @pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
    def test_a_build_that_was_killed_is_no_hindrance(self, project: Checkout, place: Path) -> None:
        home = Path(project.environment["HOME"])
        (place / "backend.py").write_text(
            "from tinybackend import *\nfrom tinybackend import build_wheel as build\nimport os, time\n"
            "from pathlib import Path\n\n"
            "def build_wheel(*arguments, **more):\n"
            "    home = Path(os.environ['HOME'])\n"
            "    (home / 'started').touch()\n"
            "    while not (home / 'go').exists():\n"
            "        time.sleep(0.01)\n"
            "    return build(*arguments, **more)\n"
        )
        project.succeed("lock", "--no-dynamic")
        command = [sys.executable, "-m", "buildlock", "install"]
        process = subprocess.Popen(command, cwd=project.root, env=project.environment, stderr=subprocess.DEVNULL)
        while not (home / "started").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        process.wait()
        (home / "go").touch()
        assert module_of(installed(project.succeed("install"))) == '__version__ = "1.0"\n'


class TestDamage:
    """What is kept of a build, changed by whatever: made anew, never used."""

    def test_is_healed(self, project: Checkout, tmp_path: Path) -> None:
        with WebServer() as web:
            web.answers["/direct-1.0.tar.gz"] = Answer(_SDIST)
            require(project, "direct", f'{{ url = "{web.url}/direct-1.0.tar.gz" }}')
            project.succeed("lock")
            store = project.cache / "store-v2"

            def flip(pattern: str) -> None:
                (path,) = store.glob(pattern)
                content = bytearray(path.read_bytes())
                content[len(content) // 2] ^= 1
                path.write_bytes(content)

            def flip_wheel() -> None:
                flip("built/*/*.whl")

            def flip_source() -> None:
                shutil.rmtree(store / "built")
                flip("sources/*/*.tar.gz")

            def truncate_facts() -> None:
                for path in store.glob("*/*/kept.json"):
                    path.write_bytes(b'{"fil')

            def remove_wheel() -> None:
                for path in store.glob("built/*/*.whl"):
                    path.unlink()

            for number, damage in enumerate([flip_wheel, flip_source, truncate_facts, remove_wheel]):
                damage()
                # It would do by itself.
                for unpacked in store.glob("wheels/*/tree/direct"):
                    shutil.rmtree(unpacked.parents[1])
                target = tmp_path / f"environment-{number}"
                result = project.succeed("install", "--verbose", "--target", target)
                assert f"{BUILT} direct" in result.stderr
                assert module_of(target) == '__version__ = "1.0"\n'


_DESCRIBING = """
import json, subprocess
from pathlib import Path
from REAL import *
from REAL import build_wheel as _build, prepare_metadata_for_build_wheel as _prepare

def describe():
    words = ["git", "describe", "--tags", "--long", "--dirty"]
    tag, count, _ = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip().split("-")
    version = tag[1:] + (f".post{count}" if count != "0" else "")
    Path("tiny.json").write_text(json.dumps({"name": "direct", "version": version}))

def get_requires_for_build_wheel(*arguments, **more):
    return []

def build_wheel(*arguments, **more):
    describe()
    return _build(*arguments, **more)

def prepare_metadata_for_build_wheel(*arguments, **more):
    describe()
    return _prepare(*arguments, **more)
"""
