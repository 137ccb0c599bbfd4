"""Static metadata of sources: what is believed, what has to be built, what contradicts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from buildlock.artifacts import CoreMetadata
from buildlock.errors import IntegrityError
from buildlock.metadata.static import read_static_metadata

FOO = canonicalize_name("foo")
PKG_INFO = "Metadata-Version: 2.2\nName: Foo\nVersion: 1.0\nRequires-Dist: bar>=1\n"
PYPROJECT = '[project]\nname = "Foo"\nversion = "1.0"\n'


def read(
    pkg_info: str | None = None,
    pyproject: str | None = None,
    *,
    name: NormalizedName | None = FOO,
    version: str | None = "1.0",
) -> CoreMetadata | None:
    return read_static_metadata(
        pkg_info=None if pkg_info is None else pkg_info.encode(),
        pyproject=None if pyproject is None else pyproject.encode(),
        name=name,
        version=None if version is None else Version(version),
        where="foo-1.0.tar.gz",
    )


@pytest.mark.parametrize("metadata_version", ["2.2", "2.3", "2.4", "2.9"])
@pytest.mark.parametrize("dynamic", ["", "Dynamic: License\nDynamic: Classifier\n"])
def test_pkg_info_counts_since_pep_643(metadata_version: str, dynamic: str) -> None:
    metadata = read(PKG_INFO.replace("2.2", metadata_version) + dynamic)
    assert metadata == CoreMetadata(name=FOO, version=Version("1.0"), requires_dist=(Requirement("bar>=1"),))


@pytest.mark.parametrize("metadata_version", ["1.0", "1.2", "2.0", "2.1", "3.0", "x"])
def test_other_pkg_info_says_nothing(metadata_version: str) -> None:
    assert read(PKG_INFO.replace("2.2", metadata_version)) is None


@pytest.mark.parametrize(
    "field", ["Requires-Dist", "requires-dist", "Requires-Python", "Provides-Extra", "Version", "NAME"]
)
def test_a_dynamic_field_has_to_be_built(field: str) -> None:
    assert read(f"{PKG_INFO}Dynamic: {field}\n") is None


@pytest.mark.parametrize("more", ["Requires-Dist: bar !\n", "Version: 1.0\n", "no field\n", "Provides-Extra: a b\n"])
def test_unusable_pkg_info_says_nothing(more: str) -> None:
    assert read(PKG_INFO + more) is None
    assert read(PKG_INFO + more, PYPROJECT) is not None


def test_a_project_table_says_all() -> None:
    metadata = read(
        pyproject=f"""{PYPROJECT}
        requires-python = ">=3.9"
        dynamic = ["readme", "classifiers"]
        dependencies = ["torch==2.4", "foo[fast]; os_name == 'nt'", "baz @ https://files.example/baz-1.0.tar.gz"]
        [project.optional-dependencies]
        Fast = ["ninja", "wheel; os_name == 'nt' or os_name == 'posix'"]
        empty = []
        """,
    )
    assert metadata is not None
    assert (metadata.name, metadata.version) == (FOO, Version("1.0"))
    assert metadata.requires_python == SpecifierSet(">=3.9")
    assert metadata.provides_extra == {"fast", "empty"}
    assert list(map(str, metadata.requires_dist)) == [
        "torch==2.4",
        'foo[fast]; os_name == "nt"',
        "baz @ https://files.example/baz-1.0.tar.gz",
        'ninja; extra == "fast"',
        'wheel; (os_name == "nt" or os_name == "posix") and extra == "fast"',
    ]


def test_pkg_info_counts_more_than_the_project_table() -> None:
    assert read(PKG_INFO, f"{PYPROJECT}dependencies = ['other']") == read(PKG_INFO)


def test_the_project_table_counts_where_pkg_info_is_old() -> None:
    metadata = read(PKG_INFO.replace("2.2", "2.1"), f"{PYPROJECT}dependencies = ['other']")
    assert metadata is not None
    assert metadata.requires_dist == (Requirement("other"),)


def test_a_dynamic_version_may_be_known_from_elsewhere() -> None:
    dynamic = '[project]\nname = "foo"\ndynamic = ["version"]\n'
    assert read(pyproject=dynamic) == CoreMetadata(name=FOO, version=Version("1.0"))
    assert read(pyproject=dynamic, version=None) is None


@pytest.mark.parametrize(
    "pyproject",
    [
        "",
        "[build-system]\nrequires = []",
        '[project]\nname = "foo"',
        '[project]\nversion = "1.0"',
        f'{PYPROJECT}dynamic = ["version"]',
        f'{PYPROJECT}dynamic = ["dependencies"]',
        f'{PYPROJECT}dynamic = ["optional-dependencies"]',
        f'{PYPROJECT}dynamic = ["requires-python"]',
        f"{PYPROJECT}[tool.poetry.dependencies]\nbar = '^1'",
        f"{PYPROJECT}dependencies = ['foo @ {{root:uri}}/x']",
        f"{PYPROJECT}dependencies = ['bar !']",
        f"{PYPROJECT}dependencies = 'bar'",
        f"{PYPROJECT}dependencies = [1]",
        f"{PYPROJECT}dependencies = {{bar = '*'}}",
        f"{PYPROJECT}dependencies = ['bar; {'(' * 900}os_name == 1']",
        f"{PYPROJECT}dependencies = ['bar=={'1' * 5000}']",
        f"{PYPROJECT}requires-python = 'three'",
        f"{PYPROJECT}requires-python = '>={'1' * 5000}'",
        f"{PYPROJECT}dynamic = 'x'",
        f"{PYPROJECT}[project.optional-dependencies]\n'a b' = []",
        f"{PYPROJECT}[project.optional-dependencies]\na-b = []\na_b = []",
        f"{PYPROJECT}[project.optional-dependencies]\na = 'x'",
        f"{PYPROJECT}optional-dependencies = []",
        "project = 1",
        "[project]\nname = 1\nversion = 1",
        '[project]\nname = "foo"\nversion = "x"',
        f'[project]\nname = "foo"\nversion = "{"1" * 5000}"',
        '[project]\nname = "-"\nversion = "1.0"',
        f"tool = 1\n{PYPROJECT}",
        "[project",
        f"{'[' * 5000}",
        f"{'a.' * 600}b = 1",
    ],
)
def test_a_project_table_that_says_not_all_has_to_be_built(pyproject: str) -> None:
    assert read(pyproject=pyproject) is None


@pytest.mark.parametrize(("name", "version"), [("bar", "1.0"), ("foo", "1.1"), ("foo", "1.0+cpu")])
def test_a_contradiction_is_refused(name: str, version: str) -> None:
    for arguments in ((PKG_INFO, None), (None, PYPROJECT)):
        with pytest.raises(IntegrityError, match=r"of `foo-1.0.tar.gz` is that of `foo` 1.0, not of"):
            read(*arguments, name=canonicalize_name(name), version=version)


def test_of_a_source_tree_nothing_need_be_known() -> None:
    assert read(pyproject=PYPROJECT, name=None, version=None) == CoreMetadata(name=FOO, version=Version("1.0"))
    assert read(name=None, version=None) is None


@given(st.binary(max_size=200) | st.text(max_size=80).map(lambda text: f"{PKG_INFO}{text}".encode("utf-8", "replace")))
def test_any_bytes_say_something_or_nothing(content: bytes) -> None:
    for pkg_info, pyproject in ((content, None), (None, content), (None, PYPROJECT.encode() + content)):
        try:
            metadata = read_static_metadata(
                pkg_info=pkg_info, pyproject=pyproject, name=FOO, version=Version("1.0"), where="foo-1.0.tar.gz"
            )
        except IntegrityError:
            continue
        assert metadata is None or (metadata.name, metadata.version) == (FOO, Version("1.0"))
