"""What is said of packages that are built from source: metadata, extra requirements, variables, config settings."""

import pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from unit.project.conftest import Faults, Read, Warnings

FOO = canonicalize_name("foo")

ALL = """
[[tool.{0}.dependency-metadata]]
name = "Foo"
version = "1.0"
requires-dist = ["torch>=2", "numpy; extra == 'x'"]
requires-python = ">=3.10"
provides-extra = ["X"]
[[tool.{0}.dependency-metadata]]
name = "foo"
[tool.{0}.extra-build-dependencies]
Foo = ["ninja>=1", {{ requirement = "torch", match-runtime = true }}, {{ requirement = "wheel" }}]
bar = ["setuptools"]
[tool.{0}.extra-build-variables]
foo = {{ MAX_JOBS = "1" }}
[tool.{0}]
config-settings = {{ verbose = "yes", define = ["a", "b"] }}
config-settings-package = {{ foo = {{ cuda = "on" }} }}
"""


@pytest.mark.parametrize("table", ["uv", "buildlock"])
def test_everything_is_read(read: Read, warnings_of: Warnings, table: str) -> None:
    text = ALL.format(table)
    inputs = read(text).inputs["default"]
    first, second = inputs.metadata[FOO]
    assert (first.version, first.requires_python) == (Version("1.0"), SpecifierSet(">=3.10"))
    assert list(map(str, first.requires_dist)) == ["torch>=2", 'numpy; extra == "x"']
    assert first.provides_extra == {"x"}
    assert first.origin == f"pyproject.toml: [tool.{table}.dependency-metadata][0]"
    assert (second.version, second.requires_dist) == (None, ())
    assert {name: [str(each.requirement) for each in found] for name, found in inputs.extra_requires.items()} == {
        "foo": ["ninja>=1", "torch", "wheel"],
        "bar": ["setuptools"],
    }
    assert inputs.extra_matches == {"foo": {"torch"}}
    assert inputs.extra_variables == {"foo": {"MAX_JOBS": "1"}}
    assert inputs.config_settings == {"verbose": "yes", "define": ["a", "b"]}
    assert inputs.config_settings_package == {"foo": {"cuda": "on"}}
    assert warnings_of(text) == []


def test_places_are_joined_as_uv_joins_them(read: Read) -> None:
    inputs = read("""
[tool.buildlock]
extra-build-dependencies = { foo = ["a"] }
extra-build-variables = { foo = { A = "ours" } }
config-settings = { one = "ours", list = ["ours"] }
config-settings-package = { foo = { one = "ours" } }
[tool.uv]
extra-build-dependencies = { foo = ["b"], bar = ["c"] }
extra-build-variables = { foo = { A = "uv", B = "uv" } }
config-settings = { one = "uv", list = "uv", other = "uv" }
config-settings-package = { foo = { two = "uv" } }
""").inputs["default"]
    assert [str(each.requirement) for each in inputs.extra_requires[FOO]] == ["a", "b"]
    assert inputs.extra_variables == {"foo": {"A": "ours", "B": "uv"}}
    assert inputs.config_settings == {"one": ["ours", "uv"], "list": ["ours", "uv"], "other": "uv"}
    assert inputs.config_settings_package == {"foo": {"one": "ours", "two": "uv"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dependency-metadata = {}", "dependency-metadata` must be an array of tables"),
        ("dependency-metadata = [{}]", "[tool.uv.dependency-metadata][0].name` is missing"),
        ("dependency-metadata = [{name = 'a b'}]", "has `a b`, which is not the name of a package"),
        ("dependency-metadata = [{name = 'a', version = 'x'}]", "version` is `x`, which is not a version"),
        ("dependency-metadata = [{name = 'a', version = '" + "9" * 5000 + "'}]", "which is not a version"),
        ("dependency-metadata = [{name = 'a', requires-python = '3'}]", "`3`, which is not a version specifier such"),
        ("dependency-metadata = [{name = 'a', requires-dist = ['=']}]", "requires-dist` has `=`, which is not a req"),
        ("dependency-metadata = [{name = 'a', requires = []}]", "requires` is not a known key"),
        ("dependency-metadata = [{name = 'a', provides-extra = [], provides-extras = []}]", "is `provides-extra"),
        ("extra-build-dependencies = []", "extra-build-dependencies` must be a table"),
        ("extra-build-dependencies = {a = 'b'}", "].a` must be a list of requirements, not a string"),
        ("extra-build-dependencies = {a = [1]}", "].a[0]` must be a requirement or a table that has one"),
        ("extra-build-dependencies = {a = [{}]}", "[tool.uv.extra-build-dependencies.a][0].requirement` is missing"),
        ("extra-build-dependencies = {a = [{requirement = 'b', match = true}]}", "match` is not a known key"),
        (
            "extra-build-dependencies = {a = [{requirement = 'b>1', match-runtime = true}]}",
            "is `b>1`, which says a version itself, so `match-runtime` cannot",
        ),
        ("extra-build-dependencies = {a = ['b @ hg+https://a.example']}", "`b` from a URL that is of a ver"),
        ("extra-build-dependencies = {a_b = [], a-b = []}", "a-b` is the package `a-b` again"),
        ("extra-build-variables = {a = {B = 1}}", "[tool.uv.extra-build-variables.a].B` must be a string"),
        ("extra-build-variables = {a = {'B=' = ''}}", "cannot name an environment variable"),
        ("extra-build-variables = {'a b' = {}}", "a b` is not the name of a package"),
        ("config-settings = {a = true}", "[tool.uv.config-settings].a` must be a string or a list of strings"),
        ("config-settings = {a = [1]}", "a[0]` must be a string"),
        ("config-settings-package = {a = 'b'}", "a` must be a table"),
    ],
)  # fmt: skip
def test_what_cannot_be_said(faults: Faults, text: str, message: str) -> None:
    assert message in faults(f"[tool.uv]\n{text}")


def test_isolation_cannot_be_given_up(warnings_of: Warnings) -> None:
    text = "[tool.uv]\nno-build-isolation = true\nno-build-isolation-package = ['a']"
    (warning,) = warnings_of(text, {"PIP_NO_BUILD_ISOLATION": "1"})
    assert warning == (
        "everything is built in isolation, in an environment that is locked: `pyproject.toml: [tool.uv]."
        "no-build-isolation`, `pyproject.toml: [tool.uv].no-build-isolation-package`, `PIP_NO_BUILD_ISOLATION` "
        "does not apply"
    )


def test_isolation_is_the_default(warnings_of: Warnings) -> None:
    assert warnings_of("[tool.uv]\nno-build-isolation = false", {"UV_NO_BUILD_ISOLATION": "0"}) == []
