"""The backend is the project's own, in the locked environment and in no other."""

import configparser
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from buildlock import backend
from support.backend_tree import Install, Tree

LOCKED = {"tool": "1.0", "torch": "2.4.0+cu124"}
CU124 = {"variant": "cu124"}


def calls() -> list[Any]:
    found: list[Any] = sys.modules["honest"].calls
    return found


@pytest.mark.usefixtures("tree")
def test_the_whole_environment_for_every_product() -> None:
    requires = backend.get_requires_for_build_wheel(CU124)
    assert [each.split(" @ ")[0] for each in requires] == ["tool", "torch"]
    assert requires[1].startswith("torch @ https://files.example/torch-2.4.0%2Bcu124-py3-none-any.whl#sha256=")
    assert backend.get_requires_for_build_sdist(CU124) == requires
    assert backend.get_requires_for_build_editable(CU124) == requires


def test_the_backend_gets_its_own_settings_and_the_variables(
    tree: Tree, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.pyproject(more='[tool.buildlock.variants.CU124.environment]\nARCH = "9.0"')
    monkeypatch.setenv("ARCH", "before")
    install(LOCKED)
    assert backend.build_wheel("out", {"variant": "cu124", "--jobs": ["2"]}, None) == "honest-1-py3-none-any.whl"
    assert backend.build_sdist("out", CU124) == "honest-1.tar.gz"
    assert backend.build_sdist("out") == "honest-1.tar.gz"
    wheel, sdist, plain = calls()
    assert (wheel[0], wheel[1]["ARCH"]) == ({"--jobs": ["2"]}, "9.0")
    assert (sdist, plain[0]) == (({}, {"ARCH": "9.0", "DIST_EXTRA_CONFIG": None}), None)
    assert os.environ["ARCH"] == "before"
    assert "DIST_EXTRA_CONFIG" not in os.environ


def test_setuptools_compiles_elsewhere(tree: Tree, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree.root / "mine.cfg").write_text("[build_ext]\nParallel = 2\n[build]\nforce = 0\n")
    monkeypatch.setenv("DIST_EXTRA_CONFIG", str(tree.root / "mine.cfg"))
    folder = tree.root / "objects"
    folder.mkdir()
    path = backend.divert_objects(folder, os.environ)["DIST_EXTRA_CONFIG"]
    config = configparser.RawConfigParser()
    config.optionxform = str  # type: ignore[assignment,method-assign]
    config.read(path)
    assert dict(config["build"]) == {"force": "1", "build_base": str(folder / "build")}
    assert dict(config["build_ext"]) == {"Parallel": "2"}
    install(LOCKED)
    backend.build_wheel("out", CU124)
    used = calls()[0][1]["DIST_EXTRA_CONFIG"]
    assert used != str(tree.root / "mine.cfg")
    assert not Path(used).exists()
    (tree.root / "mine.cfg").write_text("no section")
    with pytest.raises(backend.Refused, match="cannot be read"):
        backend.build_wheel("out", CU124)


def test_optional_hooks_are_those_of_the_backend(tree: Tree, install: Install) -> None:
    install(LOCKED)
    assert not hasattr(backend, "build_editable")
    assert not hasattr(backend, "prepare_metadata_for_build_wheel")
    assert not hasattr(backend, "no_such_hook")
    tree.pyproject(backend_object="honest:nested")
    assert backend.build_editable("out", CU124) == "editable"
    assert backend.prepare_metadata_for_build_wheel("out", CU124) == "honest-1.dist-info"
    assert not hasattr(backend, "prepare_metadata_for_build_editable")


def test_hooks_are_there_before_the_backend_is(tree: Tree, install: Install) -> None:
    install(LOCKED)
    tree.pyproject(backend_object="honest:nothing")
    with pytest.raises(backend.Refused, match="the backend `honest:nothing` cannot be imported"):
        backend.build_wheel("out", CU124)
    tree.pyproject(backend_object="not_installed_yet")
    assert hasattr(backend, "build_editable")
    with pytest.raises(backend.Refused, match="the backend `not_installed_yet` cannot be imported"):
        backend.build_wheel("out", CU124)


def test_the_variant_of_the_extensions_in_the_tree_is_noted(tree: Tree, install: Install) -> None:
    tree.pyproject(backend_object="honest:nested")
    install(LOCKED)
    backend.build_editable("out", CU124)
    stamp = tree.root / "editable-variant"
    assert stamp.read_text() == "cu124\n"
    os.utime(stamp, (1, 1))
    backend.build_editable("out", CU124)
    assert stamp.stat().st_mtime == 1


@pytest.mark.parametrize(
    ("installed", "said"),
    [
        ({"tool": "1.0"}, "`torch` 2.4.0+cu124 is not there"),
        ({**LOCKED, "torch": "2.4.0"}, "`torch` is 2.4.0, and locked is 2.4.0+cu124"),
        ({**LOCKED, "torch": "2.2.0+cu118"}, "`torch` is 2.2.0+cu118"),
    ],
)
@pytest.mark.usefixtures("tree")
def test_another_environment_is_refused(install: Install, installed: dict[str, str], said: str) -> None:
    install(installed)
    for build in (backend.build_wheel, backend.build_sdist):
        with pytest.raises(backend.Refused) as refused:
            build("out", CU124)
        assert said in str(refused.value)


@pytest.mark.usefixtures("tree")
def test_what_the_lock_lacks_is_refused(install: Install) -> None:
    install({**LOCKED, "filelock": "3"}, torch=["filelock", "tool[x]", "nothing; sys_platform == 'nowhere'"])
    with pytest.raises(backend.Refused, match="`torch` requires `filelock`, which is not locked"):
        backend.build_wheel("out", CU124)
    install(LOCKED, torch=["tool[x]", "more; extra == 'x'"], tool=["other; extra == 'y'"])
    assert backend.build_wheel("out", CU124)
    install(LOCKED, torch=["tool[y]"], tool=["Other.Package>=1; extra == 'Y'"])
    with pytest.raises(backend.Refused, match="`tool` requires `other-package`, which is not locked"):
        backend.build_wheel("out", CU124)
    install(LOCKED, torch=["odd; nonsense == '1'"])
    with pytest.raises(backend.Refused, match="`torch` requires `odd`"):
        backend.build_wheel("out", CU124)


@pytest.mark.parametrize(
    ("requires", "said"),
    [
        ('["tool", "pybind11"]', "requires `pybind11`, which `cu124` does not lock"),
        ('["tool>=2", "torch"]', "requires `tool>=2`, and `cu124` locks 1.0"),
        ('["tool==1.0; python_version > \'3\'", "torch==2.2"]', "requires `torch==2.2`, and"),
    ],
)
def test_a_lock_that_the_project_left_behind(tree: Tree, requires: str, said: str) -> None:
    tree.pyproject(requires=requires)
    with pytest.raises(backend.Refused, match="buildlock lock --variant cu124") as refused:
        backend.get_requires_for_build_wheel(CU124)
    assert said in str(refused.value)


def test_what_does_not_leave_the_lock_behind(tree: Tree) -> None:
    tree.pyproject(
        requires='["tool~=1.0", "torch==2.2.0", "colorama; sys_platform == \'nowhere\'"]',
        more='[tool.buildlock.variants.cu124]\nrequires = ["Torch==2.4.0"]',
    )
    assert backend.get_requires_for_build_wheel(CU124)
    tree.replace(
        r"(cu124.inputs]\n)requires = .*",
        r'\1requires = []\noverrides = ["tool==1.0", "gone; os_name == 0"]'.replace("0", "'x'"),
    )
    tree.pyproject(requires='["tool>=2", "torch", "gone"]')
    assert backend.get_requires_for_build_wheel(CU124)


def test_the_stand_in_itself_is_no_backend(tree: Tree) -> None:
    tree.pyproject(backend_object=backend.__name__)
    with pytest.raises(backend.Refused, match="names this very backend"):
        backend.get_requires_for_build_wheel()
    (tree.root / "pyproject.toml").write_text("[project]\n")
    with pytest.raises(backend.Refused, match=r"`tool.buildlock.build-system` is missing"):
        backend.build_wheel("out")
