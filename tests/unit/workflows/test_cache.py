"""What is in a cache, what of it is damaged, and what goes."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from buildlock.answers.records import Record, write_record
from buildlock.environment.cache_use import be_alone, use_cache
from buildlock.environment.claims import Claim
from buildlock.environment.interpreter import Interpreter, find_interpreter
from buildlock.environment.isolated import BuildEnvironment, create_environment
from buildlock.environment.kept import KeptFiles
from buildlock.environment.roots import keep_root
from buildlock.environment.seal import SEAL, make_seal
from buildlock.environment.stored import StoredWheel
from buildlock.errors import EnvironmentPreparationError
from buildlock.index.http_cache import HttpCache
from buildlock.reporting import Event, Warned, silence
from buildlock.workflows.cache import clean, measure, prune, verify
from buildlock.workflows.cache_contents import Contents
from buildlock.workflows.cached_environments import claim_environment
from buildlock.workflows.workspace import Workspace
from support.wheel_forge import make_wheel

posix = pytest.mark.skipif(os.name != "posix", reason="claims and links are those of POSIX")
IDENTITY = "e" * 64
DAY = 24 * 60 * 60


@dataclass(frozen=True)
class Filled:
    """A cache with an entry of each kind."""

    workspace: Workspace
    wheel: StoredWheel
    environment: BuildEnvironment
    interpreter: Interpreter

    @property
    def cache(self) -> Path:
        return self.workspace.cache_dir

    def list_kinds(self) -> list[str]:
        return [entry.kind for entry in Contents(self.cache).list_entries()]

    def find(self, kind: str) -> Path:
        (path,) = (entry.path for entry in Contents(self.cache).list_entries() if entry.kind == kind)
        return path

    def claim(self) -> Claim:
        """Use the environment."""
        make = _make(self.interpreter, self.wheel)
        return claim_environment(self.workspace, IDENTITY, self.interpreter, make)[1]

    def verify(self) -> list[tuple[str, str]]:
        found = verify(self.cache, os.environ, silence)
        return [(each.entry.kind, each.reason) for each in found.damaged]


ALL = ["wheels", "files", "sources", "built", "environments", "pages", "repositories", "answers"]


@pytest.fixture(scope="session")
def interpreter() -> Interpreter:
    return find_interpreter(None, os.environ)


@pytest.fixture
def filled(tmp_path: Path, interpreter: Interpreter) -> Filled:
    workspace = Workspace(root=tmp_path, cache_dir=tmp_path / "cache", environ=dict(os.environ))
    store = workspace.open_store()
    # As setuptools has them: what it says of files is true nowhere.
    vendored = {"vendor/other-1.0.dist-info/RECORD": b"../../bin/other,sha256=abc,1\n"}
    filename, content = make_wheel(files={"demo.py": b"answer = 42\n", **vendored})
    digest = hashlib.sha256(content).hexdigest()
    with store.scratch() as scratch:
        archive = scratch / filename
        archive.write_bytes(content)
        wheel = store.add(archive, sha256=digest, filename=filename)
        for name, key in (("files", digest), ("sources", digest), ("built", "b" * 64)):
            archive.write_bytes(content)
            kept = KeptFiles(store, name, silence, by_content=name != "built")
            kept.keep(key, archive, filename=filename, sha256=digest)
    (environment, _), claim = claim_environment(workspace, IDENTITY, interpreter, _make(interpreter, wheel))
    claim.release()
    HttpCache(workspace.cache_dir).store(
        "https://index.example/simple/demo/", "text/html", {"cache-control": "max-age=600"}, b"a page"
    )
    answer = Record(code=0, output=[("e", "fresh\n")], sights=[], seen="")
    write_record(str(workspace.cache_dir / "answers-v1"), "a" * 40, answer)
    repository = workspace.cache_dir / "git-v1" / ("f" * 32)
    subprocess.run(["git", "init", "-q", "--bare", repository], check=True)
    return Filled(workspace, wheel, environment, interpreter)


def _make(interpreter: Interpreter, wheel: StoredWheel) -> Callable[[Path], tuple[BuildEnvironment, bool]]:
    def make(destination: Path) -> tuple[BuildEnvironment, bool]:
        made = create_environment(destination, interpreter, [wheel], identity=IDENTITY, report=silence)
        return made, False

    return make


def age(path: Path, days: float) -> None:
    """Say that it was last used days ago."""
    then = time.time() - days * DAY
    os.utime(path, (then, then))


@contextmanager
def another_process(script: str) -> Iterator["subprocess.Popen[str]"]:
    """One that runs a script, which says when it is ready and ends with its input."""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()
        assert process.wait(60) == 0


class TestSize:
    def test_each_kind_is_measured(self, filled: Filled) -> None:
        sizes = {each.kind: each for each in measure(filled.cache)}
        assert list(sizes) == [*ALL, "other"]
        assert all(sizes[kind].entries == 1 for kind in filled.list_kinds())  # type: ignore[index]
        assert all(each.size > 0 for each in sizes.values())
        files = sum(path.lstat().st_size for path in filled.cache.rglob("*") if path.is_symlink() or path.is_file())
        assert sum(each.size for each in sizes.values()) == files

    def test_nothing_is_nothing(self, tmp_path: Path) -> None:
        assert not any(each.size for each in measure(tmp_path / "none"))
        assert not list(tmp_path.iterdir())


def flip(path: Path) -> None:
    """Change a byte, as a failing disk does: the file system knows nothing of it."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


class TestVerify:
    def test_what_is_sound_stays(self, filled: Filled) -> None:
        assert filled.verify() == []
        assert filled.list_kinds() == ALL

    @pytest.mark.parametrize(
        ("kind", "file"),
        [
            ("wheels", "tree/demo.py"),
            ("wheels", "manifest.json"),
            ("files", "demo-1.0-py3-none-any.whl"),
            ("files", "kept.json"),
            ("sources", "demo-1.0-py3-none-any.whl"),
            ("built", "demo-1.0-py3-none-any.whl"),
            ("environments", "pyvenv.cfg"),
            ("environments", ".buildlock"),
            ("pages", ""),
            ("repositories", "HEAD"),
            ("answers", ""),
        ],
    )
    def test_what_is_damaged_is_named_and_goes(self, filled: Filled, kind: str, file: str) -> None:
        path = filled.find(kind) / file if file else filled.find(kind)
        path.write_bytes(b"{}")
        ((found, reason),) = filled.verify()
        assert found == kind
        assert reason
        assert filled.list_kinds() == [each for each in ALL if each != kind]
        assert filled.verify() == []

    def test_every_byte_is_read(self, filled: Filled) -> None:
        """A file of which the file system says what is recorded, and whose content is not."""
        entry = filled.find("wheels")
        flip(entry / "tree" / "demo.py")
        (entry / SEAL).write_bytes(make_seal(str(entry / "tree"), linked=False).write())
        assert filled.verify() == [("wheels", "`demo.py` was changed")]

    def test_what_does_not_belong_to_a_wheel_is_damage(self, filled: Filled) -> None:
        (filled.find("wheels") / "tree" / "evil.pth").write_text("")
        assert filled.verify() == [("wheels", "`evil.pth` was changed")]

    @posix
    def test_a_file_that_became_a_link_is_not_followed(self, filled: Filled, tmp_path: Path) -> None:
        (tmp_path / "mine").write_text("mine")
        path = filled.find("files") / "demo-1.0-py3-none-any.whl"
        path.unlink()
        path.symlink_to(tmp_path / "mine")
        assert [kind for kind, _ in filled.verify()] == ["files"]
        assert (tmp_path / "mine").read_text() == "mine"

    @posix
    def test_a_damaged_environment_in_use_is_left_to_its_command(self, filled: Filled) -> None:
        claim = filled.claim()
        (filled.environment.root / "pyvenv.cfg").write_text("")
        found = verify(filled.cache, os.environ, silence)
        assert found.kept == (filled.environment.root,)
        assert filled.environment.root.exists()
        claim.release()

    @posix
    def test_a_damaged_wheel_is_left_to_a_command_whose_environment_links_to_it(self, filled: Filled) -> None:
        claim = filled.claim()
        (filled.environment.site_packages / "demo.py").write_text("")
        wheel = filled.find("wheels")
        assert verify(filled.cache, os.environ, silence).kept == (wheel,)
        assert clean(filled.cache, frozenset(), dry_run=False, report=silence).kept == (filled.environment.root,)
        assert (filled.environment.site_packages / "demo.py").exists()
        claim.release()
        assert verify(filled.cache, os.environ, silence).kept == ()
        assert not wheel.exists()

    def test_a_clear_error_where_it_cannot_be_read(self, filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_: Path) -> str:
            raise OSError(24, "Too many open files")

        monkeypatch.setattr("buildlock.environment.verification.hash_file", fail)
        with pytest.raises(EnvironmentPreparationError, match="Too many open files"):
            filled.verify()
        assert filled.list_kinds() == ALL


class TestPrune:
    def test_what_was_used_stays(self, filled: Filled) -> None:
        assert prune(filled.cache, days=30, dry_run=False, report=silence).paths == ()
        assert filled.list_kinds() == ALL

    def test_what_was_not_used_goes(self, filled: Filled) -> None:
        for entry in list(Contents(filled.cache).list_entries()):
            age(entry.path, 31)
        age(filled.cache / "claims-v1" / IDENTITY[:32], 31)
        would = prune(filled.cache, days=30, dry_run=True, report=silence)
        assert filled.list_kinds() == ALL
        assert prune(filled.cache, days=32, dry_run=False, report=silence).paths == ()
        done = prune(filled.cache, days=30, dry_run=False, report=silence)
        assert done == would
        assert len(done.paths) == len(ALL)
        assert done.size > 0
        assert filled.list_kinds() == []
        assert not list((filled.cache / "claims-v1").iterdir())
        assert {path.name for path in filled.cache.iterdir() if path.name.startswith("removed-")} == set()

    def test_use_is_noted(self, filled: Filled) -> None:
        for entry in list(Contents(filled.cache).list_entries()):
            age(entry.path, 31)
        age(filled.cache / "claims-v1" / IDENTITY[:32], 31)
        store = filled.workspace.open_store()
        assert store.find(filled.wheel.sha256)
        assert KeptFiles(store, "files", silence, by_content=True).find(filled.wheel.sha256)
        filled.claim().release()
        prune(filled.cache, days=30, dry_run=False, report=silence)
        assert filled.list_kinds() == ["wheels", "files", "environments"]

    def test_a_clock_that_was_wrong_removes_nothing_new(self, filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(time, "time", lambda: 0.0)
        assert prune(filled.cache, days=30, dry_run=False, report=silence).paths == ()

    def test_what_is_no_entry_goes(self, filled: Filled) -> None:
        remains = [
            *(
                "store-v2/scratch/scratch-0/a/b",
                "store-v2/wheels/x",
                "store-v2/other",
                "environments-v2/.x.buildlock-1",
            ),
            *("http-v1/aa/tmp1234", "http-v1/zzz", "git-v1/x", "claims-v1/x", "store-v0/wheels/x", "http-v0/x"),
        ]
        for place in remains:
            path = filled.cache / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("left")
        kept = [filled.cache / place for place in ("store-v9/x", "mine/x", "store-v2.bak")]
        for path in kept:
            path.parent.mkdir(exist_ok=True)
            path.write_text("kept")
        done = prune(filled.cache, days=30, dry_run=False, report=silence)
        assert len(done.paths) == len(remains)
        assert not any(os.path.lexists(filled.cache / place) for place in remains)
        assert all(path.exists() for path in kept)
        assert filled.list_kinds() == ALL

    def test_notes_of_environments_that_are_gone_go(self, filled: Filled, tmp_path: Path) -> None:
        roots = filled.cache / "store-v2" / "roots"
        here, gone, anew = (tmp_path / name for name in ("here", "gone", "anew"))
        for place in (here, gone, anew):
            place.mkdir()
            keep_root(str(roots), str(place))
        (kept,) = (note for note in roots.iterdir() if note.read_text() == str(here))
        (roots / "1-2-3").write_text(str(here))
        (roots / "1-2").write_bytes(b"no\0path")
        gone.rmdir()
        anew.rename(tmp_path / "other")
        anew.mkdir()
        assert len(prune(filled.cache, days=30, dry_run=False, report=silence).paths) == 4
        assert list(roots.iterdir()) == [kept]

    @posix
    def test_an_environment_that_a_command_runs_in_stays(self, filled: Filled) -> None:
        claim = filled.claim()
        age(filled.cache / "claims-v1" / IDENTITY[:32], 31)
        for dry_run in (True, False):
            done = prune(filled.cache, days=30, dry_run=dry_run, report=silence)
            assert done.kept == (filled.environment.root,)
            assert filled.environment.python.exists()
        claim.release()
        assert prune(filled.cache, days=30, dry_run=False, report=silence).paths == (filled.environment.root,)


class TestClean:
    def test_everything_goes(self, filled: Filled) -> None:
        clean(filled.cache, frozenset(), dry_run=True, report=silence)
        assert filled.list_kinds() == ALL
        clean(filled.cache, frozenset(), dry_run=False, report=silence)
        left = [path for path in filled.cache.rglob("*") if not path.is_dir()]
        assert left == [filled.cache / "in-use"]
        assert clean(filled.cache, frozenset(), dry_run=False, report=silence).size == 0
        assert filled.workspace.open_store().find(filled.wheel.sha256) is None

    def test_one_package_goes(self, filled: Filled) -> None:
        other = frozenset({canonicalize_name("other")})
        assert clean(filled.cache, other, dry_run=False, report=silence).paths == ()
        done = clean(filled.cache, frozenset({canonicalize_name("Demo")}), dry_run=False, report=silence)
        assert len(done.paths) == len(ALL) - 2
        assert filled.list_kinds() == ["repositories", "answers"]

    @posix
    def test_what_a_command_runs_in_stays(self, filled: Filled) -> None:
        claim = filled.claim()
        assert clean(filled.cache, frozenset(), dry_run=False, report=silence).kept == (filled.environment.root,)
        assert filled.environment.python.exists()
        assert filled.list_kinds() == ["wheels", "environments"]
        claim.release()

    def test_a_folder_named_by_mistake_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.tex").write_text("mine")
        for names in (frozenset[str](), frozenset({"demo"})):
            with pytest.raises(EnvironmentPreparationError, match="no cache of buildlock"):
                clean(tmp_path, frozenset(map(canonicalize_name, names)), dry_run=False, report=silence)
        with pytest.raises(EnvironmentPreparationError, match="no cache of buildlock"):
            prune(tmp_path, days=0, dry_run=False, report=silence)
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]

    @pytest.mark.parametrize("days", [None, 30])
    def test_what_a_killed_removal_left_goes(self, tmp_path: Path, days: int | None) -> None:
        cache = tmp_path / "cache"
        left = cache / f"removed-{'0' * 16}"
        (left / "0").mkdir(parents=True)
        (left / "0" / "file").write_text("left")
        left.with_name(f"{left.name}.lock").touch()
        assert sum(each.size for each in measure(cache)) == 4
        if days is None:
            clean(cache, frozenset(), dry_run=False, report=silence)
        else:
            prune(cache, days=days, dry_run=False, report=silence)
        assert [path.name for path in cache.iterdir()] == ["in-use"]

    def test_what_is_not_ours_in_a_cache_stays(self, filled: Filled) -> None:
        mine = filled.cache / "thesis.tex"
        mine.write_text("mine")
        clean(filled.cache, frozenset(), dry_run=False, report=silence)
        assert mine.read_text() == "mine"

    @posix
    @pytest.mark.parametrize("name", ["store-v2", "environments-v2", "http-v1", "git-v7", "claims-v1"])
    def test_a_folder_that_is_a_link_is_refused(self, filled: Filled, tmp_path: Path, name: str) -> None:
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / "mine").write_text("mine")
        if (filled.cache / name).exists():
            (filled.cache / name).rename(tmp_path / "away")
        (filled.cache / name).symlink_to(tmp_path / "home")
        for work in (
            lambda: clean(filled.cache, frozenset(), dry_run=False, report=silence),
            lambda: prune(filled.cache, days=0, dry_run=False, report=silence),
            lambda: verify(filled.cache, os.environ, silence),
            lambda: measure(filled.cache),
        ):
            with pytest.raises(EnvironmentPreparationError, match="not a folder but a link"):
                work()
        assert (tmp_path / "home" / "mine").read_text() == "mine"

    @posix
    @pytest.mark.parametrize(
        "place", ["store-v2/wheels", "store-v2/scratch", "http-v1/ab", f"environments-v2/{'a' * 32}"]
    )
    def test_a_link_further_down_goes_and_is_not_followed(self, filled: Filled, tmp_path: Path, place: str) -> None:
        home = tmp_path / "home"
        home.mkdir()
        (home / ("d" * 64)).mkdir()
        (home / ("d" * 64) / "mine").write_text("mine")
        path = filled.cache / place
        if path.exists():
            path.rename(tmp_path / "away")
        path.symlink_to(home)
        verify(filled.cache, os.environ, silence)
        prune(filled.cache, days=0, dry_run=False, report=silence)
        assert not path.is_symlink()
        assert (home / ("d" * 64) / "mine").read_text() == "mine"


@posix
class TestUse:
    def test_who_uses_it_is_waited_for(self, filled: Filled) -> None:
        script = (
            "import sys\nfrom pathlib import Path\nfrom buildlock.environment.cache_use import use_cache\n"
            f"use_cache(Path({str(filled.cache)!r}), print)\nprint('ready', flush=True)\nsys.stdin.read()\n"
        )
        events: list[Event] = []
        with another_process(script) as other:

            def report(event: Event) -> None:
                events.append(event)
                assert filled.list_kinds() == ALL
                assert other.stdin is not None
                other.stdin.close()

            clean(filled.cache, frozenset(), dry_run=False, report=report)
            other.wait(60)
        assert [type(event) for event in events] == [Warned]
        assert filled.list_kinds() == []

    def test_who_is_alone_is_waited_for(self, tmp_path: Path) -> None:
        script = (
            "import sys\nfrom pathlib import Path\nfrom buildlock.environment.cache_use import be_alone\n"
            f"with be_alone(Path({str(tmp_path)!r}), print):\n"
            "    print('ready', flush=True)\n    sys.stdin.readline()\n"
            "    print('alone to the end', flush=True)\nsys.stdin.read()\n"
        )
        with another_process(script) as other:

            def report(_: Event) -> None:
                assert other.stdin is not None
                other.stdin.write("\n")
                other.stdin.flush()

            use_cache(tmp_path, report)
            assert other.stdout is not None
            assert other.stdout.readline() == "alone to the end\n"
            assert other.poll() is None  # it shares the cache now

    def test_it_is_shared_again_afterwards(self, tmp_path: Path) -> None:
        with be_alone(tmp_path, silence):
            pass
        script = (
            "from pathlib import Path\nfrom buildlock.environment.cache_use import use_cache\n"
            f"use_cache(Path({str(tmp_path)!r}), print)\nprint('ready', flush=True)\n"
        )
        with another_process(script):
            pass

    def test_a_file_of_use_that_is_a_link_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "mine").write_text("mine")
        (tmp_path / "in-use").symlink_to(tmp_path / "mine")
        with pytest.raises(EnvironmentPreparationError, match="cannot be written"):
            use_cache(tmp_path, silence)
