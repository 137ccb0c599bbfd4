"""Answers that are remembered: given again only where nothing changed that they were made from."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import buildlock
from buildlock.answers import asking
from buildlock.answers.records import read_record, write_record
from buildlock.workflows import check as workflow
from buildlock.workflows import uv_block
from index.server import IndexServer
from support.asker import Asker, enter
from support.command import CopyLockedProject, CopyProject

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the places of configuration files differ there")

CU124 = ("--variant", "cu124", "--no-dynamic")
SLOW = frozenset(
    {"typer", "click", "rich", "packaging", "urllib3", "tomllib", "tomli", "json", "re", "pathlib", "typing"}
)


@pytest.fixture
def seed(locked: CopyLockedProject, monkeypatch: pytest.MonkeyPatch) -> Asker:
    return enter(locked("seed", *CU124), monkeypatch)


def append(name: str, text: str) -> Callable[[Asker], None]:
    def change(seed: Asker) -> None:
        path = seed.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(text)

    return change


def set_variable(name: str, value: str) -> Callable[[Asker], None]:
    return lambda seed: seed.patch.setenv(name, value)


def pass_a_day(seed: Asker) -> None:
    now = time.time()
    seed.patch.setattr(time, "time", lambda: now + 24 * 60 * 60)


def reinstall(seed: Asker) -> None:
    seed.patch.setattr(asking, "PACKAGE", str(seed.root.parent))


CHANGES: Mapping[str, Callable[[Asker], object]] = {
    "pyproject.toml": append("pyproject.toml", "\n# nothing\n"),
    "what pyproject.toml says": lambda seed: seed.project.replace('"setuptools>=69.0.3"', '"setuptools>=70"'),
    "the lock": append("build-lock.toml", "\n"),
    "the lock goes": lambda seed: seed.project.lock_path.unlink(),
    "uv.toml comes": append("uv.toml", 'prerelease = "allow"\n'),
    "the user's uv.toml comes": append("../home/.config/uv/uv.toml", 'index-strategy = "unsafe-best-match"\n'),
    "the user's pip.conf comes": append("../home/.config/pip/pip.conf", "[global]\ntimeout = 5\n"),
    "the user's older pip.conf comes": append("../home/.pip/pip.conf", "[global]\ntimeout = 5\n"),
    "a netrc comes": append("../home/.netrc", ""),
    "a variable of uv": set_variable("UV_PRERELEASE", "allow"),
    "a variable of pip": set_variable("PIP_INDEX_URL", "https://index.example/simple"),
    "a file that a variable names": set_variable("PIP_CONFIG_FILE", os.devnull),
    "a mirror": set_variable("BUILDLOCK_MIRROR_OTHER", "https://mirror.example/simple"),
    "offline": set_variable("BUILDLOCK_OFFLINE", "1"),
    "a home": set_variable("HOME", "/nowhere"),
    "the width of the terminal": set_variable("COLUMNS", "40"),
    "no colour": set_variable("NO_COLOR", "1"),
    "a day": pass_a_day,
    "buildlock": reinstall,
    "Python": lambda seed: seed.patch.setattr(sys, "version", "3.99.0 (demo)"),
    "the executable": lambda seed: seed.patch.setattr(sys, "executable", "/bin/sh"),
}
ALL_THE_SAME: Mapping[str, Callable[[Asker], object]] = {
    "a shell": set_variable("SHLVL", "7"),
    "what nobody asks for": set_variable("DEMO", "1"),
    "another file": append("README.md", "Read me."),
    "a touch": lambda seed: os.utime(seed.project.pyproject),
    "the same written again": lambda seed: seed.project.pyproject.write_bytes(seed.project.pyproject.read_bytes()),
}


class TestCheck:
    def test_it_is_remembered(self, seed: Asker) -> None:
        first, second = seed.check(), seed.check()
        assert (first.remembered, second.remembered) == (False, True)
        assert second.stderr == "cu118: not locked\ncu124: fresh\n"

    @pytest.mark.parametrize("arguments", [("--json",), ("--quiet",), ("--variant", "cu118"), ("--project", "."), ()])
    def test_each_way_to_ask_is_its_own(self, seed: Asker, arguments: tuple[str, ...]) -> None:
        seed.check("--verbose")
        assert not seed.check(*arguments).remembered
        assert seed.check(*arguments).remembered

    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
    def test_what_it_depends_on(self, seed: Asker, change: Callable[[Asker], object]) -> None:
        seed.check()
        change(seed)
        assert not seed.check().remembered

    @pytest.mark.parametrize("change", ALL_THE_SAME.values(), ids=ALL_THE_SAME)
    def test_what_it_does_not_depend_on(self, seed: Asker, change: Callable[[Asker], object]) -> None:
        seed.check()
        change(seed)
        assert seed.check().remembered

    def test_a_stale_lock_stays_stale_until_it_is_locked(self, seed: Asker) -> None:
        before = seed.project.pyproject.read_bytes()
        seed.project.replace('"setuptools>=69.0.3"', '"setuptools>=70"')
        assert (seed.check().code, seed.check().remembered) == (3, True)
        seed.project.pyproject.write_bytes(before)
        assert (seed.check().code, seed.check().remembered) == (0, True)

    def test_a_working_directory(self, seed: Asker) -> None:
        where = ("--project", str(seed.root))
        seed.check(*where)
        seed.patch.chdir(seed.root.parent)
        assert not seed.check(*where).remembered

    def test_a_project_that_moved(self, seed: Asker) -> None:
        """Another one is in its place."""
        where = ("--project", str(seed.root))
        seed.patch.chdir(seed.root.parent)
        seed.check(*where)
        seed.root.rename(seed.root.parent / "moved")
        assert seed.ask("check", *where).code == 2
        seed.root.mkdir()
        seed.project.pyproject.write_text('[build-system]\nrequires = ["ninja"]\n')
        given = seed.check(*where)
        assert (given.remembered, given.code) == (False, 3)

    @pytest.mark.skipif(os.name != "posix", reason="links as POSIX has them")
    def test_a_link_to_the_project(self, seed: Asker) -> None:
        """What it leads to is what counts, also where the files are alike."""
        seed.patch.chdir(seed.root.parent)
        other = seed.root.parent / "other"
        other.mkdir()
        for path in (seed.project.pyproject, seed.project.lock_path):
            (other / path.name).write_bytes(path.read_bytes())
        link = seed.root.parent / "link"
        link.symlink_to(seed.root)
        seed.check("--project", "link")
        assert seed.check("--project", "link").remembered
        link.unlink()
        link.symlink_to(other)
        given = seed.check("--project", "link", "--json")
        assert not seed.check("--project", "link").remembered
        assert str(other) in given.stdout

    @pytest.mark.parametrize("command", [("check",), ("lock", *CU124)])
    def test_times_are_those_of_one_run(self, seed: Asker, command: tuple[str, ...]) -> None:
        assert [seed.ask(*command, "--timings").remembered for _ in range(2)] == [False, False]
        assert not seed.records

    def test_errors_are_not_remembered(self, seed: Asker) -> None:
        seed.project.append("[tool.buildlock]\nunknown = 1")
        assert [seed.ask("check").code for _ in range(2)] == [1, 1]
        assert seed.ask("check", "--nonsense").code == 2
        assert not seed.records


class TestLock:
    """What indexes say is not looked up again on the same day, if nothing changed here."""

    LOCK = ("lock", *CU124)

    @pytest.fixture
    def asked(self, seed: Asker, server: IndexServer) -> Asker:
        """A project of which was said that its lock is up to date."""
        assert seed.ask(*self.LOCK).stderr.endswith("build-lock.toml is up to date\n")
        server.exchanges.clear()
        return seed

    def test_it_is_remembered(self, asked: Asker, server: IndexServer) -> None:
        content = asked.project.lock_path.read_bytes()
        given = asked.ask(*self.LOCK)
        assert (given.remembered, len(server.exchanges)) == (True, 0)
        again = asked.ask(*self.LOCK, "--refresh")
        assert (again.code, again.stderr) == (given.code, given.stderr)
        assert not again.remembered
        assert asked.project.lock_path.read_bytes() == content

    def test_what_writes_is_not_remembered(self, seed: Asker) -> None:
        seed.project.lock_path.unlink()
        given = [seed.ask(*self.LOCK) for _ in range(3)]
        assert [each.remembered for each in given] == [False, False, True]
        assert [each.stderr.splitlines()[-1] for each in given] == [
            "Wrote build-lock.toml",
            *("build-lock.toml is up to date",) * 2,
        ]

    def test_what_it_depends_on(self, asked: Asker) -> None:
        """All of it with one lock, which takes longer than to look."""
        for name, change in (*CHANGES.items(), *ALL_THE_SAME.items()):
            with asked.undone() as other:
                change(other)
                assert other.recalls(*self.LOCK) == (name in ALL_THE_SAME), name
            assert asked.recalls(*self.LOCK), f"after {name}"

    @pytest.mark.parametrize("option", ["--check", "--dry-run", "--json"])
    def test_options(self, seed: Asker, option: str) -> None:
        first, second = (seed.ask(*self.LOCK, option) for _ in range(2))
        assert (first.remembered, second.remembered) == (False, True)
        assert (first.stdout, first.stderr) == (second.stdout, second.stderr)

    @pytest.mark.parametrize("options", [("--upgrade",), ("-P", "ninja"), ("--refresh",)])
    def test_what_asks_for_news_is_not_remembered(self, seed: Asker, options: tuple[str, ...]) -> None:
        assert [seed.ask(*self.LOCK, *options).code for _ in range(2)] == [0, 0]
        assert not seed.recalls(*self.LOCK, *options)
        assert not seed.records

    def test_what_would_change_is_not_remembered(self, seed: Asker) -> None:
        seed.project.replace('"setuptools>=69.0.3"', '"setuptools>=68"')
        for option, code in (("--dry-run", 0), ("--check", 3)):
            assert seed.ask(*self.LOCK, option).code == code
        assert not seed.records

    def test_a_folder_of_files(self, seed: Asker) -> None:
        offered = seed.root / "wheels" / "other-1.0-py3-none-any.whl"
        offered.parent.mkdir()
        offered.write_bytes(b"one")
        lock = (*self.LOCK, "--find-links", "wheels")
        for change in (lambda: offered.write_bytes(b"more"), lambda: offered.rename(offered.with_suffix(".old"))):
            for _ in range(2):
                assert seed.ask(*lock).code == 0
            assert seed.recalls(*lock)
            change()
            assert not seed.recalls(*lock)


class TestBackend:
    """Of what a backend reads, the top of the project and the environment can be known."""

    def test_what_it_depends_on(self, locked: CopyLockedProject, monkeypatch: pytest.MonkeyPatch) -> None:
        asker = enter(locked("in-tree-backend"), monkeypatch)
        asker.ask("lock")  # Python writes its cache beside the backend
        assert asker.ask("lock").stderr.endswith("is up to date\n")
        changes = {
            "a file at the top": append("requirements.txt", "ninja\n"),
            "setup.py": append("setup.py", "\n"),
            "the backend": append("backend/added.py", ""),
            "any variable": set_variable("DEMO", "1"),
        }
        for name, change in changes.items():
            with asker.undone() as other:
                change(other)
                assert not other.recalls("lock"), name
            assert asker.recalls("lock"), f"after {name}"
        monkeypatch.setenv("SHLVL", "7")
        assert asker.recalls("lock")


class TestOtherFiles:
    """What some projects have besides."""

    def test_a_runtime_lock(self, seed: Asker) -> None:
        seed.project.append('[tool.buildlock]\nmatch-runtime = ["torch"]')
        seed.check()
        assert seed.check().remembered
        append("pylock.cu124.toml", 'lock-version = "1.0"\ncreated-by = "demo"\npackages = []\n')(seed)
        assert not seed.ask("check").remembered

    def test_a_file_of_constraints(self, seed: Asker) -> None:
        append("limits.txt", "")(seed)
        seed.patch.setenv("UV_BUILD_CONSTRAINT", "limits.txt")
        seed.check()
        assert seed.check().remembered
        append("limits.txt", "ninja<2\n")(seed)
        assert not seed.check().remembered

    def test_a_member_of_a_workspace(self, checkout: CopyProject, monkeypatch: pytest.MonkeyPatch) -> None:
        project = checkout("requires-only")
        project.append('[tool.uv.workspace]\nmembers = ["packages/*"]\n[tool.uv.sources]\nninja = { workspace = true }')
        for name in ("packages/a", "packages/b"):
            (project.root / name).mkdir(parents=True)
        for name, member in (("a", "other"), ("b", "ninja")):
            (project.root / "packages" / name / "pyproject.toml").write_text(f'[project]\nname = "{member}"\n')
        asker = enter(project, monkeypatch)
        asker.check()
        assert asker.check().remembered
        (project.root / "packages/a/pyproject.toml").write_text('[project]\nname = "third"\n')
        assert not asker.check().remembered
        assert asker.check().remembered
        (project.root / "packages/0").mkdir()
        assert not asker.check().remembered


class TestRecords:
    @pytest.mark.parametrize("damage", [lambda text: text[:-1], lambda _: b"", lambda text: text + b"x"])
    def test_damage_is_passed_over(self, seed: Asker, damage: Callable[[bytes], bytes]) -> None:
        seed.check()
        (path,) = seed.records
        path.write_bytes(damage(path.read_bytes()))
        assert not seed.check().remembered
        assert seed.check().remembered

    def test_they_hold_no_secret(self, seed: Asker) -> None:
        seed.patch.setenv("PIP_INDEX_URL", "https://user:hunter2@index.example/simple")
        append("../home/.netrc", "machine index.example login user password hunter3")(seed)
        seed.check("--json")
        assert seed.check("--json").remembered
        assert b"hunter" not in b"".join(path.read_bytes() for path in seed.records)

    def test_a_cache_that_cannot_be_written(self, seed: Asker) -> None:
        seed.project.cache.parent.mkdir(parents=True, exist_ok=True)
        seed.project.cache.write_text("a file")
        assert [seed.check().remembered, seed.check().remembered] == [False, False]

    def test_a_project_in_the_cache_is_seen(self, seed: Asker) -> None:
        seed.patch.setenv("BUILDLOCK_CACHE_DIR", str(seed.root))
        seed.check()
        assert seed.check().remembered
        append("pyproject.toml", "\n# nothing\n")(seed)
        assert not seed.check().remembered

    def test_what_changes_while_it_runs(self, seed: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
        """The lock is read, and then written by somebody else."""
        judge = uv_block.judge_uv_block

        def disturb(*arguments: object) -> object:
            append("build-lock.toml", "\n")(seed)
            return judge(*arguments)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(workflow, "judge_uv_block", disturb)
            seed.ask("check")
        assert not seed.records

    def test_two_at_once(self, seed: Asker) -> None:
        """Each writes whole records; whoever reads gets one of them."""
        seed.check()
        (path,) = seed.records
        record = read_record(str(path.parent), path.name)
        assert record is not None
        threads = [threading.Thread(target=write_record, args=(str(path.parent), path.name, record)) for _ in range(20)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert read_record(str(path.parent), path.name) is not None
        assert seed.records == [path]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """buildlock's files as an installation leaves them."""
    site = tmp_path_factory.mktemp("installed") / "site-packages"
    shutil.copytree(Path(buildlock.__file__).parent, site / "buildlock")
    return site


class TestWhatItTakes:
    """In a process of its own: counts, since seconds say little on a machine that others use."""

    def test_counts(self, seed: Asker, site: Path) -> None:
        program = (
            "import os, sys\n"
            "from buildlock.cli import main\n"
            "os._exit = sys.exit  # to say what was counted\n"
            "opened = []\n"
            "sys.addaudithook(lambda event, arguments: opened.append(arguments[0]) if event == 'open' else None)\n"
            "try:\n"
            "    main()\n"
            "finally:\n"
            "    print(*sorted(sys.modules), file=sys.__stdout__)\n"
            "    print(*map(str, opened), sep='\\n', file=sys.__stdout__)\n"
        )
        environment = {**seed.project.environment, "PYTHONPATH": str(site)}

        def run() -> tuple[str, set[str], list[str]]:
            command = [sys.executable, "-X", "frozen_modules=on", "-c", program, "check"]
            done = subprocess.run(command, cwd=seed.root, env=environment, capture_output=True, text=True, check=True)
            modules, *opened = done.stdout.splitlines()
            return done.stderr, set(modules.split()), opened

        said, imported, _ = run()
        assert "buildlock.workflows.check" in imported
        again, imported, opened = run()
        assert again == said
        ours = {name for name in imported if name.partition(".")[0] == "buildlock"}
        assert ours == {
            "buildlock",
            "buildlock.answers",
            *(f"buildlock.answers.{name}" for name in ("asking", "place", "records", "replay", "sights")),
            *("buildlock.cli", "buildlock.cli.again"),
        }
        assert not imported.intersection(SLOW)
        # The record, pyproject.toml, the lock; uv.toml and pip's files are not there.
        assert len(opened) == 3, opened

    def test_no_variable_is_looked_up_unseen(self, seed: Asker) -> None:
        """Those that libraries look up by themselves are part of the key."""
        program = (
            "import os, sys\n"
            "class Spy(type(os.environ)):\n"
            "    def __getitem__(self, name):\n"
            "        names.add(name)\n"
            "        return super().__getitem__(name)\n"
            "names = set()\n"
            "os.environ.__class__ = Spy\n"
            "from buildlock.answers.looking import WatchedEnvironment\n"
            "from buildlock.cli import main\n"
            "os._exit = sys.exit  # to say what was counted\n"
            "try:\n"
            "    main()\n"
            "finally:\n"
            "    print(*sorted(names), file=sys.__stdout__)\n"
        )
        command = [sys.executable, "-c", program, "check", "--verbose"]
        # Those that are there are copied, which looks them up.
        environment = {name: seed.project.environment[name] for name in ("BUILDLOCK_CACHE_DIR", "HOME", "PATH")}
        done = subprocess.run(command, cwd=seed.root, env=environment, capture_output=True, text=True, check=True)
        looked_up = set(done.stdout.split())
        assert {"TTY_COMPATIBLE", "FORCE_COLOR"} <= looked_up
        assert looked_up <= {*asking.LIBRARY_VARIABLES, *environment}
