"""What the backend takes from a lock: what `buildlock install` takes; and from a hostile one nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest

from buildlock import backend
from buildlock.errors import BuildlockError
from buildlock.lockfile.reader import parse_lockfile
from buildlock.lockfile.select import LockedSource, select
from buildlock.platforms import parse_platform
from buildlock.targets import Target, make_target, parse_python
from support.backend_tree import HERE, Tree, variant
from support.locks import LOCKS

TARGETS = [
    make_target(parse_python(python), parse_platform(platform))
    for python in ("3.9", "3.10", "3.11", "3.12", "3.13t")
    for platform in (
        "linux",
        "x86_64-manylinux_2_17",
        "aarch64-unknown-linux-gnu",
        "macos",
        "windows",
        "x86_64-unknown-linux-musl",
    )
]
SHA256 = "0" * 64
HASHES = f'hashes = {{ sha256 = "{SHA256}" }}'


def as_machine(target: Target) -> backend.Machine:
    machine = backend.Machine.__new__(backend.Machine)
    machine.markers = dict(cast("Mapping[str, str]", target.environment))
    machine.tags = {str(tag): rank for rank, tag in reversed(list(enumerate(target.tags)))}
    return machine


@pytest.mark.parametrize("lock", sorted(LOCKS.glob("valid/*.toml")), ids=lambda path: path.stem)
def test_it_takes_what_install_takes(lock: Path) -> None:
    variants = backend.read_toml(lock)["variants"]
    for name, environment in parse_lockfile(lock.read_bytes(), lock.name).variants.items():
        for target in TARGETS:
            try:
                locked = select(environment, target)
            except BuildlockError:
                with pytest.raises(backend.Refused):
                    backend.select(name, variants, as_machine(target), lock.parent)
                continue
            taken = backend.select(name, variants, as_machine(target), lock.parent)
            assert [(each.name, each.version) for each in taken] == [(each.name, str(each.version)) for each in locked]
            for mine, theirs in zip(taken, locked, strict=True):
                assert bool(mine.unlocked) == isinstance(theirs, LockedSource)
                place = theirs.url or (lock.parent / str(theirs.path)).resolve().as_uri()
                assert mine.url.removeprefix("git+").startswith(place)
                commit = f"@{theirs.commit}" if isinstance(theirs, LockedSource) and theirs.commit else ""
                folder = isinstance(theirs, LockedSource) and theirs.origin == "directory"
                assert folder or (commit or f"#sha256={theirs.sha256}") in mine.url


@pytest.mark.parametrize("lock", sorted(LOCKS.glob("invalid/*/build-lock.toml")), ids=lambda path: path.parent.name)
@pytest.mark.parametrize("named", ["default", "cu124", None])
def test_a_hostile_lock_is_refused_or_means_what_it_says(tree: Tree, lock: Path, named: str | None) -> None:
    (tree.root / "build-lock.toml").write_bytes(lock.read_bytes())
    try:
        requires = backend.get_requires_for_build_wheel({"variant": named} if named else None)
    except backend.Refused:
        return
    assert all("#sha256=" in each and " @ http" in each for each in requires)


def entry(text: str) -> str:
    return f'[[variants.default.packages]]\nname = "foo"\nversion = "1.0"\n{text}\n'


def choose(tree: Tree, text: str) -> str:
    tree.pyproject(requires="[]")
    tree.lock(f'[variants.default]\nenvironments = ["{HERE}"]\n{entry(text)}')
    (requirement,) = backend.get_requires_for_build_wheel()
    return requirement


@pytest.mark.parametrize(
    ("text", "requirement"),
    [
        (
            f'sdist = {{ url = "https://f.example/foo-1.0.tar.gz", {HASHES} }}',
            f"https://f.example/foo-1.0.tar.gz#sha256={SHA256}",
        ),
        (
            f'archive = {{ url = "https://f.example/foo.zip", subdirectory = "a/b", {HASHES} }}',
            f"https://f.example/foo.zip#sha256={SHA256}&subdirectory=a/b",
        ),
        (
            f'vcs = {{ type = "git", url = "https://g.example/foo", commit-id = "{"a" * 40}", subdirectory = "py" }}',
            f"git+https://g.example/foo@{'a' * 40}#subdirectory=py",
        ),
    ],
    ids=["sdist", "archive", "git"],
)
def test_what_has_to_be_built(tree: Tree, capsys: pytest.CaptureFixture[str], text: str, requirement: str) -> None:
    assert choose(tree, text) == f"foo @ {requirement}"
    assert "`foo` 1.0 is built by the frontend" in capsys.readouterr().err


def test_a_wheel_as_an_archive(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    url = "https://f.example/foo-1.0-py3-none-any.whl"
    assert choose(tree, f'archive = {{ url = "{url}", {HASHES} }}') == f"foo @ {url}#sha256={SHA256}"
    assert not capsys.readouterr().err
    with pytest.raises(backend.Uncovered):
        choose(tree, f'archive = {{ url = "{url.replace("py3", "py2")}", {HASHES} }}')


def test_an_sdist_where_no_wheel_fits(tree: Tree) -> None:
    sdist = f'sdist = {{ url = "https://f.example/foo-1.0.tar.gz", {HASHES} }}'
    wheels = f'wheels = [{{ url = "https://f.example/foo-1.0-{{}}-none-any.whl", {HASHES} }}]'
    assert ".tar.gz#" in choose(tree, f"{sdist}\n{wheels.replace('{}', 'py2')}")
    assert ".whl#" in choose(tree, f"{sdist}\n{wheels.replace('{}', 'py3')}")


def test_files_and_folders_beside_the_lock(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    wheel = f'wheels = [{{ path = "wheel house/foo-1.0-py3-none-any.whl", {HASHES} }}]'
    with pytest.raises(backend.Refused, match="which is not there"):
        choose(tree, wheel)
    (tree.root / "wheel house").mkdir()
    (tree.root / "wheel house" / "foo-1.0-py3-none-any.whl").touch()
    assert choose(tree, wheel) == f"foo @ {tree.root.as_uri()}/wheel%20house/foo-1.0-py3-none-any.whl#sha256={SHA256}"
    (tree.root / "libs").mkdir()
    assert choose(tree, 'directory = { path = "libs" }') == f"foo @ {tree.root.as_uri()}/libs"
    assert "is a folder, whose content no frontend verifies" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "",
        "wheels = []",
        "wheels = 1",
        "wheels = [1]",
        "wheels = [{}]",
        f'wheels = [{{ url = "https://f.example/bar-1.0-py3-none-any.whl", {HASHES} }}]',
        f'wheels = [{{ url = "https://f.example/foo-1.1-py3-none-any.whl", {HASHES} }}]',
        f'wheels = [{{ url = "https://f.example/foo-1.0-any.whl", {HASHES} }}]',
        f'wheels = [{{ url = "https://u:p@f.example/foo-1.0-py3-none-any.whl", {HASHES} }}]',
        f'wheels = [{{ url = "https://f.example/foo-1.0-py3-none-any.whl#x", {HASHES} }}]',
        f'wheels = [{{ url = "https://f.example/a b/foo-1.0-py3-none-any.whl", {HASHES} }}]',
        f'wheels = [{{ url = "https://f.example/a\\nb/foo-1.0-py3-none-any.whl", {HASHES} }}]',
        f'wheels = [{{ url = "ftp://f.example/foo-1.0-py3-none-any.whl", {HASHES} }}]',
        f'wheels = [{{ path = "/abs/foo-1.0-py3-none-any.whl", {HASHES} }}]',
        f'wheels = [{{ path = "c:/foo-1.0-py3-none-any.whl", {HASHES} }}]',
        f'wheels = [{{ path = "a", url = "https://f.example/foo-1.0-py3-none-any.whl", {HASHES} }}]',
        'wheels = [{ url = "https://f.example/foo-1.0-py3-none-any.whl" }]',
        'wheels = [{ url = "https://f.example/foo-1.0-py3-none-any.whl", hashes = { sha256 = "abc" } }]',
        'wheels = [{ url = "https://f.example/foo-1.0-py3-none-any.whl", hashes = { md5 = "abc" } }]',
        f'wheels = [{{ url = "https://f.example/foo-1.0-py3-none-a%0A::set-env.whl", {HASHES} }}]',
        f'wheels = [{{ url = "https://f.example/foo-1.0-{".".join(["a"] * 99)}-none-any.whl", {HASHES} }}]',
        f'vcs = {{ type = "hg", url = "https://g.example/foo", commit-id = "{"a" * 40}" }}',
        'vcs = { type = "git", url = "https://g.example/foo", commit-id = "main" }',
        f'vcs = {{ type = "git", url = "ssh://u:p@g.example/foo", commit-id = "{"a" * 40}" }}',
        f'vcs = {{ type = "git", url = "ssh://-oProxyCommand=x/foo", commit-id = "{"a" * 40}" }}',
        f'vcs = {{ type = "git", url = "ssh://u@-o/foo", commit-id = "{"a" * 40}" }}',
        f'vcs = {{ type = "git", url = "ext://g.example/foo", commit-id = "{"a" * 40}" }}',
        f'vcs = {{ type = "git", commit-id = "{"a" * 40}" }}',
        'directory = { path = "libs", subdirectory = "../.." }',
        f'archive = {{ url = "https://f.example/foo.zip", subdirectory = "../up", {HASHES} }}',
        'directory = { path = "libs" }\nwheels = []',
        "sdist = 1",
    ],
)
def test_an_odd_entry_is_refused(tree: Tree, text: str) -> None:
    with pytest.raises(backend.Refused) as refused:
        choose(tree, text)
    assert all(line.isprintable() and not line.startswith("::") for line in str(refused.value).split("\n"))


def test_a_lock_that_selects_a_package_twice(tree: Tree) -> None:
    tree.lock(variant("a", "1"))
    tree.replace(r'name = "tool"', 'name = "torch"')
    tree.replace(r"tool-1.0", "torch-1.0")
    with pytest.raises(backend.Refused, match="selects `torch` twice"):
        backend.get_requires_for_build_wheel()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "`lock-version` None"),
        (b'lock-version = "2.0"', "`lock-version` '2.0', and this reads '1.0'"),
        (b"[", "is not TOML"),
        (b"\xff", "cannot be read"),
        (b'lock-version = "1.0"\nvariants = 1', "`variants` is not a table"),
        (b'lock-version = "1.0"\nvariants.a = 1', "`variants.a` is not a table"),
        (b'lock-version = "1.0"\nvariants.a.environments = [1]', "is not an array of strings"),
        (b'lock-version = "1.0"\nvariants.a.environments = ["nonsense"]', "is not an environment marker"),
        (b'lock-version = "1.0"\nvariants.a.environments = ["\\u001b[2J"]', "has characters that do not show"),
        (b'lock-version = "1.0"\nvariants."a\\n::error::".environments = []', "has characters that do not show"),
        (b"x = " + b"[" * 100_000, "is not TOML"),
    ],
)
def test_an_unreadable_lock(tree: Tree, content: bytes, said: str) -> None:
    (tree.root / "build-lock.toml").write_bytes(content)
    with pytest.raises(backend.Refused) as refused:
        backend.get_requires_for_build_wheel()
    assert said in str(refused.value)


def test_no_lock_at_all(tree: Tree) -> None:
    (tree.root / "build-lock.toml").unlink()
    with pytest.raises(backend.Refused, match=r"there is no `.*build-lock.toml`\nhint: run `buildlock lock`; an sdist"):
        backend.build_wheel("out")
