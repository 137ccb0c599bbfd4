"""What the documents say of cibuildwheel, read by cibuildwheel, and run as it runs a frontend."""

import re
import shutil
import sys
from pathlib import Path

import pytest
import uv

from index.server import IndexServer
from support.command import CopyLockedProject, run_process

if sys.version_info < (3, 11):
    pytest.skip("cibuildwheel needs Python 3.11", allow_module_level=True)

from cibuildwheel.frontend import BuildFrontendName, get_build_frontend_extra_flags
from cibuildwheel.options import BuildOptions, CommandLineArguments, compute_options

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[2] / "docs" / "ci.md"
TABLES = re.findall(r"```toml\n(\[tool\.cibuildwheel\].*?)```", DOCUMENT.read_text(), re.DOTALL)
VARIABLE = re.search(r'`CIBW_BUILD_FRONTEND="(.*?)"`', DOCUMENT.read_text())
GLIBC, MUSL = "cp311-manylinux_x86_64", "cp311-musllinux_x86_64"


def read(folder: Path, table: str, identifier: str, **variables: str) -> BuildOptions:
    (folder / "pyproject.toml").write_text(f'[project]\nname = "x"\nversion = "1"\n\n{table}')
    arguments = CommandLineArguments.defaults()
    arguments.package_dir = folder
    return compute_options("linux", arguments, variables).build_options(identifier)


def list_flags(options: BuildOptions) -> tuple[BuildFrontendName, list[str]]:
    return options.build_frontend.name, get_build_frontend_extra_flags(options.build_frontend, 0, "")


def test_the_tables_say_what_is_meant(tmp_path: Path) -> None:
    by_uv, by_pip, by_platform = TABLES
    assert list_flags(read(tmp_path, by_uv, GLIBC)) == (
        "uv",
        ["--build-constraint", "constraints.cu124.txt", "--require-hashes"],
    )
    assert list_flags(read(tmp_path, by_pip, GLIBC)) == (
        "pip",
        ["--build-constraint", "constraints.cu124.txt", "--no-index"],
    )
    assert "constraints.glibc.txt" in list_flags(read(tmp_path, by_platform, GLIBC))[1]
    assert "constraints.musl.txt" in list_flags(read(tmp_path, by_platform, MUSL))[1]


def test_the_variables_say_what_is_meant(tmp_path: Path) -> None:
    assert VARIABLE is not None
    assert list_flags(read(tmp_path, "", GLIBC, CIBW_BUILD_FRONTEND=VARIABLE[1])) == list_flags(
        read(tmp_path, TABLES[0], GLIBC)
    )
    options = read(tmp_path, "", GLIBC, CIBW_ENVIRONMENT="BUILDLOCK_VARIANT=cu124")
    assert options.environment.as_dictionary({})["BUILDLOCK_VARIANT"] == "cu124"


@pytest.mark.parametrize("number", [0, 1], ids=["uv", "pip"])
def test_a_frontend_run_so_builds_from_the_lock(
    locked: CopyLockedProject, setuptools_server: IndexServer, tmp_path: Path, number: int
) -> None:
    name, flags = list_flags(read(tmp_path, TABLES[number], GLIBC))
    project = locked("seed", "--variant", "cu124", "--no-dynamic")
    project.succeed("lock", "--variant", "cu124", "--quiet", UV_DEFAULT_INDEX=setuptools_server.url())
    project.succeed("export", "--all", "--format", "constraints", "--output", ".")
    commands: dict[str, list[str | Path]] = {
        "uv": [uv.find_uv_bin(), "build", f"--python={sys.executable}", project.root, "--wheel", "--out-dir=out"],
        "pip": [sys.executable, "-m", "pip", "wheel", project.root, "--wheel-dir=out", "--no-deps"],
    }
    variables = {**project.environment, "UV_CACHE_DIR": str(tmp_path / "uv"), "UV_NO_CONFIG": "1"}
    built = run_process(*commands[name], *flags, cwd=project.root, environment=variables)
    assert built.code == 0
    (wheel,) = (project.root / "out").glob("*.whl")
    shutil.unpack_archive(wheel, tmp_path / "unpacked", "zip")
    ask = [sys.executable, "-c", "import seed_ext; print(seed_ext.built_against())"]
    said = run_process(*ask, cwd=tmp_path / "unpacked", environment=project.environment).stdout
    assert said == "2.4.0+cu124\n"
