"""Real projects' build requirements against the real index, compared with what `uv pip compile` picks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import uv
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = Path(__file__).parents[2] / "fixtures" / "projects" / "real-build-systems.toml"
PROJECTS: dict[str, dict[str, list[str]]] = tomllib.loads(FILE.read_text(encoding="utf-8"))
HERMETIC = {
    key: value
    for key, value in os.environ.items()
    if not key.startswith(("PIP_", "UV_", "BUILDLOCK_")) or key in {"PIP_CERT", "UV_CACHE_DIR"}
}


@pytest.mark.heavy
@pytest.mark.parametrize("name", sorted(PROJECTS))
def test_picks_what_uv_picks(name: str, tmp_path: Path) -> None:
    requires = PROJECTS[name]["requires"]
    assert lock(requires, tmp_path) == compile_with_uv(requires, tmp_path)


def lock(requires: list[str], folder: Path) -> dict[str, str]:
    array = ", ".join(f'"{requirement}"' for requirement in requires)
    text = f'[build-system]\nrequires = [{array}]\nbuild-backend = "none"\n'
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "buildlock", "lock", "--no-dynamic", "--project", str(folder)]
    subprocess.run(command, env={**HERMETIC, "BUILDLOCK_CACHE_DIR": str(folder / "cache")}, check=True)
    locked = tomllib.loads((folder / "build-lock.toml").read_text(encoding="utf-8"))
    return {package["name"]: package["version"] for package in locked["variants"]["default"]["packages"]}


def compile_with_uv(requires: list[str], folder: Path) -> dict[str, str]:
    source = folder / "requirements.in"
    source.write_text("\n".join(requires), encoding="utf-8")
    options = ["--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:", "--no-config"]
    command = [uv.find_uv_bin(), "pip", "compile", *options, "--python", sys.executable, str(source)]
    output = subprocess.run(command, env=HERMETIC, check=True, capture_output=True, text=True).stdout
    pins = (line.split("==") for line in output.splitlines() if "==" in line)
    return {canonicalize_name(name): version.split()[0] for name, version in pins}
