"""`buildlock lock`: every setting reaches the resolution, whoever says it."""

from pathlib import Path

import pytest

from index.offer import offer_wheel
from index.server import IndexServer, serve
from projects import copy_project
from support.command import Checkout, CopyProject, hermetic


@pytest.fixture
def project(checkout: CopyProject) -> Checkout:
    """It requires filelock, of which the index has 3.15.4, 3.16.1 and 3.17.0rc1."""
    tiny = checkout("tiny")
    tiny.replace('requires = ["tinybackend"]', 'requires = ["filelock"]')
    return tiny


def test_without_any_the_newest_stable_version(project: Checkout) -> None:
    project.succeed("lock", "--no-dynamic")
    assert project.versions() == {"filelock": "3.16.1"}
    assert "settings" not in project.locked()["inputs"]


@pytest.mark.parametrize(
    ("setting", "version", "recorded"),
    [
        pytest.param(
            '[tool.uv]\nprerelease = "allow"',
            "3.17.0rc1",
            {"settings": {"prerelease": "allow"}},
            id="prerelease",
        ),
        pytest.param(
            '[tool.uv]\nexclude-newer = "2024-07-01T00:00:00Z"',
            "3.15.4",
            {"settings": {"exclude-newer": "2024-07-01T00:00:00Z"}},
            id="exclude-newer",
        ),
        pytest.param(
            '[tool.uv]\nbuild-constraint-dependencies = ["filelock<3.16"]',
            "3.15.4",
            {"constraints": ["filelock<3.16"]},
            id="build-constraint-dependencies",
        ),
        pytest.param(
            '[tool.uv]\nconstraint-dependencies = ["filelock<3.16"]',
            "3.15.4",
            {"constraints": ["filelock<3.16"]},
            id="constraint-dependencies",
        ),
        pytest.param(
            '[tool.uv]\noverride-dependencies = ["filelock==3.15.4"]',
            "3.15.4",
            {"overrides": ["filelock==3.15.4"]},
            id="override-dependencies",
        ),
        pytest.param(
            '[tool.buildlock]\nconstraints = ["filelock<3.16"]',
            "3.15.4",
            {"constraints": ["filelock<3.16"]},
            id="buildlock-constraints",
        ),
        pytest.param(
            '[tool.buildlock]\nprerelease = "allow"',
            "3.17.0rc1",
            {"settings": {"prerelease": "allow"}},
            id="buildlock-prerelease",
        ),
    ],
)
def test_of_the_project(project: Checkout, setting: str, version: str, recorded: dict[str, object]) -> None:
    project.append(setting)
    project.succeed("lock", "--no-dynamic")
    assert project.versions() == {"filelock": version}
    inputs = project.locked()["inputs"]
    assert {key: inputs[key] for key in recorded} == recorded
    assert project.run("check").code == 0


@pytest.mark.parametrize(
    ("variable", "value", "version"),
    [
        ("UV_PRERELEASE", "allow", "3.17.0rc1"),
        ("UV_EXCLUDE_NEWER", "2024-07-01T00:00:00Z", "3.15.4"),
        ("UV_BUILD_CONSTRAINT", "limits.txt", "3.15.4"),
        ("PIP_CONSTRAINT", "limits.txt", "3.15.4"),
        ("UV_OVERRIDE", "limits.txt", "3.15.4"),
    ],
)
def test_of_the_environment(project: Checkout, variable: str, value: str, version: str) -> None:
    (project.root / "limits.txt").write_text("filelock<3.16\n", encoding="utf-8")
    project.succeed("lock", "--no-dynamic", **{variable: value})
    assert project.versions() == {"filelock": version}
    # It is this machine's: the lock does not record it, and is fresh where it is not set.
    assert project.locked()["inputs"].keys() == {"requires", "backend"}
    assert project.run("check").code == 0


def test_an_override_of_the_environment_cannot_contradict_what_is_required(project: Checkout) -> None:
    project.replace('"filelock"', '"filelock>=3.16"')
    (project.root / "limits.txt").write_text("filelock<3.16\n", encoding="utf-8")
    result = project.run("lock", "--no-dynamic", UV_OVERRIDE="limits.txt")
    assert result.code == 1
    assert "contradicts what the project requires" in result.stderr
    assert "filelock>=3.16  pyproject.toml" in result.stderr
    assert "limits.txt: line 1" in result.stderr
    assert "override-dependencies = ['filelock<3.16']" in result.stderr
    assert not project.lock_path.exists()


def test_find_links_of_the_environment_are_no_input(project: Checkout, tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    file = offer_wheel(name="filelock", version="3.16.5")
    (links / file.filename).write_bytes(file.content)
    project.succeed("lock", "--no-dynamic", UV_FIND_LINKS=str(links))
    assert project.packages()["filelock"]["wheels"][0]["path"] == f"../links/{file.filename}"
    assert "find-links" not in project.lock_path.read_text(encoding="utf-8")
    assert project.run("check").code == 0


def test_no_binary_leaves_nothing_where_there_is_no_sdist(project: Checkout) -> None:
    project.append('[tool.uv]\nno-binary-package = ["filelock"]')
    result = project.run("lock", "--no-dynamic")
    assert result.code == 1
    assert "no-binary" in result.stderr


@pytest.mark.parametrize(("strategy", "version"), [(None, "1.0"), ("unsafe-best-match", "2.0")])
def test_index_strategy(tmp_path: Path, strategy: str | None, version: str) -> None:
    universe = {"simple": [offer_wheel(name="foo", version="2.0")], "cpu": [offer_wheel(name="foo", version="1.0")]}
    with serve(universe) as server:
        tiny = Checkout(
            root=copy_project("tiny", tmp_path, server.root), environment=hermetic(tmp_path, server.environment)
        )
        tiny.replace('requires = ["tinybackend"]', 'requires = ["foo"]')
        tiny.append(f'[[tool.uv.index]]\nname = "first"\nurl = "{server.url("cpu")}"')
        if strategy is not None:
            tiny.append(f'[tool.uv]\nindex-strategy = "{strategy}"')
        tiny.succeed("lock", "--no-dynamic")
        assert tiny.versions() == {"foo": version}


def test_the_default_index_of_the_command_line_counts_most(project: Checkout, server: IndexServer) -> None:
    project.succeed(
        "lock", "--no-dynamic", "--default-index", server.url(), UV_DEFAULT_INDEX="http://127.0.0.1:9/simple"
    )
    assert project.packages()["filelock"]["index"] == server.url()


def test_no_index_at_all(project: Checkout) -> None:
    result = project.run("lock", "--no-dynamic", "--no-index")
    assert result.code == 1
    assert "`filelock`" in result.stderr
    assert "no-index" in result.stderr


def test_what_is_not_supported_is_named_in_one_warning(project: Checkout) -> None:
    project.append('[tool.uv]\nresolution = "lowest"\nrequired-environments = ["sys_platform == \'linux\'"]')
    result = project.succeed("lock", "--no-dynamic", UV_TORCH_BACKEND="auto")
    assert result.stderr.count("warning:") == 1
    for setting in ("resolution", "UV_TORCH_BACKEND"):
        assert setting in result.stderr
