"""What of a locked package its index can be asked about."""

import pytest
from packaging.pylock import Package, PackageDirectory

from buildlock.lockfile.releases import find_release
from support.locks import make_archive, make_direct, make_package


def test_the_files_of_an_index() -> None:
    release = find_release(make_package("foo", "1.0+cpu", sdist=True))
    assert release is not None
    assert (release.index, release.name, str(release.version)) == ("https://index.example/simple", "foo", "1.0+cpu")
    assert [name for name, _ in release.files] == ["foo-1.0+cpu-py3-none-any.whl", "foo-1.0+cpu.tar.gz"]
    assert all(len(sha256) == 64 for _, sha256 in release.files)


@pytest.mark.parametrize(
    "package",
    [
        make_package("foo", index=None),
        make_package("foo", base="wheels"),
        make_direct("foo", archive=make_archive("foo-1.0.tar.gz")),
        make_direct("foo", directory=PackageDirectory(path="../foo")),
    ],
)
def test_what_comes_from_no_index(package: Package) -> None:
    assert find_release(package) is None
