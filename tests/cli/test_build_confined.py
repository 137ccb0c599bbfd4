"""`--no-network`, `--sandbox` and `--timeout`: what a backend is held to."""

import sys
import tarfile
from pathlib import Path

import pytest

from index.server import IndexServer
from support.command import Checkout, CopyLockedProject
from support.namespaces import skip_without_namespaces

PROBE = """
import os, socket, sys, tempfile
def probe():
    print("sees", *sorted(os.listdir()))
    try:
        socket.create_connection(("127.0.0.1", {port}), 5).close()
    except OSError:
        print("no network")
    for place in (".", "..", ".git", os.path.expanduser("~"), sys.prefix, tempfile.gettempdir()):
        try:
            open(os.path.join(place, "written"), "w").close()
        except OSError as error:
            print("cannot write", place, error.strerror)
honest_wheel, honest_sdist = build_wheel, build_sdist
def build_wheel(*arguments):
    probe()
    return honest_wheel(*arguments)
def build_sdist(*arguments):
    probe()
    return honest_sdist(*arguments)
"""


@pytest.fixture
def house(locked: CopyLockedProject, server: IndexServer) -> Checkout:
    """A project whose backend tells what it can reach."""
    project = locked("in-tree-backend", "--no-dynamic")
    (project.root / ".git").mkdir()
    add_to_backend(project, PROBE.format(port=int(server.root.split(":")[2].split("/")[0])))
    return project


def add_to_backend(project: Checkout, code: str) -> None:
    with (project.root / "backend" / "house_backend.py").open("a", encoding="utf-8") as file:
        file.write(f"\n\n{code}\n")


class TestConfined:
    @pytest.fixture(autouse=True)
    def namespaces(self) -> None:
        skip_without_namespaces()

    def test_without_network_a_build_is_in_place(self, house: Checkout) -> None:
        result = house.succeed("build", "--no-network")
        assert "  no network\n" in result.stderr
        assert "cannot write" not in result.stderr
        assert (house.root / "written").exists()

    def test_in_a_sandbox_a_build_changes_nothing_but_its_output(self, house: Checkout, tmp_path: Path) -> None:
        before = sorted(house.root.rglob("*"))
        (house.root / "dist").mkdir()
        (house.root / "dist" / "older.whl").touch()
        result = house.succeed("build", "--sandbox", "--wheel", "--sdist")
        assert result.stderr.count("  no network\n") == 2
        for place in ("..", ".git", str(tmp_path)):
            assert f"  cannot write {place} Read-only file system\n" in result.stderr
        # Into the environment, too.
        assert result.stderr.count("cannot write") == 8
        files = [Path(line) for line in result.stdout.splitlines()]
        assert sorted(house.root.rglob("*")) == sorted(
            [*before, house.root / "dist", house.root / "dist" / "older.whl", *files]
        )
        sdist = next(path for path in files if path.name.endswith(".tar.gz"))
        with tarfile.open(sdist) as archive:
            assert not any("older.whl" in name for name in archive.getnames())

    def test_where_the_cache_is_in_the_project(self, house: Checkout) -> None:
        cache = house.root / "cache"
        result = house.succeed("build", "--sandbox", "--out-dir", "new/folder", BUILDLOCK_CACHE_DIR=str(cache))
        assert Path(result.stdout.strip()).parent == house.root / "new" / "folder"

    @pytest.mark.slow
    def test_hooks_of_lock_and_of_packages_from_elsewhere(self, locked: CopyLockedProject) -> None:
        project = locked("sdist-chain")
        project.succeed("lock", "--sandbox", "--upgrade")
        project.succeed("install", "--sandbox")

    def test_an_editable_is_not_built_in_a_copy(self, house: Checkout) -> None:
        result = house.run("build", "--sandbox", "--editable")
        assert result.code == 2
        assert "`--sandbox` and `--editable` exclude each other" in result.stderr


@pytest.mark.skipif(sys.platform == "linux", reason="what other platforms say")
@pytest.mark.parametrize("option", ["--no-network", "--sandbox"])
def test_no_build_has_a_network_because_the_platform_cannot_do_without(house: Checkout, option: str) -> None:
    result = house.run("build", option)
    assert result.code == 1
    assert f"on this platform, `{sys.platform}`" in result.stderr
    assert "  sees" not in result.stderr


class TestTimeout:
    def test_ends_a_build_and_shows_what_it_printed(self, house: Checkout) -> None:
        add_to_backend(house, "import time\ndef build_wheel(*_):\n    print('asleep')\n    time.sleep(600)")
        result = house.run("build", "--timeout", "1")
        assert result.code == 1
        assert "  asleep\n" in result.stderr
        assert "error: the build backend `house_backend` did not finish `build_wheel` within 1 s\n" in result.stderr
        assert not (house.root / "dist").exists()

    def test_ends_the_questions_of_lock(self, house: Checkout) -> None:
        before = house.lock_path.read_bytes()
        add_to_backend(house, "import time\ndef get_requires_for_build_wheel(_): time.sleep(600)")
        result = house.run("lock", "--upgrade", "--timeout", "1")
        assert result.code == 1
        assert "did not finish `get_requires_for_build_wheel` within 1 s" in result.stderr
        assert house.lock_path.read_bytes() == before

    @pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "1e300"])
    def test_that_is_none_is_refused(self, house: Checkout, seconds: str) -> None:
        result = house.run("build", f"--timeout={seconds}")
        assert result.code == 2
        assert "is no time that a backend could take" in result.stderr
