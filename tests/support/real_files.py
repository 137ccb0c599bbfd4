"""Wheels and sdists of the real index, each downloaded, opened and unpacked: none of them may be refused.

They are of the packages that the build requirements of `fixtures/projects/real-build-systems.toml` resolve to, and of
the backends that others build with: of each, the newest releases.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from packaging.tags import sys_tags
from packaging.utils import NormalizedName

from buildlock.artifacts import Artifact
from buildlock.environment.sdist import open_sdist
from buildlock.environment.wheel import open_wheel
from buildlock.errors import BuildlockError
from buildlock.index.asking import ask_index
from buildlock.index.download import download
from buildlock.index.http import HttpClient
from buildlock.project.default_index import ask_pip
from buildlock.project.model import Index
from buildlock.project.network import CertificatePath, Network
from buildlock.reporting import silence

NAMES = (
    "beniget", "calver", "cffi", "cython", "expandvars", "flit-core", "gast", "hatch-fancy-pypi-readme", "hatch-vcs",
    "hatchling", "jinja2", "markupsafe", "maturin", "meson", "meson-python", "mypy-extensions", "nanobind", "ninja",
    "numpy", "packaging", "pathspec", "pbr", "pdm-backend", "pluggy", "ply", "poetry-core", "psutil", "pybind11",
    "pycparser", "pyproject-metadata", "pythran", "pyyaml", "scikit-build", "scikit-build-core", "semantic-version",
    "setuptools", "setuptools-rust", "setuptools-scm", "tomli", "trove-classifiers", "typing-extensions",
    "versioneer", "wheel",
)  # fmt: skip
RELEASES = 8
"""Of each package, the newest."""
LARGEST = 20 << 20
"""Bytes. A few are larger, and nothing else."""


@dataclass(frozen=True)
class RealFile:
    """A file, and why it is refused; `None` where it is accepted."""

    artifact: Artifact
    refusal: str | None


def try_real_files() -> Iterator[RealFile]:
    """Download and open each; about 300 MB."""
    index = ask_pip(os.environ)
    assert index is not None, "there is no pip that knows the index"
    certificates = os.environ.get("PIP_CERT")
    authorities = (CertificatePath(path=Path(certificates), origin="PIP_CERT"),) if certificates else ()
    with (
        HttpClient(cache_dir=None, report=silence, network=Network(authorities=authorities)) as client,
        tempfile.TemporaryDirectory() as temporary,
        ThreadPoolExecutor(4) as pool,
    ):
        artifacts = [artifact for name in NAMES for artifact in choose(index, NormalizedName(name), client)]
        yield from pool.map(lambda artifact: try_file(artifact, client, Path(temporary)), artifacts)


def choose(index: Index, name: NormalizedName, client: HttpClient) -> Iterator[Artifact]:
    """Of each of the newest releases the sdist, and the wheel that this machine would use."""
    page = ask_index(index, name, client, silence)
    assert page is not None, name
    ranks = {tag: rank for rank, tag in enumerate(sys_tags())}
    offered = [each for each in page.artifacts if each.size is not None and each.size <= LARGEST]
    for version in sorted({each.version for each in offered if not each.version.is_prerelease})[-RELEASES:]:
        files = [each for each in offered if each.version == version]
        yield from (each for each in files if each.kind == "sdist")
        fitting = [each for each in files if each.tags & ranks.keys()]
        if fitting:
            yield min(fitting, key=lambda each: min(ranks[tag] for tag in each.tags & ranks.keys()))


def try_file(artifact: Artifact, client: HttpClient, folder: Path) -> RealFile:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        path, tree = Path(own, "archive"), Path(own, "tree")
        tree.mkdir()
        download(
            client,
            artifact.url,
            path,
            filename=artifact.filename,
            sha256=artifact.hashes.get("sha256"),
            size=artifact.size,
            report=silence,
        )
        try:
            if artifact.kind == "wheel":
                with open_wheel(path, filename=artifact.filename) as wheel:
                    wheel.unpack(tree)
            else:
                with open_sdist(path, filename=artifact.filename) as sdist:
                    sdist.unpack(tree)
        except BuildlockError as error:
            return RealFile(artifact, error.message)
    return RealFile(artifact, None)


def main() -> int:
    """Say which are refused."""
    found = list(try_real_files())
    for each in found:
        if each.refusal is not None:
            sys.stdout.write(f"{each.refusal}\n")
    counts = [sum(each.artifact.kind == kind for each in found) for kind in ("wheel", "sdist")]
    sys.stdout.write(f"{counts[0]} wheels, {counts[1]} sdists\n")
    return int(any(each.refusal for each in found))


if __name__ == "__main__":
    sys.exit(main())
