"""`install` where nothing changed: the same answer, in a moment; and never a wrong one."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from buildlock.cli.again import ask_once, install_again
from buildlock.environment.marker import is_unchanged, read_marker
from buildlock.environment.reuse import make_again
from index.server import IndexServer
from support.asker import enter
from support.command import Checkout, CopyLockedProject, through_links
from support.killing import is_true_apart, kill_at

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there it goes the ordinary way")


@pytest.fixture
def tiny(locked: CopyLockedProject) -> Checkout:
    return locked("tiny", "--no-dynamic")


@pytest.fixture
def note(tiny: Checkout) -> str:
    """What is noted for the next time, by an `install` into a folder of its own and one into the cache."""
    tiny.succeed("install", "--target", "first")
    root = Path(tiny.succeed("install").stdout.strip())
    (recipe,) = (tiny.cache / "store-v2" / "recipes").iterdir()
    return f"{recipe}\n{root}\n{tiny.cache / 'claims-v1' / root.name}\n1 package of default"


def again(note: str, *arguments: str) -> list[tuple[str, str]] | None:
    return install_again(note, ["install", *arguments])


def import_in(environment: Path) -> None:
    assert os.system(f"{environment}/bin/python -B -c 'import tinybackend'") == 0


def test_a_new_environment_is_made(tiny: Checkout, note: str, tmp_path: Path) -> None:
    new = tmp_path / "new"
    assert again(note, "--target", str(new)) == [("e", "Installed 1 package of default\n"), ("o", f"{new}\n")]
    import_in(new)
    assert [path.name for path in tmp_path.iterdir() if "new" in path.name] == ["new"]
    assert again(note, "-q", f"--target={new}") == [("o", f"{new}\n")]
    # Made in the ordinary way it is the same.
    assert tiny.succeed("install", "--target", str(new)).stderr == "Found 1 package of default\n"
    first = tiny.root / "first"
    assert sorted(path.relative_to(new) for path in new.rglob("*")) == sorted(
        path.relative_to(first) for path in first.rglob("*")
    )


def test_what_a_killed_process_left_is_cleared_away(note: str, tmp_path: Path) -> None:
    """Wherever it was killed, the next gets what it asks for, and nothing else is left."""
    recipe, new = note.split("\n", maxsplit=1)[0], tmp_path / "new"
    point, step = 0, 1
    while kill_at(point, lambda: make_again(recipe, str(new))):
        expected = "Found" if new.exists() else "Installed"
        assert again(note, "--target", str(new)) == [("e", f"{expected} 1 package of default\n"), ("o", f"{new}\n")]
        assert is_unchanged(str(new), read_marker(str(new)))
        assert [path.name for path in tmp_path.iterdir() if "new" in path.name] == ["new"]
        shutil.rmtree(new)
        point, step = point + step, step % 3 + 1
    assert point > 20
    assert again(note, "--target", str(new)) == [("e", "Found 1 package of default\n"), ("o", f"{new}\n")]
    import_in(new)


def test_that_in_the_cache_is_found(note: str) -> None:
    root = note.split("\n")[1]
    assert again(note) == [("e", "Found 1 package of default\n"), ("o", f"{root}\n")]


def write_into_the_store(root: Path) -> None:
    (module,) = root.glob("lib/*/site-packages/tinybackend/__init__.py")
    module.write_text("evil = 1")


def add_to_the_store(root: Path) -> None:
    (package,) = root.glob("lib/*/site-packages/tinybackend")
    (package / "evil.py").write_text("")


def leave_bytecode(root: Path) -> None:
    (package,) = root.glob("lib/*/site-packages/tinybackend")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "__init__.cpython-311.pyc").write_bytes(b"")


def change_a_script(root: Path) -> None:
    (root / "pyvenv.cfg").write_text("")


def plant(root: Path) -> None:
    (library,) = root.glob("lib/*/site-packages")
    (library / "evil.pth").write_text("")


def lose_the_store(root: Path) -> None:
    shutil.rmtree(root.parents[1] / "store-v2" / "wheels")


def damage_the_recipe(root: Path) -> None:
    (recipe,) = (root.parents[1] / "store-v2" / "recipes").iterdir()
    recipe.write_bytes(recipe.read_bytes()[:-1] + b"x")


@through_links
@pytest.mark.parametrize(
    "change",
    [write_into_the_store, add_to_the_store, leave_bytecode, change_a_script, plant, lose_the_store, damage_the_recipe],
)
def test_what_was_changed_is_not_handed_out(
    tiny: Checkout, note: str, change: Callable[[Path], None], tmp_path: Path
) -> None:
    root = Path(note.split("\n")[1])
    change(root)
    assert again(note) is None
    if change not in {change_a_script, plant}:
        assert again(note, "--target", str(tmp_path / "new")) is None
        assert not list(tmp_path.glob("*new*"))
    tiny.succeed("install")
    import_in(root)


def add_a_line(path: Path) -> Callable[[], object]:
    """What undoes it."""
    content = path.read_bytes()
    path.write_bytes(content + b"\n")
    return lambda: path.write_bytes(content)


def touch(path: Path) -> Callable[[], object]:
    os.utime(path)
    return lambda: None


def set_variable(name: str, value: str, patch: pytest.MonkeyPatch) -> Callable[[], object]:
    patch.setenv(name, value)
    return lambda: patch.delenv(name)


def use_another_python(patch: pytest.MonkeyPatch) -> Callable[[], object]:
    known = sys.executable
    patch.setattr(sys, "executable", shutil.which("env"))
    return lambda: patch.setattr(sys, "executable", known)


@through_links
def test_nothing_that_it_depends_on_may_change(tiny: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each change is followed by the ordinary way, after which it is remembered again."""
    asker = enter(tiny, monkeypatch)

    def is_remembered() -> bool:
        return is_true_apart(lambda: asker.recalls("install"))

    def install() -> None:
        assert is_true_apart(lambda: asker.ask("install").code == 0)

    install()
    assert is_remembered()
    (root,) = (tiny.cache / "environments-v2").iterdir()
    (module,) = root.glob("lib/*/site-packages/tinybackend/__init__.py")
    (recipe,) = (tiny.cache / "store-v2" / "recipes").iterdir()
    changes: Mapping[str, Callable[[], Callable[[], object]]] = {
        "the lock": lambda: add_a_line(tiny.lock_path),
        "pyproject.toml": lambda: add_a_line(tiny.pyproject),
        "a variable": lambda: set_variable("UV_LINK_MODE", "copy", monkeypatch),
        "the interpreter": lambda: use_another_python(monkeypatch),
        "a file of the store": lambda: touch(module.resolve()),
        "a folder of the store": lambda: touch(module.resolve().parent),
        "a file of the environment": lambda: add_a_line(root / "pyvenv.cfg"),
        "the marker": lambda: touch(root / ".buildlock"),
        "the claim": lambda: add_a_line(tiny.cache / "claims-v1" / root.name),
        "the recipe": lambda: add_a_line(recipe),
    }
    for what, change in changes.items():
        undo = change()
        assert not is_remembered(), what
        undo()
        install()
        assert is_remembered(), what
        assert list(root.parent.iterdir()) == [root], what


def occupy(place: Path) -> None:
    place.mkdir()
    (place / "mine").write_text("mine")


def occupy_with_a_file(place: Path) -> None:
    place.write_text("mine")


def occupy_with_a_link(place: Path) -> None:
    place.symlink_to(place.parent)


@pytest.mark.parametrize("prepare", [occupy, occupy_with_a_file, occupy_with_a_link])
def test_what_is_not_ours_is_left_alone(note: str, prepare: Callable[[Path], None], tmp_path: Path) -> None:
    prepare(tmp_path / "place")
    before = sorted(tmp_path.rglob("*"))
    assert again(note, "--target", str(tmp_path / "place")) is None
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("place", ["no/such/folder", "a:b", "with\nnewline"])
def test_what_is_out_of_the_ordinary_is_left_to_the_ordinary_way(note: str, place: str, tmp_path: Path) -> None:
    assert again(note, "--target", f"{tmp_path}/{place}") is None
    assert not os.path.lexists(f"{tmp_path}/{place}")


@through_links
def test_what_was_written_into_is_not_linked_again(tiny: Checkout, note: str, tmp_path: Path) -> None:
    root = Path(note.split("\n")[1])
    add_to_the_store(root)
    tiny.succeed("install")
    assert again(note, "--target", str(tmp_path / "new")) is None
    tiny.succeed("install", "--target", str(tmp_path / "new"))
    (module,) = (tmp_path / "new").glob("lib/*/site-packages/tinybackend/__init__.py")
    assert not any(path.is_symlink() for path in (module, *module.parents))


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["install"], ["install"]),
        (["install", "--target", "x", "-q"], ["install", "-q", "--target"]),
        (["install", "--target=x", "--variant", "cpu"], ["install", "--variant", "cpu", "--target"]),
        (["install", "--target", "x", "--target", "y"], ["install", "--target", "x", "--target", "y"]),
        (["install", "--target"], ["install", "--target"]),
        (["check", "--target", "x"], ["check", "--target", "x"]),
    ],
)
def test_the_folder_is_no_part_of_the_question(arguments: list[str], asked: list[str]) -> None:
    assert ask_once(arguments) == asked


def test_no_index_and_no_slow_import(note: str, server: IndexServer, tmp_path: Path) -> None:
    """It is as fast as it imports little."""
    code = (
        "import json, sys; from buildlock.cli.again import install_again;"
        f"assert install_again({note!r}, ['install', '--target', {str(tmp_path / 'new')!r}]);"
        "print(json.dumps(sorted(sys.modules)))"
    )
    server.exchanges.clear()
    process = os.popen(f'{sys.executable} -I -S -c "import sys; sys.path[:0] = {sys.path!r}; {code}"')
    imported = set(json.loads(process.read()))
    assert process.close() is None
    slow = {"pathlib", "typing", "dataclasses", "packaging", "typer", "tomllib", "filelock", "urllib3"}
    assert not imported & slow
    assert not server.exchanges
