"""`[tool.uv]` and `[tool.buildlock]`: what they say, and the fault of each thing that they cannot say."""

from datetime import datetime, timezone
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from buildlock.project.model import Overrides
from unit.project.conftest import DEFAULT_INDEX, TORCH, Faults, Read, Warnings

INDEX = "[[tool.buildlock.index]]\nurl = 'https://a.example'\n"
BUILD = "[build-system]\nrequires = ['torch', 'numpy']\n"

ILLEGAL = {
    # tables
    "tool = 1": "`pyproject.toml: tool` must be a table, not an integer",
    "[tool]\nuv = []": "`pyproject.toml: [tool].uv` must be a table, not an array",
    "[tool]\nbuildlock = 'x'": "[tool].buildlock` must be a table",
    "[project]\nname = 1": "[project].name` must be a string, not an integer",
    "[project]\noptional-dependencies = []": "[project].optional-dependencies` must be a table",
    "[project.optional-dependencies]\n'a b' = []": "[project.optional-dependencies].a b` cannot name an extra",
    "[project.optional-dependencies]\nA = []\na = []": "a` is the extra `A` again",
    "dependency-groups = 1": "dependency-groups` must be a table",
    # indexes
    "[tool.uv]\nindex = {}": "[tool.uv].index` must be an array of tables, not a table",
    "[tool.uv]\nindex = [1]": "[tool.uv].index[0]` must be a table, not an integer",
    "[[tool.uv.index]]\nname = 'a'": "[tool.uv.index][0].url` is missing",
    "[[tool.uv.index]]\nurl = 1": "[tool.uv.index][0].url` must be a string",
    "[[tool.uv.index]]\nurl = ''": "url` must not be empty",
    "[[tool.uv.index]]\nurl = 'ftp://a.example'": "url` has the scheme `ftp`: `http`, `https` and `file`",
    "[[tool.uv.index]]\nurl = 'https://'": "url` is not a URL: it has no host",
    "[[tool.uv.index]]\nurl = 'https://['": "url` is not a URL: its host or its port is malformed",
    "[[tool.uv.index]]\nurl = 'https://a.example:no'": "url` is not a URL: its host or its port is malformed",
    "[[tool.uv.index]]\nurl = 'https://a.example/a b'": "url` is not a URL: it has spaces",
    '[[tool.uv.index]]\nurl = "https://a.example/\\u0000"': "url` has control characters",
    "[[tool.uv.index]]\nurl = 'https://a.example'\nname = 'a b'": "has the name `a b`",
    "[[tool.uv.index]]\nurl = 'https://a.example'\nexplicit = true": "is `explicit` and has no `name`",
    "[[tool.uv.index]]\nurl = 'https://a.example'\nexplicit = 1": "explicit` must be `true` or `false`, not an integer",
    "[[tool.uv.index]]\nurl = 'https://a.example'\nformat = 'flt'": "one of `simple`, `flat`, not `flt`; did you",
    "[[tool.buildlock.index]]\nurl = 'https://a.example'\nurls = ''": "urls` is not a known key; did you mean `url`?",
    "[tool.uv]\nindex = [{url='https://a.example', name='a'}, {url='https://b.example', name='a'}]": "is `a` again",
    "[tool.uv]\nindex = [{url='https://a.example', default=true}, {url='https://b.example', default=true}]": (
        "[tool.uv.index][1].default` is `true` in more than one index"
    ),
    "[tool.uv]\nextra-index-url = 'https://a.example'": "extra-index-url` must be a list of strings, not a string",
    "[tool.uv]\nindex-url = 'gopher://a.example'": "index-url` has the scheme `gopher`",
    "[tool.uv]\nfind-links = ['']": "find-links` has a place, number 1, that must not be empty",
    # single settings
    "[tool.uv]\nno-index = 'yes'": "no-index` must be `true` or `false`, not a string",
    "[tool.uv]\nindex-strategy = 'first'": "must be one of `first-index`, `unsafe-first-match`, `unsafe-best-match`",
    "[tool.uv]\nprerelease = 'alow'": "not `alow`; did you mean `allow`?",
    "[tool.uv]\nexclude-newer = 2025-03-01": "must be a string (`2025-03-01`) or `false`, not a date",
    "[tool.uv]\nexclude-newer = '2025-13-01'": "`2025-13-01` is no date",
    "[tool.uv]\nexclude-newer-package = {torch = 'then'}": "[tool.uv.exclude-newer-package].torch` is invalid",
    "[tool.uv]\nexclude-newer-package = {'a b' = false}": "is not the name of a package",
    "[tool.uv]\nno-binary = ['torch']": "no-binary` must be `true` or `false`, not an array",
    "[tool.uv]\nno-build-package = ['a b']": "no-build-package` has `a b`, which is not the name of a package",
    "[tool.uv]\nconstraint-dependencies = ['torch=2']": "constraint-dependencies` has `torch=2`, which is not a req",
    "[tool.uv]\noverride-dependencies = 'torch'": "override-dependencies` must be an array, not a string",
    "[tool.uv]\noverride-dependencies = [1]": "override-dependencies[0]` must be a string, not an integer",
    "[tool.uv]\nbuild-constraint-dependencies = ['torch @ ftp://a.example/torch.whl']": "`torch` from a URL that has",
    "[tool.uv]\nconflicts = 1": "conflicts` must be an array of arrays of tables",
    "[tool.uv]\nconflicts = [[{extra='a'}]]": "conflicts[0]` must be an array of two or more tables",
    "[tool.uv]\nconflicts = [[{extra='a'}, {ekstra='b'}]]": "conflicts[0][1]` must be a table with an `extra`",
    # sources
    "[tool.uv]\nsources = 1": "[tool.uv].sources` must be a table",
    "[tool.uv.sources]\n'a b' = 'x'": "is not the name of a package",
    "[tool.uv.sources]\ntorch = 1": "must be a table, an array of tables or the name of an index, not an integer",
    "[tool.uv.sources]\ntorch = []": "torch` is empty",
    "[tool.uv.sources]\ntorch = [1]": "torch[0]` must be a table, not an integer",
    "[tool.uv.sources]\ntorch = {}": "[tool.uv.sources.torch]` has no `index`",
    "[tool.uv.sources]\ntorch = {index = 1}": "index` must be a string",
    "[tool.uv.sources]\ntorch = {index = 'a', url = 'b'}": "cannot have `index` and `url` together",
    "[tool.uv.sources]\ntorch = {index = 'a', extra = 'b', group = 'c'}": "cannot have `extra` and `group` together",
    "[tool.uv.sources]\ntorch = {index = 'a', variant = 'b'}": "variant` is not a known key",
    "[tool.uv.sources]\ntorch = {index = 'a', marker = 'os'}": "marker` is `os`, which is not a marker",
    "[tool.uv.sources]\ntorch = {index = 'a', extra = 'b c'}": "extra` is `b c`, which cannot name an extra or group",
    "[tool.uv.sources]\ntorch = {index = 'a', extra = 1}": "extra` must be a string",
    "[tool.uv.sources]\ntorch = [{index = 'a'}, {index = 'b'}]": "torch` has two sources for one case",
    "[tool.uv.sources]\nTorch = 'a'\ntorch = 'b'": "torch` is the package `torch` again",
    "[tool.uv.sources]\ntorch = 'a'\n[[tool.uv.index]]\nurl = 'https://a.example'\nname = 'aa'": (
        "[tool.uv.sources.torch]` names the index `a`, which is not declared; did you mean `aa`?"
    ),
    # ours
    "[tool.buildlock]\nmatch-runtime = 'torch'": "[tool.buildlock].match-runtime` must be a list of strings",
    "[tool.buildlock]\npin-runtime = 1": "[tool.buildlock].pin-runtime` must be a list of strings",
    "[tool.buildlock]\npin-runtime = ['a b']": "has `a b`, which is not the name of a package",
    "[tool.buildlock.pin-runtime]\ntorch = 'exakt'": "must be one of `minor`, `exact`, not `exakt`",
    "[tool.buildlock.pin-runtime]\ntorch = 'exact'\nTorch = 'minor'": "Torch` is the package `torch` again",
    "[tool.buildlock.variants.a]\nmatch-runtime = ['a b']": "has `a b`, which is not the name of a package",
    "[tool.buildlock]\nmirrors = ['3.11']": "[tool.buildlock].mirrors` must be a table",
    "[tool.buildlock]\noffline = 'no'": "[tool.buildlock].offline` must be `true` or `false`",
    "[tool.buildlock.build-system]\nrequires = []": "[tool.buildlock].build-system` has no effect",
    "[tool.buildlock]\ndefault-varant = 'a'": "default-varant` is not a known key; did you mean `default-variant`?",
    "[tool.buildlock]\ndefault-variant = 'defalt'": "is no variant of the project; did you mean `default`?",
    "[tool.buildlock]\ndefault-variant = 1": "default-variant` must be a string",
    f"{INDEX}hash-algorithm = 'md5'": "hash-algorithm` is not supported",
    f"{INDEX}authenticate = 'sometimes'": "must be one of `auto`, `always`, `never`, not `sometimes`",
    f"{INDEX}ignore-error-codes = 403": "ignore-error-codes` must be a list of statuses, not an integer",
    f"{INDEX}ignore-error-codes = [403, 1000]": "ignore-error-codes[1]` must be a status of HTTP",
    f"{INDEX}ignore-error-codes = ['403']": "ignore-error-codes[0]` must be a status of HTTP",
    f"{INDEX}cache-control = 'no-cache'": "cache-control` must be a table",
    f"{INDEX}cache-control = {{ pages = 'no-cache' }}": "cache-control].pages` is not a known key",
    f'{INDEX}cache-control = {{ api = "a\\nb" }}': "cache-control].api` is not the value of a header",
    "[tool.buildlock.variants]\n'../a' = {}": "../a` cannot name a variant",
    "[tool.buildlock.variants]\na = 1": "[tool.buildlock.variants].a` must be a table",
    "[tool.buildlock.variants]\na = {}\nA = {}": "A` is the variant `a` again",
    "[tool.buildlock.variants.a]\nrequire = []": "require` is not a known key; did you mean `requires`?",
    "[tool.buildlock.variants.a]\nrequires = ['torch @ https://a.example/t']": "has `torch` from a URL that leads",
    "[tool.buildlock.variants.a]\nenvironment = {A = 1}": "[tool.buildlock.variants.a.environment].A` must be a string",
    "[tool.buildlock.variants.a]\nenvironment = {'A=B' = ''}": "cannot name an environment variable",
    '[tool.buildlock.variants.a]\nenvironment = {A = "\\u0000"}': "has a null character",
    "[tool.buildlock.variants.a]\nhost = '>=12'": "[tool.buildlock.variants.a].host` must be a table, not a string",
    "[tool.buildlock.variants.a]\nhost = {nvcc = 12.4}": "[tool.buildlock.variants.a.host].nvcc` must be a string",
    "[tool.buildlock.variants.a]\nhost = {nvcc = '12.4'}": "nvcc` is `12.4`, which is not a version specifier such as",
    "[tool.buildlock.variants.a]\nhost = {'/usr/bin/gcc' = ''}": "host]./usr/bin/gcc` cannot name a tool",
    "[tool.buildlock.variants.a]\nhost = {'-v' = ''}": "host].-v` cannot name a tool",
    "[project]\nname='a'\n[tool.buildlock.variants.a]\nextra = 'b'": "[tool.buildlock.variants.a]` names the extra `b`",
    "[tool.buildlock.variants.a]\ngroup = 'b'": "names the group `b`, which `[dependency-groups]` does not declare",
    "[tool.buildlock.sources]\ntorch = {index = 'a', variant = '..'}": "has the condition `..`, which cannot name",
}


@pytest.mark.parametrize("text", ILLEGAL)
def test_what_cannot_be_said_is_a_fault(faults: Faults, text: str) -> None:
    assert ILLEGAL[text] in faults(f"{text}\n{BUILD}")


@pytest.mark.parametrize("unescaped", ["s3cret/x", "s3cret?x", "s3cret#x", "s3cret x/", "s3cret[x", "s3cret℀"])
def test_a_fault_of_a_url_does_not_show_its_credentials(faults: Faults, unescaped: str) -> None:
    url = f"https://me:{unescaped}@a.example/simple"
    for text in (f"[[tool.uv.index]]\nurl = '{url}'\n{BUILD}", f"[tool.uv]\nfind-links = ['{url}']\n{BUILD}"):
        message = faults(text)
        assert "is not a URL" in message
        assert "s3cret" not in message


def test_a_version_of_endless_digits_is_a_fault(faults: Faults) -> None:
    text = f"[tool.buildlock.variants.a]\nhost = {{ nvcc = '>={'9' * 5000}' }}"
    assert "which is not a version specifier such as" in faults(text)


def test_faults_of_all_tables_are_told_together(faults: Faults) -> None:
    message = faults("[build-system]\n[tool.uv]\nno-index = 1\nprerelease = 2\n[tool.buildlock]\nunlocked = true")
    assert "has 4 faults" in message


def test_tables_of_other_tools_are_not_ours(read: Read) -> None:
    assert read("[tool.other]\nindex = 1\n[tool.another.sources]\na = 1").variants


def test_indexes_keep_their_order_and_the_default_comes_last(read: Read, tmp_path: Path) -> None:
    settings = read("""
[tool.uv]
extra-index-url = ["https://extra.example"]
find-links = ["./wheels", "https://links.example/"]
[[tool.uv.index]]
url = "https://default.example"
default = true
[[tool.uv.index]]
name = "flat"
url = "flat/folder"
format = "flat"
publish-url = "https://upload.example"
[[tool.buildlock.index]]
url = "https://me:secret@first.example/simple"
""", overrides=Overrides()).inputs["default"].settings  # fmt: skip
    assert [(index.location, index.format) for index in settings.indexes] == [
        ("https://first.example/simple", "simple"),
        ((tmp_path / "flat/folder").as_uri(), "flat"),
        ("https://extra.example", "simple"),
        ("https://default.example", "simple"),
    ]
    assert [index.default for index in settings.indexes] == [False, False, False, True]
    assert settings.indexes[0].url == "https://me:secret@first.example/simple"
    assert settings.find_links == (str(tmp_path / "wheels"), "https://links.example/")


def test_an_explicit_default_index_leaves_no_default(read: Read) -> None:
    text = "[[tool.uv.index]]\nname = 'a'\nurl = 'https://a.example'\nexplicit = true\ndefault = true"
    (index,) = read(text, overrides=Overrides()).inputs["default"].settings.indexes
    assert index.explicit


def test_another_default_index_still_serves_what_is_assigned_to_it(read: Read) -> None:
    text = "[[tool.uv.index]]\nname = 'a'\nurl = 'https://a.example'\ndefault = true\n[tool.uv.sources]\ntorch = 'a'\n"
    inputs = read(text + BUILD).inputs["default"]
    assert [(index.location, index.explicit, index.default) for index in inputs.settings.indexes] == [
        ("https://a.example", True, False),
        (DEFAULT_INDEX, False, True),
    ]
    assert inputs.sources[TORCH][0].index == inputs.settings.indexes[0]


def test_no_index_leaves_find_links_alone(read: Read) -> None:
    settings = (
        read("[tool.uv]\nno-index = true\n[[tool.uv.index]]\nurl = 'https://a.example'").inputs["default"].settings
    )
    assert settings.indexes == ()


def test_no_index_and_a_source_exclude_each_other(read: Read, faults: Faults) -> None:
    text = """
[tool.uv]
no-index = true
sources = { torch = "a", other = "a" }
index = [{ url = "https://a.example", name = "a" }]
"""
    assert "takes `torch` from the index `a`, but `no-index` is set" in faults(text + BUILD)
    assert read(text).inputs["default"].sources == {}


def test_every_setting_is_read(read: Read) -> None:
    inputs = read("""
[tool.uv]
index-strategy = "unsafe-best-match"
prerelease = "allow"
exclude-newer = "2025-03-01T12:00:00+02:00"
exclude-newer-package = { Torch = "2025-01-01", numpy = false, mine = "0 days" }
no-binary = true
no-binary-package = ["A"]
no-build = true
no-build-package = ["B_b"]
constraint-dependencies = ["numpy<2"]
build-constraint-dependencies = ["setuptools<80"]
override-dependencies = ["wheel>=1"]
""").inputs["default"]  # fmt: skip
    settings = inputs.settings
    assert (settings.index_strategy, settings.prerelease) == ("unsafe-best-match", "allow")
    assert settings.exclude_newer == datetime(2025, 3, 1, 10, tzinfo=timezone.utc)
    cutoffs = dict(settings.exclude_newer_package)
    assert cutoffs.pop(canonicalize_name("mine")) is not None
    assert cutoffs == {"torch": datetime(2025, 1, 2, tzinfo=timezone.utc), "numpy": None}
    assert settings.exclude_newer_package_spans == {"mine": "0 days"}
    assert (settings.no_binary, sorted(settings.no_binary_package)) == (True, ["a"])
    assert (settings.no_build, sorted(settings.no_build_package)) == (True, ["b-b"])
    assert [str(each.requirement) for each in inputs.constraints] == ["numpy<2", "setuptools<80"]
    assert [str(each.requirement) for each in inputs.overrides] == ["wheel>=1"]
    assert inputs.constraints[1].origin == "pyproject.toml: [tool.uv].build-constraint-dependencies"


def test_buildlock_weighs_more_than_uv_and_lists_are_joined(read: Read) -> None:
    inputs = read("""
[tool.buildlock]
prerelease = "disallow"
exclude-newer = "2025-01-01"
find-links = ["https://ours.example"]
constraints = ["numpy<2"]
overrides = ["wheel"]
no-build-package = ["a"]
[tool.uv]
prerelease = "allow"
exclude-newer = "2020-01-01"
index-strategy = "unsafe-best-match"
find-links = ["https://uv.example"]
constraint-dependencies = ["numpy>1"]
no-build-package = ["b"]
""").inputs["default"]  # fmt: skip
    settings = inputs.settings
    assert (settings.prerelease, settings.index_strategy) == ("disallow", "unsafe-best-match")
    assert settings.exclude_newer == datetime(2025, 1, 2, tzinfo=timezone.utc)
    assert settings.find_links == ("https://ours.example", "https://uv.example")
    assert [str(each.requirement) for each in inputs.constraints] == ["numpy<2", "numpy>1"]
    assert settings.no_build_package == {"a", "b"}


def test_a_source_of_ours_replaces_those_of_uv_for_its_package(read: Read) -> None:
    inputs = read("""
[tool.uv]
index = [{ name = "a", url = "https://a.example" }, { name = "b", url = "https://b.example" }]
[tool.uv.sources]
torch = [{ index = "a", marker = "sys_platform == 'linux'" }, { index = "b", marker = "sys_platform != 'linux'" }]
numpy = "a"
[tool.buildlock.sources]
Torch = { index = "b" }
""").inputs["default"]  # fmt: skip
    assert {name: [(r.index and r.index.name, r.marker) for r in rules] for name, rules in inputs.sources.items()} == {
        "torch": [("b", None)],
        "numpy": [("a", None)],
    }


def test_a_source_from_elsewhere_that_the_build_does_not_meet_is_no_concern(read: Read) -> None:
    text = "[tool.uv.sources]\nmine = {path = '../mine'}\ntorch = {git = 'https://a.example', extra = 'dev'}\n"
    project = read(f"[project]\nname = 'x'\noptional-dependencies = {{dev = []}}\n{text}{BUILD}")
    assert list(project.variants) == ["default"]
    assert list(project.inputs["default"].sources) == ["mine"]


def test_what_is_not_supported_is_named_in_one_warning(warnings_of: Warnings) -> None:
    warnings = warnings_of("""
[tool.uv]
resolution = "lowest"
fork-strategy = "requires-python"
environments = []
extra-build-dependencies = { torch = ["x"] }
a-setting-of-tomorrow = 1
cache-dir = "x"
managed = true
pip = { index-url = "https://x.example" }
override-dependencies = [{ package = "x" }, "y @ https://y.example/y.whl"]
[[tool.uv.index]]
url = "https://a.example"
authenticate = "always"
cache-control = { api = "no-cache" }
hash-algorithm = "sha512"
a-key-of-tomorrow = 1
""", environ={"UV_NO_SOURCES": "0", "UV_RESOLUTION": "highest"})  # fmt: skip
    (warning,) = warnings
    named = [name for name in warning.split("`") if name.startswith(("pyproject", "UV"))]
    assert named == [
        "pyproject.toml: [tool.uv].resolution",
        "pyproject.toml: [tool.uv].a-setting-of-tomorrow",
        "pyproject.toml: [tool.uv.index][0].a-key-of-tomorrow",
        "pyproject.toml: [tool.uv.index][0].hash-algorithm",
        "pyproject.toml: [tool.uv].override-dependencies[0]",
    ]


def test_a_supported_project_is_read_without_warning(warnings_of: Warnings) -> None:
    assert warnings_of(f"[tool.uv]\nprerelease = 'allow'\ndev-dependencies = ['x']\npackage = true\n{BUILD}") == []
