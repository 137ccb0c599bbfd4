"""`buildlock init --backend`: what it writes, that a second run changes nothing, and the way back."""

import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from support.command import Checkout, CopyLockedProject, CopyProject

pytestmark = pytest.mark.slow

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BACKEND = "_buildlock/buildlock_backend.py"


def snapshot(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def write(project: Checkout, text: str) -> None:
    project.pyproject.write_text(text, encoding="utf-8", newline="\n")


@pytest.mark.parametrize(
    "trait", ["seed", "tiny", "legacy-setup-py", "in-tree-backend", "group-variant", "requires-only"]
)
def test_there_and_back(checkout: CopyProject, trait: str) -> None:
    project = checkout(trait)
    before = snapshot(project.root)
    project.succeed("init", "--backend")
    after = snapshot(project.root)
    assert after.keys() - before.keys() >= {BACKEND, "_buildlock/.gitignore"}
    again = project.succeed("init", "--backend")
    assert "Nothing to change" in again.stderr
    assert snapshot(project.root) == after
    undone = project.succeed("init", "--backend", "--undo")
    assert f"Removed {BACKEND}" in undone.stderr
    assert snapshot(project.root) == before
    assert not (project.root / "_buildlock").exists()
    assert "Nothing to change" in project.succeed("init", "--backend", "--undo").stderr


def test_what_it_writes(checkout: CopyProject) -> None:
    project = checkout("seed")
    result = project.succeed("init", "--backend")
    assert "Wrote pyproject.toml\nWrote MANIFEST.in\nWrote _buildlock/buildlock_backend.py\n" in result.stderr
    assert "note: uv takes the variant from `torch` of `uv sync --extra`" in result.stderr
    assert "note: there is no `build-lock.toml` yet: run `buildlock lock --all`" in result.stderr
    text = project.pyproject.read_text()
    assert '\n[tool.buildlock.build-system]\nrequires = ["setuptools>=69.0.3",' in text
    assert '[build-system]\nrequires = []\nbuild-backend = "buildlock_backend"\nbackend-path = ["_buildlock"]\n' in text
    assert '{ env = "BUILDLOCK_VARIANT" }' in text
    assert 'seed-ext = [\n  { requirement = "torch", match-runtime = true },\n]' in text
    assert (project.root / "MANIFEST.in").read_text().splitlines()[1:3] == [
        "include build-lock.toml",
        f"include {BACKEND}",
    ]


def test_windows_line_ends_stay(checkout: CopyProject) -> None:
    project = checkout("tiny")
    project.pyproject.write_bytes(project.pyproject.read_bytes().replace(b"\n", b"\r\n"))
    before = snapshot(project.root)
    project.succeed("init", "--backend")
    content = project.pyproject.read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n")
    project.succeed("init", "--backend", "--undo")
    assert snapshot(project.root) == before


def test_what_the_user_wrote_since_stays(checkout: CopyProject) -> None:
    project = checkout("tiny")
    project.succeed("init", "--backend")
    project.replace('requires = ["tinybackend"]', 'requires = ["tinybackend", "filelock"]  # new')
    project.append('[tool.mine]\nkey = "value"')
    project.succeed("init", "--backend", "--undo")
    text = project.pyproject.read_text()
    assert text.startswith('[build-system]\nrequires = ["tinybackend", "filelock"]  # new\n')
    assert text.endswith('\n[tool.mine]\nkey = "value"\n')
    assert "tool.buildlock" not in text


def test_a_lock_stays_fresh_and_the_real_backend_is_called(locked: CopyLockedProject) -> None:
    project = locked("dynamic-requires")
    project.succeed("check")
    project.succeed("init", "--backend")
    project.succeed("check")
    assert "unchanged" in project.succeed("lock").stderr
    project.succeed("build", "--quiet")


def test_check_says_how_the_file_is(locked: CopyLockedProject) -> None:
    project = locked("tiny")
    project.succeed("init", "--backend")
    path = project.root / BACKEND
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))  # as a checkout on Windows has it
    project.succeed("check")
    text = path.read_text()
    header, _, body = text.partition("\n")
    for content, said in [
        (text.replace("refuse", "accept"), "not as buildlock wrote it"),
        (body, "not as buildlock wrote it"),
        (None, "not there, and `[build-system]` names it"),
    ]:
        path.unlink() if content is None else path.write_text(content)
        result = project.run("check")
        assert (result.code, "hint" in result.stderr) == (3, False)
        assert f"{BACKEND}: {said}: run `buildlock init --backend`" in result.stderr
    assert json.loads(project.run("check", "--json").stdout)["backend"] == "missing"
    other = body + "# older\n"
    digest = header.split("sha256 ")[1].split(" ")[0]
    path.write_text(f"{header.replace(digest, sha256(other.encode()).hexdigest())}\n{other}")
    assert "of another version of buildlock" in project.run("check").stderr
    project.succeed("init", "--backend")
    project.succeed("check")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('build-system = { requires = ["tinybackend"], build-backend = "tinybackend" }', "header of its own"),
        (
            '[build-system]\nrequires = []\nbuild-backend = "tinybackend"\n[tool]\nuv = { cache-keys = [] }',
            "`tool.uv.cache-keys` is laid out so that nothing can be added to it",
        ),
        (
            '[build-system]\nrequires = []\nbuild-backend = "tinybackend"\n[tool.uv]\ncache-keys = "x"',
            "`tool.uv.cache-keys` is not an array",
        ),
    ],
)
def test_what_cannot_be_edited_is_left_alone(checkout: CopyProject, text: str, said: str) -> None:
    project = checkout("tiny")
    write(project, text)
    before = snapshot(project.root)
    result = project.run("init", "--backend")
    assert (result.code, said in result.stderr) == (1, True)
    assert snapshot(project.root) == before


@pytest.mark.parametrize(
    ("backend", "tables", "path"),
    [
        ("flit_core.buildapi", "", ("flit", "sdist", "include")),
        ("pdm.backend", "[tool.pdm.build]\nincludes = []\n", ("pdm", "build", "source-includes")),
        ("scikit_build_core.build", "[tool.scikit-build]\nsdist.exclude = []\n", ("scikit-build", "sdist", "include")),
        ("uv_build", "", ("uv", "build-backend", "source-include")),
        ("poetry.core.masonry.api", "[tool.poetry]\ninclude = [{ path = 'x' }]\n", ("poetry", "include")),
    ],
)
def test_the_sdist_carries_both_files(checkout: CopyProject, backend: str, tables: str, path: tuple[str, ...]) -> None:
    project = checkout("tiny")
    write(project, f'[build-system]\nrequires = ["x"]\nbuild-backend = "{backend}"\n\n{tables}')
    before = snapshot(project.root)
    project.succeed("init", "--backend")
    value: Any = read_tool(project)
    for key in path:
        value = value[key]
    names = [each["path"] if isinstance(each, dict) else each for each in value]
    assert names[:2] == ["build-lock.toml", BACKEND]
    project.succeed("init", "--backend", "--undo")
    assert snapshot(project.root) == before


def test_hatchling_takes_all_unless_the_project_chooses(checkout: CopyProject) -> None:
    project = checkout("tiny")
    text = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    write(project, text)
    project.succeed("init", "--backend")
    assert "hatch" not in read_tool(project)
    project.succeed("init", "--backend", "--undo")
    write(project, f'{text}\n[tool.hatch.build.targets.sdist]\nonly-include = ["src"]\n')
    project.succeed("init", "--backend")
    forced = read_tool(project)["hatch"]["build"]["targets"]["sdist"]["force-include"]
    assert forced == {"build-lock.toml": "build-lock.toml", BACKEND: BACKEND}


@pytest.mark.parametrize(
    ("backend", "said"),
    [("mesonpy", "what git tracks: commit `build-lock.toml` and"), ("my_own", "see to it that the sdists of `my_own`")],
)
def test_what_is_left_to_the_user(checkout: CopyProject, backend: str, said: str) -> None:
    project = checkout("tiny")
    write(project, f'[build-system]\nrequires = ["x"]\nbuild-backend = "{backend}"\n')
    assert said in project.succeed("init", "--backend").stderr


def test_dynamic_dependencies_do_not_tell_the_variant(checkout: CopyProject) -> None:
    project = checkout("group-variant")
    project.replace('version = "1.0"', 'version = "1.0"\ndynamic = ["dependencies"]')
    assert "note: the project's dependencies are dynamic" in project.succeed("init", "--backend").stderr
    assert "extra-build-dependencies" not in read_tool(project)["uv"]


@pytest.mark.parametrize(
    "text", ["tool = 1", "build-system = 1", "project = 2\ntool.buildlock = []", "[", "tool.uv = 3"]
)
def test_what_is_no_project_is_an_error(checkout: CopyProject, text: str) -> None:
    project = checkout("tiny")
    write(project, text)
    for options in ((), ("--undo",)):
        result = project.run("init", "--backend", *options)
        assert "Traceback" not in result.stderr
        assert project.pyproject.read_text() == text


@pytest.mark.parametrize("options", [(), ("--backend", "--git")])
def test_one_thing_at_a_time(checkout: CopyProject, options: tuple[str, ...]) -> None:
    result = checkout("tiny").run("init", *options)
    assert (result.code, result.stderr) == (2, "error: `init` sets up one thing: `--backend` or `--git`\n")


def read_tool(project: Checkout) -> dict[str, Any]:
    tool: dict[str, Any] = tomllib.loads(project.pyproject.read_text())["tool"]
    return tool
