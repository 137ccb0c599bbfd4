"""`buildlock init --git`, and what git then shows and merges."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildlock.lockfile.reader import parse_lockfile
from index.server import IndexServer, serve
from support.command import Checkout, Result, hermetic, run_process
from support.git import ENVIRON
from support.merging import PYPROJECT, Branches

NAME = "-h \"'$(touch x)"
"""A folder in the repository that a shell or a parser of options could stumble over."""


class Repository(Checkout):
    """A repository with a project in a folder of it."""

    def git(self, *arguments: str, **variables: str) -> Result:
        environment = {**self.environment, **ENVIRON, **variables}
        return run_process("git", *arguments, cwd=self.root, environment=environment)

    def show(self, *arguments: str) -> str:
        shown = self.git(*arguments)
        assert shown.code == 0, shown
        assert not shown.stderr
        return shown.stdout

    def commit(self, lock: bytes) -> None:
        self.lock_path.write_bytes(lock)
        self.git("add", "--all", ".")
        assert self.git("commit", "--quiet", "--message=change").code == 0

    def read_versions(self, variant: str = "cpu") -> dict[str, str]:
        packages = parse_lockfile(self.lock_path.read_bytes(), "x").variants[variant].packages
        return {package.name: str(package.version) for package in packages}


@pytest.fixture(scope="module")
def branches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Branches]:
    folder = tmp_path_factory.mktemp("branches")
    with serve() as server:
        yield Branches(root=folder / "kept", server=server, cache=folder / "cache")


def make_repository(folder: Path, index: IndexServer | None = None, name: str = NAME) -> Repository:
    """An empty one, with a home beside it."""
    top = folder / "repository"
    (top / name).mkdir(parents=True)
    environment = hermetic(folder, index.environment if index is not None else {})
    repository = Repository(root=top / name, environment=environment)
    run_process("git", "init", "--quiet", "--initial-branch=main", cwd=top, environment={**environment, **ENVIRON})
    return repository


@pytest.fixture
def repository(branches: Branches, tmp_path: Path) -> Repository:
    """One whose lock is committed with the drivers on, and that is on the branch `main`."""
    repository = make_repository(tmp_path, branches.server)
    repository.pyproject.write_text(PYPROJECT, encoding="utf-8")
    repository.succeed("init", "--git", "--quiet")
    repository.commit(branches.lock_base())
    return repository


def test_what_git_shows(repository: Repository, branches: Branches) -> None:
    repository.lock_path.write_bytes(branches.upgrade("filelock"))
    shown = repository.show("diff")
    assert shown.startswith(f"diff --git a/{NAME}/build-lock.toml b/{NAME}/build-lock.toml\n")
    assert (
        "\nLOW RISK\n  version-raised: a newer version than before\n    filelock 3.15.4 → 3.16.1  (in cpu)\n" in shown
    )
    assert all(len(line) <= 80 for line in shown.splitlines()[1:])
    repository.commit(branches.upgrade("filelock"))
    for command in ("show", "log -p -1", "diff --no-ext-diff HEAD~"):
        lines = repository.show(*command.split()).splitlines()
        changed = [line.rsplit("  ", 1)[0] for line in lines if line.startswith(("-  ", "+  "))]
        index = branches.server.url()
        assert changed == [f"-  filelock 3.15.4  {index}  1 wheel", f"+  filelock 3.16.1  {index}  1 wheel"]
        assert any(line.startswith("@@ ") and line.endswith("@@ variant cpu") for line in lines)
    assert "\nLOW RISK\n" in repository.show("show", "--ext-diff")
    assert '\n+version = "3.16.1"\n' in repository.show("format-patch", "--stdout", "-1")
    assert not (repository.root.parent / "x").exists()


@pytest.mark.slow
def test_a_commit_that_has_no_lock_in_the_file(repository: Repository, branches: Branches) -> None:
    repository.commit(b"<<<<<<< HEAD\n")
    repository.commit(branches.lock_base())
    said = "is invalid: line 1 is a conflict marker of a merge"
    assert f"-buildlock cannot read this: `build-lock.toml` {said}\n-<<<<<<< HEAD\n" in repository.show(
        "log", "-p", "-2"
    )
    shown = repository.show("diff", "HEAD~", "HEAD")
    assert f"{said}\n(`git diff --no-ext-diff` shows its lines)\n" in shown
    repository.git("rm", "--quiet", "build-lock.toml")
    assert "variant-dropped: it is no longer locked" in repository.show("diff", "--cached")


@pytest.mark.slow
def test_git_does_what_it_did_where_buildlock_is_gone(repository: Repository, branches: Branches) -> None:
    for key in ("diff.buildlock.command", "diff.buildlock.textconv", "merge.buildlock.driver"):
        command = repository.show("config", key).strip()
        repository.git("config", key, command.replace("buildlock ", "gone "))
    repository.git("checkout", "--quiet", "-b", "topic")
    repository.commit(branches.upgrade("filelock"))
    for command in ("diff HEAD~", "show"):
        assert '\n+version = "3.16.1"\n' in repository.show(*command.split())
    repository.git("checkout", "--quiet", "main")
    repository.commit(branches.lock_base().replace(b"3.15.4", b"3.15.5"))
    assert repository.git("merge", "topic").code == 1
    assert '\n=======\nversion = "3.16.1"\n' in repository.lock_path.read_text()


@pytest.mark.parametrize(
    "command",
    [
        "merge topic",
        pytest.param("rebase topic", marks=pytest.mark.slow),
        pytest.param("cherry-pick topic", marks=pytest.mark.slow),
    ],
)
def test_one_variant_on_two_branches(repository: Repository, branches: Branches, command: str) -> None:
    repository.git("checkout", "--quiet", "-b", "topic")
    repository.commit(branches.upgrade("filelock"))
    repository.git("checkout", "--quiet", "main")
    repository.commit(branches.upgrade("sympy"))
    cache = {"BUILDLOCK_CACHE_DIR": str(branches.cache)}
    done = repository.git(*command.split(), **cache)
    assert done.code == 0
    assert f"{NAME}/build-lock.toml: locked `cpu` anew, with the pins of both sides\n" in done.stderr
    versions = repository.read_versions()
    assert (versions["filelock"], versions["sympy"], versions["typing-extensions"]) == ("3.16.1", "1.13.3", "4.8.0")
    assert not repository.show("status", "--short")
    repository.succeed("check")


@pytest.mark.slow
def test_what_cannot_be_locked_now_is_locked_later(repository: Repository, branches: Branches) -> None:
    """The index does not answer; two variants on two branches need none."""
    repository.git("checkout", "--quiet", "-b", "topic")
    repository.commit(branches.upgrade("filelock"))
    repository.git("checkout", "--quiet", "-b", "other", "main")
    repository.commit(branches.upgrade("ninja", variant="gpu"))
    away = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple"}
    assert repository.git("merge", "topic", "--no-edit", **away).code == 0
    repository.git("checkout", "--quiet", "main")
    repository.commit(branches.upgrade("sympy"))
    failed = repository.git("merge", "other", **away)
    assert failed.code == 1
    assert "both sides have changed `cpu`: `http://127.0.0.1:9/simple/" in failed.stderr
    assert "run `buildlock lock`, then `git add` the lock\n" in failed.stderr
    # What one side alone has changed is merged.
    marked = repository.lock_path.read_text()
    assert marked.index(">>>>>>> ") < marked.index("[variants.gpu]")
    assert "ours → theirs: " in repository.succeed("diff").stdout.replace(" (HEAD)", "").replace(" (other)", "")
    assert "run `buildlock lock`: what both sides have changed" in repository.run("check").stderr
    locked = repository.succeed("lock", "--no-dynamic", BUILDLOCK_CACHE_DIR=str(branches.cache))
    assert "Locked cpu: 5 packages\n ~ filelock 3.15.4 → 3.16.1\n" in locked.stderr
    assert repository.read_versions()["sympy"] == "1.13.3"
    assert repository.read_versions("gpu")["ninja"] == "1.11.1.3"
    repository.git("add", "build-lock.toml")
    assert repository.git("commit", "--quiet", "--no-edit").code == 0


@pytest.mark.parametrize("command", ["git-diff a b c", "git-text a b", "git-merge a"])
def test_what_only_git_runs_is_of_no_use_otherwise(tmp_path: Path, command: str) -> None:
    result = Checkout(root=tmp_path, environment=hermetic(tmp_path, {})).run(*command.split())
    assert result.code == 2
    assert "Traceback" not in result.stderr
    assert not result.stdout


def test_a_file_that_is_unmerged(tmp_path: Path) -> None:
    result = Checkout(root=tmp_path, environment=hermetic(tmp_path, {})).succeed("git-diff", "--", "a\x1b/b")
    assert result.stdout == "* Unmerged path a /b\n"


def test_what_is_no_file(tmp_path: Path) -> None:
    checkout = Checkout(root=tmp_path, environment=hermetic(tmp_path, {}))
    arguments = ["a/build-lock.toml", os.devnull, "0", "0", "nowhere", "0", "0"]
    assert "there is no `nowhere`" in checkout.succeed("git-diff", "--", *arguments).stdout
    result = checkout.run("git-text", "--", "nowhere")
    assert (result.code, result.stderr) == (1, "error: there is no `nowhere`\n")
