"""`buildlock lock`: what it writes, when, and what it leaves alone."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from urllib.parse import quote

import pytest

from index.answers import Answer, Request, Site
from index.archives import make_wheel, wheel_filename
from index.faults import Fault, with_status
from index.offer import OfferedFile, Universe, offer_wheel
from index.server import IndexServer
from index.universe import standard_universe
from support.command import Checkout, CopyLockedProject, CopyProject


def list_files(server: IndexServer) -> Iterator[tuple[str, OfferedFile]]:
    """Every file that the standard index serves, by its URL."""
    for index, files in standard_universe().items():
        folder = f"{server.root}/files" if index == "simple" else server.url(index)
        for file in files:
            yield f"{folder}/{quote(file.filename)}", file


def serving(universe: Universe) -> Fault:
    """Another universe in the place of the standard one."""
    site = Site(universe)
    return lambda request, _: site.answer(request)


def with_newer_packages() -> Universe:
    standard = standard_universe()
    newer = [offer_wheel(name=name, version="2099.1") for name in ("filelock", "typing-extensions")]
    return {**standard, "simple": [*standard["simple"], *newer]}


def require(project: Checkout, *requirements: str) -> None:
    """Make these the build requirements of the tiny project, besides its backend."""
    array = ", ".join(f'"{requirement}"' for requirement in ("tinybackend", *requirements))
    project.replace('requires = ["tinybackend"]', f"requires = [{array}]")


def list_folder(project: Checkout) -> list[str]:
    return sorted(path.name for path in project.root.iterdir())


def test_takes_torch_from_its_index_and_the_rest_from_the_default_one(
    checkout: CopyProject, server: IndexServer
) -> None:
    seed = checkout("seed")
    result = seed.succeed("lock", "--variant", "cu124", "--no-dynamic")
    packages = seed.packages("cu124")
    assert packages["torch"]["version"] == "2.4.0+cu124"
    indexes = {name: package["index"] for name, package in packages.items()}
    assert indexes == {**dict.fromkeys(packages, server.url()), "torch": server.url("cu124")}
    assert {"ninja", "numpy", "setuptools", "wheel", "filelock", "nvidia-cublas-cu12"} < packages.keys()
    # The default index has a torch too, and was not even asked for it; nor was the other index for the rest.
    assert not server.asked("/simple/torch/")
    assert not server.asked("/files/torch-")
    assert all(exchange.path.startswith("/whl/cu124/torch") for exchange in server.asked("/whl/"))
    assert result.stdout == ""
    assert f"Locked cu124: {len(packages)} packages\n" in result.stderr
    assert f" + torch 2.4.0+cu124  ({server.url('cu124')})\n" in result.stderr
    assert result.stderr.endswith("Wrote build-lock.toml\n")


def test_every_file_has_the_size_and_the_sha256_of_what_is_served(
    locked: CopyLockedProject, server: IndexServer
) -> None:
    seed = locked("seed", "--variant", "cu124", "--no-dynamic")
    offered = dict(list_files(server))
    for package in seed.packages("cu124").values():
        (wheel,) = package["wheels"]
        file = offered[wheel["url"]]
        assert (wheel["size"], wheel["hashes"]) == (len(file.content), {"sha256": file.sha256})


def test_the_same_inputs_give_the_same_bytes(checkout: CopyProject, tmp_path: Path) -> None:
    seed = checkout("seed")
    texts = []
    for seed_of_hashes in ("1", "2"):
        seed.lock_path.unlink(missing_ok=True)
        cache = str(tmp_path / seed_of_hashes)
        arguments = ("lock", "--variant", "cu124", "--no-dynamic")
        seed.succeed(*arguments, PYTHONHASHSEED=seed_of_hashes, BUILDLOCK_CACHE_DIR=cache)
        texts.append(seed.lock_path.read_bytes())
    assert texts[0] == texts[1]


def test_the_lock_names_neither_the_machine_nor_its_user_nor_a_secret(
    checkout: CopyProject, server: IndexServer
) -> None:
    tiny = checkout("tiny")
    with_secret = server.url().replace("http://", "http://ada:hunter2@")
    tiny.succeed("lock", "--no-dynamic", UV_DEFAULT_INDEX=with_secret)
    text = tiny.lock_path.read_text(encoding="utf-8")
    assert tiny.packages()["tinybackend"]["index"] == server.url()
    assert not [word for word in ("hunter2", "ada", str(tiny.root), str(Path.home())) if word in text]


def test_a_local_file_that_was_made_anew_is_hashed_anew(checkout: CopyProject) -> None:
    tiny = checkout("tiny")
    require(tiny, "local")
    tiny.append('[tool.buildlock]\nfind-links = ["wheels"]')
    wheel = tiny.root / "wheels" / wheel_filename("local", "1.0")
    wheel.parent.mkdir()
    hashes = []
    for text in (b"one", b"two"):
        wheel.write_bytes(make_wheel(name="local", version="1.0", files={"local.py": text}))
        result = tiny.succeed("lock", "--no-dynamic")
        hashes.append(hashlib.sha256(wheel.read_bytes()).hexdigest())
        assert tiny.packages()["local"]["wheels"][0]["hashes"] == {"sha256": hashes[-1]}
    assert f"was locked with sha256 {hashes[0]}, and has {hashes[1]} now" in result.stderr
    tiny.succeed("install")


class TestPins:
    """What is kept, and what moves."""

    @pytest.fixture
    def project(self, checkout: CopyProject, server: IndexServer) -> Checkout:
        """A project that was locked before its index got newer packages."""
        tiny = checkout("tiny")
        require(tiny, "filelock", "typing-extensions")
        tiny.succeed("lock", "--no-dynamic")
        server.faults.append(serving(with_newer_packages()))
        return tiny

    def test_pins_that_still_fit_are_kept(self, project: Checkout) -> None:
        before = project.lock_path.read_bytes()
        project.succeed("lock", "--no-dynamic")
        assert project.lock_path.read_bytes() == before

    def test_what_the_backend_asked_for_is_kept_too(self, checkout: CopyProject, server: IndexServer) -> None:
        dynamic = checkout("dynamic-requires")
        server.faults.clear()
        dynamic.succeed("lock")
        before = dynamic.lock_path.read_bytes()
        server.faults.append(serving(with_newer_packages()))
        dynamic.succeed("lock")
        assert dynamic.lock_path.read_bytes() == before

    def test_a_pin_is_kept_where_another_requirement_moves(self, project: Checkout) -> None:
        project.replace('"filelock"', '"filelock>=3.17"')
        result = project.succeed("lock", "--no-dynamic")
        assert project.versions() == {"filelock": "2099.1", "tinybackend": "1.0", "typing-extensions": "4.12.2"}
        assert " ~ filelock 3.16.1 → 2099.1\n" in result.stderr
        assert "typing-extensions" not in result.stderr

    def test_upgrade_moves_all(self, project: Checkout) -> None:
        project.succeed("lock", "--no-dynamic", "--upgrade")
        assert project.versions() == {"filelock": "2099.1", "tinybackend": "1.0", "typing-extensions": "2099.1"}

    def test_upgrade_package_moves_one(self, project: Checkout) -> None:
        project.succeed("lock", "--no-dynamic", "--upgrade-package", "Typing_Extensions")
        assert project.versions() == {"filelock": "3.16.1", "tinybackend": "1.0", "typing-extensions": "2099.1"}

    def test_dry_run_says_what_would_change_and_writes_nothing(self, project: Checkout) -> None:
        before = project.lock_path.read_bytes()
        result = project.succeed("lock", "--no-dynamic", "--upgrade", "--dry-run")
        assert " ~ filelock 3.16.1 → 2099.1\n" in result.stderr
        assert result.stderr.endswith("build-lock.toml would change (dry run: nothing was written)\n")
        assert project.lock_path.read_bytes() == before

    def test_check_fails_where_the_lock_would_change(self, project: Checkout) -> None:
        before = project.lock_path.read_bytes()
        result = project.run("lock", "--no-dynamic", "--upgrade", "--check")
        assert result.code == 3
        assert "would change: `default`" in result.stderr
        assert project.lock_path.read_bytes() == before
        assert project.run("lock", "--no-dynamic", "--check").code == 0


def test_check_fails_where_there_is_no_lock(checkout: CopyProject) -> None:
    tiny = checkout("tiny")
    assert tiny.run("lock", "--no-dynamic", "--check").code == 3
    assert not tiny.lock_path.exists()


def test_an_unchanged_lock_is_not_written_again(locked: CopyLockedProject) -> None:
    seed = locked("seed", "--variant", "cu124", "--no-dynamic")
    before = seed.lock_path.stat()
    result = seed.succeed("lock", "--variant", "cu124", "--no-dynamic")
    after = seed.lock_path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert result.stderr.endswith("build-lock.toml is up to date\n")


def test_another_variant_keeps_its_bytes(locked: CopyLockedProject, server: IndexServer) -> None:
    project = locked("group-variant", "--all", "--no-dynamic")
    before = project.lock_path.read_text(encoding="utf-8")
    cpu, cu124 = before.split("[variants.cu124]")
    # Spelled as a person might: still the lock of cpu, though not as it is written.
    project.lock_path.write_text(f"{cpu.replace(' = ', '  =  ')}[variants.cu124]{cu124}", encoding="utf-8")
    server.faults.append(serving(with_newer_packages()))
    project.succeed("lock", "--variant", "cu124", "--no-dynamic", "--upgrade")
    after = project.lock_path.read_text(encoding="utf-8")
    assert after.split("[variants.cu124]")[0] == cpu.replace(" = ", "  =  ")
    assert project.versions("cu124")["filelock"] == "2099.1"


def test_all_locks_every_variant_and_drops_those_that_are_gone(locked: CopyLockedProject) -> None:
    project = locked("group-variant", "--all", "--no-dynamic")
    assert project.versions("cpu")["torch"] == "2.5.1+cpu"
    assert project.versions("cu124")["torch"] == "2.5.1+cu124"
    project.replace('  { index = "pytorch-cpu", group = "cpu" },\n', "")
    result = project.succeed("lock", "--all", "--no-dynamic")
    assert "Dropped cpu: no longer a variant of the project\n" in result.stderr
    assert "[variants.cpu" not in project.lock_path.read_text(encoding="utf-8")


def test_json_is_all_that_is_on_stdout(checkout: CopyProject) -> None:
    tiny = checkout("tiny")
    data = json.loads(tiny.succeed("lock", "--no-dynamic", "--json").stdout)
    assert data == {
        "path": str(tiny.lock_path.resolve()),
        "written": True,
        "dropped": [],
        "dropped_packages": [],
        "packages": [],
        "variants": [
            {
                "name": "default",
                "packages": 1,
                "touched": True,
                "changes": [
                    {
                        "name": "tinybackend",
                        "before": None,
                        "after": "1.0",
                        "build": None,
                        "index": tiny.packages()["tinybackend"]["index"],
                    }
                ],
            }
        ],
    }


class TestPython:
    def test_locks_for_a_python_that_need_not_be_here(self, checkout: CopyProject) -> None:
        other = "3.12" if sys.version_info[:2] != (3, 12) else "3.11"
        seed = checkout("seed")
        seed.succeed("lock", "--variant", "cu124", "--python", other, "--no-dynamic")
        (wheel,) = seed.packages("cu124")["torch"]["wheels"]
        assert f"-cp{other.replace('.', '')}-" in wheel["url"]
        (marker,) = seed.locked("cu124")["environments"]
        assert f"python_version == '{other}'" in marker

    def test_cannot_ask_the_backend_of_a_python_that_is_not_here(self, checkout: CopyProject) -> None:
        tiny = checkout("tiny")
        result = tiny.run("lock", "--python", "3.11.99")
        assert result.code == 2
        assert "3.11.99" in result.stderr
        assert "hint: install that Python, pass `--no-dynamic`, or declare them: `dynamic-requires`" in result.stderr
        assert not tiny.lock_path.exists()

    def test_a_python_that_is_neither_here_nor_a_version(self, checkout: CopyProject) -> None:
        result = checkout("tiny").run("lock", "--python", "pythom")
        assert result.code == 2
        assert "`pythom`" in result.stderr


class TestFailureLeavesEverythingAsItWas:
    def test_an_index_that_is_down_is_not_a_lack_of_solutions(
        self, locked: CopyLockedProject, server: IndexServer
    ) -> None:
        tiny = locked("tiny")
        before, folder = tiny.lock_path.read_bytes(), list_folder(tiny)
        server.faults.append(with_status(503, "/simple/"))
        result = tiny.run("lock", "--upgrade")
        assert result.code == 1
        assert "503" in result.stderr
        assert f"{server.url()}/tinybackend/" in result.stderr
        assert "no solution" not in result.stderr
        assert (tiny.lock_path.read_bytes(), list_folder(tiny)) == (before, folder)

    def test_nobody_answers(self, checkout: CopyProject) -> None:
        tiny = checkout("tiny")
        result = tiny.run("lock", UV_DEFAULT_INDEX="http://127.0.0.1:9/simple")
        assert result.code == 1
        assert "`http://127.0.0.1:9/simple/tinybackend/` could not be fetched" in result.stderr
        assert "no solution" not in result.stderr

    def test_one_of_several_variants_fails(self, locked: CopyLockedProject, server: IndexServer) -> None:
        project = locked("group-variant", "--all", "--no-dynamic")
        before, folder = project.lock_path.read_bytes(), list_folder(project)
        # cpu could be locked afresh before cu124 fails.
        project.replace('cu124 = ["torch==2.5.1"]', 'cu124 = ["torch==99"]')
        server.faults.append(serving(with_newer_packages()))
        result = project.run("lock", "--all", "--no-dynamic", "--upgrade")
        assert result.code == 1
        assert "no version of `torch` matches" in result.stderr
        assert (project.lock_path.read_bytes(), list_folder(project)) == (before, folder)

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody link or make pipes just so")
    @pytest.mark.parametrize("kind", ["pipe", "link to itself", "link to a device", "folder"])
    def test_a_lock_that_is_no_file(self, checkout: CopyProject, kind: str) -> None:
        project = checkout("tiny")
        if kind == "pipe":
            os.mkfifo(project.lock_path)
        elif kind == "folder":
            project.lock_path.mkdir()
        else:
            project.lock_path.symlink_to("/dev/zero" if kind == "link to a device" else project.lock_path)
        result = project.run("lock")
        assert result.code == 1
        assert result.stderr.startswith(f"error: `{project.lock_path}` ")

    def test_refresh_asks_for_pages_that_may_still_be_used(
        self, locked: CopyLockedProject, server: IndexServer
    ) -> None:
        def let_keep(_: Request, answer: Answer) -> Answer:
            return replace(answer, headers={**answer.headers, "cache-control": "max-age=600"})

        server.faults.append(let_keep)
        tiny, asked = locked("tiny"), list[int]()
        for options in ((), (), ("--refresh",), ()):
            server.exchanges.clear()
            tiny.succeed("lock", "--upgrade", "--no-dynamic", *options)
            asked.append(len(server.asked("/simple/")))
        assert asked == [asked[0], 0, asked[0], 0]

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
    def test_interrupted(self, locked: CopyLockedProject, server: IndexServer) -> None:
        tiny = locked("tiny")
        before, folder = tiny.lock_path.read_bytes(), list_folder(tiny)
        asked, released = Event(), Event()

        def hold(_: Request, answer: Answer) -> Answer:
            asked.set()
            released.wait(60)
            return answer

        server.faults.append(hold)
        command = [sys.executable, "-m", "buildlock", "lock", "--upgrade"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=tiny.root, env=dict(tiny.environment), stderr=pipe, text=True) as process:
            asked.wait(60)
            process.send_signal(signal.SIGINT)
            # It ends though the index has not answered yet.
            _, stderr = process.communicate(timeout=30)
            released.set()
        assert process.returncode == 130
        assert "Traceback" not in stderr
        assert (tiny.lock_path.read_bytes(), list_folder(tiny)) == (before, folder)
