"""`buildlock tree`: what a lock is made of, and what needs a package."""

import json
import shutil
from pathlib import Path

import pytest

from render_diffs import STORIES
from support.command import Checkout, CopyLockedProject, hermetic


@pytest.fixture
def variants(tmp_path: Path) -> Checkout:
    """A lock of five variants for three Pythons, and no project."""
    shutil.copy(STORIES / "many-variants" / "new.toml", tmp_path / "build-lock.toml")
    return Checkout(root=tmp_path, environment=hermetic(tmp_path, {}))


def test_the_seed(locked: CopyLockedProject) -> None:
    project = locked("seed", "--variant", "cu124", "--no-dynamic")
    lines = project.succeed("tree").stdout.splitlines()
    assert lines[0] == "cu124"
    assert "├── torch 2.4.0+cu124  (torch==2.4.0)" in lines
    assert project.succeed("tree", "--invert", "Typing.Extensions").stdout.splitlines() == [
        "cu124",
        "└── typing-extensions 4.12.2",
        "    └── torch 2.4.0+cu124",
        "        └── torch==2.4.0  (build requirement)",
    ]


def test_what_is_built_from_source(locked: CopyLockedProject) -> None:
    assert locked("sdist-chain").succeed("tree").stdout.splitlines() == [
        "default",
        "├── needs-builder 1.0  (built from an sdist)",
        "│   ├── filelock 3.16.1",
        "│   └── [built in]",
        "│       └── sourcebuilder 1.0  (built from an sdist)",
        "└── tinybackend 1.0",
    ]


def test_one_target_of_one_variant(variants: Checkout) -> None:
    tree = variants.succeed("tree", "--variant", "CPU", "--target", "3.9 linux", "--depth", "0").stdout
    assert tree.splitlines() == [
        "cpu",
        "├── numpy 2.0.2  (where python_version == '3.9')",
        "├── setuptools 75.8.0  (setuptools>=69)",
        "└── wheel 0.45.1",
    ]


def test_formats(variants: Checkout) -> None:
    for to, beginning in {"mermaid": "flowchart LR\n", "dot": 'digraph "build-lock" {\n'}.items():
        assert variants.succeed("tree", "--format", to).stdout.startswith(beginning)
    value = json.loads(variants.succeed("tree", "--format", "json").stdout)
    assert [section["variant"] for section in value["sections"]] == ["cpu", "cu118", "cu121", "cu124", "rocm6.1"]
    assert value["sections"][0]["packages"][0]["targets"] == ["3.9 linux x86_64"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--invert", "nunpy"], 2, "hint: did you mean `numpy`?"),
        (["--invert", "qqq"], 2, "error: `qqq` is not locked in cpu, cu118, cu121, cu124, rocm6.1"),
        (["--target", "3.8"], 2, "error: `--target 3.8` is none of those that are locked:\n  3.11 linux x86_64\n"),
        (["--variant", "cu999"], 1, "does not lock the variant `cu999`: it locks `cpu`,"),
        (["--package", "foo"], 1, "does not lock the package `foo`: of packages from elsewhere it has none"),
        (["--invert", "a b"], 2, "error: `a b` is not the name of a package"),
    ],
)
def test_what_is_not_there(variants: Checkout, arguments: list[str], code: int, said: str) -> None:
    result = variants.run("tree", *arguments)
    assert (result.code, result.stdout) == (code, "")
    assert said in result.stderr


def test_a_package_from_elsewhere(tmp_path: Path) -> None:
    shutil.copy(STORIES / "package-from-elsewhere-added" / "new.toml", tmp_path / "build-lock.toml")
    project = Checkout(root=tmp_path, environment=hermetic(tmp_path, {}))
    tree = project.succeed("tree", "--package", "Flash_Attn").stdout
    assert tree.startswith("flash-attn 2.8.3 for cu124\n├── ninja 1.11.1.3\n")
    assert project.run("tree", "--package", "flash-attn", "--variant", "cpu").code == 1
