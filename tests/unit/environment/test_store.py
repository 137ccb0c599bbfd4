"""The store: all or nothing, never damaged, never twice."""

import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from buildlock.environment import mending
from buildlock.environment.mending import find_damage
from buildlock.environment.seal import SEAL, make_seal
from buildlock.environment.store import Store
from buildlock.environment.stored import StoredWheel
from buildlock.errors import EnvironmentPreparationError, IntegrityError, InvalidArchiveError
from buildlock.reporting import Event, Noted, Warned, silence
from buildlock.stamps import Stamp, stamp_of
from support.killing import kill_at
from support.wheel_forge import WHEEL, Entry, forge, make_wheel, sound_wheel

MANY = {f"demo/module_{number}.py": f"number = {number}\n".encode() for number in range(200)}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache" / "store", silence)


def save(folder: Path, filename: str, content: bytes) -> tuple[Path, str]:
    archive = folder / filename
    archive.write_bytes(content)
    return archive, hashlib.sha256(content).hexdigest()


@pytest.fixture
def archive(tmp_path: Path) -> tuple[Path, str]:
    return save(tmp_path, *make_wheel(files={"demo/__init__.py": b"", "demo/code.py": b"x = 1\n"}))


@pytest.fixture
def stored(store: Store, archive: tuple[Path, str]) -> StoredWheel:
    path, sha256 = archive
    return store.add(path, sha256=sha256, filename=path.name)


def assert_empty(store: Store) -> None:
    assert list((store.root / "wheels").iterdir()) == []
    assert list((store.root / "scratch").iterdir()) == []


def test_a_wheel_is_found_as_it_was_added(store: Store, stored: StoredWheel) -> None:
    assert Store(store.root, silence).find(stored.sha256) == stored
    assert (stored.name, str(stored.version), stored.filename) == ("demo", "1.0", "demo-1.0-py3-none-any.whl")
    assert (stored.tree / "demo" / "code.py").read_bytes() == b"x = 1\n"
    assert {file.line.path for file in stored.read_files()} == {
        path.relative_to(stored.tree).as_posix() for path in stored.tree.rglob("*") if path.is_file()
    }
    assert list((store.root / "scratch").iterdir()) == []


def test_a_wheel_that_is_not_there_is_not_found(store: Store) -> None:
    assert store.find("0" * 64) is None


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_nobody_else_can_read_or_write_it(store: Store, stored: StoredWheel) -> None:
    for folder in (store.root, *store.root.iterdir(), stored.tree.parent, stored.tree):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not any(stat.S_IMODE(path.stat().st_mode) & 0o022 for path in stored.tree.rglob("*"))


def test_another_hash_is_refused(store: Store, archive: tuple[Path, str]) -> None:
    with pytest.raises(IntegrityError, match="has the sha256"):
        store.add(archive[0], sha256="0" * 64, filename=archive[0].name)
    assert_empty(store)


def see(path: Path) -> Stamp:
    with path.open("rb") as file:
        return stamp_of(file)


def test_what_was_hashed_is_not_hashed_again(
    store: Store, archive: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, sha256 = archive
    hashed: list[object] = []
    monkeypatch.setattr("buildlock.environment.store.hash_open", hashed.append)
    stored = store.add(path, sha256=sha256, filename=path.name, hashed=see(path))
    assert not hashed
    assert store.find(sha256) == stored


@pytest.mark.parametrize("change", ["written", "replaced"])
def test_what_was_changed_since_it_was_hashed_is_refused(
    store: Store, archive: tuple[Path, str], tmp_path: Path, change: str
) -> None:
    path, sha256 = archive
    seen, times = see(path), (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    content = path.read_bytes()
    other = content[:-1] + bytes([content[-1] ^ 1])
    time.sleep(0.02)  # the times of files move in steps
    if change == "written":
        path.write_bytes(other)
    else:
        (tmp_path / "other").write_bytes(other)
        (tmp_path / "other").replace(path)
    os.utime(path, ns=times)
    with pytest.raises(IntegrityError, match="has the sha256"):
        store.add(path, sha256=sha256, filename=path.name, hashed=seen)
    assert_empty(store)


@pytest.mark.parametrize("defect", ["before", "while"])
def test_a_refused_wheel_leaves_nothing(store: Store, tmp_path: Path, defect: str) -> None:
    entries = sound_wheel(MANY)
    if defect == "before":
        entries.append(Entry("../evil.py"))
    else:
        entries[150] = Entry(entries[150].name, b"number = 666\n")
    path, sha256 = save(tmp_path, "demo-1.0-py3-none-any.whl", forge(entries))
    with pytest.raises(InvalidArchiveError):
        store.add(path, sha256=sha256, filename=path.name)
    assert_empty(store)
    assert store.find(sha256) is None


def test_the_archive_cannot_bring_its_own_manifest(store: Store, tmp_path: Path) -> None:
    path, sha256 = save(tmp_path, *make_wheel(files={"manifest.json": b"{}", "complete/manifest.json": b"{}"}))
    stored = store.add(path, sha256=sha256, filename=path.name)
    assert (stored.tree / "manifest.json").read_bytes() == b"{}"
    assert store.find(sha256) == stored


def test_a_later_version_of_the_format_is_told(store: Store, tmp_path: Path) -> None:
    events: list[Event] = []
    wheel = WHEEL.replace(b"Version: 1.0", b"Version: 1.9")
    path, sha256 = save(tmp_path, "demo-1.0-py3-none-any.whl", forge(sound_wheel(wheel=wheel)))
    Store(store.root, events.append).add(path, sha256=sha256, filename=path.name)
    assert [event.message for event in events if isinstance(event, Warned)] == [
        "`demo-1.0-py3-none-any.whl` is of a later version of the wheel format than 1.0"
    ]


def flip_byte(tree: Path) -> None:
    path = tree / "demo" / "code.py"
    status = path.stat()
    path.write_bytes(b"x = 2\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def truncate(tree: Path) -> None:
    (tree / "demo" / "code.py").write_bytes(b"")


def remove(tree: Path) -> None:
    (tree / "demo" / "code.py").unlink()


def replace_by_link(tree: Path) -> None:
    path = tree / "demo" / "code.py"
    path.rename(tree / "moved.py")
    path.symlink_to(tree / "moved.py")


def remove_tree(tree: Path) -> None:
    tree.rename(tree.parent / "gone")


def remove_manifest(tree: Path) -> None:
    (tree.parent / "manifest.json").unlink()


def flip_manifest(tree: Path) -> None:
    path = tree.parent / "manifest.json"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate_manifest(tree: Path) -> None:
    path = tree.parent / "manifest.json"
    path.write_bytes(path.read_bytes()[:100])


def forge_manifest(tree: Path) -> None:
    body = b'{"sha256": 7}'
    (tree.parent / "manifest.json").write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def link_entry(tree: Path) -> None:
    entry = tree.parent
    elsewhere = entry.parent.parent / "elsewhere"
    entry.rename(elsewhere)
    entry.symlink_to(elsewhere, target_is_directory=True)


def file_for_entry(tree: Path) -> None:
    tree.parent.rename(tree.parent.parent.parent / "elsewhere")
    tree.parent.write_bytes(b"")


@pytest.mark.parametrize(
    "damage",
    [
        flip_byte,
        truncate,
        remove,
        replace_by_link,
        remove_tree,
        remove_manifest,
        flip_manifest,
        truncate_manifest,
        forge_manifest,
        link_entry,
        file_for_entry,
    ],
)
def test_damage_is_found_and_healed(
    store: Store, stored: StoredWheel, archive: tuple[Path, str], damage: Callable[[Path], None]
) -> None:
    events: list[Event] = []
    files = stored.read_files()
    damage(stored.tree)
    assert Store(store.root, events.append).find(stored.sha256) is None
    assert any(isinstance(event, Noted) and "damaged" in event.message for event in events)
    again = store.add(archive[0], sha256=stored.sha256, filename=stored.filename)
    assert store.find(stored.sha256) == again
    assert again.read_files() == files


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is killed that is a copy of this one")
def test_what_a_process_was_killed_in_is_mended_by_the_next(store: Store, stored: StoredWheel) -> None:
    """Wherever it was killed: what is found is as it was added, and known to have been written into."""
    package, written = stored.tree / "demo", store.root / "written" / stored.sha256
    point, step, killed = 0, 1, True
    while killed:
        written.unlink(missing_ok=True)
        (package / "evil" / "inner").mkdir(parents=True)
        (package / "evil" / "inner" / "code.py").write_text("evil")
        (package / "__pycache__").mkdir(exist_ok=True)
        (package / "__pycache__" / "code.cpython-311.pyc").write_bytes(b"evil")
        (package / "code.py").touch()
        killed = kill_at(point, lambda: store.find(stored.sha256))
        found = store.find(stored.sha256)
        assert found is not None
        assert found.written
        assert find_damage(found) is None
        assert not [path for path in stored.tree.rglob("*") if path.name in {"evil", "code.cpython-311.pyc"}]
        point, step = point + step, step % 5 + 1
    assert point > 30


def test_a_copy_of_the_store_is_as_good(store: Store, stored: StoredWheel, tmp_path: Path) -> None:
    events: list[Event] = []
    copy = tmp_path / "copy"
    shutil.copytree(store.root, copy)
    copied = Store(copy, events.append)
    found = copied.find(stored.sha256)
    assert found is not None
    assert (found.facts, found.read_files()) == (stored.facts, stored.read_files())
    assert copied.find(stored.sha256) == found
    assert [str(event) for event in events if "every file of it is as it was" in str(event)] == [str(events[0])]


def add_file(tree: Path) -> None:
    (tree / "sitecustomize.py").write_text("raise SystemExit")


def make_executable(tree: Path) -> None:
    (tree / "demo" / "code.py").chmod(0o755)


def link_folder(tree: Path) -> None:
    (tree / "demo").rename(tree.parent / "moved")
    (tree / "demo").symlink_to(tree.parent / "moved")


def test_what_a_power_cut_has_emptied_is_found(
    store: Store, stored: StoredWheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file system knows of the files, and has lost what is in them."""
    path = stored.tree / "demo" / "code.py"
    path.write_bytes(b"")
    (stored.entry / SEAL).write_bytes(make_seal(str(stored.tree), linked=False).write())
    assert store.find(stored.sha256) == stored
    monkeypatch.setattr("buildlock.environment.seal.find_boot", lambda: "another")
    assert store.find(stored.sha256) is None


def test_what_was_written_before_a_start_of_the_machine_is_read_once(
    store: Store, stored: StoredWheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def find_changed(tree: Path, _: object) -> list[str]:
        read.append(tree)
        return []

    monkeypatch.setattr(mending, "find_changed", find_changed)
    for boot in ("another", "a third"):
        monkeypatch.setattr("buildlock.environment.seal.find_boot", lambda boot=boot: boot)
        assert store.find(stored.sha256) == stored
    assert len(read) == len(stored.read_files())


def test_what_was_left_in_a_wheel_is_taken_out(store: Store, stored: StoredWheel) -> None:
    add_file(stored.tree)
    (stored.tree / "demo" / "more").mkdir()
    (stored.tree / "demo" / "more" / "link").symlink_to(stored.tree)
    events: list[Event] = []
    found = Store(store.root, events.append).find(stored.sha256)
    assert found == replace(stored, written=True)
    assert sorted(path.name for path in stored.tree.iterdir()) == sorted({"demo", "demo-1.0.dist-info"})
    assert [path.name for path in (stored.tree / "demo").iterdir() if path.is_dir()] == []
    assert ["written into it" in str(event) for event in events] == [True]
    assert store.find(stored.sha256) == found


def link_program(tree: Path) -> None:
    (tree / "demo" / "program").unlink()
    (tree / "demo" / "program").symlink_to(sys.executable)


def nest_too_deep(tree: Path) -> None:
    """Deeper than any path can name."""
    folder = os.open(tree / "demo", os.O_RDONLY)
    for _ in range(30):
        os.mkdir("x" * 200, dir_fd=folder)
        inner = os.open("x" * 200, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)


def grow_without_end(tree: Path) -> None:
    os.truncate(tree / "demo" / "code.py", 1 << 42)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such files")
@pytest.mark.parametrize("change", [link_program, nest_too_deep, grow_without_end])
def test_a_wheel_that_cannot_be_read_through_is_fetched_again(
    store: Store, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    files = {"demo/__init__.py": b"", "demo/code.py": b"", "demo/program": b"#!/bin/sh"}
    archive, sha256 = save(tmp_path, *make_wheel(files=files, programs=["demo/program"]))
    stored = store.add(archive, sha256=sha256, filename=archive.name)
    change(stored.tree)
    assert store.find(sha256) is None
    again = store.add(archive, sha256=sha256, filename=archive.name)
    assert again.written
    assert store.find(sha256) == again


def lock_entry(tree: Path) -> None:
    (tree / "demo" / "new").touch()
    tree.parent.chmod(0o500)


def lock_folder(tree: Path) -> None:
    (tree / "demo").chmod(0)


def lock_file(tree: Path) -> None:
    (tree / "demo" / "code.py").chmod(0)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("change", [lock_entry, lock_folder, lock_file])
def test_what_its_user_took_the_mode_from_is_fetched_again(
    archive: tuple[Path, str], change: Callable[[Path], None]
) -> None:
    path, sha256 = archive
    content = path.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
        try:
            own = Store(Path(folder, "store"), silence)
            copy = Path(folder, path.name)
            copy.write_bytes(content)
            change(own.add(copy, sha256=sha256, filename=path.name).tree)
            assert own.find(sha256) is None
            assert own.add(copy, sha256=sha256, filename=path.name) == own.find(sha256)
        finally:
            os.seteuid(0)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
@pytest.mark.parametrize("name", ["seal", "manifest.json", "files.json", "bytecode.json", "uncompiled"])
def test_a_pipe_in_place_of_what_is_recorded_is_not_waited_for(
    store: Store, stored: StoredWheel, archive: tuple[Path, str], name: str
) -> None:
    (stored.entry / name).unlink(missing_ok=True)
    os.mkfifo(stored.entry / name)
    add_file(stored.tree)
    found = store.find(stored.sha256) or store.add(archive[0], sha256=stored.sha256, filename=stored.filename)
    assert not (found.tree / "sitecustomize.py").exists()


def test_bytecode_with_a_name_that_is_no_text_is_taken_out(store: Store, stored: StoredWheel) -> None:
    cache = stored.tree / "demo" / "__pycache__"
    cache.mkdir()
    try:
        Path(os.fsdecode(os.fsencode(cache) + b"/\xff.cpython-311.pyc")).touch()
    except OSError:
        pytest.skip("the file system has names of text alone")
    assert store.find(stored.sha256) is not None
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("damage", [flip_byte, remove, make_executable, link_folder])
def test_a_copy_that_was_changed_is_damaged(
    store: Store, stored: StoredWheel, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(store.root, copy)
    damage(copy / stored.tree.relative_to(store.root))
    assert Store(copy, silence).find(stored.sha256) is None
    assert store.find(stored.sha256) == stored


def test_a_store_that_cannot_be_read_now_loses_nothing(
    store: Store, stored: StoredWheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> bytes:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr("buildlock.environment.stored.read_plain", fail)
        with pytest.raises(EnvironmentPreparationError, match="cannot be read: Too many open files"):
            store.find(stored.sha256)
    assert store.find(stored.sha256) == stored


def test_what_a_link_in_the_store_points_at_is_not_removed(store: Store, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_bytes(b"")
    entry = store.root / "wheels" / ("1" * 64)
    entry.symlink_to(precious, target_is_directory=True)
    assert store.find("1" * 64) is None
    assert (precious / "file").exists()


@pytest.mark.parametrize("name", ["", "wheels", "scratch"])
def test_a_store_that_is_a_link_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    root = tmp_path / "store"
    if name:
        root.mkdir()
    (root / name if name else root).symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with pytest.raises(EnvironmentPreparationError, match="is not a folder but a link"):
        Store(root, silence)


def test_a_store_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EnvironmentPreparationError, match="cannot be written"):
        Store(tmp_path / "file" / "store", silence)


def test_an_archive_that_is_gone_is_an_error(store: Store, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentPreparationError):
        store.add(tmp_path / "gone.whl", sha256="0" * 64, filename="demo-1.0-py3-none-any.whl")


def test_a_scratch_folder_is_private_and_goes(store: Store) -> None:
    with store.scratch() as outer, store.scratch() as inner:
        assert outer != inner
        (inner / "download").write_bytes(b"x")
        assert outer.exists()
    assert list((store.root / "scratch").iterdir()) == []


def test_what_a_killed_process_has_left_goes_when_the_store_is_opened(store: Store) -> None:
    abandoned = store.root / "scratch" / "scratch-0123456789abcdef"
    abandoned.mkdir()
    (abandoned / "file").write_text("half")
    abandoned.with_name(f"{abandoned.name}.lock").touch()
    with store.scratch() as used:
        Store(store.root, silence)
        assert used.is_dir()
    assert list((store.root / "scratch").iterdir()) == []


def test_a_lock_holds_between_threads(store: Store) -> None:
    inside: list[int] = []
    most = 0

    def work(_: int) -> None:
        nonlocal most
        with store.lock("a" * 64):
            inside.append(1)
            most = max(most, len(inside))
            time.sleep(0.01)
            inside.pop()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(16)))
    assert most == 1


def test_processes_that_add_the_same_wheel_all_get_it(store: Store, tmp_path: Path) -> None:
    archive, sha256 = save(tmp_path, *make_wheel(files=MANY))
    script = f"""
from pathlib import Path
from buildlock.environment.store import Store
archive = Path({str(archive)!r})
stored = Store(Path({str(store.root)!r}), print).add(archive, sha256={sha256!r}, filename=archive.name)
assert len(stored.read_files()) == 204
"""
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(6)]
    assert [process.wait() for process in processes] == [0] * 6
    assert store.find(sha256)
    assert list((store.root / "scratch").iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_a_killed_process_leaves_a_store_that_works(store: Store, tmp_path: Path) -> None:
    archive, sha256 = save(tmp_path, *make_wheel(files=MANY))
    # It stops in the middle of the unpacking, and says so.
    script = textwrap.dedent(
        f"""
        import sys, time
        from pathlib import Path
        from buildlock.environment.zip_entries import ZipArchive
        from buildlock.environment.store import Store
        chunks, count = ZipArchive.chunks, 0
        def stop(*arguments):
            global count
            count += 1
            if count == 100:
                print("there", flush=True)
                time.sleep(600)
            return chunks(*arguments)
        ZipArchive.chunks = stop
        archive = Path({str(archive)!r})
        Store(Path({str(store.root)!r}), print).add(archive, sha256={sha256!r}, filename=archive.name)
        """
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        process.send_signal(signal.SIGKILL)
    assert len(list((store.root / "scratch").iterdir())) == 2
    assert store.find(sha256) is None
    assert store.add(archive, sha256=sha256, filename=archive.name) == store.find(sha256)
    assert list((store.root / "scratch").iterdir()) == []
