"""What is kept of metadata says the same as the metadata, and is parsed when it is looked at."""

import json
from collections.abc import Mapping, Sequence
from typing import cast

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from buildlock import requirements
from buildlock.artifacts import Artifact
from buildlock.errors import InvalidMetadataError
from buildlock.metadata.core import parse_core_metadata
from buildlock.metadata.kept import read_metadata, write_metadata
from buildlock.requirements import read_condition, read_requirement
from buildlock.resolver.needs import RequirementsByExtra

ARTIFACT = Artifact(
    name=canonicalize_name("foo"),
    version=Version("1.0"),
    kind="wheel",
    filename="foo-1.0-py3-none-any.whl",
    url="https://files.example/foo-1.0-py3-none-any.whl",
)
REQUIRES = (
    "bar[x,y]>=1,<2",
    "baz; python_version < '3.12'",
    "qux; extra == 'Some_Group'",
    "quux ; os_name == 'a\"b' and extra == 'other'",
    "corge @ https://files.example/corge.tar.gz ; extra == 'a' or extra == 'b'",
    "grault; extra != 'a'",
    "garply; extra == ''",
)
CONTENT = (
    b"Metadata-Version: 2.1\nName: foo\nVersion: 1.0\nRequires-Python: >=3.8,<4\nProvides-Extra: Some_Group\n"
    + "".join(f"Requires-Dist: {text}\n" for text in REQUIRES).encode()
    + b"\nText\n"
)


def test_it_says_what_the_metadata_says() -> None:
    metadata = parse_core_metadata(CONTENT, artifact=ARTIFACT)
    again = read_metadata(write_metadata(metadata), ARTIFACT)
    assert again is not None
    assert again == metadata
    assert again.requires_dist == tuple(map(Requirement, REQUIRES))
    assert again.requires_dist[-2:] == metadata.requires_dist[-2:]


def test_a_requirement_is_parsed_when_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    content = write_metadata(parse_core_metadata(CONTENT, artifact=ARTIFACT))
    parsed: list[str] = []
    monkeypatch.setattr(requirements, "read_requirement", parsed.append)
    metadata = read_metadata(content, ARTIFACT)
    assert metadata is not None
    assert not RequirementsByExtra(metadata.requires_dist).list_for("unknown")[1:]
    assert parsed == [REQUIRES[5]]


@pytest.mark.parametrize(
    ("requirement", "allowed"),
    [
        ("foo", [""]),
        ("foo; os_name == 'posix'", [""]),
        ("foo; extra == 'X_y'", ["x-y"]),
        ("foo; extra == 'x-y' and os_name == 'posix'", ["x-y"]),
        ("foo; extra == 'x-y' or os_name == 'posix'", ["", "x-y"]),
        ("foo; (extra == 'x-y' or extra == 'z') and os_name == 'posix'", ["", "x-y"]),
        ("foo; extra == ''", [""]),
        ("foo; extra != 'x-y'", ["", "other", "x-y"]),
        ("foo; 'x-y' == extra", ["", "other", "x-y"]),
        ("foo; extra in 'x-y'", ["", "other", "x-y"]),
    ],
)
def test_what_a_marker_says_of_extras(requirement: str, allowed: list[str]) -> None:
    condition = read_condition(Requirement(requirement))
    assert [extra for extra in ("", "other", "x-y") if condition.allows(extra)] == allowed


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        *(
            json.dumps({"requires-dist": [], "requires-python": None, "provides-extra": [], **changes}).encode()
            for changes in cast(
                "Sequence[Mapping[str, object]]",
                (
                    {"requires-dist": 1},
                    {"requires-dist": [1]},
                    {"requires-dist": [[]]},
                    {"requires-dist": [["foo", True]]},
                    {"requires-dist": [["foo", True, 1]]},
                    {"requires-python": "x"},
                    {"requires-python": 1},
                    {"provides-extra": None},
                ),
            )
        ),
    ],
)
def test_what_is_none_is_passed_over(content: bytes) -> None:
    assert read_metadata(content, ARTIFACT) is None


def test_a_requirement_that_is_none_is_refused_when_it_is_looked_at() -> None:
    content = json.dumps({"requires-dist": [["?"]], "requires-python": None, "provides-extra": []}).encode()
    metadata = read_metadata(content, ARTIFACT)
    assert metadata is not None
    with pytest.raises(InvalidMetadataError, match="damaged"):
        _ = metadata.requires_dist[0]


@pytest.mark.parametrize(
    "text",
    [
        *REQUIRES,
        "foo ; os_name == ';'",
        "foo @ https://files.example/a;b ; os_name == 'posix'",
        "foo\t;\tos_name == 'posix' ",
        "foo (>=1) ; os_name == 'posix'",
        *("foo;", "foo; os_name", "foo;\nos_name == 'posix'", "foo; os_name == 'posix';", "@; os_name == 'posix'"),
    ],
)
def test_a_requirement_is_read_as_packaging_reads_it(text: str) -> None:
    try:
        expected = Requirement(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"\S"):
            read_requirement(text)
    else:
        assert read_requirement(text) == expected
