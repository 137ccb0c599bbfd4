"""Which variant a frontend builds: the one that is said, or inferred, or the default; or none, and why."""

import pytest

from buildlock import backend
from support.backend_tree import Install, Tree, entry, variant


def torch(settings: backend.Settings = None) -> str:
    """The torch that the frontend is told to install."""
    (found,) = (each for each in backend.get_requires_for_build_wheel(settings) if each.startswith("torch @"))
    return found.split("torch-")[1].split("-")[0].replace("%2B", "+")


@pytest.mark.usefixtures("tree")
def test_the_config_setting_before_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILDLOCK_VARIANT", "cu118")
    assert torch() == "2.2.0+cu118"
    assert torch({"variant": "cu124", "other": "x"}) == "2.4.0+cu124"
    assert torch({"variant": ["cu124", "cu124"]}) == "2.4.0+cu124"
    assert torch({"variant": "CU_124".replace("_", "")}) == "2.4.0+cu124"


@pytest.mark.parametrize("value", [["cu118", "cu124"], "", 1, ["cu118", 2], {"a": "b"}])
@pytest.mark.usefixtures("tree")
def test_a_config_setting_that_names_no_single_variant(value: object) -> None:
    with pytest.raises(backend.Refused, match="the config setting `variant`"):
        torch({"variant": value})


@pytest.mark.usefixtures("tree")
def test_one_that_is_not_locked_is_refused_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(backend.Refused, match=r"`cpu` \(from the config setting `variant`\); it has `cu118`, `cu124`"):
        torch({"variant": "cpu"})
    monkeypatch.setenv("BUILDLOCK_VARIANT", "rocm")
    with pytest.raises(backend.Refused, match=r"`rocm` \(from `BUILDLOCK_VARIANT`\)(.|\n)*lock --variant rocm"):
        torch()


def test_the_default_and_the_only_one(tree: Tree) -> None:
    with pytest.raises(backend.Refused, match=r"nothing says which to build; the lock has `cu118`, `cu124`\n.*-C"):
        torch()
    tree.pyproject(more='[tool.buildlock]\ndefault-variant = "cu118"')
    assert torch() == "2.2.0+cu118"
    tree.pyproject(more='[tool.buildlock]\ndefault-variant = "auto"')
    with pytest.raises(backend.Refused, match="`default-variant` is `auto`"):
        torch()
    tree.lock(variant("only", "2.5.1"))
    assert torch() == "2.5.1"
    tree.lock()
    with pytest.raises(backend.Refused, match="locks no variant"):
        torch()


def test_inferred_from_what_is_installed(tree: Tree, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.pyproject(more='[tool.buildlock]\ndefault-variant = "cu118"')
    install({"torch": "2.4.0+CU124", "setuptools": "1", "tool": "7"})
    assert torch() == "2.4.0+cu124"
    assert torch({"variant": "cu118"}) == "2.2.0+cu118"
    monkeypatch.setenv("BUILDLOCK_VARIANT", "cu118")
    assert torch() == "2.2.0+cu118"


def test_what_does_not_tell_variants_apart_does_not_count(tree: Tree, install: Install) -> None:
    tree.pyproject(more='[tool.buildlock]\ndefault-variant = "cu118"')
    install({"tool": "9", "numpy": "1"})
    assert torch() == "2.2.0+cu118"


def test_what_no_source_assigns_tells_where_nothing_else_does(tree: Tree, install: Install) -> None:
    sections = [variant("a", "1").replace("[variants.a.inputs.indexes]\ntorch", "[variants.a.inputs.settings]\nindex")]
    sections.append(sections[0].replace("variants.a", "variants.b").replace('"1"', '"2"').replace("torch-1", "torch-2"))
    tree.lock(*sections)
    install({"torch": "2"})
    assert torch() == "2"


@pytest.mark.usefixtures("tree")
def test_the_runtime_moved_on(install: Install) -> None:
    install({"torch": "2.5.1+cu124"})
    with pytest.raises(backend.Refused) as refused:
        torch()
    assert str(refused.value) == (
        "buildlock: error: the build environment has the runtime's torch 2.5.1+cu124, which no variant locks:\n"
        "  cu118: torch 2.2.0+cu118\n  cu124: torch 2.4.0+cu124\n"
        "hint: lock again, to match the runtime: `buildlock lock --variant cu124`"
    )
    install({"torch": "2.5.1"})
    with pytest.raises(backend.Refused, match="lock --all"):
        torch()


def test_two_that_fit(tree: Tree, install: Install) -> None:
    tree.lock(variant("a", "1"), variant("b", "2"), variant("c", "2"))
    install({"torch": "2"})
    with pytest.raises(backend.Refused, match=r"torch 2, which fits `b`, `c`\n.*-C variant=NAME"):
        torch()


def test_a_variant_of_another_platform_is_not_inferred(tree: Tree, install: Install) -> None:
    tree.lock(variant("a", "2", environments="sys_platform == 'nowhere'"), variant("b", "2"), variant("c", "3"))
    install({"torch": "2"})
    assert torch() == "2"


def test_no_target_fits(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.lock(variant("cu124", "2", environments="python_version == '3.7'"))
    with pytest.raises(backend.Uncovered, match=r"not locked for CPython(.|\n)*python_version == '3.7'(.|\n)*--python"):
        torch()
    settings = 'unlocked = "resolve"\n[tool.buildlock.variants.cu124]\nrequires = ["torch==2"]'
    tree.pyproject(more=f"[tool.buildlock]\n{settings}")
    assert backend.get_requires_for_build_wheel() == ["tool", "torch==2"]
    assert "warning: this build is NOT locked" in capsys.readouterr().err
    assert backend.build_wheel("x") == "honest-1-py3-none-any.whl"
    assert "warning: this build is NOT locked" in capsys.readouterr().err


def test_no_wheel_fits(tree: Tree) -> None:
    tree.lock(variant("a", "1", more=entry("a", "numpy", "2.0", tag="cp27-cp27m-win32")))
    with pytest.raises(
        backend.Uncovered, match=r"has no wheel of `numpy` 2.0 that fits .*`numpy-2.0-cp27-cp27m-win32\.whl`"
    ):
        torch()
    tree.pyproject(more='[tool.buildlock]\nunlocked = "sometimes"')
    with pytest.raises(backend.Refused, match="neither `refuse` nor `resolve`"):
        torch()
