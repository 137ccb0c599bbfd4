"""`buildlock lock`: what the backend asks for is asked, locked and recorded."""

import pytest

from index.server import IndexServer
from support.command import Checkout, CopyProject

DYNAMIC = {"editable": ["filelock", "typing-extensions>=4.8"], "wheel": ["typing-extensions>=4.8"]}


def add_to_backend(project: Checkout, code: str) -> None:
    with (project.root / "backend" / "house_backend.py").open("a", encoding="utf-8") as file:
        file.write(code)


def test_what_the_backend_asks_for_is_locked_and_recorded(checkout: CopyProject) -> None:
    project = checkout("dynamic-requires")
    project.succeed("lock")
    assert project.versions() == {"filelock": "3.16.1", "tinybackend": "1.0", "typing-extensions": "4.12.2"}
    assert project.locked()["inputs"]["dynamic"] == DYNAMIC
    # Nothing is left in the project's tree, nor an environment anywhere.
    assert {path.name for path in project.root.iterdir()} == {"build-lock.toml", "pyproject.toml", "src", "tiny.json"}
    assert not list(project.cache.glob("**/site-packages"))


def test_it_need_not_be_asked(checkout: CopyProject) -> None:
    project = checkout("dynamic-requires")
    project.succeed("lock", "--no-dynamic")
    assert project.versions() == {"tinybackend": "1.0"}
    assert "dynamic" not in project.locked()["inputs"]


def test_what_it_asks_for_comes_from_the_variants_index(checkout: CopyProject, server: IndexServer) -> None:
    project = checkout("group-variant")
    tiny = project.root / "tiny.json"
    tiny.write_text('{"name": "group-variant", "version": "1.0", "requires": {"wheel": ["torch"]}}', encoding="utf-8")
    project.replace('requires = ["tinybackend", "torch"]', 'requires = ["tinybackend"]')
    project.succeed("lock", "--variant", "cpu")
    torch = project.packages("cpu")["torch"]
    assert (torch["version"], torch["index"]) == ("2.5.1+cpu", server.url("cpu"))
    assert not server.asked("/simple/torch/")


def test_what_it_asks_for_does_not_exist(checkout: CopyProject) -> None:
    project = checkout("dynamic-requires")
    tiny = project.root / "tiny.json"
    tiny.write_text(tiny.read_text(encoding="utf-8").replace('"filelock"', '"nonesuch"'), encoding="utf-8")
    result = project.run("lock")
    assert result.code == 1
    assert "`nonesuch` was not found" in result.stderr
    assert "`nonesuch` (from `get_requires_for_build_editable` of `tinybackend`)" in result.stderr


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        pytest.param("raise RuntimeError('no compiler here')", "RuntimeError: no compiler here", id="raises"),
        pytest.param("raise SystemExit(7)", "(exit code 7)", id="exits"),
        pytest.param("return [1]", "get_requires_for_build_wheel", id="not-strings"),
        pytest.param("return ['torch =! 2']", "torch =! 2", id="not-a-requirement"),
    ],
)
def test_a_hook_fails(checkout: CopyProject, hook: str, said: str) -> None:
    project = checkout("in-tree-backend")
    add_to_backend(project, f"\n\ndef get_requires_for_build_wheel(config_settings=None):\n    {hook}\n")
    result = project.run("lock")
    assert result.code == 1
    assert said in result.stderr
    assert "`--no-dynamic`" in result.stderr
    # The backend's traceback is shown; there is none of ours.
    assert "src/buildlock" not in result.stderr
    assert not project.lock_path.exists()
    project.succeed("lock", "--no-dynamic")


def test_a_backend_that_is_not_there(checkout: CopyProject) -> None:
    project = checkout("tiny")
    project.replace('build-backend = "tinybackend"', 'build-backend = "nonesuch.api"')
    result = project.run("lock")
    assert result.code == 1
    assert "`nonesuch.api`" in result.stderr
