"""Packages that come from a URL, a path, a repository or the workspace, by sources or by direct references."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from buildlock.errors import InvalidProjectError
from buildlock.project.derivation import add_requirements
from buildlock.project.document import read_document
from buildlock.project.faults import Faults as FaultList
from buildlock.project.model import BuildRequirement, Project
from buildlock.project.requirements import parse_requirement
from buildlock.project.uv_workspace import find_member
from unit.project.conftest import Faults, Read, Warnings

FOO, OLD = canonicalize_name("foo"), canonicalize_name("old")
BUILD = "[build-system]\nrequires = ['foo>=1']\n"


def places(project: Project, variant: str = "default") -> Mapping[str, list[str]]:
    return {name: [rule.location for rule in rules] for name, rules in project.inputs[variant].sources.items()}


@pytest.mark.parametrize("table", ["uv", "buildlock"])
@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("{url = 'https://a.example/foo-1.zip', subdirectory = 'py'}", "https://a.example/foo-1.zip#subdirectory=py"),
        ("{git = 'https://a.example/foo'}", "git+https://a.example/foo"),
        ("{git = 'git+https://a.example/foo', branch = 'main'}", "git+https://a.example/foo@main"),
        ("{git = 'ssh://git@a.example/foo', tag = 'v1', subdirectory = 'a'}", "git+ssh://git@a.example/foo@v1#subdirectory=a"),
        ("[{git = 'https://me:secret@a.example/foo', rev = 'abcdef'}]", "git+https://a.example/foo@abcdef"),
        ("{path = 'libs/foo', editable = true}", "file://{root}/libs/foo"),
        ("{path = 'foo-1.0.tar.gz'}", "file://{root}/foo-1.0.tar.gz"),
    ],
)  # fmt: skip
def test_every_kind(read: Read, tmp_path: Path, table: str, source: str, place: str) -> None:
    project = read(f"{BUILD}[tool.{table}.sources]\nfoo = {source}")
    assert places(project) == {"foo": [place.replace("{root}", tmp_path.as_posix())]}
    (rule,) = project.inputs["default"].sources[FOO]
    assert rule.index is None
    assert "secret" not in str(rule.direct)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{git = 'https://a.example', url = 'https://a.example/a.zip'}", "cannot have `git` and `url` together"),
        ("{git = 'https://a.example/foo', rev = 'a', tag = 'b'}", "cannot have `rev` and `tag` together"),
        ("{git = 'https://a.example/foo', rev = '-x'}", "foo].git` has the revision `-x`, which names no branch"),
        ("{git = 'git@a.example:foo'}", "foo].git` is no URL: it has no scheme"),
        ("{git = 'https://a.example/foo', path = 'a.zip'}", "but is a file in a git repository, which is not supp"),
        ("{git = 'https://a.example/foo', editable = true}", "editable` is not a known key"),
        ("{url = 'https://a.example/foo.zip', rev = 'a'}", "rev` is not a known key"),
        ("{url = 1}", "url` must be a string"),
        ("{url = 'https://me:secret@a.example/foo'}", "url` leads to no wheel and no source archive"),
        ("{url = 'https://a.example/foo.zip', subdirectory = '..'}", "url` has the subdirectory `..`"),
        ("{path = ''}", "path` must not be empty"),
        ("{path = '.', package = false}", "but has `package = false`, so there is nothing in it"),
        ("{path = '.', editable = 1}", "editable` must be `true` or `false`"),
        ("{workspace = false}", "workspace` must be `true`"),
        ("{workspace = '../other'}", "but is of a workspace that is not there: `"),
        ("{workspace = '.'}", "but is no member of the workspace of `"),
        ("{workspace = ''}", "workspace` must not be empty"),
        ("{workspace = true}", "but is a source of a workspace, and the project is in none"),
    ],
)
def test_what_leads_nowhere(faults: Faults, source: str, message: str) -> None:
    found = faults(f"{BUILD}[tool.uv.sources]\nfoo = {source}")
    assert message in found
    assert "secret" not in found


def test_what_the_build_does_not_need_may_be_unreachable(read: Read) -> None:
    assert places(read(f"{BUILD}[tool.uv.sources]\nbar = {{workspace = true}}")) == {}


def test_large_files_are_warned_of(warnings_of: Warnings) -> None:
    (warning,) = warnings_of(f"{BUILD}[tool.uv.sources]\nfoo = {{git = 'https://a.example/foo', lfs = true}}")
    assert "`pyproject.toml: [tool.uv.sources.foo].lfs`" in warning


def test_they_make_no_variant_and_apply_in_that_of_their_extra(read: Read) -> None:
    project = read(f"""{BUILD}
[project]
name = "demo"
optional-dependencies = {{ cpu = [], gpu = [] }}
[tool.uv.sources]
foo = [{{ path = "a", extra = "cpu" }}, {{ path = "b", extra = "gpu" }}]
[tool.buildlock.variants.gpu]
""")
    assert list(project.variants) == ["gpu"]
    assert [place.rpartition("/")[2] for place in places(project, "gpu")["foo"]] == ["b"]


class TestWorkspace:
    @pytest.fixture
    def member(self, tmp_path: Path) -> Path:
        """`demo` is a member of the workspace above it, as is `Foo`."""
        for name, title in {"packages/foo": "Foo", "packages/old": "old", "elsewhere": "bar"}.items():
            folder = tmp_path / name
            folder.mkdir(parents=True)
            (folder / "pyproject.toml").write_text(f"[project]\nname = '{title}'")
        return tmp_path / "packages/foo"

    def test_of_the_project_itself(self, read: Read, member: Path) -> None:
        text = "[tool.uv]\nworkspace = {members = ['./packages/*'], exclude = ['packages/old']}\n"
        text += "sources = {foo = {workspace = true}, old = {workspace = true}, demo = {workspace = true}}\n"
        project = read(f"[project]\nname = 'demo'\n{BUILD}{text}")
        assert places(project) == {"foo": [member.as_uri()], "demo": [member.parent.parent.as_uri()]}

    def test_of_another_folder(self, read: Read, tmp_path: Path) -> None:
        other = tmp_path / "other"
        (other / "foo").mkdir(parents=True)
        (other / "pyproject.toml").write_text("[tool.uv.workspace]\nmembers = ['*']")
        (other / "foo/pyproject.toml").write_text("[project]\nname = 'foo'")
        project = read(f"{BUILD}[tool.uv.sources]\nfoo = {{workspace = 'other'}}")
        assert places(project) == {"foo": [(other / "foo").as_uri()]}

    def test_of_a_folder_above(self, tmp_path: Path, member: Path) -> None:
        (tmp_path / "pyproject.toml").write_text("[tool.uv.workspace]\nmembers = ['packages/*', '../x/*']")
        document = read_document(member / "pyproject.toml", label="", faults=FaultList())
        assert document is not None
        project = document.root_table(FaultList())
        assert find_member(OLD, project) == tmp_path / "packages/old"
        with pytest.raises(ValueError, match="is no member of the workspace of"):
            find_member(canonicalize_name("bar"), project)
        (tmp_path / "pyproject.toml").write_text("[tool.uv.workspace]\nmembers = ['packages/old']")
        with pytest.raises(ValueError, match="and the project is in none"):
            find_member(OLD, project)

    def test_patterns_that_are_none(self, faults: Faults) -> None:
        text = "[tool.uv]\nworkspace = {members = ['/']}\nsources = {foo = {workspace = true}}\n"
        assert "has `/`, which is no pattern" in faults(BUILD + text)


class TestDirectReferences:
    URL = "https://a.example/foo-1.0.tar.gz"

    def test_of_the_build_system_and_of_a_variant(self, read: Read) -> None:
        project = read(f"""
[build-system]
requires = ["foo[x] @ {self.URL} ; os_name == 'posix'", "bar"]
[tool.buildlock.variants.v]
requires = ["bar @ git+https://me:secret@a.example/bar@main"]
""")
        inputs = project.inputs["v"]
        assert places(project, "v") == {"foo": [self.URL], "bar": ["git+https://a.example/bar@main"]}
        assert [str(rule.marker) for rule in inputs.sources[FOO]] == ['os_name == "posix"']
        assert str(inputs.requires[0].requirement).startswith(f"foo[x] @ {self.URL}")

    def test_of_an_extra_for_what_the_build_needs(self, read: Read) -> None:
        project = read(f"""{BUILD}
[project]
name = "demo"
optional-dependencies = {{ gpu = ["foo @ {self.URL}", "bar @ https://a.example/bar", "baz @ {self.URL}"] }}
[tool.buildlock.variants.gpu]
""")
        inputs = project.inputs["gpu"]
        assert places(project, "gpu") == {"foo": [self.URL]}
        assert inputs.constraints == ()
        asked = parse_requirement("baz", origin="backend", faults=FaultList())
        assert asked is not None
        assert list(add_requirements(inputs, [asked]).sources) == ["foo", "baz"]

    def test_of_constraints_and_overrides(self, read: Read) -> None:
        inputs = read(
            f"{BUILD}[tool.uv]\nconstraint-dependencies = ['bar @ {self.URL}']\n"
            f"override-dependencies = ['foo @ {self.URL}']"
        ).inputs["default"]
        assert list(inputs.sources) == ["bar", "foo"]
        assert inputs.constraints == ()
        assert len(inputs.overrides) == 1

    def test_a_source_goes_before_them(self, read: Read) -> None:
        project = read(f"[build-system]\nrequires = ['foo @ {self.URL}']\n[tool.uv.sources]\nfoo = {{path = '/b'}}")
        assert places(project) == {"foo": ["file:///b"]}

    def test_that_the_backend_asks_for(self, read: Read) -> None:
        inputs = read(BUILD).inputs["default"]
        for text in (f"bar @ {self.URL}", "bar @ https://a.example/bar"):
            requirement = parse_requirement(text, origin="the backend", faults=FaultList())
            assert isinstance(requirement, BuildRequirement)
            if text.endswith("bar"):
                with pytest.raises(
                    InvalidProjectError, match="the backend has `bar` from a URL that leads to no wheel"
                ):
                    add_requirements(inputs, [requirement])
            else:
                assert list(add_requirements(inputs, [requirement]).sources) == ["bar"]
