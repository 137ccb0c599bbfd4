"""`buildlock check` and `buildlock variants`: what the lock is worth, without a network or an interpreter."""

import json

import pytest

from index.server import IndexServer, serve
from projects import copy_project
from support.command import Checkout, CopyLockedProject, CopyProject, hermetic

CU124 = ("--variant", "cu124", "--no-dynamic")


@pytest.fixture
def seed(locked: CopyLockedProject) -> Checkout:
    return locked("seed", *CU124)


class TestCheck:
    def test_a_fresh_lock(self, seed: Checkout) -> None:
        result = seed.run("check", "--variant", "cu124")
        assert (result.code, result.stdout, result.stderr) == (0, "", "cu124: fresh\n")

    def test_a_variant_that_is_not_locked_is_no_fault_unless_it_is_named(self, seed: Checkout) -> None:
        result = seed.run("check")
        assert (result.code, result.stderr) == (0, "cu118: not locked\ncu124: fresh\n")
        assert seed.run("check", "--variant", "cu118").code == 3

    def test_nothing_is_locked(self, checkout: CopyProject) -> None:
        result = checkout("tiny").run("check")
        assert (result.code, result.stderr) == (
            3,
            "default: not locked\n\nhint: run `buildlock lock --variant default`\n",
        )

    @pytest.mark.parametrize(
        ("old", "new", "moved"),
        [
            pytest.param(
                '"setuptools>=69.0.3"',
                '"setuptools>=70"',
                "the build requirement `setuptools>=69.0.3` is now `setuptools>=70`",
                id="requires",
            ),
            pytest.param(', "ninja"', "", "the build requirement `ninja` was removed", id="requires-less"),
            pytest.param(
                '  "torch==2.4.0",\n  "torchaudio==2.4.0"',
                '  "torch<3",\n  "torchaudio==2.4.0"',
                "the constraint `torch==2.4.0` is now `torch<3`",
                id="extra",
            ),
            pytest.param(
                "setuptools.build_meta:__legacy__",
                "setuptools.build_meta",
                "the build backend is now `setuptools.build_meta`: it was `setuptools.build_meta:__legacy__`",
                id="backend",
            ),
        ],
    )
    def test_names_the_input_that_moved(self, seed: Checkout, old: str, new: str, moved: str) -> None:
        seed.replace(old, new)
        result = seed.run("check", "--variant", "cu124")
        assert (result.code, result.stdout) == (3, "")
        assert result.stderr == f"cu124: stale\n  - {moved}\n\nhint: run `buildlock lock --variant cu124`\n"

    def test_names_all_that_is_to_be_done_at_once(self, locked: CopyLockedProject) -> None:
        project = locked("group-variant", "--all", "--no-dynamic")
        project.replace('requires = ["tinybackend", "torch"]', 'requires = ["tinybackend", "torch", "wheel"]')
        assert project.run("check").stderr == (
            "cpu: stale\n  - the build requirement `wheel` was added\n"
            "cu124: stale\n  - the build requirement `wheel` was added\n"
            "\nhint: run `buildlock lock --variant cpu --variant cu124`\n"
        )

    def test_a_source_that_moved(self, seed: Checkout, server: IndexServer) -> None:
        seed.replace(server.url("cu124"), "https://mirror.example/cu124")
        result = seed.run("check", "--variant", "cu124")
        assert result.code == 3
        moved = f"the source of `torch` moved from `{server.url('cu124')}` to `https://mirror.example/cu124`"
        assert f"  - {moved}\n" in result.stderr

    def test_a_setting_that_moved(self, seed: Checkout) -> None:
        seed.append('[tool.buildlock]\nprerelease = "allow"')
        result = seed.run("check", "--variant", "cu124")
        assert result.code == 3
        assert "  - the setting `prerelease` is now `allow`\n" in result.stderr

    def test_what_says_the_same_in_other_words_is_the_same(self, seed: Checkout) -> None:
        seed.replace(
            '"setuptools>=69.0.3", "wheel", "torch==2.4.0", "numpy", "ninja"',
            '"Ninja", "torch == 2.4", "numpy", "wheel", "SetupTools >= 69.0.3"',
        )
        assert seed.run("check").code == 0

    def test_locking_again_makes_it_fresh(self, seed: Checkout) -> None:
        seed.replace('"setuptools>=69.0.3"', '"setuptools>=70"')
        assert seed.run("check").code == 3
        seed.succeed("lock", *CU124)
        assert seed.run("check").code == 0

    def test_a_variant_that_is_gone(self, locked: CopyLockedProject) -> None:
        project = locked("group-variant", "--all", "--no-dynamic")
        project.replace('  { index = "pytorch-cpu", group = "cpu" },\n', "")
        result = project.run("check")
        assert result.code == 3
        assert "cu124: fresh\n" in result.stderr
        assert "cpu: locked, and no longer a variant of the project\n" in result.stderr
        assert "hint: run `buildlock lock --all`" in result.stderr

    def test_a_lock_that_cannot_be_read(self, seed: Checkout) -> None:
        seed.lock_path.write_bytes(b"lock-version = 1\n\xff")
        result = seed.run("check")
        assert result.code == 1
        assert f"`{seed.lock_path}`" in result.stderr

    def test_needs_no_network_and_no_python_of_the_lock(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        folder = tmp_path_factory.mktemp("offline")
        other = "3.13"
        with serve() as server:
            root = copy_project("seed", folder, server.root)
            seed = Checkout(root=root, environment=hermetic(folder, server.environment))
            seed.succeed("lock", *CU124, "--python", other)
        nobody = {**seed.environment, "UV_DEFAULT_INDEX": "", "PATH": ""}
        alone = Checkout(root=seed.root, environment=nobody)
        assert alone.run("check").code == 0
        alone.replace('"numpy", "ninja"]', '"numpy"]')
        assert alone.run("check").code == 3

    def test_as_json(self, seed: Checkout) -> None:
        seed.replace(', "ninja"', "")
        result = seed.run("check", "--json", "--variant", "cu124")
        assert (result.code, result.stderr) == (3, "")
        data = json.loads(result.stdout)
        assert (data["fresh"], data["orphans"]) == (False, [])
        (variant,) = data["variants"]
        assert (variant["name"], variant["state"]) == ("cu124", "stale")
        assert variant["moved"] == ["the build requirement `ninja` was removed"]

    def test_what_the_policy_denies_of_the_lock_as_it_is(self, seed: Checkout, server: IndexServer) -> None:
        seed.append(f'[tool.buildlock.policy]\nindexes = ["{server.root}"]\n')
        assert seed.run("check", "--variant", "cu124").code == 0
        seed.replace(f'indexes = ["{server.root}"]', f'indexes = ["{server.url("cu124")}"]')
        result = seed.run("check", "--variant", "cu124")
        assert (result.code, result.stdout) == (3, "")
        assert result.stderr.startswith("cu124: fresh\nindex-not-allowed: ")
        assert f"from {server.url()} (DENIED by the policy)\n" in result.stderr
        [finding] = json.loads(seed.run("check", "--variant", "cu124", "--json").stdout)["findings"]
        assert (finding["code"], finding["verdict"]["state"]) == ("index-not-allowed", "denied")


class TestVariants:
    def test_as_text(self, seed: Checkout, server: IndexServer) -> None:
        result = seed.succeed("variants")
        assert result.stdout == (
            "cu118  unlocked\n"
            f"       torch from pytorch-cu118 ({server.url('cu118')})\n"
            f"cu124  fresh, {len(seed.packages('cu124'))} packages\n"
            f"       torch from pytorch-cu124 ({server.url('cu124')})\n"
        )
        assert result.stderr == ""
        assert not server.exchanges

    def test_says_which_is_the_default_and_which_is_stale(self, seed: Checkout) -> None:
        seed.append('[tool.buildlock]\ndefault-variant = "cu124"')
        seed.replace('"numpy", "ninja"]', '"numpy"]')
        result = seed.succeed("variants")
        assert f"cu124  stale, {len(seed.packages('cu124'))} packages (default)\n" in result.stdout

    def test_as_json(self, locked: CopyLockedProject, server: IndexServer) -> None:
        project = locked("buildlock-tables", "--all", "--no-dynamic")
        data = json.loads(project.succeed("variants", "--json").stdout)
        assert data == {
            "path": str(project.lock_path),
            "fresh": True,
            "orphans": [],
            "orphaned_packages": [],
            "backend": None,
            "packages": [],
            "uv_block": None,
            "findings": [],
            "variants": [
                {
                    "name": name,
                    "default": name == "cpu",
                    "state": "fresh",
                    "moved": [],
                    "packages": len(project.packages(name)),
                    "sources": [{"package": "torch", "index": server.url(name), "direct": None, "marker": None}],
                }
                for name in ("cpu", "cu118")
            ],
        }

    def test_shows_what_comes_from_no_index(self, checkout: CopyProject) -> None:
        project = checkout("tiny")
        project.append(
            "[tool.uv.sources]\n"
            'tinybackend = { git = "https://me:secret@git.example/tinybackend", tag = "v1", marker = "os_name!=\'x\'" }'
        )
        assert project.succeed("variants").stdout == (
            'default  unlocked\n         tinybackend from git+https://git.example/tinybackend@v1 where os_name != "x"\n'
        )
        (variant,) = json.loads(project.succeed("variants", "--json").stdout)["variants"]
        (source,) = variant["sources"]
        assert (source["index"], source["direct"]) == (None, "git+https://git.example/tinybackend@v1")

    def test_a_project_without_any(self, checkout: CopyProject) -> None:
        assert checkout("tiny").succeed("variants").stdout == "default  unlocked\n"
