"""Environments: real ones, that run."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from buildlock.environment import isolated
from buildlock.environment.bytecode import renew_bytecode
from buildlock.environment.interpreter import Interpreter, find_interpreter
from buildlock.environment.isolated import BuildEnvironment, create_environment, open_environment
from buildlock.environment.marker import MARKER
from buildlock.environment.store import Store
from buildlock.environment.stored import StoredWheel
from buildlock.errors import EnvironmentPreparationError, InterpreterNotFoundError, InvalidArchiveError
from buildlock.project.model import LinkMode
from buildlock.reporting import silence
from support.wheel_forge import DATA, INFO, changed, forge, make_wheel, sound_wheel

IDENTITY = "a" * 64
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", silence)


@pytest.fixture(scope="session")
def interpreter() -> Interpreter:
    return find_interpreter(None, os.environ)


@pytest.mark.parametrize("name", [".buildlock.unfinished", ".buildlock/inner", "pyvenv.cfg/inner"])
def test_a_wheel_cannot_bring_what_the_marker_is_written_to(store: Store, name: str) -> None:
    """A link there would lead into the store, and be written through."""
    with pytest.raises(InvalidArchiveError, match="would replace the environment's own files"):
        add(store, *make_wheel(files={f"{DATA}/data/{name}": b"mine"}))


@pytest.mark.skipif(sys.platform == "win32", reason="a name has as many letters there")
def test_a_folder_may_have_as_long_a_name_as_any(interpreter: Interpreter, tmp_path: Path) -> None:
    """In letters of several bytes it is longer than it looks."""
    create(tmp_path / ("\U0001f40d" * 63), interpreter)


def test_an_environment_that_was_moved_is_made_anew(interpreter: Interpreter, place: Path) -> None:
    """Its scripts name the Python of where it was."""
    create(place, interpreter)
    moved = place.rename(place.with_name("moved"))
    assert open_environment(moved, IDENTITY) is None
    create(moved, interpreter)
    assert open_environment(moved, IDENTITY) is not None


def pipe(marker: Path) -> None:
    marker.unlink()
    os.mkfifo(marker)


def grow_without_end(marker: Path) -> None:
    os.truncate(marker, 1 << 42)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
@pytest.mark.parametrize("change", [pipe, grow_without_end])
def test_a_marker_that_has_no_end_is_not_read(
    interpreter: Interpreter, place: Path, change: Callable[[Path], None]
) -> None:
    create(place, interpreter)
    change(place / MARKER)
    assert open_environment(place, IDENTITY) is None
    renew_bytecode(place, IDENTITY, interpreter)
    with pytest.raises(EnvironmentPreparationError, match="cannot be replaced"):
        create(place, interpreter)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "place" / "environment"


def add(store: Store, filename: str, content: bytes) -> StoredWheel:
    with store.scratch() as scratch:
        archive = scratch / filename
        archive.write_bytes(content)
        return store.add(archive, sha256=hashlib.sha256(content).hexdigest(), filename=filename)


def create(
    place: Path,
    interpreter: Interpreter,
    *wheels: StoredWheel,
    identity: str = IDENTITY,
    mode: LinkMode | None = None,
) -> BuildEnvironment:
    return create_environment(place, interpreter, wheels, identity=identity, report=silence, mode=mode)


def run(environment: BuildEnvironment, *arguments: str) -> str:
    return subprocess.run(
        [environment.python, *arguments], check=True, capture_output=True, text=True, env=CLEAN
    ).stdout


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def test_it_holds_exactly_its_wheels(store: Store, interpreter: Interpreter, place: Path) -> None:
    wheels = [add(store, *make_wheel("demo")), add(store, *make_wheel("other", purelib=False))]
    environment = create(place, interpreter, *wheels)
    listing = "import importlib.metadata as m; print(sorted((d.name, d.version) for d in m.distributions()))"
    assert run(environment, "-c", listing) == "[('demo', '1.0'), ('other', '1.0')]\n"
    assert run(environment, "-c", "import demo, other; print(demo.NAME, other.NAME)") == "demo other\n"
    prefix, base, user = json.loads(
        run(
            environment,
            "-c",
            "import json, sys, site; print(json.dumps([sys.prefix, sys.base_prefix, site.ENABLE_USER_SITE]))",
        )
    )
    assert prefix == str(place.resolve())
    assert base != prefix
    assert user is False
    assert environment.site_packages.is_dir()
    assert [path.name for path in place.parent.iterdir()] == ["environment"]


def test_it_sees_nothing_of_the_python_below(interpreter: Interpreter, place: Path) -> None:
    environment = create(place, interpreter)
    found = run(
        environment, "-c", "import importlib.util as u; print(*map(u.find_spec, ['pip', 'setuptools', 'buildlock']))"
    )
    assert found == "None None None\n"
    configuration = (place / "pyvenv.cfg").read_text()
    assert "include-system-site-packages = false" in configuration
    assert str(place.parent) not in configuration


def test_its_commands_run(store: Store, interpreter: Interpreter, place: Path) -> None:
    wheel = add(store, *make_wheel(scripts={"demo-run": "demo:main"}))
    environment = create(place, interpreter, wheel)
    script = next(environment.scripts.glob("demo-run*"))
    assert subprocess.run([script], check=True, capture_output=True, text=True).stdout == "demo runs\n"


@pytest.mark.parametrize("folder", ["with space", "quote's", "long" * 40, "grüße"])
def test_commands_run_wherever_it_is(store: Store, interpreter: Interpreter, tmp_path: Path, folder: str) -> None:
    entries = sound_wheel(
        {
            "demo.py": b"def main():\n    print('demo')\n",
            f"{DATA}/scripts/plain": b"#!python\nimport sys\nprint(sys.prefix, sys.flags.dont_write_bytecode)\n",
            f"{DATA}/scripts/flags": b"#!python -B\nimport sys\nprint(sys.prefix, sys.flags.dont_write_bytecode)\n",
            f"{DATA}/scripts/shell": b"#!/bin/sh\necho shell\n",
            f"{INFO}/entry_points.txt": b"[console_scripts]\nentry = demo:main\n",
        }
    )
    environment = create(tmp_path / folder, interpreter, add(store, "demo-1.0-py3-none-any.whl", forge(entries)))

    def output(name: str) -> str:
        return subprocess.run(
            [environment.scripts / name], check=True, capture_output=True, text=True, env=CLEAN
        ).stdout.strip()

    assert output("plain") == f"{environment.root} 0"
    assert output("flags") == f"{environment.root} 1"
    assert output("shell") == "shell"
    assert output("entry") == "demo"


def test_every_scheme_goes_where_it_belongs(store: Store, interpreter: Interpreter, place: Path) -> None:
    entries = sound_wheel(
        {
            "root.py": b"",
            f"{DATA}/purelib/pure.py": b"pure",
            f"{DATA}/platlib/plat.py": b"name = 1\n",
            f"{DATA}/headers/demo.h": b"header",
            f"{DATA}/data/share/demo/x.txt": b"data",
            f"{DATA}/data/lib64/libdemo.so": b"library",
        }
    )
    entries = changed(entries, f"{DATA}/data/share/demo/x.txt", mode=0o100755)
    environment = create(place, interpreter, add(store, "demo-1.0-py3-none-any.whl", forge(entries)))
    version = ".".join(map(str, interpreter.target.python.release[:2]))
    assert (environment.site_packages / "pure.py").read_bytes() == b"pure"
    assert run(environment, "-c", "import plat; print(open(plat.__file__).read())") == "name = 1\n\n"
    assert (place / "include" / "site" / f"python{version}" / "demo" / "demo.h").read_bytes() == b"header"
    assert (place / "share" / "demo" / "x.txt").stat().st_mode & 0o111
    assert (place / "lib64" / "libdemo.so").read_bytes() == b"library"
    assert not (environment.site_packages / DATA).exists()


def test_what_it_records_is_what_is_there(store: Store, interpreter: Interpreter, place: Path) -> None:
    entries = sound_wheel(
        {
            "demo.py": b"",
            f"{DATA}/scripts/plain": b"#!python\n",
            f"{DATA}/data/share/a,b.txt": b"data",
            f"{INFO}/entry_points.txt": b"[console_scripts]\nentry = demo:main\n",
        }
    )
    environment = create(place, interpreter, add(store, "demo-1.0-py3-none-any.whl", forge(entries)))
    check = """
import base64, hashlib, importlib.metadata
for file in importlib.metadata.files("demo"):
    content = file.locate().read_bytes()
    if file.hash:
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        assert (file.hash.value, file.size) == (digest, len(content)), file
    print(file)
"""
    names = run(environment, "-c", check).split("\n")
    assert f"{INFO}/INSTALLER" in names
    assert f"{INFO}/RECORD" in names
    assert sum(name.startswith("..") for name in names) == 3
    assert (environment.site_packages / INFO / "INSTALLER").read_text() == "buildlock\n"
    assert not (environment.site_packages / INFO / "direct_url.json").exists()


def test_writing_into_a_copy_does_not_reach_the_store(store: Store, interpreter: Interpreter, place: Path) -> None:
    wheel = add(store, *make_wheel())
    environment = create(place, interpreter, wheel, mode="copy")
    before = snapshot(store.root)
    for path in environment.root.rglob("*.py"):
        with path.open("ab") as file:
            file.write(b"evil = 1\n")
    assert snapshot(store.root) == before
    assert store.find(wheel.sha256) == wheel


@pytest.mark.parametrize("mode", ["symlink", "hardlink"])
def test_what_is_written_through_a_link_reaches_no_other(
    store: Store, interpreter: Interpreter, place: Path, mode: LinkMode
) -> None:
    filename, content = make_wheel()
    wheel = add(store, filename, content)
    environment = create(place, interpreter, wheel, mode=mode)
    with (environment.site_packages / "demo.py").open("ab") as file:
        file.write(b"NAME = 'evil'\n")
    assert open_environment(place, IDENTITY) is None
    assert store.find(wheel.sha256) is None
    again = add(store, filename, content)
    other = create(place.parent / "other", interpreter, again, mode=mode)
    assert run(other, "-c", "import demo; print(demo.NAME)") == "demo\n"
    # What has been written into once is copied from then on.
    assert not (other.site_packages / "demo.py").is_symlink()
    with (other.site_packages / "demo.py").open("ab") as file:
        file.write(b"NAME = 'evil'\n")
    assert store.find(wheel.sha256) == again
    assert run(environment, "-c", "import demo; print(demo.NAME)") == "evil\n"


def test_two_wheels_with_the_same_content_share_a_file(store: Store, interpreter: Interpreter, place: Path) -> None:
    shared = {"space/__init__.py": b"# shared\n"}
    wheels = [add(store, *make_wheel(name, files=shared | {f"space/{name}.py": b""})) for name in ("one", "two")]
    environment = create(place, interpreter, *wheels)
    run(environment, "-c", "import space.one, space.two")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"a.py": b"1"}, {"a.py": b"2"}),
        ({"a.py": b"1"}, {"a.py/b.py": b"2"}),
        ({"a.py/b.py": b"1"}, {"a.py": b"2"}),
        ({"one-1.0.data/scripts/a.py": b"1"}, {"two-1.0.data/data/bin/a.py": b"2"}),
        ({"one-1.0.data/data/lib/a.py": b"1"}, {"two-1.0.data/data/lib64/a.py": b"2"}),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="the folders are those of Linux")
def test_two_wheels_that_claim_one_file_are_refused(
    store: Store, interpreter: Interpreter, place: Path, first: dict[str, bytes], second: dict[str, bytes]
) -> None:
    wheels = [add(store, *make_wheel("one", files=first)), add(store, *make_wheel("two", files=second))]
    with pytest.raises(EnvironmentPreparationError, match=r"both claim `(.*/)?a.py`") as caught:
        create(place, interpreter, *wheels)
    assert "one-1.0-py3-none-any.whl" in caught.value.message
    assert "two-1.0-py3-none-any.whl" in caught.value.message
    assert list(place.parent.iterdir()) == []


def test_it_can_be_opened_again(store: Store, interpreter: Interpreter, place: Path) -> None:
    wheel = add(store, *make_wheel(scripts={"demo": "demo:main"}))
    environment = create(place, interpreter, wheel)
    run(environment, "-c", "import demo")
    renew_bytecode(place, IDENTITY, interpreter)
    assert open_environment(place, IDENTITY) == environment
    assert open_environment(place, "b" * 64) is None
    assert open_environment(place.parent / "gone", IDENTITY) is None


def edit(environment: BuildEnvironment) -> None:
    (environment.site_packages / "demo.py").write_text("evil = 1\n")


def edit_unseen(environment: BuildEnvironment) -> None:
    """As long as it was, and with the time that it had."""
    path = environment.site_packages / "demo.py"
    status = path.stat()
    path.write_bytes(b"#" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def plant(environment: BuildEnvironment) -> None:
    (environment.site_packages / "evil.pth").write_text("import os\n")


def plant_command(environment: BuildEnvironment) -> None:
    (environment.scripts / "cc").write_text("#!/bin/sh\n")


def lose(environment: BuildEnvironment) -> None:
    (environment.site_packages / "demo.py").unlink()


def lose_python(environment: BuildEnvironment) -> None:
    environment.python.unlink()


def link_package(environment: BuildEnvironment) -> None:
    (environment.site_packages / "linked").symlink_to(environment.root, target_is_directory=True)


def forget(environment: BuildEnvironment) -> None:
    (environment.root / MARKER).write_text("{}")


def deepen(environment: BuildEnvironment) -> None:
    (environment.root / MARKER).write_text("[" * 100_000)


def plant_bytecode(environment: BuildEnvironment) -> None:
    run(environment, "-c", "import demo")


@pytest.mark.parametrize(
    "change",
    [
        edit,
        pytest.param(edit_unseen, marks=pytest.mark.skipif(os.name != "posix", reason="ctime is POSIX's")),
        plant,
        plant_bytecode,
        plant_command,
        lose,
        lose_python,
        link_package,
        forget,
        deepen,
    ],
)
def test_a_changed_one_is_not_opened(
    store: Store, interpreter: Interpreter, place: Path, change: Callable[[BuildEnvironment], None]
) -> None:
    change(create(place, interpreter, add(store, *make_wheel())))
    assert open_environment(place, IDENTITY) is None


def test_an_older_one_is_replaced(store: Store, interpreter: Interpreter, place: Path) -> None:
    create(place, interpreter, add(store, *make_wheel("old")))
    environment = create(place, interpreter, add(store, *make_wheel("new")), identity="b" * 64)
    assert open_environment(place, "b" * 64) == environment
    assert run(environment, "-c", "import new, importlib.util as u; print(u.find_spec('old'))") == "None\n"
    assert [path.name for path in place.parent.iterdir()] == ["environment"]


def test_a_damaged_one_is_replaced(store: Store, interpreter: Interpreter, place: Path) -> None:
    wheel = add(store, *make_wheel())
    plant(create(place, interpreter, wheel))
    environment = create(place, interpreter, wheel)
    assert open_environment(place, IDENTITY) == environment


def test_an_empty_folder_is_used(interpreter: Interpreter, place: Path) -> None:
    place.mkdir(parents=True)
    create(place, interpreter)
    assert open_environment(place, IDENTITY)


@pytest.mark.parametrize("kind", ["folder", "file", "link", "other-environment"])
def test_what_is_not_ours_is_left_alone(interpreter: Interpreter, place: Path, kind: str) -> None:
    place.parent.mkdir()
    elsewhere = place.parent / "elsewhere"
    match kind:
        case "folder":
            place.mkdir()
            (place / "thesis.tex").write_text("precious")
        case "file":
            place.write_text("precious")
        case "link":
            elsewhere.mkdir()
            place.symlink_to(elsewhere, target_is_directory=True)
        case "other-environment":
            place.mkdir()
            (place / "pyvenv.cfg").write_text("home = /usr\n")
            (place / MARKER).write_text('{"mine": true}')
    before = snapshot(place.parent)
    with pytest.raises(EnvironmentPreparationError):
        create(place, interpreter)
    assert snapshot(place.parent) == before
    assert place.is_symlink() == (kind == "link")


def test_a_failure_leaves_the_old_one(
    store: Store, interpreter: Interpreter, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = add(store, *make_wheel())
    environment = create(place, interpreter, wheel)
    monkeypatch.setattr(
        isolated, "follow", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(EnvironmentPreparationError, match="No space left on device"):
        create(place, interpreter, wheel, identity="b" * 64)
    assert open_environment(place, IDENTITY) == environment
    assert [path.name for path in place.parent.iterdir()] == ["environment"]


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_what_a_killed_process_leaves_is_cleared_away(store: Store, interpreter: Interpreter, tmp_path: Path) -> None:
    place = tmp_path / "place" / "[env]*"
    add(store, *make_wheel())
    script = f"""
import os, time
from pathlib import Path
from buildlock.environment import isolated
from buildlock.environment.interpreter import find_interpreter
def stop(*_, **__):
    print("there", flush=True)
    time.sleep(600)
isolated.follow = stop
interpreter = find_interpreter(None, os.environ)
isolated.create_environment(Path({str(place)!r}), interpreter, [], identity={IDENTITY!r}, report=print)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        assert open_environment(place, IDENTITY) is None
        process.kill()
    assert len(list(place.parent.iterdir())) == 2
    create(place, interpreter)
    assert list(place.parent.iterdir()) == [place]


def test_a_folder_that_no_script_can_name_is_refused(interpreter: Interpreter, tmp_path: Path) -> None:
    for name in ("new\nline", f"path{os.pathsep}separator"):
        with pytest.raises(EnvironmentPreparationError, match="cannot be in the folder"):
            create(tmp_path / name, interpreter)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="a folder that root cannot write to, either")
def test_a_folder_that_takes_no_files_is_refused(interpreter: Interpreter) -> None:
    with pytest.raises(EnvironmentPreparationError, match="`/proc/self` cannot be written"):
        create(Path("/proc/self/environment"), interpreter)


def test_an_interpreter_without_venv_is_an_error(interpreter: Interpreter, place: Path) -> None:
    broken = Interpreter(executable=Path(shutil.which("true") or "/bin/true"), target=interpreter.target)
    with pytest.raises(EnvironmentPreparationError, match="cannot make a virtual environment"):
        create(place, broken)
    gone = Interpreter(executable=place / "gone", target=interpreter.target)
    with pytest.raises(EnvironmentPreparationError, match="cannot be run"):
        create(place, gone)
    assert list(place.parent.iterdir()) == []


def test_processes_that_make_the_same_one_all_get_it(store: Store, place: Path) -> None:
    add(store, *make_wheel())
    script = f"""
import os, sys
from pathlib import Path
from buildlock.environment.interpreter import find_interpreter
from buildlock.environment.isolated import create_environment
from buildlock.project.model import LinkMode
from buildlock.environment.store import Store
store = Store(Path({str(store.root)!r}), print)
wheels = [store.find(path.name) for path in (store.root / "wheels").iterdir()]
interpreter = find_interpreter(None, os.environ)
create_environment(Path({str(place)!r}), interpreter, wheels, identity={IDENTITY!r}, report=print)
"""
    processes = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL) for _ in range(6)]
    assert [process.wait() for process in processes] == [0] * 6
    environment = open_environment(place, IDENTITY)
    assert environment
    run(environment, "-c", "import demo")
    assert [path.name for path in place.parent.iterdir()] == ["environment"]


@pytest.mark.parametrize("version", ["3.8", "3.10", "3.12", "3.13"])
def test_other_pythons_have_environments_too(store: Store, place: Path, version: str) -> None:
    folders = [os.environ.get("PATH", "")]
    # Where pyenv keeps them, whether it offers them on PATH or not.
    folders += [str(path) for path in sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin"))]
    try:
        interpreter = find_interpreter(version, os.environ | {"PATH": os.pathsep.join(folders)})
    except InterpreterNotFoundError:
        pytest.skip(f"there is no Python {version}")
    environment = create(place, interpreter, add(store, *make_wheel(scripts={"demo": "demo:main"})))
    assert run(environment, "-c", "import sys, demo; print('%d.%d' % sys.version_info[:2])") == f"{version}\n"
    assert subprocess.run([environment.scripts / "demo"], check=True, capture_output=True).stdout == b"demo runs\n"
