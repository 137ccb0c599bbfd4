"""Environments of links: what is linked as a whole, what is real, and that real code finds its way in them."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from uv import find_uv_bin

from buildlock.environment.interpreter import Interpreter, find_interpreter
from buildlock.environment.isolated import BuildEnvironment, create_environment
from buildlock.environment.placing import choose_mode
from buildlock.environment.recipe import RECIPES
from buildlock.environment.reuse import make_again
from buildlock.environment.store import Store
from buildlock.environment.stored import StoredWheel
from buildlock.project.model import LinkMode
from buildlock.project.settings import LINK_MODES
from buildlock.reporting import silence
from support.wheel_forge import make_wheel

CLEAN = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="where libraries look is that of Linux")
compiler = pytest.mark.skipif(not shutil.which("gcc"), reason="libraries are made by a compiler")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", silence)


@pytest.fixture(scope="module")
def interpreter() -> Interpreter:
    return find_interpreter(None, os.environ)


def add(store: Store, name: str, files: Mapping[str, bytes], *programs: str) -> StoredWheel:
    filename, content = make_wheel(name, files=files, programs=programs)
    with store.scratch() as scratch:
        archive = scratch / filename
        archive.write_bytes(content)
        return store.add(archive, sha256=hashlib.sha256(content).hexdigest(), filename=filename)


def create(
    store: Store, interpreter: Interpreter, *wheels: StoredWheel, mode: LinkMode | None = None
) -> BuildEnvironment:
    place = store.root.parent / f"environment-{mode}"
    return create_environment(place, interpreter, wheels, identity="a" * 64, report=silence, mode=mode)


def run(environment: BuildEnvironment, code: str) -> str:
    command = [str(environment.python), "-c", code]
    process = subprocess.run(command, check=True, capture_output=True, text=True, env=CLEAN)
    return process.stdout.strip()


def build(folder: Path, name: str, source: str, *options: str) -> bytes:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.c").write_text(source)
    subprocess.run(["gcc", f"{name}.c", "-o", name, *options], cwd=folder, check=True)
    return (folder / name).read_bytes()


def list_links(environment: BuildEnvironment) -> list[str]:
    return sorted(
        path.relative_to(environment.site_packages).as_posix()
        for path in environment.site_packages.rglob("*")
        if path.is_symlink() and ".dist-info" not in str(path)
    )


def test_a_folder_is_one_link(store: Store, interpreter: Interpreter) -> None:
    files = {f"demo/inner/{number}.py": b"" for number in range(100)} | {"demo/__init__.py": b"", "alone.py": b""}
    environment = create(store, interpreter, add(store, "demo", files))
    assert list_links(environment) == ["alone.py", "demo"]
    assert run(environment, "import demo.inner, alone; print(demo.__file__)") == str(
        environment.site_packages / "demo" / "__init__.py"
    )


def test_tools_list_what_is_installed(store: Store, interpreter: Interpreter) -> None:
    environment = create(store, interpreter, add(store, "one", {"one/__init__.py": b""}), add(store, "two", {}))
    python = str(environment.python)
    for command in (
        [find_uv_bin(), "pip", "list", "--quiet", "--python", python],
        [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "list"],
    ):
        process = subprocess.run([*command, "--format", "json"], check=True, capture_output=True, text=True, env=CLEAN)
        assert sorted(package["name"] for package in json.loads(process.stdout)) == ["one", "two"]


def test_a_folder_that_wheels_share_is_real(store: Store, interpreter: Interpreter) -> None:
    one = add(store, "one", {"space/one/a.py": b"", "space/deep/er/one.py": b""})
    two = add(store, "two", {"space/two/b.py": b"", "space/deep/er/two.py": b""})
    three = add(store, "three", {"space/three.py": b""})
    environment = create(store, interpreter, one, two, three)
    assert list_links(environment) == [
        "space/deep/er/one.py",
        "space/deep/er/two.py",
        "space/one",
        "space/three.py",
        "space/two",
    ]
    run(environment, "import space.one.a, space.two.b, space.three, space.deep.er.one, space.deep.er.two")


@compiler
@pytest.mark.parametrize("mode", LINK_MODES)
def test_a_library_finds_that_of_another_wheel(
    store: Store, interpreter: Interpreter, tmp_path: Path, mode: LinkMode
) -> None:
    """As torch finds those of nvidia."""
    made = tmp_path / "made"
    base = build(made, "libbase.so", "int base(void) { return 42; }", "-shared", "-fPIC")
    user = build(
        made,
        "libuser.so",
        "int base(void); int user(void) { return base(); }",
        *("-shared", "-fPIC", "-L.", "-lbase", "-Wl,-rpath,$ORIGIN:$ORIGIN/../../vendor/base/lib"),
    )
    environment = create(
        store,
        interpreter,
        add(store, "base", {"vendor/base/lib/libbase.so": base, "vendor/base/include/base.h": b""}),
        add(store, "user", {"user/__init__.py": b"", "user/lib/libuser.so": user, "user/include/user.h": b""}),
        mode=mode,
    )
    code = (
        "import ctypes, user, pathlib as p; print(ctypes.CDLL(p.Path(user.__file__).parent / 'lib/libuser.so').user())"
    )
    assert run(environment, code) == "42"
    if mode == "symlink":
        assert list_links(environment) == ["user/__init__.py", "user/include", "user/lib/libuser.so", "vendor"]


@compiler
def test_a_library_that_finds_what_is_its_own_is_linked(store: Store, interpreter: Interpreter, tmp_path: Path) -> None:
    made = tmp_path / "made"
    base = build(made, "libbase.so", "int base(void) { return 42; }", "-shared", "-fPIC")
    user = build(
        made,
        "libuser.so",
        "int base(void); int user(void) { return base(); }",
        *("-shared", "-fPIC", "-L.", "-lbase", "-Wl,-rpath,$ORIGIN/../user.libs:$ORIGIN/../../nowhere"),
    )
    wheel = add(store, "user", {"user/libuser.so": user, "user.libs/libbase.so": base})
    environment = create(store, interpreter, wheel)
    assert list_links(environment) == ["user", "user.libs"]
    library = environment.site_packages / "user" / "libuser.so"
    assert run(environment, f"import ctypes; print(ctypes.CDLL({str(library)!r}).user())") == "42"


@compiler
def test_a_library_may_look_for_what_no_path_can_be(store: Store, interpreter: Interpreter, tmp_path: Path) -> None:
    long = "x" * 300
    user = build(
        tmp_path / "made",
        "libuser.so",
        "int user(void) { return 42; }",
        *(
            "-shared",
            "-fPIC",
            f"-Wl,-rpath,$ORIGIN/{long}:$ORIGIN/../{long}:$ORIGIN/../other/{long}:$ORIGIN/../user/{long}",
        ),
    )
    wheels = add(store, "user", {"user/libuser.so": user}), add(store, "other", {"other/__init__.py": b""})
    library = create(store, interpreter, *wheels).site_packages / "user" / "libuser.so"
    assert library.read_bytes() == user


@compiler
def test_a_program_beside_those_of_other_wheels_is_the_environments_own(
    store: Store, interpreter: Interpreter, tmp_path: Path
) -> None:
    """It finds its parts from where it is in truth, as compilers do."""
    source = """
        #include <stdio.h>
        #include <unistd.h>
        int main(void) { char path[4096]; path[readlink("/proc/self/exe", path, 4095)] = 0; puts(path); return 0; }
    """
    program = build(tmp_path / "made", "cc", source.replace("char path[4096];", "char path[4096] = {0};"))
    one = add(store, "one", {"kit/v1/bin/cc": program}, "kit/v1/bin/cc")
    alone = create(store, interpreter, one)
    assert list_links(alone) == ["kit"]
    two = add(store, "two", {"kit/v1/parts/x.txt": b""})
    environment = create(store, interpreter, one, two, mode="symlink")
    path = environment.site_packages / "kit" / "v1" / "bin" / "cc"
    assert subprocess.run([path], check=True, capture_output=True, text=True).stdout.strip() == os.path.realpath(path)
    assert not path.is_symlink()


@pytest.mark.parametrize("mode", LINK_MODES)
def test_every_mode_gives_the_same(store: Store, interpreter: Interpreter, mode: LinkMode) -> None:
    wheel = add(
        store, "demo", {"demo/__init__.py": b"x = 1\n", "demo/data/a.txt": b"a", "demo-1.0.data/data/etc/b": b"b"}
    )
    environment = create(store, interpreter, wheel, mode=mode)
    listing = (
        "import importlib.metadata as m; print(sorted((str(f), f.hash and f.hash.value) for f in m.files('demo')))"
    )
    assert "demo/data/a.txt" in run(environment, listing)
    assert run(environment, "import demo; print(demo.x)") == "1"
    assert (environment.root / "etc" / "b").read_bytes() == b"b"
    status = (environment.site_packages / "demo" / "__init__.py").stat()
    original = (wheel.tree / "demo" / "__init__.py").stat()
    assert (status.st_mode, status.st_mtime_ns) == (original.st_mode, original.st_mtime_ns)
    assert (status.st_ino == original.st_ino) == (mode in ("symlink", "hardlink"))


def test_the_mode_is_what_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(1, "Operation not permitted")

    assert choose_mode(str(tmp_path / "file"), str(tmp_path / "folder")) == "symlink"
    monkeypatch.setattr(os, "symlink", refuse)
    assert choose_mode(str(tmp_path / "file"), str(tmp_path / "folder")) in ("clone", "hardlink")
    monkeypatch.setattr(os, "link", refuse)
    assert choose_mode(str(tmp_path / "file"), str(tmp_path / "folder")) in ("clone", "copy")
    assert list((tmp_path / "folder").iterdir()) == []


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no other file system")
def test_another_file_system_gets_copies(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert choose_mode(str(tmp_path / "file"), "/dev/shm") == "copy"


def test_bytecode_is_compiled_once_for_all_environments(store: Store, interpreter: Interpreter) -> None:
    wheel = add(store, "demo", {"demo/__init__.py": b"x = 1\n", "demo/unused.py": b""})
    first = create(store, interpreter, wheel)
    run(first, "import demo")
    found = store.find(wheel.sha256)
    assert found is not None
    assert found.uncompiled
    assert not list(wheel.tree.rglob("*.pyc"))
    store.compile([found], interpreter)
    (compiled,) = wheel.tree.rglob("*.pyc")
    written = compiled.stat().st_mtime_ns
    again = store.find(wheel.sha256)
    assert again == wheel
    for mode in LINK_MODES:
        environment = create(store, interpreter, again, mode=mode)
        run(environment, "import demo")
        place = environment.site_packages / "demo" / "__pycache__" / compiled.name
        assert place.stat().st_mtime_ns == written
    assert store.find(wheel.sha256) == wheel


@pytest.mark.parametrize("number", [10, 1000])
def test_what_it_takes_does_not_grow_with_the_files(
    store: Store, interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Counted, as seconds say little: to make one again changes as much for a thousand files as for ten."""
    recipes = store.root / RECIPES
    wheel = add(store, "demo", {f"demo/inner/{at}.py": b"" for at in range(number)} | {"demo/__init__.py": b""})
    environment = create_environment(
        store.root.parent / "first", interpreter, [wheel], identity="a" * 64, report=silence, recipes=recipes
    )
    (store.root.parent / "in-use").touch()
    counts: Counter[str] = Counter()

    def count(name: str) -> None:
        function = getattr(os, name)

        def counted(*arguments: object, **options: object) -> object:
            counts[name] += 1
            return function(*arguments, **options)

        monkeypatch.setattr(os, name, counted)

    for name in ("symlink", "mkdir", "open", "rename", "replace", "link", "stat", "lstat"):
        count(name)
    monkeypatch.setattr(os, "supports_dir_fd", {*os.supports_dir_fd, os.stat})
    assert make_again(str(recipes / ("a" * 64)), str(store.root.parent / "second")) is False
    monkeypatch.undo()
    assert counts["symlink"] + counts["mkdir"] + counts["open"] + counts["rename"] + counts["replace"] < 40
    assert counts["link"] == 0
    # Each file and folder of the store is looked at once, and each of the environment.
    looks = len(list(wheel.tree.rglob("*"))) + len(list(environment.root.rglob("*")))
    assert counts["stat"] + counts["lstat"] < looks + 20


def test_what_is_put_into_the_store_meanwhile_is_in_no_recipe(store: Store, interpreter: Interpreter) -> None:
    wheel = add(store, "demo", {"demo/__init__.py": b""})
    (wheel.tree / "evil.py").write_text("")
    recipes = store.root / RECIPES
    place = store.root.parent / "environment"
    create_environment(place, interpreter, [wheel], identity="a" * 64, report=silence, recipes=recipes)
    assert not recipes.exists()
