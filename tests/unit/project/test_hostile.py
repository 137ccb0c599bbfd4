"""Whatever a project holds, reading it ends in a project or in one of our errors."""

from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import tomli_w
from hypothesis import example, given, settings
from hypothesis import strategies as st

from buildlock.errors import BuildlockError
from buildlock.project import buildlock_settings, uv_settings
from buildlock.project import settings as shared_settings
from buildlock.project.contradictions import check_contradictions
from buildlock.project.model import Overrides
from buildlock.project.reader import read_project
from buildlock.reporting import silence
from unit.project.conftest import DEFAULT_INDEX, HERMETIC

# Words that have a meaning somewhere, so that the search gets past the first check.
WORDS = sorted(
    {
        *shared_settings.KEYS,
        *uv_settings.PROJECT_KEYS,
        *buildlock_settings._OWN_KEYS,
        *buildlock_settings._VARIANT_KEYS,
        *("url", "name", "explicit", "default", "format", "flat", "path", "marker", "variant", "include-group"),
        *("requires", "build-backend", "backend-path", "dynamic", "optional-dependencies", "cu118", "torch"),
        *(
            "torch==2.4",
            "torch[a]<2; os_name == 'nt'",
            "a @ https://a.example",
            "a @ git+https://a.example/a@b#subdirectory=c",
            "https://a.example",
            ".",
            "..",
            "7 days",
        ),
        *(
            "git",
            "rev",
            "tag",
            "branch",
            "subdirectory",
            "lfs",
            "editable",
            "package",
            "workspace",
            "members",
            "exclude",
        ),
        *("requirement", "match-runtime", "version", "requires-dist", "provides-extra", "variants", "==1", "a/*", "*"),
        *("override-dependencies", "constraint-dependencies", "allow", "os_name == 'nt'", "demo[cu118]", "demo"),
    }
)
texts = st.sampled_from(WORDS) | st.text(st.characters(codec="utf-8"), max_size=20)
scalars = (
    texts
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.dates(min_value=date(1, 1, 1))
    | st.builds(lambda: datetime(2025, 1, 1))  # noqa: DTZ001 - TOML has local times
    | st.just(time(1))
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
tables = st.dictionaries(texts, values, max_size=6)


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder)


def read(root: Path, content: bytes, environ: dict[str, str]) -> None:
    (root / "pyproject.toml").write_bytes(content)
    overrides = Overrides(default_index=DEFAULT_INDEX)
    message = ""
    try:
        project = read_project(root, environ={**environ, **HERMETIC}, overrides=overrides, report=silence)
        for inputs in project.inputs.values():
            check_contradictions(inputs)
    except BuildlockError as error:
        message = error.message
    assert all(line.isprintable() for line in message.split("\n"))


@settings(max_examples=100, deadline=None)
@given(
    document=st.fixed_dictionaries(
        {},
        optional={
            "build-system": tables | values,
            "project": st.fixed_dictionaries({"name": texts, "optional-dependencies": tables}) | values,
            "dependency-groups": tables | values,
            "tool": st.fixed_dictionaries({}, optional={"uv": tables | values, "buildlock": tables | values}) | values,
        },
    )
)
def test_no_table_is_too_strange(root: Path, document: dict[str, object]) -> None:
    read(root, tomli_w.dumps(document).encode(), {})


@settings(max_examples=100, deadline=None)
@given(
    place=st.sampled_from(["uv", "buildlock"]),
    key=st.sampled_from(WORDS),
    value=values | st.lists(tables, max_size=3) | tables,
)
def test_no_value_of_a_known_key_is_too_strange(root: Path, place: str, key: str, value: object) -> None:
    read(root, tomli_w.dumps({"tool": {place: {key: value}}}).encode(), {})


@settings(max_examples=200, deadline=None)
@given(
    place=st.sampled_from(["uv", "buildlock"]),
    source=st.dictionaries(
        st.sampled_from(["git", "rev", "tag", "branch", "subdirectory", "url", "path", "workspace", "lfs", "package"]),
        texts | st.booleans() | st.text(st.characters(codec="ascii"), max_size=30).map("https://".__add__),
        min_size=1,
        max_size=3,
    ),
    workspace=st.fixed_dictionaries({"members": st.lists(texts, max_size=3), "exclude": st.lists(texts, max_size=2)}),
)
def test_no_source_is_too_strange(
    root: Path, place: str, source: dict[str, object], workspace: dict[str, object]
) -> None:
    tool = {"uv": {"workspace": workspace}}
    tool[place] = {**tool.get(place, {}), "sources": {"torch": source}}
    document = {"build-system": {"requires": ["torch"]}, "tool": tool}
    read(root, tomli_w.dumps(document).encode(), {})


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_no_file_is_too_strange(root: Path, content: bytes) -> None:
    read(root, content, {})


VARIABLES = (
    *("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX"),
    *(
        "UV_INDEX_STRATEGY",
        "UV_PRERELEASE",
        "UV_EXCLUDE_NEWER",
        "UV_NO_BINARY",
        "UV_NO_BINARY_PACKAGE",
        "UV_CONSTRAINT",
    ),
    *("UV_CONFIG_FILE", "UV_NO_CONFIG", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_BINARY"),
    *("PIP_CONSTRAINT", "PIP_PRE", "UV_INDEX_A_USERNAME", "UV_INDEX_A_PASSWORD", "UV_OFFLINE", "HOME"),
)


@settings(max_examples=100, deadline=None)
@example(environ={"UV_INDEX_A_USERNAME": "\ud800"})
@given(
    environ=st.dictionaries(st.sampled_from(VARIABLES), st.text(st.characters(exclude_characters="\0"), max_size=20))
)
def test_no_environment_is_too_strange(root: Path, environ: dict[str, str]) -> None:
    read(root, b"[[tool.uv.index]]\nname = 'a'\nurl = 'https://a.example'", environ)
