"""What is said of a lock that changed."""

from dataclasses import replace

from buildlock.lockfile.changes import Change, compare_environments
from buildlock.lockfile.model import LockedEnvironment
from support.locks import make_archive, make_direct, make_environment, make_package, make_sdist, make_source


def describe(before: LockedEnvironment | None, after: LockedEnvironment) -> list[str]:
    return [tell(change) for change in compare_environments(before, after)]


def tell(change: Change) -> str:
    owner = f"{change.build}: " if change.build else ""
    return f"{owner}{change.name} {change.before} {change.after}{' files' if change.files_only else ''}"


def make(foo: str = "1.0", *, setuptools: str = "69.0", more: str | None = None) -> LockedEnvironment:
    """`foo` and what it is built in."""
    builder = [make_package("setuptools", setuptools), *([make_package(more)] if more else [])]
    return make_environment(
        make_package("numpy"), make_source("foo", foo), builds={f"foo=={foo}": make_environment(*builder)}
    )


def test_what_is_new_is_told_without_its_build() -> None:
    assert describe(None, make()) == ["foo None 1.0", "numpy None 1.0"]
    assert describe(make_environment(make_package("numpy")), make()) == ["foo None 1.0"]
    assert describe(make(), make_environment(make_package("numpy"))) == ["foo 1.0 None"]


def test_what_moves_in_a_build_is_told_with_it() -> None:
    assert describe(make(), make()) == []
    assert describe(make(), make(setuptools="70.0")) == ["foo==1.0: setuptools 69.0 70.0"]
    assert describe(make(), make(more="wheel")) == ["foo==1.0: wheel None 1.0"]
    assert describe(make(more="wheel"), make()) == ["foo==1.0: wheel 1.0 None"]


def test_the_build_of_another_version_is_compared() -> None:
    assert describe(make(), make("1.1", setuptools="70.0")) == ["foo 1.0 1.1", "foo==1.1: setuptools 69.0 70.0"]


def test_several_versions_are_not_paired() -> None:
    both = make_environment(
        make_source("foo", "1.1"),
        make_source("foo", "1.2"),
        builds={f"foo==1.{minor}": make_environment(make_package("setuptools", "70.0")) for minor in (1, 2)},
    )
    assert [change for change in compare_environments(make(), both) if change.build] == []


def test_other_files() -> None:
    source = make_source("foo")
    moved = replace(source, sdist=make_sdist("foo-1.0.tar.gz", base="https://other.example"))
    wheel = make_package("foo", sdist=True)
    archive = make_direct("foo", archive=make_archive("foo-1.0.tar.gz"))
    inner = make_direct("foo", archive=make_archive("foo-1.0.tar.gz", subdirectory="python"))
    for before, after in ((source, moved), (source, wheel), (source, archive), (archive, inner)):
        assert describe(make_environment(before), make_environment(after)) == ["foo 1.0 1.0 files"]
    resized = replace(source, sdist=make_sdist("foo-1.0.tar.gz", size=None))
    assert describe(make_environment(source), make_environment(resized)) == []
