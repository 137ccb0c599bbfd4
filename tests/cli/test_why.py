"""`buildlock why`: what a package is locked for, and where it is from."""

import json
import shutil
from pathlib import Path

from index.server import IndexServer
from render_diffs import STORIES
from support.command import Checkout, CopyLockedProject, hermetic


def test_the_seed(locked: CopyLockedProject, server: IndexServer) -> None:
    project = locked("seed", "--variant", "cu124", "--no-dynamic", "--python", "3.11")
    lines = project.succeed("why", "Torch").stdout.splitlines()
    assert lines[0] == "torch 2.4.0+cu124 in cu124"
    assert " ".join(map(str.strip, lines[1:-1])).endswith("/whl/cu124: a source of the project assigns `torch` to it")
    assert lines[-1] == "  torch==2.4.0 → torch 2.4.0+cu124"
    lines = project.succeed("why", "filelock").stdout.splitlines()
    assert lines[-2:] == [
        "  torch==2.4.0 → torch 2.4.0+cu124 → filelock 3.16.1",
        "  torch==2.4.0 → torch 2.4.0+cu124 → triton 3.0.0 → filelock 3.16.1",
    ]
    assert server.exchanges == []


def test_what_holds_a_package_back(locked: CopyLockedProject) -> None:
    project = locked("seed", "--variant", "cu124", "--no-dynamic")
    lines = project.succeed("why", "torch", "--online").stdout.splitlines()
    told = " ".join(map(str.strip, lines))
    assert "2.5.1+cu124 exists; `torch==2.4.0` (pyproject.toml: [build-system].requires) and" in told
    assert "keep it at 2.4.0+cu124 torch==2.4.0 → torch 2.4.0+cu124" in told


def test_the_build_of_a_source(locked: CopyLockedProject) -> None:
    project = locked("sdist-chain")
    value = json.loads(project.succeed("why", "sourcebuilder", "--json").stdout)
    (reason,) = value["reasons"]
    assert reason["build"] == "needs-builder==1.0"
    (chain,) = reason["chains"]
    assert chain == ["needs-builder", "needs-builder 1.0", "built with sourcebuilder", "sourcebuilder 1.0"]


def test_the_same_in_several_variants_is_said_once(tmp_path: Path) -> None:
    shutil.copy(STORIES / "many-variants" / "new.toml", tmp_path / "build-lock.toml")
    project = Checkout(root=tmp_path, environment=hermetic(tmp_path, {}))
    assert project.succeed("why", "numpy", "--target", "3.9").stdout.splitlines() == [
        "numpy 2.0.2 in cpu, cu118, cu121, cu124, rocm6.1",
        "  from the index https://index.example/simple: the default, as no source assigns",
        "    `numpy`",
        "  numpy → numpy 2.0.2 where python_version == '3.9'",
    ]
    result = project.run("why", "numpi")
    assert (result.code, result.stdout) == (2, "")
    assert "did you mean `numpy`?" in result.stderr
