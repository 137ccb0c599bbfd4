"""Nothing that a remembered command runs looks at the world past the audit hook."""

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import buildlock
from buildlock.answers.looking import WatchedEnvironment, find_command, glob, list_variables

ROOT = Path(buildlock.__file__).parent
UNSEEN = frozenset(
    {
        *("exists", "is_file", "is_dir", "is_symlink", "is_mount", "stat", "lstat", "samefile", "resolve", "readlink"),
        *(
            "lexists",
            "isfile",
            "isdir",
            "islink",
            "getmtime",
            "getsize",
            "realpath",
            "access",
            "which",
            "glob",
            "rglob",
        ),
        *("now", "today", "utcnow", "getenv"),
    }
)
"""Names of calls that Python tells no audit hook of."""
PLACES = (
    *("project", "runtime", "lockfile", "diff/policy.py", "targets.py", "variants.py", "text.py"),
    *(f"workflows/{name}.py" for name in ("backend_file", "build_inputs", "check", "local_content", "runtime")),
    *(f"workflows/{name}.py" for name in ("staleness", "uv_block")),
    *("cli/check.py",),
)
"""What `check` is made of; `lock` is so besides for the caches and for what it asks of others."""


def list_files() -> Iterator[Path]:
    for place in PLACES:
        path = ROOT / place
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


@pytest.mark.parametrize("path", list(list_files()), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_look_is_an_event(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {
        f"{getattr(node, 'lineno', 0)}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in UNSEEN
    }
    environ = {
        f"{getattr(node, 'lineno', 0)}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if ast.unparse(node) == "os.environ"
    }
    assert not found | environ, "call the function of buildlock.answers.looking"


class TestFunctions:
    @pytest.fixture(autouse=True)
    def events(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
        heard: list[tuple[str, ...]] = []
        monkeypatch.setattr(
            "sys.audit", lambda *event: heard.append(event) if event[0].startswith("buildlock.") else None
        )
        return heard

    def test_variables(self, events: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DEMO_B", "2")
        monkeypatch.setenv("DEMO_A", "1")
        environ = WatchedEnvironment()
        assert environ["DEMO_A"] == "1"
        assert environ.get("DEMO_C") is None
        assert "DEMO_C" not in environ
        assert list_variables(environ, "DEMO_") == [("DEMO_A", "1"), ("DEMO_B", "2")]
        names = ["DEMO_A", "DEMO_C", "DEMO_C"]
        assert events == [*(("buildlock.variable", name) for name in names), ("buildlock.variables", "DEMO_")]
        events.clear()
        assert dict(environ) == dict(os.environ)
        assert ("buildlock.variables", "") in events

    def test_a_pattern_looks_for_what_has_no_wildcard(self, events: list[tuple[str, ...]], tmp_path: Path) -> None:
        (tmp_path / "a/src").mkdir(parents=True)
        (tmp_path / "b").mkdir()
        assert list(glob(tmp_path, "*/src")) == [tmp_path / "a/src"]
        assert {name for _, name in events} == {str(tmp_path / "a/src"), str(tmp_path / "b/src")}
        assert not list(glob(tmp_path, "c/*"))
        assert ("buildlock.look", str(tmp_path / "c")) in events

    def test_a_command_is_looked_for_in_every_folder(self, events: list[tuple[str, ...]], tmp_path: Path) -> None:
        folders = [str(tmp_path / "a"), str(tmp_path / "b")]
        assert find_command("demo", os.pathsep.join(folders)) is None
        assert [name for _, name in events] == [str(Path(folder, "demo")) for folder in folders]
