"""The uv.toml beside the project, the user's and the machine's configuration, and pip's built-in index."""

import os
import site
import sys
from pathlib import Path

import pytest

from buildlock.project import reader
from buildlock.project.configuration import read_pip_index, read_uv_files
from buildlock.project.default_index import ask_pip
from buildlock.project.faults import Faults
from buildlock.project.model import Overrides
from buildlock.reporting import Event, Warned, silence
from unit.project import conftest

PYPROJECT = """
[build-system]
requires = ["torch"]
[tool.uv]
prerelease = "allow"
constraint-dependencies = ["numpy<2"]
[[tool.uv.index]]
name = "a"
url = "https://a.example"
[tool.uv.sources]
torch = { index = "a" }
"""
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="the places differ on Windows")


def test_a_uv_toml_stands_in_for_the_settings_of_pyproject(
    tmp_path: Path, read: conftest.Read, events: list[Event]
) -> None:
    (tmp_path / "uv.toml").write_text("exclude-newer = '2025-01-01'\n[[index]]\nurl = './local'")
    inputs = read(PYPROJECT).inputs["default"]
    assert inputs.settings.prerelease == "if-necessary-or-explicit"
    assert inputs.settings.exclude_newer is not None
    # The index of pyproject.toml serves what sources assign to it, and its constraints hold.
    assert [(index.location, index.explicit) for index in inputs.settings.indexes] == [
        ((tmp_path / "local").as_uri(), False),
        ("https://a.example", True),
        (conftest.DEFAULT_INDEX, False),
    ]
    assert [rule.index and rule.index.name for rule in inputs.sources[conftest.TORCH]] == ["a"]
    assert [str(each.requirement) for each in inputs.constraints] == ["numpy<2"]
    (warning,) = (event for event in events if isinstance(event, Warned))
    assert warning.message.endswith("`[tool.uv]` in pyproject.toml: `prerelease`, `index`")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sources = {}", "`uv.toml: sources` is not allowed here"),
        ("conflicts = []", "`uv.toml: conflicts` is not allowed here"),
        ("prerelease = 1", "`uv.toml: prerelease` must be a string"),
        ("[[index]]", "`uv.toml: [index][0].url` is missing"),
        ("?", "`uv.toml` is not valid TOML"),
    ],
)
def test_a_uv_toml_has_its_own_faults(tmp_path: Path, faults: conftest.Faults, text: str, message: str) -> None:
    (tmp_path / "uv.toml").write_text(text)
    assert message in faults("")


@pytest.mark.parametrize("variable", ["UV_NO_CONFIG", "UV_CONFIG_FILE"])
def test_uv_can_be_told_to_read_no_settings_of_the_project(tmp_path: Path, read: conftest.Read, variable: str) -> None:
    (tmp_path / "uv.toml").write_text("prerelease = 'allow'")
    other = tmp_path / "other.toml"
    other.write_text("index-strategy = 'unsafe-best-match'\nfind-links = ['wheels']")
    settings = read(PYPROJECT, {variable: "1" if variable == "UV_NO_CONFIG" else str(other)}).inputs["default"].settings
    assert settings.prerelease == "if-necessary-or-explicit"
    chosen = variable == "UV_CONFIG_FILE"
    assert (settings.index_strategy == "unsafe-best-match", settings.find_links != ()) == (chosen, chosen)


@posix_only
def test_the_users_uv_toml_weighs_less_than_the_project_and_more_than_the_machines(
    tmp_path: Path, read: conftest.Read
) -> None:
    for folder, strategy in (("user", "unsafe-best-match"), ("machine", "unsafe-first-match")):
        (tmp_path / folder / "uv").mkdir(parents=True)
        text = f"prerelease = 'disallow'\nindex-strategy = '{strategy}'\n[[index]]\nname = 'a'\nurl = 'https://{folder}.example'"
        (tmp_path / folder / "uv/uv.toml").write_text(text)
    environ = {
        "XDG_CONFIG_HOME": str(tmp_path / "user"),
        "XDG_CONFIG_DIRS": f"relative:{tmp_path / 'none'}:{tmp_path / 'machine'}",
        "UV_NO_SYSTEM_CONFIG": "",
    }
    settings = read(PYPROJECT, environ).inputs["default"].settings
    assert (settings.prerelease, settings.index_strategy) == ("allow", "unsafe-best-match")
    assert [index.location for index in settings.indexes] == ["https://a.example", conftest.DEFAULT_INDEX]
    home = read_uv_files({"HOME": str(tmp_path / "none"), "XDG_CONFIG_DIRS": str(tmp_path / "machine")}, Faults())
    assert home.index_strategy == "unsafe-first-match"


def test_an_index_of_the_user_is_not_one_that_sources_can_name(tmp_path: Path, faults: conftest.Faults) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[[index]]\nname = 'mine'\nurl = 'https://mine.example'")
    text = "[build-system]\nrequires = []\n[tool.uv.sources]\ntorch = 'mine'"
    assert "names the index `mine`, which is not declared" in faults(text, {"UV_CONFIG_FILE": str(config)})


@posix_only
def test_of_pips_files_the_weightiest_index_url_is_taken_and_nothing_else(tmp_path: Path, read: conftest.Read) -> None:
    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    environ = {"HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path / "xdg"), "UV_NO_SYSTEM_CONFIG": "1"}

    def index() -> str | None:
        inputs = read("", environ, Overrides()).inputs["default"]
        assert inputs.settings.find_links == ()
        (found,) = inputs.settings.indexes
        return found.location

    write("xdg/pip/pip.conf", "[global]\nindex-url = https://machine.example\nextra-index-url = https://extra.example")
    environ["PIP_CONFIG_FILE"] = write("none.conf", "")
    if not Path("/etc/pip.conf").exists() and sys.platform == "linux":
        assert index() == "https://machine.example"
    write(".pip/pip.conf", "[global]\nindex-url = https://legacy.example\nfind-links = /wheels")
    assert index() == "https://legacy.example"
    write(
        ".config/pip/pip.conf",
        "[global]\nindex_url = https://user.example\n[install]\nindex-url = https://install.example",
    )
    assert index() == "https://install.example"
    environ["PIP_CONFIG_FILE"] = write("own.conf", "[global]\nindex-url = https://own.example")
    assert index() == "https://own.example"
    environ["PIP_INDEX_URL"] = "https://variable.example"
    assert index() == "https://variable.example"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"index-url = https://a.example", "is not a configuration file of pip: File contains no section headers"),
        (b"[global]\nindex-url = a\nindex-url = b", "is not a configuration file of pip"),
        (b"[global]\nindex-url = ftp://a.example", "[global].index-url` has the scheme `ftp`"),
        (b"\xff", "is not UTF-8"),
    ],
)
def test_a_broken_file_of_pip_is_a_fault(tmp_path: Path, faults: conftest.Faults, content: bytes, message: str) -> None:
    path = tmp_path / "pip.conf"
    path.write_bytes(content)
    assert message in faults("", {"PIP_CONFIG_FILE": str(path)}, Overrides())


def test_the_null_device_is_no_configuration() -> None:
    assert read_pip_index({"PIP_CONFIG_FILE": os.devnull, "HOME": os.devnull}, Faults()) is None


@posix_only
@pytest.mark.parametrize(
    ("script", "location"),
    [
        ("echo https://built-in.example/simple", "https://built-in.example/simple"),
        ("echo nonsense", None),
        ("exit 1", None),
        ("printf '\\377'", None),
    ],
)
def test_the_last_resort_is_the_index_built_into_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, location: str | None
) -> None:
    python = tmp_path / "python3"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    index = ask_pip({"PATH": str(tmp_path)})
    assert (index and index.location) == location


@posix_only
@pytest.mark.parametrize(
    ("module", "location"),
    [
        ("class PyPI:\n    simple_url = 'https://patched.example/simple'", "https://patched.example/simple"),
        # What cannot be read so is asked.
        ("class Another:\n    pass", "https://asked.example/simple"),
        ("raise SystemError", "https://asked.example/simple"),
        ("\0", "https://asked.example/simple"),
        (None, "https://asked.example/simple"),
    ],
)
def test_of_the_pip_beside_us_only_the_module_that_says_it_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str | None, location: str
) -> None:
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\necho https://asked.example/simple\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(site, "getsitepackages", lambda: [str(tmp_path / "none"), str(tmp_path)])
    if module is not None:
        models = tmp_path / "pip" / "_internal" / "models"
        models.mkdir(parents=True)
        (models / "index.py").write_text(module)
    index = ask_pip({})
    assert index is not None
    assert index.location == location


def test_without_any_pip_there_is_no_default_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: conftest.Read
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    assert read("", {"PATH": str(tmp_path)}, Overrides()).inputs["default"].settings.indexes == ()


@pytest.mark.parametrize(
    ("asks_pip", "variables", "asked"),
    [(True, {}, 1), (False, {}, 0), (False, {"BUILDLOCK_MIRROR_DEFAULT": "https://mirror.example"}, 1)],
)
def test_pip_is_asked_where_the_default_index_matters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], *, asks_pip: bool, asked: int
) -> None:
    """To name a mirror of an index takes one."""
    calls: list[object] = []
    monkeypatch.setattr(reader, "ask_pip", calls.append)
    (tmp_path / "pyproject.toml").write_text("")
    environ = {"PIP_CONFIG_FILE": os.devnull, **variables}
    reader.read_project(tmp_path, environ=environ, asks_pip=asks_pip, report=silence)
    assert len(calls) == asked
