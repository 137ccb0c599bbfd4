"""The requirements export: what it says, and that pip takes it."""

import base64
import hashlib
import io
import os
import shlex
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import uv
from packaging.pylock import Package, PackageArchive, PackageDirectory, PackageSdist, PackageVcs, PackageWheel
from packaging.utils import NormalizedName
from packaging.version import Version

from buildlock.errors import LockfileError
from buildlock.export.requirements import export_requirements
from buildlock.lockfile.reader import read_lockfile
from support.locks import (
    LINUX_311,
    LOCKS,
    make_archive,
    make_cuda_environment,
    make_direct,
    make_environment,
    make_package,
)

HEAD = f"""\
# The build environment `cu124` of `build-lock.toml`, written by
#   buildlock export --variant cu124 --format requirements
# It serves
#   {LINUX_311}

"""


def digest(filename: str) -> str:
    return hashlib.sha256(filename.encode()).hexdigest()


def test_versions_hashes_and_indexes() -> None:
    accelerator = "https://download.pytorch.org/whl/cu124"
    environment = make_environment(
        make_package("torch", "2.4.0+cu124", tags=["cp311-cp311-linux_x86_64"], base=accelerator, index=accelerator),
        make_package("numpy", "2.1.3", tags=["cp311-cp311-linux_x86_64", "cp312-cp312-linux_x86_64"]),
        make_package("tomli", "2.2.1", marker="python_version < '3.11'"),
    )
    numpy = sorted(digest(f"numpy-2.1.3-cp3{minor}-cp3{minor}-linux_x86_64.whl") for minor in (11, 12))
    assert export_requirements(environment, variant="cu124") == (
        f"{HEAD}"
        "--index-url https://index.example/simple\n"
        "--extra-index-url https://download.pytorch.org/whl/cu124\n"
        "\n"
        "numpy==2.1.3 \\\n"
        f"    --hash=sha256:{numpy[0]} \\\n"
        f"    --hash=sha256:{numpy[1]}\n"
        "tomli==2.2.1 ; python_version < '3.11' \\\n"
        f"    --hash=sha256:{digest('tomli-2.2.1-py3-none-any.whl')}\n"
        "torch==2.4.0+cu124 \\\n"
        f"    --hash=sha256:{digest('torch-2.4.0+cu124-cp311-cp311-linux_x86_64.whl')}\n"
    )


def test_the_index_of_most_packages_comes_first() -> None:
    text = export_requirements(make_cuda_environment("cu124", "2.4.0"), variant="cu124")
    assert text.index("--index-url https://index.example/simple") < text.index("--extra-index-url https://download.")


def test_local_files_need_no_index() -> None:
    environment = make_environment(
        make_package("ninja", base="wheels"), make_package("numpy", base=""), make_package("torch", base="../my wheels")
    )
    options = [line for line in export_requirements(environment, variant="cu124").splitlines() if line.startswith("--")]
    assert options == ["--no-index", "--find-links '../my wheels'", "--find-links ./", "--find-links ./wheels"]


def test_a_file_that_is_on_no_index_is_named_itself() -> None:
    environment = make_environment(make_package("ninja", base="https://files.example", index=None))
    assert "--no-index\n--find-links https://files.example/ninja-1.0-py3-none-any.whl\n" in export_requirements(
        environment, variant="cu124"
    )


def test_nothing_is_locked() -> None:
    assert export_requirements(make_environment(), variant="cu124") == f"{HEAD}--no-index\n"


def test_sources() -> None:
    environment = read_lockfile(LOCKS / "valid" / "sources.toml").environment("cpu")
    kept = tuple(package for package in environment.packages if package.name != "near")
    text = export_requirements(replace(environment, packages=kept), variant="cpu")
    head, options, packages = text.split("\n\n")
    built = "Built from source, by pip in environments that are not locked unless `--no-build-isolation` is given"
    assert head.splitlines()[-3:] == [
        f"# {built}: bar, baz, half-wheeled, local, vendored",
        "# No files, and so without the hash that `--require-hashes` asks for: baz, local",
        "# Folders, which uv takes beside hashes, and pip does not: local",
    ]
    assert options.splitlines() == ["--index-url https://index.example/simple", "--find-links ./vendor"]
    assert packages == (
        "bar @ https://files.example/archive/bar-main.zip#subdirectory=python \\\n"
        f"    --hash=sha256:{digest('bar-main.zip')}\n"
        "baz @ git+ssh://git@git.example/team/baz@0123456789abcdef0123456789abcdef01234567#subdirectory=py\n"
        "half-wheeled==2.0 \\\n"
        f"    --hash=sha256:{digest('half_wheeled-2.0.tar.gz')} \\\n"
        f"    --hash=sha256:{digest('half_wheeled-2.0-cp311-cp311-linux_x86_64.whl')}\n"
        "local @ file:./libs/local/core\n"
        "ready @ file:../wheels/ready-1.0-py3-none-any.whl \\\n"
        f"    --hash=sha256:{digest('ready-1.0-py3-none-any.whl')}\n"
        "vendored==3.0 \\\n"
        f"    --hash=sha256:{digest('vendored-3.0.tar.gz')}\n"
        "wheel==0.45.1 \\\n"
        f"    --hash=sha256:{digest('wheel-0.45.1-py3-none-any.whl')}\n"
    )


def test_the_indexes_of_what_is_built() -> None:
    build = make_environment(make_package("builder", index="https://other.example/simple"))
    environment = make_environment(make_direct("foo", archive=make_archive("foo.zip")), builds={"foo==1.0": build})
    text = export_requirements(environment, variant="cpu")
    assert "\n--index-url https://other.example/simple\n" in text
    assert "--no-index" not in text


def test_a_local_repository_has_no_relative_url() -> None:
    package = make_direct("foo", vcs=PackageVcs(type="git", path="../foo.git", commit_id="0" * 40))
    with pytest.raises(LockfileError, match=r"its repository `\.\./foo\.git` has no URL"):
        export_requirements(make_environment(package), variant="cpu")


@pytest.mark.parametrize(
    "package",
    [
        make_package("ninja", base="${HOME}"),
        make_package("ninja", base="wheels #1"),
        make_package("ninja", marker="os_name != 'a #b'"),
    ],
    ids=["variable", "comment", "marker"],
)
def test_what_pip_would_misread(package: Package) -> None:
    with pytest.raises(LockfileError, match="cannot be said in a requirements file"):
        export_requirements(make_environment(package), variant="cu124")


def test_urls_are_quoted_where_a_shell_would_split_them() -> None:
    package = make_package("ninja", index="https://index.example/it's?a=1&b=2")
    text = export_requirements(make_environment(package), variant="cu124")
    [option] = [line for line in text.splitlines() if line.startswith("--")]
    assert shlex.split(option) == ["--index-url", "https://index.example/it's?a=1&b=2"]


def build_wheel(folder: Path, name: str, version: str, content: str = "") -> PackageWheel:
    """A real wheel with one module, in `folder`."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": content,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},sha256={encode(text)},{len(text)}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for path, text in files.items():
            file.writestr(path, text)
    filename = f"{name}-{version}-py3-none-any.whl"
    (folder / filename).write_bytes(archive.getvalue())
    return PackageWheel(
        path=f"{folder.name}/{filename}", hashes={"sha256": hashlib.sha256(archive.getvalue()).hexdigest()}
    )


def encode(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def pip_install(requirements: Path, target: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "install", "--no-cache-dir"]
    return subprocess.run(
        [*command, "--require-hashes", "--target", target, "-r", requirements],
        cwd=requirements.parent,
        env={"PIP_CONFIG_FILE": os.devnull, "PATH": "", "SYSTEMROOT": os.environ.get("SYSTEMROOT", "")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_pip_installs_it_and_refuses_another_file(tmp_path: Path) -> None:
    folder = tmp_path / "my wheels"
    wheels = {
        ("alpha", "1.0"): build_wheel(folder, "alpha", "1.0", "built = 'plain'"),
        ("beta", "2.0+cu124"): build_wheel(folder, "beta", "2.0+cu124", "built = 'cu124'"),
    }
    build_wheel(folder, "beta", "2.0+cu125", "built = 'cu125'")
    environment = make_environment(
        *(
            Package(name=NormalizedName(name), version=Version(version), wheels=[wheel])
            for (name, version), wheel in wheels.items()
        )
    )
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(export_requirements(environment, variant="cu124"), encoding="utf-8")

    installed = pip_install(requirements, tmp_path / "site")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    assert (tmp_path / "site" / "beta.py").read_text(encoding="utf-8") == "built = 'cu124'"
    assert (tmp_path / "site" / "alpha.py").exists()

    build_wheel(folder, "beta", "2.0+cu124", "built = 'otherwise'")
    refused = pip_install(requirements, tmp_path / "other")
    assert refused.returncode != 0
    assert "DO NOT MATCH THE HASHES" in refused.stderr


BACKEND = """
import os, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "gamma-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as file:
        file.writestr("gamma.py", "built = 'here'")
        file.writestr("gamma-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: gamma\\nVersion: 1.0\\n")
        file.writestr("gamma-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        file.writestr("gamma-1.0.dist-info/RECORD", "")
    return name
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


def build_source(folder: Path) -> Path:
    """A real project in `folder`, and beside it an archive of it."""
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    (folder / "backend.py").write_text(BACKEND, encoding="utf-8")
    archive = folder.with_name(f"{folder.name}.tar.gz")
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, arcname=folder.name)
    return archive


def uv_install(requirements: Path, target: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [uv.find_uv_bin(), "--no-config", "pip", "install", "--python", sys.executable]
    return subprocess.run(
        [*command, "--no-cache", *options, "--target", target, "-r", requirements],
        cwd=requirements.parent,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("kind", ["sdist", "archive"])
def test_pip_and_uv_build_what_is_locked_and_nothing_else(tmp_path: Path, kind: str) -> None:
    archive = build_source(tmp_path / "my sources" / "gamma-1.0")
    path, hashes = f"{archive.parent.name}/{archive.name}", {"sha256": hashlib.sha256(archive.read_bytes()).hexdigest()}
    package = Package(
        name=NormalizedName("gamma"),
        version=Version("1.0"),
        sdist=PackageSdist(path=path, hashes=hashes) if kind == "sdist" else None,
        archive=PackageArchive(path=path, hashes=hashes) if kind == "archive" else None,
    )
    environment = make_environment(package, builds={"gamma==1.0": make_environment()})
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(export_requirements(environment, variant="cpu"), encoding="utf-8")

    for number, done in enumerate(
        [pip_install(requirements, tmp_path / "0"), uv_install(requirements, tmp_path / "1", "--require-hashes")]
    ):
        assert done.returncode == 0, done.stdout + done.stderr
        assert (tmp_path / str(number) / "gamma.py").read_text(encoding="utf-8") == "built = 'here'"

    (tmp_path / "my sources" / "gamma-1.0" / "more").touch()
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(tmp_path / "my sources" / "gamma-1.0", arcname="gamma-1.0")
    assert pip_install(requirements, tmp_path / "2").returncode != 0
    assert uv_install(requirements, tmp_path / "3", "--require-hashes").returncode != 0


def test_uv_takes_a_folder_beside_hashes(tmp_path: Path) -> None:
    build_source(tmp_path / "my sources" / "gamma-1.0")
    wheel = build_wheel(tmp_path / "wheels", "alpha", "1.0")
    environment = make_environment(
        Package(name=NormalizedName("alpha"), version=Version("1.0"), wheels=[wheel]),
        make_direct("gamma", directory=PackageDirectory(path="my sources", subdirectory="gamma-1.0")),
        builds={"gamma==1.0": make_environment()},
    )
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(export_requirements(environment, variant="cpu"), encoding="utf-8")
    done = uv_install(requirements, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "gamma.py").exists()
    assert "they point to directories" in pip_install(requirements, tmp_path / "other").stderr
