"""`buildlock install`: the environment of the lock, and nothing that is not verified."""

import hashlib
import json
from pathlib import Path

import pytest

from index.faults import cut_short, only_first, with_body, with_status, with_wrong_byte
from index.server import IndexServer
from support.command import Checkout, CopyLockedProject, run_process, through_links

CU124 = ("--variant", "cu124", "--no-dynamic")

DESCRIBE = """\
import importlib.metadata, json, sys
names = {found.metadata["Name"]: found.version for found in importlib.metadata.distributions()}
print(json.dumps({"names": names, "path": sys.path, "prefix": sys.prefix, "base": sys.base_prefix}))
"""


@pytest.fixture
def seed(locked: CopyLockedProject) -> Checkout:
    return locked("seed", *CU124)


@pytest.fixture
def tiny(locked: CopyLockedProject) -> Checkout:
    return locked("tiny", "--no-dynamic")


def edit_lock(project: Checkout, old: str, new: str) -> None:
    text = project.lock_path.read_text(encoding="utf-8")
    assert old in text
    project.lock_path.write_text(text.replace(old, new), encoding="utf-8")


def list_residue(project: Checkout, sha256: str) -> list[str]:
    """What a refused file left in the cache: anything of it, of an environment, or half done."""
    store = project.cache / "store-v2"
    found = [
        *(path for path in project.cache.rglob("*") if sha256 in str(path) and path.parent != store / "locks"),
        *(path for path in (store / "scratch").rglob("*") if path.is_file()),
        *(project.cache / "environments-v2").glob("*"),
    ]
    return [str(path.relative_to(project.cache)) for path in found]


class TestEnvironment:
    def test_holds_exactly_the_locked_packages(self, seed: Checkout) -> None:
        result = seed.succeed("install", "--variant", "cu124")
        (line,) = result.stdout.splitlines()
        root = Path(line)
        assert root.is_relative_to(seed.cache)
        assert f"Installed {len(seed.packages('cu124'))} packages of cu124\n" in result.stderr
        python = next(path for path in (root / "bin/python", root / "Scripts/python.exe") if path.exists())
        seen = run_process(python, "-c", DESCRIBE, cwd=seed.root, environment=seed.environment)
        facts = json.loads(seen.stdout)
        assert facts["names"] == seed.versions("cu124")
        assert Path(facts["prefix"]) == root
        # The standard library, and the environment: no site-packages but its own.
        foreign = [path for path in facts["path"] if "-packages" in path and not Path(path).is_relative_to(root)]
        assert not foreign

    def test_is_made_without_asking_an_index(self, seed: Checkout, server: IndexServer) -> None:
        seed.succeed("install", "--variant", "cu124")
        wheels = {wheel["url"] for package in seed.packages("cu124").values() for wheel in package["wheels"]}
        assert {server.root + exchange.path for exchange in server.exchanges} == wheels
        assert len(server.exchanges) == len(wheels)

    def test_is_found_again_without_asking_anybody(self, seed: Checkout, server: IndexServer) -> None:
        first = seed.succeed("install", "--variant", "cu124")
        server.exchanges.clear()
        again = seed.succeed("install", "--variant", "cu124")
        assert again.stdout == first.stdout
        assert again.stderr == f"Found {len(seed.packages('cu124'))} packages of cu124\n"
        assert not server.exchanges

    @through_links
    def test_is_made_again_where_it_was_changed(self, tiny: Checkout, server: IndexServer) -> None:
        root = Path(tiny.succeed("install").stdout.strip())
        server.exchanges.clear()
        (module,) = root.glob("**/tinybackend/__init__.py")
        module.unlink()
        module.write_text("stolen = True\n", encoding="utf-8")
        assert tiny.succeed("install").stderr == "Installed 1 package of default\n"
        assert "stolen" not in module.read_text(encoding="utf-8")
        # It was the store's file. From now on this package is copied.
        assert len(server.asked(".whl")) == 1
        module.write_text("stolen = True\n", encoding="utf-8")
        assert tiny.succeed("install").stderr == "Installed 1 package of default\n"
        assert "stolen" not in module.read_text(encoding="utf-8")
        assert len(server.asked(".whl")) == 1

    def test_goes_where_it_is_told(self, tiny: Checkout, tmp_path: Path) -> None:
        result = tiny.succeed("install", "--target", "../here")
        assert result.stdout == f"{tmp_path / 'here'}\n"
        assert (tmp_path / "here" / "pyvenv.cfg").is_file()
        assert tiny.succeed("install", "--target", "../here").stderr == "Found 1 package of default\n"

    def test_does_not_take_the_place_of_something_else(self, tiny: Checkout, tmp_path: Path) -> None:
        thesis = tmp_path / "mine" / "thesis.txt"
        thesis.parent.mkdir()
        thesis.write_text("years of work", encoding="utf-8")
        result = tiny.run("install", "--target", tmp_path / "mine")
        assert result.code == 1
        assert f"`{tmp_path / 'mine'}` is not empty, and no environment of buildlock\n" in result.stderr
        assert [path.name for path in thesis.parent.iterdir()] == ["thesis.txt"]

    def test_as_json(self, tiny: Checkout) -> None:
        facts = json.loads(tiny.succeed("install", "--json").stdout)
        assert Path(facts.pop("python")).is_relative_to(facts["environment"])
        assert Path(facts.pop("environment")).is_dir()
        assert facts == {"variant": "default", "packages": 1, "reused": False}


class TestLock:
    def test_there_is_none(self, tiny: Checkout) -> None:
        tiny.lock_path.unlink()
        result = tiny.run("install")
        assert result.code == 1
        assert "hint: run `buildlock lock`" in result.stderr

    def test_it_does_not_hold_the_variant(self, locked: CopyLockedProject) -> None:
        project = locked("group-variant", "--variant", "cpu", "--no-dynamic")
        result = project.run("install", "--variant", "cu124")
        assert result.code == 1
        assert "`build-lock.toml` does not lock the variant `cu124`: it locks `cpu`\n" in result.stderr
        assert "hint: run `buildlock lock --variant cu124`\n" in result.stderr

    def test_it_is_stale(self, seed: Checkout, server: IndexServer) -> None:
        seed.replace('"numpy", "ninja"]', '"numpy>=2", "ninja"]')
        result = seed.run("install", "--variant", "cu124")
        assert result.code == 3
        assert "the lock of `cu124` no longer answers the project:\n" in result.stderr
        assert "  - the build requirement `numpy` is now `numpy>=2`\n" in result.stderr
        assert result.stdout == ""
        assert not server.exchanges

    def test_it_is_stale_and_wanted_all_the_same(self, tiny: Checkout) -> None:
        tiny.replace('"tinybackend"]', '"tinybackend>=1"]')
        assert tiny.run("install").code == 3
        tiny.succeed("install", "--frozen")

    def test_it_is_for_another_python(self, tiny: Checkout) -> None:
        (marker,) = tiny.locked()["environments"]
        edit_lock(tiny, marker, "python_version == '3.9' and sys_platform == 'linux'")
        result = tiny.run("install")
        assert result.code == 1
        assert "python_version == '3.9' and sys_platform == 'linux'" in result.stderr

    def test_it_is_broken(self, tiny: Checkout) -> None:
        edit_lock(tiny, "size = ", 'size = "big", was = ')
        result = tiny.run("install")
        assert result.code == 1
        assert "build-lock.toml" in result.stderr
        assert "packages[0].wheels[0]" in result.stderr


class TestRefusal:
    def test_one_wrong_byte(self, seed: Checkout, server: IndexServer) -> None:
        (wheel,) = seed.packages("cu124")["torch"]["wheels"]
        sha256 = wheel["hashes"]["sha256"]
        server.faults.append(with_wrong_byte("/torch-2.4.0"))
        result = seed.run("install", "--variant", "cu124")
        assert result.code == 1
        assert "`torch-2.4.0+cu124-" in result.stderr
        assert f"  expected sha256: {sha256}\n" in result.stderr
        assert "  received sha256: " in result.stderr
        assert result.stdout == ""
        assert not list_residue(seed, sha256)
        # Once it is the right file, nothing of before is in the way.
        server.faults.clear()
        root = Path(seed.succeed("install", "--variant", "cu124").stdout.strip())
        assert list(root.glob("**/torch/version.py"))

    def test_into_a_folder_of_choice(self, tiny: Checkout, server: IndexServer, tmp_path: Path) -> None:
        server.faults.append(with_wrong_byte("/tinybackend-1.0"))
        assert tiny.run("install", "--target", tmp_path / "here" / "there").code == 1
        assert not (tmp_path / "here" / "there").exists()

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            pytest.param(b"PK", "has 2 bytes, not ", id="shorter"),
            pytest.param(b"x" * 100_000, "has 100000 bytes, not ", id="longer"),
        ],
    )
    def test_another_size(self, tiny: Checkout, server: IndexServer, body: bytes, said: str) -> None:
        server.faults.append(with_body(body, "/tinybackend-1.0"))
        result = tiny.run("install")
        assert result.code == 1
        assert said in result.stderr
        assert not list_residue(tiny, tiny.packages()["tinybackend"]["wheels"][0]["hashes"]["sha256"])

    def test_the_file_is_gone(self, tiny: Checkout, server: IndexServer) -> None:
        server.faults.append(with_status(404, "/tinybackend-1.0"))
        result = tiny.run("install")
        assert result.code == 1
        assert "`tinybackend-1.0-py3-none-any.whl`" in result.stderr
        assert "404" in result.stderr
        assert "hint: the file is gone from the server; lock again\n" in result.stderr

    def test_a_locked_file_that_is_no_wheel(self, tiny: Checkout, server: IndexServer) -> None:
        """Whoever wrote the lock vouches for its bytes, not for what is in them."""
        body = b"no wheel at all" * 10
        (wheel,) = tiny.packages()["tinybackend"]["wheels"]
        edit_lock(tiny, wheel["hashes"]["sha256"], hashlib.sha256(body).hexdigest())
        edit_lock(tiny, f"size = {wheel['size']}", f"size = {len(body)}")
        server.faults.append(with_body(body, "/tinybackend-1.0"))
        result = tiny.run("install")
        assert result.code == 1
        assert "`tinybackend-1.0-py3-none-any.whl`" in result.stderr
        assert not list_residue(tiny, hashlib.sha256(body).hexdigest())


def test_a_download_that_breaks_off_is_continued(tiny: Checkout, server: IndexServer) -> None:
    server.faults.append(only_first(1, "/tinybackend-1.0", cut_short("", after=1000)))
    tiny.succeed("install")
    first, second = server.asked("/tinybackend-1.0")
    assert (first.status, first.sent) == (200, 1000)
    assert (second.status, second.headers["range"]) == (206, "bytes=1000-")
