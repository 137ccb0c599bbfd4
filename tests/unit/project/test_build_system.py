"""Every legal shape of `[build-system]`, and the fault of each illegal one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from buildlock.errors import InvalidProjectError
from buildlock.project.build_system import read_build_system, read_build_system_of
from buildlock.project.model import BuildSystem

LEGACY = "setuptools.build_meta:__legacy__"


def read(root: Path, text: str) -> BuildSystem:
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    return read_build_system(root)


def requirements(build_system: BuildSystem) -> list[str]:
    return [str(each.requirement) for each in build_system.requires]


@pytest.mark.parametrize("text", ["", "[project]\nname = 'demo'", "[tool.other]\nkey = 1"])
def test_without_the_table_setuptools_builds_as_ever(tmp_path: Path, text: str) -> None:
    build_system = read(tmp_path, text)
    assert (build_system.backend, build_system.declared) == (LEGACY, False)
    assert requirements(build_system) == ["setuptools>=40.8.0"]


def test_a_setup_py_alone_is_a_project(tmp_path: Path) -> None:
    (tmp_path / "setup.py").touch()
    assert read_build_system(tmp_path).backend == LEGACY


def test_requires_without_backend_is_built_by_setuptools_with_them(tmp_path: Path) -> None:
    build_system = read(tmp_path, '[build-system]\nrequires = ["setuptools", "Cython<3; python_version < \'3.12\'"]')
    assert (build_system.backend, build_system.declared) == (LEGACY, True)
    assert requirements(build_system) == ["setuptools", 'Cython<3; python_version < "3.12"']


@pytest.mark.parametrize("backend", ["hatchling.build", "setuptools.build_meta:__legacy__", "backend:a.b.c", "größe"])
def test_the_backend_is_an_object_reference(tmp_path: Path, backend: str) -> None:
    build_system = read(tmp_path, f'[build-system]\nrequires = []\nbuild-backend = "{backend}"')
    assert (build_system.backend, build_system.requires) == (backend, ())


def test_backend_path_is_inside_the_project(tmp_path: Path) -> None:
    (tmp_path / "tools/build").mkdir(parents=True)
    text = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = [".", "tools/build", "tools/../tools"]'
    assert read(tmp_path, text).backend_path == (".", "tools/build", "tools/../tools")


def test_requirements_know_their_line(tmp_path: Path) -> None:
    build_system = read(tmp_path, '[build-system]\nrequires = [\n  "setuptools",\n  # "wheel"\n  "torch == 2.4",\n]')
    assert [each.line for each in build_system.requires] == [3, 5]
    assert {each.origin for each in build_system.requires} == {"pyproject.toml: [build-system].requires"}


ILLEGAL = {
    "build-system = 1": "build-system` must be a table, not an integer",
    "[[build-system]]\nrequires = []": "build-system` must be a table, not an array",
    "[build-system]\nbuild-backend = 'a'": "[build-system].requires` is missing",
    "[build-system]\nrequires = 'torch'": "[build-system].requires` must be a list of strings, not a string",
    "[build-system]\nrequires = {a = 1}": "must be a list of strings, not a table",
    "[build-system]\nrequires = ['a', 1, 2.5]": "[build-system].requires[2]` must be a string, not a float",
    "[build-system]\nrequires = ['torch==']": "has `torch==`, which is not a requirement",
    "[build-system]\nrequires = ['']": "has ``, which is not a requirement",
    "[build-system]\nrequires = ['a @ hg+https://a.example/a']": "has `a` from a URL that is of a version control",
    "[build-system]\nrequires = []\nbuild-backend = 1": "build-backend` must be a string, not an integer",
    "[build-system]\nrequires = []\nbuild-backend = ''": "build-backend` is ``, which is not an object reference",
    "[build-system]\nrequires = []\nbuild-backend = 'a-b'": "which is not an object reference",
    "[build-system]\nrequires = []\nbuild-backend = 'a:'": "which is not an object reference",
    "[build-system]\nrequires = []\nbuild-backend = 'a:b:c'": "which is not an object reference",
    "[build-system]\nrequires = []\nbuild-backend = 'a..b'": "which is not an object reference",
    "[build-system]\nrequires = []\nbackend-path = ['.']": "backend-path` needs a `build-backend`",
    "[build-system]\nrequires = []\nbuild-backend = 'a'\nbackend-path = '.'": "must be a list of strings",
    "[build-system]\nrequires = []\nbuild-backend = 'a'\nbackend-path = []": "backend-path` is empty",
    "[build-system]\nrequires = []\nbuild-backend = 'a'\nbackend-path = ['']": "is not a path",
    "[build-system]\nrequires = []\nbuild-backend = 'a'\nbackend-path = [\"a\\u0000b\"]": "is not a path",
    "[build-system]\nrequires = []\nbuild-backend = 'a'\nbackend-path = ['none']": "which is not a directory",
    "[build-system]\nrequires = []\nbuild-backend = 'a'\nbackend-path = ['pyproject.toml']": "is not a directory",
    "[build-system]\nrequires = []\nbuild-backend = 'a'\nbackend-path = ['..']": "which leads out of the project",
    "[build-system]\nrequires = []\nbuild-backend = 'a'\nbackend-path = ['/usr']": "must be relative to the project",
    "[build-system]\nrequires = []\nbuild-backend = 'a'\nbackend-path = ['C:\\a']": "must be relative to the project",
    "[build-system]\nrequires = []\nrequire = []": "require` is not a known key; did you mean `requires`?",
}


@pytest.mark.parametrize("text", ILLEGAL)
def test_an_illegal_table_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidProjectError) as caught:
        read(tmp_path, text)
    assert ILLEGAL[text] in caught.value.message


def test_all_faults_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(InvalidProjectError) as caught:
        read(tmp_path, "[build-system]\nbuild-backend = ''\nbackend-path = ['/']\nextra = 1")
    assert len(caught.value.faults) == 4
    assert caught.value.message.startswith("the project's configuration has 4 faults:\n  - ")


def test_a_link_must_not_lead_out(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    project.mkdir()
    outside.mkdir()
    try:
        (project / "backend").symlink_to(outside)
    except OSError:
        pytest.skip("this platform lets us make no links")
    with pytest.raises(InvalidProjectError, match="leads out of the project"):
        read(project, "[build-system]\nrequires = []\nbuild-backend = 'a'\nbackend-path = ['backend']")


def _bytes(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


NOT_TOML: dict[str, tuple[Callable[[Path], object], str]] = {
    "a folder": (Path.mkdir, "is not a regular file"),
    "not UTF-8": (_bytes(b"a = 1\n# \xff"), "is not UTF-8: line 2 has the byte 0xff"),
    "byte order mark": (_bytes(b"\xef\xbb\xbfa = 1"), "begins with a byte order mark"),
    "not TOML": (_bytes(b"a = 1\nb = ?\n"), "is not valid TOML: Invalid value (at line 2, column 5)"),
    "too large": (_bytes(b"#" * (1 << 20) + b"\n"), "is larger than 1048576 bytes"),
    "too deep": (_bytes(b"a = " + b"[" * 100_000), "is nested too deeply"),
    "endless key": (_bytes(b"a." * 500_000 + b"a = 1"), "has more than 500 dots in line 1"),
    "endless key with escapes": (_bytes(rb'"\"".' * 200_000 + b"a = 1"), "has more than 500 dots in line 1"),
    "endless quoted key": (_bytes(b"''. " * 200_000 + b"a = 1"), "has more than 500 dots in line 1"),
    "endless integer": (_bytes(b"a = " + b"1" * 5000), "is not valid TOML"),
    "a broken link": (lambda path: path.symlink_to(path.with_name("nowhere")), "cannot be read"),
}


@pytest.mark.parametrize("defect", NOT_TOML)
def test_what_is_no_toml_file_is_refused(tmp_path: Path, defect: str) -> None:
    make, message = NOT_TOML[defect]
    make(tmp_path / "pyproject.toml")
    with pytest.raises(InvalidProjectError) as caught:
        read_build_system(tmp_path)
    assert f"`pyproject.toml` {message}" in caught.value.message


@pytest.mark.parametrize(
    ("name", "message"), [(".", "neither pyproject.toml nor setup.py"), ("none", "cannot be read")]
)
def test_a_folder_without_project_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(InvalidProjectError, match=message):
        read_build_system(tmp_path / name)


@pytest.mark.parametrize(
    "requirement", ["a==" + "1" * 5000, "a;" + "(" * 3000 + "os_name=='x'" + ")" * 3000, "a" * 9999]
)
def test_an_endless_requirement_is_refused(tmp_path: Path, requirement: str) -> None:
    with pytest.raises(InvalidProjectError, match="requires` has a requirement of"):
        read(tmp_path, f'[build-system]\nrequires = ["{requirement}"]')


def test_messages_show_no_password_and_no_control_character(tmp_path: Path) -> None:
    with pytest.raises(InvalidProjectError) as caught:
        read(
            tmp_path,
            r"""[build-system]
requires = ["a @@ https://me:secret@a.example/\u001b[31m"]""",
        )
    assert "secret" not in caught.value.message
    assert "\x1b" not in caught.value.message


def test_of_a_package_that_is_not_unpacked() -> None:
    text = b"[build-system]\nrequires = ['own>=1']\nbuild-backend = 'own'\nbackend-path = ['not/there', 'a/..']"
    build_system = read_build_system_of(text, "foo-1.0.tar.gz")
    assert (build_system.backend, build_system.backend_path) == ("own", ("not/there", "a/.."))
    assert requirements(build_system) == ["own>=1"]
    for absent in (None, b"", b"[project]"):
        assert read_build_system_of(absent, "foo-1.0.tar.gz").backend == LEGACY


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"[build-system]", "`pyproject.toml: [build-system].requires` is missing"),
        (b"[build-system", "`pyproject.toml` is not valid TOML"),
        (b"\xff", "`pyproject.toml` is not UTF-8: line 1 has the byte 0xff"),
        (b"#" * (1 << 20) + b"#", "`pyproject.toml` is larger than"),
        (b"a." * 600 + b"b = 1", "`pyproject.toml` has more than 500 dots in line 1"),
        (b"build-system = 1", "`pyproject.toml: build-system` must be a table"),
        (
            b"[build-system]\nrequires = []\nbuild-backend = 'x'\nbackend-path = ['a/../..']",
            "`pyproject.toml: [build-system].backend-path[0]` is `a/../..`, which leads out of the project",
        ),
    ],
)
def test_the_fault_of_a_package_says_whose_it_is(content: bytes, fault: str) -> None:
    with pytest.raises(InvalidProjectError) as caught:
        read_build_system_of(content, "foo-1.0.tar.gz")
    assert caught.value.message.startswith(f"the build configuration of `foo-1.0.tar.gz` is invalid: {fault}")


STAND_IN = '[build-system]\nrequires = []\nbuild-backend = "buildlock_backend"\nbackend-path = ["_buildlock"]\n'


def test_what_stands_behind_buildlocks_backend(tmp_path: Path) -> None:
    behind = '[tool.buildlock.build-system]\nrequires = ["setuptools>=69"]\nbuild-backend = "setuptools.build_meta"\n'
    build_system = read(tmp_path, STAND_IN + behind)
    assert (build_system.backend, build_system.locked) == ("setuptools.build_meta", True)
    assert requirements(build_system) == ["setuptools>=69"]
    assert "[tool.buildlock.build-system].requires" in build_system.requires[0].origin


def test_buildlocks_backend_needs_one_behind_it_and_nothing_beside(tmp_path: Path) -> None:
    with pytest.raises(InvalidProjectError, match="names the backend that `buildlock_backend` stands in for"):
        read(tmp_path, STAND_IN)
    with pytest.raises(InvalidProjectError) as caught:
        read(tmp_path, STAND_IN.replace("[]", '["tomli"]') + "[tool.buildlock.build-system]\nrequires = []\nmore = 1\n")
    assert "[build-system].requires` must be empty" in caught.value.message
    assert "[tool.buildlock.build-system].more" in caught.value.message
