"""A lock in lines: what each says, and that no change goes unseen."""

from dataclasses import replace

import pytest
from packaging.markers import Marker
from packaging.pylock import Package, PackageDirectory, PackageVcs
from packaging.utils import NormalizedName

from buildlock.export.lines import list_lines
from buildlock.lockfile.model import LockedInputs, Lockfile
from support.locks import make_archive, make_direct, make_environment, make_package, make_source

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = PackageVcs(type="git", url="https://git.example/foo", commit_id=COMMIT)


def show(*packages: Package, inputs: LockedInputs | None = None) -> list[str]:
    return list(list_lines(Lockfile(variants={"cpu": make_environment(*packages, inputs=inputs)})))


def test_a_line_for_each_input_and_each_package() -> None:
    inputs = LockedInputs(
        requires=("foo", "bar>=2"),
        backend="maker",
        dynamic={"wheel": ("ninja",)},
        settings={"resolution": "lowest", "no-build": True},
    )
    lines = show(make_package("foo", tags=["py2-none-any", "py3-none-any"], sdist=True), inputs=inputs)
    assert lines[2:-1] == [
        "  requires bar>=2",
        "  requires foo",
        "  backend maker",
        "  dynamic wheel ninja",
        "  settings no-build true",
        "  settings resolution lowest",
    ]
    assert lines[0] == "variant cpu"
    assert lines[1].startswith("  environments python_version == '3.11'")
    what, digest = lines[-1].rsplit("  ", 1)
    assert what == "  foo 1.0  https://index.example/simple  2 wheels and sdist"
    assert len(digest) == 20


@pytest.mark.parametrize(
    ("package", "said"),
    [
        (make_direct("foo", archive=make_archive("foo-1.0.tar.gz")), "https://index.example/files/foo-1.0.tar.gz"),
        (
            make_direct("foo", vcs=PackageVcs(type="git", url="https://git.example/foo", commit_id=COMMIT)),
            f"at {COMMIT}",
        ),
        (make_direct("foo", directory=PackageDirectory(path="libs/foo")), "libs/foo"),
        (make_package("foo", base="wheels"), "  1 wheel  "),
        (make_package("foo", marker="sys_platform == 'linux'"), "  ; sys_platform == 'linux'  "),
    ],
)
def test_where_it_comes_from(package: Package, said: str) -> None:
    assert said in show(package)[-1]


FOO = make_package("foo", sdist=True)


@pytest.mark.parametrize(
    "changed",
    [
        replace(FOO, wheels=[replace((FOO.wheels or [])[0], hashes={"sha256": "0" * 64})]),
        replace(FOO, wheels=[replace((FOO.wheels or [])[0], url="https://evil.example/foo-1.0-py3-none-any.whl")]),
        replace(FOO, wheels=[replace((FOO.wheels or [])[0], size=1)]),
        replace(FOO, dependencies=[{"name": "bar"}]),
        replace(FOO, marker=Marker("sys_platform == 'linux'")),
        replace(FOO, sdist=None),
        replace(FOO, index=None),
    ],
)
def test_no_change_goes_unseen(changed: Package) -> None:
    assert show(FOO)[-1] != show(changed)[-1]


def test_builds_and_packages_from_elsewhere_are_sections() -> None:
    environment = make_environment(
        make_source("foo"), builds={"foo==1.0": make_environment(make_package("bar"))}, source=make_source("baz")
    )
    lines = list(list_lines(Lockfile(variants={}, packages={NormalizedName("baz"): {"cpu": environment}})))
    assert lines[0] == "package baz for cpu"
    assert any(line.startswith("  source baz 1.0  https://index.example/simple  sdist  ") for line in lines)
    assert "package baz for cpu: build of foo==1.0" in lines


def test_a_value_makes_no_lines_of_its_own() -> None:
    lines = show(inputs=LockedInputs(backend="a\nvariant \x1b[2Jevil"))
    assert lines[2:] == ["  backend a variant  [2Jevil"]
