"""What a backend sees of the machine, and what it must not."""

import json
import os
import sys
from pathlib import Path

import pytest

from buildlock.frontend.isolation import isolate

from .conftest import Environment, MakeBackend

ENVIRONMENT = Environment(Path("/env"))


@pytest.mark.parametrize(
    "key",
    [
        "PYTHONPATH",
        "PYTHONHOME",
        "PYTHONSTARTUP",
        "PYTHONUSERBASE",
        "__PYVENV_LAUNCHER__",
        "_PYPROJECT_HOOKS_BACKEND_PATH_JSON",
        "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
        "PIP_CONFIG_FILE",
        "UV_INDEX_PRIVATE_PASSWORD",
        "UV_DEFAULT_INDEX",
        "UV_PUBLISH_TOKEN",
    ],
)
def test_what_reaches_around_the_lock_is_dropped(key: str) -> None:
    assert key not in isolate({key: "x"}, ENVIRONMENT, {})


def test_what_compilers_need_is_kept() -> None:
    environ = {"CC": "clang", "CUDA_HOME": "/cuda", "HOME": "/home/me", "HTTPS_PROXY": "http://proxy.example:8080"}
    assert isolate(environ, ENVIRONMENT, {}).items() >= environ.items()


def test_the_environment_comes_first() -> None:
    isolated = isolate({"PATH": "/usr/bin", "VIRTUAL_ENV": "/other"}, ENVIRONMENT, {})
    assert isolated["PATH"] == os.pathsep.join([str(ENVIRONMENT.scripts), "/usr/bin"])
    assert isolated["VIRTUAL_ENV"] == str(ENVIRONMENT.root)


@pytest.mark.parametrize("path", [None, ""])
def test_a_path_is_there_without_one(path: str | None) -> None:
    search = isolate({} if path is None else {"PATH": path}, ENVIRONMENT, {})["PATH"].split(os.pathsep)
    assert search[0] == str(ENVIRONMENT.scripts)
    # An empty entry is the current folder.
    assert "" not in search


def test_the_variant_is_above_the_user_and_below_the_environment() -> None:
    variables = {"TORCH_CUDA_ARCH_LIST": "8.0;9.0", "PATH": "/cuda/bin", "VIRTUAL_ENV": "/other"}
    isolated = isolate({"TORCH_CUDA_ARCH_LIST": "7.0", "PATH": "/usr/bin"}, ENVIRONMENT, variables)
    assert isolated["TORCH_CUDA_ARCH_LIST"] == "8.0;9.0"
    assert isolated["PATH"] == os.pathsep.join([str(ENVIRONMENT.scripts), "/cuda/bin"])
    assert isolated["VIRTUAL_ENV"] == str(ENVIRONMENT.root)


def test_a_backend_imports_from_its_environment_alone(
    make_backend: MakeBackend,
    environment: Environment,
    printed: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "intruder.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:secret@index.example/simple")
    make_backend(
        """
        import importlib.util, json, os, site, sys
        def get_requires_for_build_wheel(config_settings):
            names = ["buildlock", "pyproject_hooks", "packaging", "_in_process", "intruder", "pytest"]
            print(json.dumps({
                "found": [name for name in names if importlib.util.find_spec(name)],
                "path": sys.path,
                "prefix": sys.prefix,
                "user": site.ENABLE_USER_SITE,
                "environ": dict(os.environ),
            }))
            return []
        """,
        variables={"TORCH_CUDA_ARCH_LIST": "9.0"},
    ).requires_for("wheel")
    seen = json.loads("".join(printed))
    assert seen["found"] == []
    assert Path(seen["prefix"]) == environment.root
    assert seen["user"] is False
    assert seen["environ"]["TORCH_CUDA_ARCH_LIST"] == "9.0"
    assert "secret" not in json.dumps(seen["environ"])
    allowed = (environment.root, Path(sys.base_prefix), Path(sys.base_exec_prefix))
    assert all(any(Path(entry).is_relative_to(folder) for folder in allowed) for entry in seen["path"])
