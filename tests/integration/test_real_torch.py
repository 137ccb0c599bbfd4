"""A C++ extension of the real PyTorch, built for two variants, each against its own torch, imported and run."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.offer import OfferedFile
from index.server import IndexServer, serve
from projects import copy_project

VERSIONS = {"cpu": "2.13.0", "cuda": "2.14.1"}
"""What the project's extras pin."""
USE = """
import torch, torch_extension
one = torch.ones(3)
assert torch_extension.add_twice(one, one).tolist() == [3.0, 3.0, 3.0]
print(torch_extension.built_against(), torch_extension.header_version(), torch.__version__)
"""

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the CPU build of PyTorch at hand is for Python 3.11"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexServer]:
    """The CPU build of PyTorch, on an accelerator's index."""
    folder = tmp_path_factory.mktemp("torch")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", f"torch=={VERSIONS['cpu']}"]
    subprocess.run([*command, "--dest", str(folder)], check=True)
    (wheel,) = folder.glob("torch-*.whl")
    with serve({"cpu": [OfferedFile(filename=wheel.name, content=wheel.read_bytes())]}) as server:
        yield server


def test_each_variant_is_built_against_its_own_torch(server: IndexServer, tmp_path: Path) -> None:
    project = copy_project("torch-extension", tmp_path, server.root)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_", "BUILDLOCK_"))}
    environ = {**kept, "BUILDLOCK_CACHE_DIR": str(tmp_path / "cache"), "MAX_JOBS": "2"}

    def buildlock(*arguments: str) -> str:
        command = [sys.executable, "-m", "buildlock", *arguments, "--project", str(project)]
        return subprocess.run(command, env=environ, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    for variant, version in VERSIONS.items():
        buildlock("lock", "--variant", variant)
        wheel = Path(buildlock("build", "--quiet", "--variant", variant, "--out-dir", str(tmp_path / variant)))
        environment = Path(buildlock("install", "--quiet", "--variant", variant))
        zipfile.ZipFile(wheel).extractall(tmp_path / variant / "unpacked")
        use = [str(environment / "bin" / "python"), "-c", USE]
        unpacked = {**kept, "PYTHONPATH": str(tmp_path / variant / "unpacked")}
        answer = subprocess.run(use, env=unpacked, check=True, stdout=subprocess.PIPE, text=True).stdout
        built_against, header, imported = answer.split()
        assert built_against == imported
        assert (built_against.partition("+")[0], header.partition("+")[0]) == (version, version)
