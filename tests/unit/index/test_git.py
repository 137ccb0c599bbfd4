"""Git repositories: revisions, trees, credentials, and what a hostile repository may try."""

import shutil
import socket
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest

from buildlock.artifacts import Origin
from buildlock.errors import (
    BuildlockError,
    EnvironmentPreparationError,
    HostError,
    IntegrityError,
    ProjectError,
    UnavailableError,
)
from buildlock.index import git_command
from buildlock.index.git import add_history, checkout, resolve_revision
from buildlock.project.network import parse_insecure_host
from buildlock.reporting import Event, Noted
from support.git import ENVIRON, GitRepository, GitServer, run_git
from support.tls import serve_tls

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")

Resolve: TypeAlias = Callable[..., str]
Checkout: TypeAlias = Callable[..., Path]


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return GitRepository(tmp_path / "served" / "demo")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "served") as server:
        yield server


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def resolve(tmp_path: Path, events: list[Event]) -> Resolve:
    def resolve(
        url: str, revision: str | None = None, environ: Mapping[str, str] = ENVIRON, insecure: tuple[str, ...] = ()
    ) -> str:
        origin = Origin(kind="vcs", url=url, revision=revision)
        hosts = tuple(map(parse_insecure_host, insecure))
        cache = tmp_path / "cache"
        found = resolve_revision(origin, environ=environ, report=events.append, cache=cache, insecure_hosts=hosts)
        assert found.commit is not None
        assert replace(found, commit=None) == origin
        return found.commit

    return resolve


@pytest.fixture
def write(tmp_path: Path, events: list[Event]) -> Checkout:
    def write(url: str, commit: str, environ: Mapping[str, str] = ENVIRON, limit: int = 1 << 20) -> Path:
        destination = tmp_path / "out" / f"{len(list(tmp_path.glob('out/*')))}"
        checkout(
            Origin(kind="vcs", url=url, commit=commit),
            destination,
            environ=environ,
            report=events.append,
            cache=tmp_path / "cache",
            limit=limit,
        )
        return destination

    return write


def read(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.parts
    }


def test_a_revision_is_a_branch_a_tag_or_a_commit(repository: GitRepository, resolve: Resolve) -> None:
    first = repository.commit({"a": "1"})
    repository.run("tag", "light")
    repository.run("tag", "--annotate", "--message=heavy", "v1.0/heavy")
    second = repository.commit({"a": "2"})
    repository.run("branch", "feature/x", first)
    repository.run("tag", "main", first)
    assert resolve(repository.url) == second
    assert resolve(repository.url, "HEAD") == second
    assert resolve(repository.url, "main") == second
    assert resolve(repository.url, "feature/x") == first
    assert resolve(repository.url, "light") == first
    assert resolve(repository.url, "v1.0/heavy") == first
    assert resolve(repository.url, "refs/tags/v1.0/heavy") == first
    assert resolve(repository.url, first) == first
    assert resolve(repository.url, first.upper()) == first
    assert resolve(repository.url, first[:7]) == first
    assert resolve(repository.url, second[:12]) == second


def test_the_hash_of_an_annotated_tag_is_its_commit(repository: GitRepository, resolve: Resolve) -> None:
    commit = repository.commit()
    repository.run("tag", "--annotate", "--message=heavy", "heavy")
    assert resolve(repository.url, repository.run("rev-parse", "heavy")) == commit


def test_a_parent_is_found_after_its_child_was_fetched_alone(repository: GitRepository, resolve: Resolve) -> None:
    first = repository.commit({"a": "1"})
    second = repository.commit({"a": "2"})
    assert resolve(repository.url, second) == second
    assert resolve(repository.url, first[:10]) == first


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_tree_is_written(tmp_path: Path, algorithm: str, resolve: Resolve, write: Checkout) -> None:
    repository = GitRepository(tmp_path / "with space", algorithm=algorithm)
    (repository.folder / "run").touch()
    (repository.folder / "run").chmod(0o755)
    (repository.folder / "link").symlink_to("sub/b")
    commit = repository.commit({"a": "1", "sub/b": "2", ".gitattributes": "* text=auto\n"})
    assert resolve(repository.url, "main") == commit
    folder = write(repository.url, commit)
    assert read(folder) == {"a": "1", "sub/b": "2", ".gitattributes": "* text=auto\n", "run": "", "link": "2"}
    assert (folder / "link").readlink() == Path("sub/b")
    assert (folder / "run").stat().st_mode & stat.S_IXUSR
    assert not (folder / "a").stat().st_mode & stat.S_IXUSR


@pytest.mark.parametrize("protocol", ["smart", "dumb"])
def test_over_http_and_without_the_network_afterwards(
    repository: GitRepository, server: GitServer, protocol: str, resolve: Resolve, write: Checkout
) -> None:
    old = repository.commit({"a": "1"})
    commit = repository.commit({"a": "2"})
    repository.run("tag", "--annotate", "--message=1", "v1", old)
    repository.run("update-server-info")
    server.dumb = protocol == "dumb"
    url = f"{server.url}/demo/.git"
    assert resolve(url, "v1") == old
    assert resolve(url, "main") == commit
    assert resolve(url, commit) == commit
    server.requests.clear()
    assert read(write(url, commit)) == {"a": "2"}
    assert read(write(url, old)) == {"a": "1"}
    assert resolve(url, commit) == commit
    assert server.requests == []


def test_questions_are_reported(repository: GitRepository, resolve: Resolve, events: list[Event]) -> None:
    commit = repository.commit()
    resolve(repository.url, "main")
    messages = [event.message for event in events if isinstance(event, Noted)]
    assert len(messages) == 2
    assert all(repository.url in message for message in messages)
    resolve(repository.url, commit)
    assert len(events) == 2


def test_only_what_is_needed_is_fetched(repository: GitRepository, resolve: Resolve, tmp_path: Path) -> None:
    first = repository.commit({"a": "1"})
    second = repository.commit({"a": "2"})
    assert resolve(repository.url, second) == second
    (kept,) = (path for path in (tmp_path / "cache" / "git-v1").iterdir() if path.is_dir())
    assert not list(kept.glob(f"objects/{first[:2]}/{first[2:]}"))
    assert (kept / "shallow").read_text().split() == [second]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700


@pytest.mark.parametrize("revision", ["nothing", "abcdef0", "0" * 40, "0" * 64, "refs/heads/nothing"])
def test_an_unknown_revision_is_told(repository: GitRepository, resolve: Resolve, revision: str) -> None:
    repository.commit()
    with pytest.raises(ProjectError) as caught:
        resolve(repository.url, revision)
    assert revision in caught.value.message
    assert repository.url in caught.value.message
    assert caught.value.hint is not None


def test_an_empty_repository_has_no_revision(repository: GitRepository, resolve: Resolve) -> None:
    with pytest.raises(ProjectError, match="has not a default branch"):
        resolve(repository.url)


@pytest.mark.parametrize(
    "revision",
    [
        "--upload-pack=touch x",
        "-",
        "",
        "a b",
        "a..b",
        "main~1",
        "main^",
        "*",
        "a:b",
        "x\ny",
        "a@{1}",
        "/a",
        "a/",
        "a" * 300,
    ],
)
def test_what_is_no_revision_is_refused(repository: GitRepository, resolve: Resolve, revision: str) -> None:
    repository.commit()
    with pytest.raises(ProjectError, match="is not a branch, tag or commit"):
        resolve(repository.url, revision)


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=touch${IFS}x",
        "ext::sh -c whoami",
        "ext::sh",
        "git://git.example/demo",
        "git@git.example:demo",
        "fd::17/foo",
        "ssh://-oProxyCommand=touch/demo",
        "ssh://-x@git.example/demo",
        "https://git.example:port/demo",
        "https:///demo",
        "https://git.example/demo?x",
        "https://me:se%0acret@git.example/demo",
        "https://[::1/demo",
        "file:relative",
        "file://git.example/demo",
        "file:///a/../b",
        "demo",
        "",
    ],
)
def test_what_is_no_url_of_a_repository_is_refused(url: str, resolve: Resolve) -> None:
    with pytest.raises(ProjectError, match="is not the URL of a git repository") as caught:
        resolve(url)
    assert "cret" not in caught.value.message


def test_a_repository_that_is_not_there(tmp_path: Path, server: GitServer, resolve: Resolve, write: Checkout) -> None:
    for url in ((tmp_path / "missing").as_uri(), f"{server.url}/missing", "http://127.0.0.1:1/closed"):
        with pytest.raises(UnavailableError, match="cannot be read") as caught:
            resolve(url)
        assert url in caught.value.message
        with pytest.raises(UnavailableError):
            write(url, "0" * 40)


def test_a_commit_that_was_removed(repository: GitRepository, write: Checkout) -> None:
    repository.commit()
    with pytest.raises(ProjectError, match="has not the commit 0000"):
        write(repository.url, "0" * 40)
    with pytest.raises(ProjectError, match="is not the full hash"):
        write(repository.url, "main")


def test_without_git(resolve: Resolve, tmp_path: Path) -> None:
    with pytest.raises(HostError, match="no `git` on PATH") as caught:
        resolve("https://git.example/demo", environ={**ENVIRON, "PATH": str(tmp_path)})
    assert caught.value.hint is not None


def test_credentials_are_sent_and_kept_nowhere(
    repository: GitRepository, server: GitServer, resolve: Resolve, write: Checkout, tmp_path: Path
) -> None:
    server.password = "p@ss'\"$(word)"
    commit = repository.commit({"a": "1"})
    helper = tmp_path / "helper"
    helper.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n', encoding="utf-8")
    helper.chmod(0o755)
    configuration = tmp_path / "gitconfig"
    configuration.write_text(f"[credential]\nhelper = {helper}\n", encoding="utf-8")
    environ = {**ENVIRON, "GIT_CONFIG_GLOBAL": str(configuration)}
    url = f"http://me:p%40ss%27%22%24%28word%29@{server.authority}/demo/.git"
    assert resolve(url, "main", environ=environ) == commit
    assert read(write(url, commit, environ=environ)) == {"a": "1"}
    assert not (tmp_path / "asked").exists()
    kept = [path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert not any(b"word" in content for content in kept)


def test_a_user_name_may_be_a_token(repository: GitRepository, server: GitServer, resolve: Resolve) -> None:
    server.password = ""
    commit = repository.commit()
    assert resolve(f"http://me@{server.authority}/demo/.git") == commit


def test_the_credential_helpers_of_the_user_are_asked(
    repository: GitRepository, server: GitServer, resolve: Resolve, tmp_path: Path
) -> None:
    server.password = "secret"
    commit = repository.commit()
    configuration = tmp_path / "gitconfig"
    configuration.write_text(
        '[credential]\nhelper = "!f() { test $1 = get && echo username=me && echo password=secret; }; f"\n',
        encoding="utf-8",
    )
    environ = {**ENVIRON, "GIT_CONFIG_GLOBAL": str(configuration)}
    assert resolve(f"{server.url}/demo/.git", environ=environ) == commit
    assert resolve(f"http://me@{server.authority}/demo/.git", environ=environ) == commit


def test_wrong_credentials_are_not_shown(repository: GitRepository, server: GitServer, resolve: Resolve) -> None:
    repository.commit()
    server.password = "other"
    with pytest.raises(UnavailableError) as caught:
        resolve(f"http://me:secret@{server.authority}/demo/.git")
    assert "secret" not in caught.value.message
    assert "secret" not in str(caught.value.hint)


def test_credentials_do_not_follow_a_redirect(
    repository: GitRepository, server: GitServer, resolve: Resolve, tmp_path: Path
) -> None:
    repository.commit()
    server.password = "secret"
    with GitServer(tmp_path / "served") as first:
        first.redirect = server.url
        with pytest.raises(UnavailableError):
            resolve(f"http://me:secret@{first.authority}/demo/.git")
    assert server.requests
    assert set(server.authorizations) == {None}


def add_submodule(repository: GitRepository, url: str, path: str, *, more: str = "") -> None:
    """As `git submodule add` would, whatever the URL is."""
    with (repository.folder / ".gitmodules").open("a", encoding="utf-8") as file:
        file.write(f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n{more}')
    repository.run("add", ".gitmodules")


def link_commit(repository: GitRepository, path: str, commit: str) -> None:
    repository.run("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")


@pytest.mark.parametrize("urls", ["relative", "absolute"])
def test_submodules_are_at_the_commits_that_the_tree_names(
    tmp_path: Path, repository: GitRepository, server: GitServer, urls: str, write: Checkout
) -> None:
    inner, outer = GitRepository(tmp_path / "served" / "inner"), GitRepository(tmp_path / "served" / "outer")
    innermost = inner.commit({"c": "3"})
    inner.commit({"c": "later"})
    (outer.folder / "b").write_text("2", encoding="utf-8")
    add_submodule(outer, "../../inner/.git" if urls == "relative" else f"{server.url}/inner/.git", "deep/inner")
    outer.run("add", "--all")
    link_commit(outer, "deep/inner", innermost)
    outer.run("commit", "--quiet", "--message=x")
    (repository.folder / "a").write_text("1", encoding="utf-8")
    add_submodule(repository, "../../outer/.git" if urls == "relative" else f"{server.url}/outer/.git", "lib")
    add_submodule(repository, "ext::sh", "ignored", more="\tupdate = none\n")
    repository.run("add", "--all")
    link_commit(repository, "lib", outer.run("rev-parse", "HEAD"))
    link_commit(repository, "ignored", innermost)
    repository.run("commit", "--quiet", "--message=x")
    commit = repository.run("rev-parse", "HEAD")
    expected = {"a", "lib/b", "lib/deep/inner/c"}
    folder = write(f"{server.url}/demo/.git", commit)
    assert {name for name in read(folder) if ".gitmodules" not in name} == expected
    assert (folder / "lib/deep/inner/c").read_text() == "3"
    assert list(folder.rglob(".git")) == [folder / ".git"]
    assert run_git(folder, "status", "--porcelain") == ""
    server.requests.clear()
    write(f"{server.url}/demo/.git", commit)
    assert server.requests == []


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("file:///etc", ProjectError),
        ("ext::sh -c 'touch x'", ProjectError),
        ("--upload-pack=touch", IntegrityError),
        ("../../../../../x", ProjectError),
        ("/etc", ProjectError),
    ],
)
def test_a_submodule_cannot_be_of_this_machine(
    repository: GitRepository, server: GitServer, url: str, error: type[BuildlockError], write: Checkout
) -> None:
    add_submodule(repository, url, "lib")
    link_commit(repository, "lib", "1" * 40)
    repository.run("commit", "--quiet", "--message=x")
    with pytest.raises(error):
        write(f"{server.url}/demo/.git", repository.run("rev-parse", "HEAD"))


def test_a_submodule_that_nothing_describes(repository: GitRepository, write: Checkout) -> None:
    repository.commit({"a": "1"})
    link_commit(repository, "lib", "1" * 40)
    repository.run("commit", "--quiet", "--message=x")
    with pytest.raises(IntegrityError, match=r"`lib` in .* has no URL"):
        write(repository.url, repository.run("rev-parse", "HEAD"))


def test_submodules_without_end_are_refused(repository: GitRepository, write: Checkout) -> None:
    commit = repository.commit({"a": "1"})
    for _ in range(12):
        (repository.folder / ".gitmodules").unlink(missing_ok=True)
        add_submodule(repository, repository.url, "lib")
        link_commit(repository, "lib", commit)
        repository.run("commit", "--quiet", "--message=x")
        commit = repository.run("rev-parse", "HEAD")
    with pytest.raises(IntegrityError, match="nested deeper than 10"):
        write(repository.url, commit)


@pytest.mark.parametrize(
    ("name", "target"), [("a", "/etc/passwd"), ("a", "../x"), ("a", "a"), ("a", "sub/../../x"), ("a", "sub/up/../../x")]
)
def test_links_out_of_the_tree_are_refused(repository: GitRepository, name: str, target: str, write: Checkout) -> None:
    (repository.folder / name).symlink_to(target)
    (repository.folder / "sub").mkdir()
    (repository.folder / "sub" / "up").symlink_to("..")
    commit = repository.commit({"sub/b": "1"})
    with pytest.raises(IntegrityError, match=f"`{name}` in {commit} of `.*` is a link"):
        write(repository.url, commit)


def test_a_tree_that_is_too_large_is_refused_before_it_is_written(
    repository: GitRepository, write: Checkout, tmp_path: Path
) -> None:
    commit = repository.commit({"a": "x" * 1000, "b": "x" * 1000})
    with pytest.raises(IntegrityError, match="larger than is accepted"):
        write(repository.url, commit, limit=1999)
    assert list((tmp_path / "out").rglob("*")) == [tmp_path / "out" / "0"]
    assert len(read(write(repository.url, commit, limit=2000))) == 2


class TestHistory:
    @pytest.fixture
    def describe(self, tmp_path: Path, write: Checkout, events: list[Event]) -> Callable[[str, str], str]:
        def describe(url: str, commit: str) -> str:
            folder = write(url, commit)
            assert run_git(folder, "rev-list", "--count", "HEAD") == "1"
            origin = Origin(kind="vcs", url=url, commit=commit)
            add_history(origin, folder, environ=ENVIRON, report=events.append, cache=tmp_path / "cache")
            assert run_git(folder, "status", "--porcelain") == ""
            assert not run_git(folder, "remote")
            assert not (folder / ".git/hooks").exists()
            return run_git(folder, "describe", "--tags", "--long", "--dirty", "--always", "--abbrev=64")

        return describe

    @pytest.mark.parametrize("protocol", ["smart", "dumb"])
    @pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
    def test_a_version_can_be_made_of_it(
        self, tmp_path: Path, server: GitServer, describe: Callable[[str, str], str], algorithm: str, protocol: str
    ) -> None:
        repository = GitRepository(tmp_path / "served" / algorithm, algorithm=algorithm)
        repository.commit({"a": "1"})
        repository.run("tag", "--annotate", "--message=x", "v1.0")
        commits = [repository.commit({"a": str(number)}) for number in range(3)]
        repository.run("tag", "later")
        repository.run("update-server-info")
        server.dumb = protocol == "dumb"
        url = f"{server.url}/{algorithm}/.git"
        assert describe(url, commits[1]) == f"v1.0-2-g{commits[1]}"
        assert describe(url, commits[2]) == f"later-0-g{commits[2]}"
        server.requests.clear()
        # One that was fetched alone, and is in the history of the other.
        assert describe(url, commits[1]) == f"v1.0-2-g{commits[1]}"
        assert describe(url, commits[2]) == f"later-0-g{commits[2]}"
        assert server.requests == []

    def test_of_a_commit_that_no_branch_has(
        self, repository: GitRepository, describe: Callable[[str, str], str]
    ) -> None:
        repository.commit({"a": "1"})
        repository.run("tag", "v1.0")
        commit = repository.commit({"a": "2"})
        repository.run("reset", "--quiet", "--hard", "v1.0")
        repository.run("update-ref", "refs/pull/1/head", commit)
        assert describe(repository.url, commit) == f"v1.0-1-g{commit}"

    def test_of_a_remote_that_has_no_more(
        self, tmp_path: Path, repository: GitRepository, describe: Callable[[str, str], str]
    ) -> None:
        repository.commit({"a": "1"})
        commit = repository.commit({"a": "2"})
        run_git(tmp_path, "clone", "--quiet", "--bare", "--depth=1", repository.url, str(tmp_path / "shallow"))
        assert describe((tmp_path / "shallow").as_uri(), commit) == commit


@pytest.mark.parametrize("name", [".git", "..", ".GIT", "git~1", ".g\u200cit"])
def test_trees_that_reach_for_the_repository_are_refused(
    repository: GitRepository, name: str, write: Checkout, tmp_path: Path
) -> None:
    inner = repository.run("mktree", given=f"100644 blob {repository.blob('evil')}\tconfig\n")
    commit = repository.commit_entries(f"040000 tree {inner}\t{name}")
    with pytest.raises(BuildlockError):
        write(repository.url, commit)
    assert not list(tmp_path.glob("out/**/config"))


def test_nothing_runs_on_checkout(repository: GitRepository, write: Checkout, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for hook in ("post-checkout", "post-index-change", "reference-transaction"):
        (hooks / hook).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n", encoding="utf-8")
        (hooks / hook).chmod(0o755)
    configuration = tmp_path / "gitconfig"
    configuration.write_text(
        f"[core]\nhooksPath = {hooks}\nfsmonitor = {hooks}/post-checkout\nautocrlf = true\n"
        f"[init]\ntemplateDir = {tmp_path}/template\n",
        encoding="utf-8",
    )
    (tmp_path / "template").mkdir()
    commit = repository.commit({"a": "1\n2\n", ".gitattributes": "* filter=evil\n"})
    folder = write(repository.url, commit, environ={**ENVIRON, "GIT_CONFIG_GLOBAL": str(configuration)})
    assert (folder / "a").read_bytes() == b"1\n2\n"
    assert not (tmp_path / "ran").exists()


def test_the_surrounding_repository_does_not_matter(
    repository: GitRepository, resolve: Resolve, tmp_path: Path
) -> None:
    around = GitRepository(tmp_path / "around")
    commit = repository.commit()
    around.run("config", "url.file:///nowhere.insteadOf", repository.url)
    environ = {**ENVIRON, "GIT_DIR": str(around.folder / ".git"), "GIT_WORK_TREE": str(around.folder)}
    assert resolve(repository.url, "main", environ=environ) == commit


def test_what_was_written_into_the_cache_is_not_checked_out(
    repository: GitRepository, write: Checkout, tmp_path: Path
) -> None:
    """A build is told where the objects of its source are."""
    commit = repository.commit({"a": "good\n"})
    blob = repository.run("rev-parse", f"{commit}:a")
    alternates = (write(repository.url, commit) / ".git" / "objects" / "info" / "alternates").read_text().strip()
    shutil.rmtree(Path(alternates, "pack"))
    shutil.copytree(repository.folder / ".git" / "objects", alternates, dirs_exist_ok=True)
    path = Path(alternates, blob[:2], blob[2:])
    path.chmod(0o600)
    path.write_bytes(zlib.compress(b"blob 5\0evil\n"))
    second = tmp_path / "second"
    origin = Origin(kind="vcs", url=repository.url, commit=commit)
    events: list[Event] = []
    checkout(origin, second, environ=ENVIRON, report=events.append, cache=tmp_path / "cache")
    assert read(second) == {"a": "good\n"}
    assert any(isinstance(event, Noted) and "is damaged and will be fetched again" in event.message for event in events)
    assert not list((tmp_path / "cache" / "git-v1").glob("copy-*"))


def test_what_a_killed_process_left_is_no_obstacle(
    repository: GitRepository, resolve: Resolve, write: Checkout, tmp_path: Path
) -> None:
    first = repository.commit({"a": "1"})
    resolve(repository.url, first)
    second = repository.commit({"a": "2"})
    (kept,) = (path for path in (tmp_path / "cache" / "git-v1").iterdir() if path.is_dir())
    (kept / "shallow.lock").touch()
    (kept / "refs" / "buildlock" / f"{second}.lock").touch()
    assert read(write(repository.url, second)) == {"a": "2"}


def test_a_destination_or_cache_that_cannot_be_used(repository: GitRepository, tmp_path: Path) -> None:
    commit = repository.commit({"a": "1"})
    origin = Origin(kind="vcs", url=repository.url, commit=commit)
    with pytest.raises(EnvironmentPreparationError, match="is not empty"):
        checkout(origin, repository.folder, environ=ENVIRON, report=lambda _: None, cache=tmp_path / "cache")
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentPreparationError, match="cannot be written"):
        checkout(origin, tmp_path / "out", environ=ENVIRON, report=lambda _: None, cache=tmp_path / "file")
    with pytest.raises(EnvironmentPreparationError, match="cannot be written"):
        checkout(origin, tmp_path / "file" / "out", environ=ENVIRON, report=lambda _: None, cache=tmp_path / "cache")


def test_a_server_that_never_answers(resolve: Resolve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_command, "_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/demo"
        with pytest.raises(UnavailableError, match="git has not ended after"):
            resolve(url)


def test_an_answer_without_end_is_refused(
    repository: GitRepository, resolve: Resolve, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit()
    monkeypatch.setattr(git_command, "MAX_OUTPUT", 10)
    with pytest.raises(UnavailableError, match="has too many references"):
        resolve(repository.url)


def test_several_at_once(repository: GitRepository, tmp_path: Path) -> None:
    commits = [repository.commit({"a": f"{number}"}) for number in range(4)]

    def write_one(number: int) -> str:
        destination = tmp_path / f"out-{number}"
        origin = Origin(kind="vcs", url=repository.url, commit=commits[number % 4])
        checkout(origin, destination, environ=ENVIRON, report=lambda _: None, cache=tmp_path / "cache")
        return (destination / "a").read_text()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(write_one, range(8))) == ["0", "1", "2", "3"] * 2


@pytest.mark.parametrize("damage", ["HEAD", "objects", "config"])
def test_a_damaged_copy_is_made_anew(repository: GitRepository, write: Checkout, tmp_path: Path, damage: str) -> None:
    commit = repository.commit({"a": "1"})
    write(repository.url, commit)
    (kept,) = (path for path in (tmp_path / "cache" / "git-v1").iterdir() if path.is_dir())
    if (kept / damage).is_dir():
        shutil.rmtree(kept / damage)
    else:
        (kept / damage).write_bytes(b"\0[")
    assert read(write(repository.url, commit)) == {"a": "1"}


def test_the_cache_may_be_relative(repository: GitRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = repository.commit({"a": "1"})
    monkeypatch.chdir(tmp_path)
    origin = Origin(kind="vcs", url=repository.url, commit=commit)
    checkout(origin, Path("out"), environ=ENVIRON, report=lambda _: None, cache=Path("cache"))
    assert sorted(Path("out").iterdir()) == [Path("out/.git"), Path("out/a")]


def test_a_server_that_may_be_insecure(
    repository: GitRepository, resolve: Resolve, tmp_path: Path, events: list[Event]
) -> None:
    commit = repository.commit({"README": "hello"})
    with GitServer(tmp_path / "served", serve_tls()) as secure:
        with pytest.raises(UnavailableError):
            resolve(f"{secure.url}/demo", insecure=("localhost", "127.0.0.1:1"))
        assert secure.requests == []
        assert resolve(f"{secure.url}/demo", insecure=(secure.authority,)) == commit
        assert f"the certificate of `{secure.url}` is not checked" in repr(events)
        # A server that it leads to is another one.
        with GitServer(tmp_path / "served", serve_tls()) as other:
            secure.redirect = other.url
            with pytest.raises(UnavailableError):
                resolve(f"{secure.url}/demo", "main", insecure=(secure.authority,))
            assert other.requests == []
