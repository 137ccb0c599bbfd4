"""Each change of the lock in a line."""

from dataclasses import replace

import pytest
from packaging.pylock import Package, PackageDirectory, PackageVcs

from buildlock.cli.changes import describe_change
from buildlock.lockfile.changes import compare_environments
from buildlock.lockfile.model import LockedEnvironment, LockedInputs, build_key
from support.locks import make_archive, make_direct, make_environment, make_package, make_source


def tell(before: LockedEnvironment | None, after: LockedEnvironment) -> list[str]:
    return [describe_change(change, after).plain for change in compare_environments(before, after)]


def make(foo: Package, *, build: tuple[Package, ...] = ()) -> LockedEnvironment:
    inputs = LockedInputs(indexes={"foo": ("https://index.example/simple",)})
    assert foo.version is not None
    return make_environment(foo, inputs=inputs, builds={build_key(foo.name, foo.version): make_environment(*build)})


SETUPTOOLS = (make_package("setuptools", "69.0"),)


@pytest.mark.parametrize(
    ("package", "remark"),
    [
        (make_source("foo"), "https://index.example/simple, sdist, built in 1 package"),
        (make_package("foo", sdist=True), "https://index.example/simple, sdist for some targets, built in 1 package"),
        (make_direct("foo", archive=make_archive("main.zip")), "archive, built in 1 package"),
        (
            make_direct("foo", vcs=PackageVcs(type="git", url="https://git.example/foo", commit_id="0" * 40)),
            "git, built in 1 package",
        ),
        (make_direct("foo", directory=PackageDirectory(path="foo")), "folder, built in 1 package"),
        (make_package("foo"), "https://index.example/simple"),
    ],
)
def test_what_a_package_is_built_from_and_in(package: Package, remark: str) -> None:
    assert tell(None, make(package, build=SETUPTOOLS)) == [f" + foo 1.0  ({remark})"]


def test_the_build_of_a_package() -> None:
    before = make(make_source("foo"), build=(*SETUPTOOLS, make_package("wheel")))
    after = make(make_source("foo"), build=(make_package("setuptools", "70.0"), make_package("flit-core")))
    assert tell(before, after) == [
        " + foo's build: flit-core 1.0",
        " ~ foo's build: setuptools 69.0 → 70.0",
        " - foo's build: wheel 1.0",
    ]


def test_a_source_that_a_build_needs() -> None:
    before = make(make_source("foo"))
    after = make(make_source("foo"), build=(make_source("bar"),))
    after = replace(after, builds={**after.builds, "bar==1.0": make_environment(*SETUPTOOLS, make_package("wheel"))})
    assert tell(before, after) == [" + foo's build: bar 1.0  (sdist, built in 2 packages)"]


def test_a_source_that_is_no_more() -> None:
    assert tell(make(make_source("foo"), build=SETUPTOOLS), make_environment()) == [" - foo 1.0"]
