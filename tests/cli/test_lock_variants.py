"""`buildlock lock`: which variants a project has, which one is meant, and what contradicts it."""

import re
from pathlib import Path

import pytest

from index.server import IndexServer
from index.universe import standard_universe
from support.command import Checkout, CopyProject

CU118 = """\
hint:
build `cu118` with what it will run with; write in pyproject.toml

  [tool.buildlock.variants.cu118]
  requires = ["torch==2.2.0"]
"""


class TestSeedsCu118:
    def test_as_it_stands_it_contradicts_itself(self, checkout: CopyProject, server: IndexServer) -> None:
        seed = checkout("seed")
        result = seed.run("lock", "--variant", "cu118")
        assert result.code == 1
        assert "error: to build the variant `cu118`, no version of `torch` can satisfy both\n" in result.stderr
        lines = seed.pyproject.read_text(encoding="utf-8").splitlines()
        for requirement, place in (
            ("torch==2.4.0", "[build-system].requires"),
            ("torch==2.2.0", "[project.optional-dependencies].cu118"),
        ):
            found = re.search(rf"  {requirement}  pyproject\.toml:(\d+): {re.escape(place)}\n", result.stderr)
            assert found
            assert f'"{requirement}"' in lines[int(found[1]) - 1]
        assert result.stderr.endswith(CU118)
        # It is known without asking anybody.
        assert not server.exchanges
        assert not seed.lock_path.exists()

    def test_the_toml_of_the_hint_settles_it(self, checkout: CopyProject, server: IndexServer) -> None:
        seed = checkout("seed")
        hint = seed.run("lock", "--variant", "cu118").stderr.split("write in pyproject.toml\n")[1]
        seed.append(hint)
        seed.succeed("lock", "--variant", "cu118", "--no-dynamic")
        torch = seed.packages("cu118")["torch"]
        assert (torch["version"], torch["index"]) == ("2.2.0+cu118", server.url("cu118"))
        assert not server.asked("/simple/torch/")
        # The page says no sha256 of it: it was downloaded and hashed.
        (wheel,) = torch["wheels"]
        (served,) = [
            file for file in standard_universe()["cu118"] if wheel["url"].endswith(file.filename.replace("+", "%2B"))
        ]
        assert not served.hashed
        assert (wheel["size"], wheel["hashes"]) == (len(served.content), {"sha256": served.sha256})

    def test_cu124_needs_nothing_of_it(self, checkout: CopyProject) -> None:
        result = checkout("seed").run("lock", "--all")
        assert result.code == 1
        assert "`cu118`" in result.stderr
        assert "`cu124`" not in result.stderr


def test_the_seed_exactly_as_its_author_reported_it(checkout: CopyProject) -> None:
    seed = checkout("seed")
    seed.replace('[project]\nname = "seed-ext"\nversion = "0.1.0"\n', "")
    seed.succeed("lock", "--variant", "cu124", "--no-dynamic")
    assert seed.versions("cu124")["torch"] == "2.4.0+cu124"


def test_variants_of_dependency_groups(checkout: CopyProject) -> None:
    project = checkout("group-variant")
    project.succeed("lock", "--variant", "cpu", "--variant", "cu124", "--no-dynamic")
    assert project.versions("cpu")["torch"] == "2.5.1+cpu"
    assert project.versions("cu124")["torch"] == "2.5.1+cu124"
    assert "nvidia-cublas-cu12" not in project.versions("cpu")


def test_variants_of_buildlocks_own_tables(checkout: CopyProject) -> None:
    project = checkout("buildlock-tables")
    project.succeed("lock", "--all", "--no-dynamic")
    cpu, cu118 = project.versions("cpu"), project.versions("cu118")
    assert (cpu["torch"], cpu["numpy"], "ninja" in cpu) == ("2.4.0+cpu", "2.1.3", False)
    assert (cu118["torch"], cu118["numpy"], "ninja" in cu118) == ("2.2.0+cu118", "1.26.4", True)


def test_a_flat_index(checkout: CopyProject, server: IndexServer) -> None:
    project = checkout("flat-index")
    result = project.succeed("lock", "--no-dynamic")
    torch = project.packages()["torch"]
    assert torch["version"] == "2.4.0+cu118"
    assert torch["wheels"][0]["url"].startswith(f"{server.url('cu118')}/torch-2.4.0%2Bcu118-")
    assert not server.asked("/simple/torch/")
    # Two of its accelerators have files of one name; none of them is asked for here.
    assert result.stderr.count("warning:") == 1
    assert "lists `torch-2.5.1-cp310-cp310-linux_aarch64.whl` and 4 more with two different hashes" in result.stderr


class TestWhichOneIsMeant:
    @pytest.fixture
    def project(self, checkout: CopyProject) -> Checkout:
        return checkout("group-variant")

    @staticmethod
    def locked(project: Checkout) -> set[str]:
        text = project.lock_path.read_text(encoding="utf-8")
        return set(re.findall(r"^\[variants\.(\w+)\]$", text, re.MULTILINE))

    def test_the_default_variant(self, project: Checkout) -> None:
        project.append('[tool.buildlock]\ndefault-variant = "cu124"')
        project.succeed("lock", "--no-dynamic")
        assert self.locked(project) == {"cu124"}

    def test_the_environment_variable_goes_before_it(self, project: Checkout) -> None:
        project.append('[tool.buildlock]\ndefault-variant = "cu124"')
        project.succeed("lock", "--no-dynamic", BUILDLOCK_VARIANT="cpu")
        assert self.locked(project) == {"cpu"}

    def test_the_option_goes_before_both(self, project: Checkout) -> None:
        project.append('[tool.buildlock]\ndefault-variant = "cu124"')
        project.succeed("lock", "--no-dynamic", "--variant", "cpu", BUILDLOCK_VARIANT="cu124")
        assert self.locked(project) == {"cpu"}

    @pytest.mark.parametrize("command", ["lock", "install", "build", "export"])
    def test_nothing_says(self, project: Checkout, command: str) -> None:
        result = project.run(command)
        assert result.code == 2
        assert "the project has the variants `cpu`, `cu124`, and nothing says which to use\n" in result.stderr
        assert "hint: pass `--variant NAME`, set `BUILDLOCK_VARIANT`, or write `default-variant`" in result.stderr

    def test_there_is_no_such_variant(self, project: Checkout) -> None:
        result = project.run("lock", "--variant", "cu142")
        assert result.code == 2
        assert "there is no variant `cu142`" in result.stderr
        assert "hint: the project has `cpu`, `cu124`\n" in result.stderr

    def test_the_environment_variable_names_none(self, project: Checkout) -> None:
        result = project.run("lock", BUILDLOCK_VARIANT="cu142")
        assert result.code == 2
        assert "there is no variant `cu142` (from `BUILDLOCK_VARIANT`)" in result.stderr

    def test_all_and_one(self, project: Checkout) -> None:
        result = project.run("lock", "--all", "--variant", "cpu")
        assert result.code == 2
        assert "`--all` and `--variant` exclude each other" in result.stderr


def test_a_project_without_variants_has_the_one_called_default(checkout: CopyProject) -> None:
    tiny = checkout("tiny")
    tiny.succeed("lock", "--no-dynamic")
    assert tiny.versions("default") == {"tinybackend": "1.0"}


def test_no_pyproject(checkout: CopyProject) -> None:
    """PEP 517: without one, setuptools builds it."""
    project = checkout("legacy-setup-py")
    project.succeed("lock", "--no-dynamic")
    assert project.versions() == {"setuptools": "75.6.0"}


def test_no_project(checkout: CopyProject, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    result = checkout("tiny").run("lock", "--project", empty)
    assert result.code == 1
    assert f"`{empty}` is not a Python project: it has neither pyproject.toml nor setup.py\n" in result.stderr
