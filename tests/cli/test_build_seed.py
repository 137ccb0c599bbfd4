"""The main job: the seed's extension, compiled by the real setuptools against the torch of each variant."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from index.server import IndexServer
from projects import copy_project
from support.command import Checkout, hermetic


def ask_extension(wheel: Path, destination: Path) -> str:
    """The version of torch that the compiled extension remembers."""
    zipfile.ZipFile(wheel).extractall(destination)
    ask = f"import sys; sys.path.insert(0, {str(destination)!r}); import seed_ext; print(seed_ext.built_against())"
    return subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.skipif(sys.platform == "darwin", reason="there is no CUDA for macOS")
def test_each_variant_is_built_against_its_own_torch(setuptools_server: IndexServer, tmp_path: Path) -> None:
    root = copy_project("seed", tmp_path, setuptools_server.root)
    seed = Checkout(root=root, environment=hermetic(tmp_path, setuptools_server.environment))
    seed.append('[tool.buildlock.variants.cu118]\nrequires = ["torch==2.2.0"]')
    seed.succeed("lock", "--all")
    # One after the other in the same tree, and back: nothing that one build compiled may get into the next.
    for number, (variant, torch) in enumerate(
        [("cu124", "2.4.0+cu124"), ("cu118", "2.2.0+cu118"), ("cu124", "2.4.0+cu124")]
    ):
        result = seed.succeed("build", "--variant", variant, "--out-dir", tmp_path / variant)
        assert f"for {variant} against torch {torch}\n" in result.stderr
        assert ask_extension(Path(result.stdout.strip()), tmp_path / f"site-{number}") == torch
