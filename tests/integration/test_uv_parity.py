"""The same configuration, the same indexes: uv and buildlock must take the same version from the same index."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import uv

from index.offer import OfferedFile, offer_sdist, offer_wheel
from index.server import IndexServer, serve
from support.command import Checkout, hermetic, run_process
from support.small_universe import describe_sdist

pytestmark = pytest.mark.slow

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

INDEXES = ("simple", "cpu", "cu118", "cu124")
"""Each has a `probe` of its own version, which tells the index that served it."""

DEFAULT = {"UV_DEFAULT_INDEX": "{simple}"}
CPU = '[[tool.uv.index]]\nname = "cpu"\nurl = "{cpu}"\n'
CU118 = '[[tool.uv.index]]\nname = "cu118"\nurl = "{cu118}"\n'
SOURCE = '[tool.uv.sources]\nprobe = { index = "cpu" }\n'

PROJECTS = {
    "nothing": "",
    "two-indexes": CU118 + CPU,
    "best-match": 'index-strategy = "unsafe-best-match"\n' + CPU + CU118,
    "first-match": 'index-strategy = "unsafe-first-match"\nconstraint-dependencies = ["probe>2"]\n' + CPU + CU118,
    "explicit": CPU + "explicit = true\n",
    "explicit-assigned": CPU + "explicit = true\n" + SOURCE,
    "default": CPU + "default = true\n",
    "default-assigned": CPU + "default = true\n" + CU118 + SOURCE,
    "index-url": 'index-url = "{cu118}"\n',
    "extra-index-url": 'extra-index-url = ["{cu118}"]\n' + CPU,
    "constraint": 'constraint-dependencies = ["probe<1.5"]\n',
    "override": 'override-dependencies = ["probe==1.0"]\n',
    "prerelease": 'prerelease = "allow"\n',
    "prerelease-named": 'constraint-dependencies = ["probe==1.1b1"]\n',
    "prerelease-only": 'constraint-dependencies = ["probe>1.0,<1.5"]\n',
    "exclude-newer": 'exclude-newer = "2021-01-31T00:00:00Z"\n',
    "exclude-newer-package": 'exclude-newer = "2020-01-31T00:00:00Z"\nexclude-newer-package = { probe = false }\n',
}

VARIABLES = {
    "UV_INDEX": {"UV_INDEX": "{cu124}"},
    "UV_INDEX of that name": {"UV_INDEX": "cpu={cu124}"},
    "UV_EXTRA_INDEX_URL": {"UV_EXTRA_INDEX_URL": "{cu124}"},
    "UV_PRERELEASE": {"UV_PRERELEASE": "disallow"},
    # Of these indexes only the default one dates its files.
    "UV_EXCLUDE_NEWER": {"UV_EXCLUDE_NEWER": "2021-06-01", "UV_INDEX": "{simple}"},
    "UV_INDEX_STRATEGY": {"UV_INDEX_STRATEGY": "unsafe-best-match"},
    "UV_NO_CONFIG": {"UV_NO_CONFIG": "1"},
}


SCENARIOS = sorted(
    path
    for pattern in ("newer-version-has-*", "no-b*", "only-sdists*", "sdist-*")
    for path in Path(__file__, "../../../fixtures/scenarios").resolve().glob(f"{pattern}.toml")
)
"""Those of the resolver about sdists; the metadata of theirs is static, so uv builds none."""


@pytest.fixture(scope="module")
def server() -> Iterator[IndexServer]:
    universe = {name: list(offer(number)) for number, name in enumerate(INDEXES, start=1)}
    with serve(universe) as running:
        yield running


def offer(number: int) -> Iterator[OfferedFile]:
    versions = {"0": "2020", "1b1": "2021", "5": "2022"}
    for minor, year in versions.items():
        yield offer_wheel(name="probe", version=f"{number}.{minor}", upload_time=f"{year}-01-01T12:00:00Z")


@pytest.mark.parametrize("text", PROJECTS.values(), ids=PROJECTS)
def test_of_the_project(server: IndexServer, tmp_path: Path, text: str) -> None:
    project = write_project(server, tmp_path, text, {})
    assert lock(project) == lock_with_uv(project)


@pytest.mark.parametrize("variables", VARIABLES.values(), ids=VARIABLES)
def test_of_the_environment(server: IndexServer, tmp_path: Path, variables: dict[str, str]) -> None:
    project = write_project(server, tmp_path, 'prerelease = "allow"\n' + CPU, variables)
    assert lock(project) == lock_with_uv(project)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_of_the_sdists_in_a_scenario(path: Path, tmp_path: Path) -> None:
    scenario = tomllib.loads(path.read_text(encoding="utf-8"))
    (packages,) = scenario["universe"].values()
    (tmp_path / "requirements.in").write_text("\n".join(scenario["requires"]), encoding="utf-8")
    options = ["--python-version", "3.11.0", "--python-platform", "x86_64-manylinux_2_17", "--no-cache"]
    for name, value in scenario.get("settings", {}).items():
        if name == "exclude_newer":
            options += ["--exclude-newer", value.isoformat()]
        else:
            option = "--no-binary" if name.startswith("no_binary") else "--only-binary"
            options += [option, ":all:" if value is True else ",".join(value)]
    with serve({"simple": list(offer_scenario(packages))}) as server:
        environment = hermetic(tmp_path, {**server.environment, "NO_PROXY": "127.0.0.1"})
        command = [uv.find_uv_bin(), "pip", "compile", "requirements.in", "--no-annotate", "--no-header", *options]
        result = run_process(*command, cwd=tmp_path, environment=environment)
    if "error" in scenario["expected"]:
        assert "No solution found" in result.stderr
        return
    assert result.code == 0, result
    pins = dict(line.split("==") for line in result.stdout.splitlines())
    assert pins == scenario["expected"]["pins"]


def offer_scenario(packages: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[OfferedFile]:
    """The files of a scenario as real ones, whose pages say what their metadata says."""
    for name, versions in packages.items():
        for version, entry in versions.items():
            sdist = describe_sdist(entry) if entry.get("sdist") else None
            for tag in entry.get("wheels", ["py3-none-any"]):
                yield offer_wheel(name=name, version=version, tag=tag, **describe(entry))
            for extension in (sdist or {}).get("formats", ["tar.gz"] if sdist else []):
                yield offer_sdist(name=name, version=version, extension=extension, files={}, **describe(sdist or {}))


def describe(entry: Mapping[str, Any]) -> dict[str, Any]:
    uploaded, yanked = entry.get("uploaded"), entry.get("yanked")
    return {
        "requires": entry.get("requires", []),
        "requires_python": entry.get("requires-python", entry.get("metadata-requires-python")),
        "upload_time": uploaded.isoformat() if uploaded else None,
        "yanked": None if yanked is False else yanked,
    }


def write_project(server: IndexServer, folder: Path, text: str, variables: dict[str, str]) -> Checkout:
    text = f"""
[project]
name = "tried"
version = "1"
requires-python = ">=3.10"
dependencies = ["probe"]
[build-system]
requires = ["probe"]
build-backend = "none"
[tool.uv]
package = false
{text}"""
    variables = {**DEFAULT, **variables}
    for name in INDEXES:
        text = text.replace(f"{{{name}}}", server.url(name))
        variables = {key: value.replace(f"{{{name}}}", server.url(name)) for key, value in variables.items()}
    # The default index of the project goes before the environment's: that is ours alone.
    if "default = true" in text or "index-url =" in text.replace("extra-index-url", ""):
        del variables["UV_DEFAULT_INDEX"]
    root = folder / "project"
    root.mkdir()
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    return Checkout(root=root, environment=hermetic(folder, {**variables, "NO_PROXY": "127.0.0.1"}))


def lock(project: Checkout) -> tuple[str, str]:
    project.succeed("lock", "--no-dynamic")
    probe = project.packages()["probe"]
    return probe["version"], probe["index"]


def lock_with_uv(project: Checkout) -> tuple[str, str]:
    command = [uv.find_uv_bin(), "lock", "--no-cache", "--python", sys.executable]
    result = run_process(*command, cwd=project.root, environment=project.environment)
    assert result.code == 0, result
    packages = tomllib.loads((project.root / "uv.lock").read_text(encoding="utf-8"))["package"]
    probe = next(package for package in packages if package["name"] == "probe")
    return probe["version"], probe["source"]["registry"]
