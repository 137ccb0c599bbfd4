"""What the environment says, and what it outweighs."""

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

import pytest
from packaging.utils import NormalizedName, canonicalize_name

from buildlock.project.model import BuildInputs, Overrides
from unit.project.conftest import HERMETIC, TORCH, Faults, Read

NO_DEFAULT = Overrides()


def read_inputs(read: Read, environ: Mapping[str, str], text: str = "") -> BuildInputs:
    return read(text, environ, NO_DEFAULT).inputs["default"]


def locations(inputs: BuildInputs) -> list[str]:
    return [index.location for index in inputs.settings.indexes]


DEFAULTS = [
    ("UV_DEFAULT_INDEX", "https://uv-default.example"),
    ("UV_INDEX_URL", "https://uv.example"),
    ("PIP_INDEX_URL", "https://pip.example"),
]


@pytest.mark.parametrize("position", range(len(DEFAULTS)))
def test_the_default_index_of_uv_goes_before_that_of_pip(read: Read, position: int) -> None:
    inputs = read_inputs(read, dict(DEFAULTS[position:]))
    assert locations(inputs) == [DEFAULTS[position][1]]
    assert inputs.settings.indexes[0].default


def test_the_default_index_of_the_project_goes_before_the_environment(read: Read) -> None:
    text = "[[tool.uv.index]]\nurl = 'https://project.example'\ndefault = true"
    assert locations(read_inputs(read, dict(DEFAULTS), text)) == ["https://project.example"]


def test_extra_index_urls_come_after_the_indexes_of_all_places(read: Read) -> None:
    environ = {
        "UV_INDEX": "https://one.example  named=https://two.example",
        "UV_EXTRA_INDEX_URL": "https://three.example",
        "PIP_EXTRA_INDEX_URL": "https://five.example https://six.example",
        "PIP_INDEX_URL": "https://last.example",
    }
    inputs = read_inputs(read, environ, "[[tool.uv.index]]\nurl = 'https://four.example'")
    assert [location[8:-8] for location in locations(inputs)] == ["one", "two", "four", "three", "five", "six", "last"]


def test_a_named_index_of_the_environment_replaces_the_projects(read: Read) -> None:
    text = "[[tool.uv.index]]\nname = 'a'\nurl = 'https://a.example'\nexplicit = true\n[tool.uv.sources]\ntorch = 'a'"
    inputs = read_inputs(read, {"UV_INDEX": "a=http://127.0.0.1:8000/a", "UV_INDEX_URL": "https://x.example"}, text)
    assert locations(inputs) == ["http://127.0.0.1:8000/a", "https://x.example"]
    index = inputs.sources[TORCH][0].index
    assert index is not None
    assert index.url == "http://127.0.0.1:8000/a"


def test_credentials_are_in_the_url_and_never_in_the_location(read: Read) -> None:
    text = """
[[tool.uv.index]]
name = "my.index"
url = "https://old:word@a.example:8443/simple"
[tool.uv.sources]
torch = "my.index"
"""
    environ = {"UV_INDEX_MY_INDEX_USERNAME": "me@home", "UV_INDEX_MY_INDEX_PASSWORD": "p/w", **dict(DEFAULTS)}
    inputs = read_inputs(read, environ, text)
    index = inputs.settings.indexes[0]
    assert index.url == "https://me%40home:p%2Fw@a.example:8443/simple"
    assert index.location == "https://a.example:8443/simple"
    assert inputs.sources[TORCH][0].index == index
    # Whose password is looked for elsewhere.
    only_name = read_inputs(read, {"UV_INDEX_MY_INDEX_USERNAME": "me", **dict(DEFAULTS)}, text).settings.indexes[0]
    assert only_name.url == "https://me@a.example:8443/simple"


def test_every_variable_of_uv_is_read(read: Read, tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("numpy<2")
    (tmp_path / "b.txt").write_text("wheel<1")
    (tmp_path / "o.txt").write_text("torch==2.4")
    inputs = read_inputs(
        read,
        {
            "UV_NO_INDEX": "TRUE",
            "UV_FIND_LINKS": f"{tmp_path}, https://links.example/a",
            "UV_INDEX_STRATEGY": "unsafe-first-match",
            "UV_PRERELEASE": "disallow",
            "UV_EXCLUDE_NEWER": "2025-01-01T00:00:00Z",
            "UV_NO_BINARY": "1",
            "UV_NO_BINARY_PACKAGE": "A b",
            "UV_NO_BUILD": "yes",
            "UV_NO_BUILD_PACKAGE": "c",
            "UV_CONSTRAINT": str(tmp_path / "c.txt"),
            "UV_BUILD_CONSTRAINT": str(tmp_path / "b.txt"),
            "UV_OVERRIDE": str(tmp_path / "o.txt"),
        },
        "[tool.uv]\nprerelease = 'allow'\nno-index = false\nexclude-newer = '2020-01-01'",
    )
    settings = inputs.settings
    assert settings.indexes == ()
    assert settings.find_links == (str(tmp_path), "https://links.example/a")
    assert (settings.index_strategy, settings.prerelease) == ("unsafe-first-match", "disallow")
    assert settings.exclude_newer == datetime(2025, 1, 1, tzinfo=timezone.utc)
    assert (settings.no_binary, sorted(settings.no_binary_package)) == (True, ["a", "b"])
    assert (settings.no_build, sorted(settings.no_build_package)) == (True, ["c"])
    assert [str(each.requirement) for each in inputs.constraints] == ["numpy<2", "wheel<1"]
    assert [str(each.requirement) for each in inputs.overrides] == ["torch==2.4"]


def test_every_variable_of_pip_is_read(read: Read, tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("numpy<2")
    inputs = read_inputs(
        read,
        {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": f"{tmp_path} https://links.example",
            "PIP_PRE": "1",
            "PIP_NO_BINARY": "x,:none:,A,b",
            "PIP_ONLY_BINARY": ":all:",
            "PIP_CONSTRAINT": str(tmp_path / "c.txt"),
            "PIP_BUILD_CONSTRAINT": str(tmp_path / "c.txt"),
        },
    )
    settings = inputs.settings
    assert settings.indexes == ()
    assert settings.find_links == (str(tmp_path), "https://links.example")
    assert settings.prerelease == "allow"
    assert (settings.no_binary, sorted(settings.no_binary_package)) == (False, ["a", "b"])
    assert (settings.no_build, settings.no_build_package) == (True, frozenset())
    assert [str(each.requirement) for each in inputs.constraints] == ["numpy<2", "numpy<2"]


def test_the_project_outweighs_pip(read: Read) -> None:
    environ = {"PIP_PRE": "1", "PIP_INDEX_URL": "https://pip.example"}
    assert read_inputs(read, environ, "[tool.uv]\nprerelease = 'disallow'").settings.prerelease == "disallow"


def test_an_empty_variable_says_nothing(read: Read) -> None:
    empty = dict.fromkeys(("UV_NO_INDEX", "UV_PRERELEASE", "UV_EXCLUDE_NEWER", "UV_DEFAULT_INDEX", "PIP_NO_BINARY"), "")
    assert locations(read_inputs(read, {**empty, "UV_INDEX_URL": "https://uv.example"})) == ["https://uv.example"]


ILLEGAL = {
    ("UV_NO_INDEX", "maybe"): "`UV_NO_INDEX` must be `true` or `false`, not `maybe`",
    ("UV_INDEX_STRATEGY", "best"): "`UV_INDEX_STRATEGY` must be one of",
    ("UV_PRERELEASE", "alow"): "did you mean `allow`?",
    ("UV_EXCLUDE_NEWER", "then"): "`UV_EXCLUDE_NEWER` is invalid: `then` is no date",
    ("UV_INDEX", "a=ftp://a.example"): "`UV_INDEX` has the scheme `ftp`",
    ("UV_DEFAULT_INDEX", "https://a.example https://b.example"): "`UV_DEFAULT_INDEX` has more than one URL",
    ("UV_NO_BUILD_PACKAGE", "a!"): "`UV_NO_BUILD_PACKAGE` has `a!`",
    ("UV_CONSTRAINT", "none.txt"): "none.txt` cannot be read",
    ("UV_CONSTRAINT", "https://a.example/c.txt"): "URLs of requirements files are not supported yet",
    ("UV_CONFIG_FILE", "none.toml"): "`none.toml` cannot be read",
    ("UV_NO_CONFIG", "?"): "`UV_NO_CONFIG` must be `true` or `false`",
    ("PIP_NO_BINARY", "a!"): "`PIP_NO_BINARY` has `a!`",
    ("UV_FIND_LINKS", "gopher://a.example"): "`UV_FIND_LINKS` has a place, number 1, that has the scheme",
}


@pytest.mark.parametrize("variable", ILLEGAL)
def test_what_cannot_be_used_is_a_fault(faults: Faults, variable: tuple[str, str]) -> None:
    assert ILLEGAL[variable] in faults("", dict([variable]))


def test_overrides_of_the_command_line_weigh_most(read: Read) -> None:
    overrides = Overrides(default_index="https://cli.example", find_links=("https://links.example",))
    text = "[[tool.uv.index]]\nurl = 'https://project.example'\ndefault = true\n[tool.uv]\nfind-links = ['https://b.example']"
    settings = read(text, {**HERMETIC, **dict(DEFAULTS)}, overrides).inputs["default"].settings
    assert [index.location for index in settings.indexes] == ["https://cli.example"]
    assert settings.find_links == ("https://links.example", "https://b.example")
    assert read("", {}, Overrides(no_index=True)).inputs["default"].settings.indexes == ()


def test_format_control_of_the_command_line_is_joined_with_the_rest(read: Read) -> None:
    overrides = Overrides(no_build=True, no_build_package=package_set("a"), no_binary_package=package_set("b"))
    text = "[tool.uv]\nno-build = false\nno-binary = true\nno-build-package = ['c']"
    settings = read(text, {"UV_NO_BINARY_PACKAGE": "d"}, overrides).inputs["default"].settings
    assert (settings.no_build, settings.no_binary) == (True, True)
    assert settings.no_build_package == {"a", "c"}
    assert settings.no_binary_package == {"b", "d"}


def package_set(*names: str) -> frozenset[NormalizedName]:
    return frozenset(map(canonicalize_name, names))
