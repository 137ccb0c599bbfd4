"""`action.yml` and `.pre-commit-hooks.yaml`: read as GitHub and pre-commit read them; the steps run by a real bash."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support.actions import Runner
from support.command import Checkout, CopyLockedProject, CopyProject

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.skipif(shutil.which("bash") is None, reason="no bash"), pytest.mark.slow]


def start(project: Checkout, folder: Path, inputs: dict[str, str]) -> Runner:
    environment = {name: value for name, value in project.environment.items() if name != "BUILDLOCK_CACHE_DIR"}
    return Runner(action=ROOT / "action.yml", folder=folder, cwd=project.root, environment=environment, inputs=inputs)


def test_prepares_the_environment(locked: CopyLockedProject, tmp_path: Path) -> None:
    runner = start(locked("seed", "--variant", "cu124", "--no-dynamic"), tmp_path / "run", {"key": "k1"})
    runner.inputs["variant"] = "cu124"
    code, said = runner.run()
    assert code == 0, said
    assert f"-m pip install --quiet --disable-pip-version-check {ROOT}" in (tmp_path / "run/pip.log").read_text()
    assert runner.cached == [{"path": str(tmp_path / "run/temp/buildlock-cache"), "key": "k1"}]
    outputs = runner.outputs["action"]
    environment = Path(outputs["environment"])
    assert environment.is_relative_to(tmp_path / "run/temp/buildlock-cache")
    ask = [outputs["python"], "-c", "import importlib.metadata as m; print(m.version('torch'))"]
    assert subprocess.run(ask, capture_output=True, text=True, check=True).stdout == "2.4.0+cu124\n"


def test_a_stale_lock_is_an_error_unless_it_is_not_checked(locked: CopyLockedProject, tmp_path: Path) -> None:
    project = locked("seed", "--variant", "cu124", "--no-dynamic")
    project.replace('"numpy", "ninja"]', '"numpy"]')
    runner = start(project, tmp_path / "one", {"variant": "cu124"})
    code, said = runner.run()
    assert code == 3
    assert "the build requirement `ninja` was removed" in said
    assert not runner.cached  # without a key
    assert "install" not in runner.outputs


def test_values_are_not_read_by_the_shell(locked: CopyLockedProject, tmp_path: Path) -> None:
    runner = start(
        locked("seed", "--variant", "cu124", "--no-dynamic"), tmp_path / "run", {"variant": f"$(touch {tmp_path}/hit)"}
    )
    code, _ = runner.run()
    assert code == 2
    assert not (tmp_path / "hit").exists()


def test_the_hook_is_one_for_pre_commit() -> None:
    command = [sys.executable, "-m", "pre_commit", "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("build-lock.toml", True),
        ("pyproject.toml", True),
        ("setup.py", True),
        ("uv.lock", True),
        ("pylock.cu124.toml", True),
        ("src/x.py", False),
        ("docs/build-lock.toml", False),
    ],
)
def test_the_hook_runs_where_the_lock_may_be_stale(name: str, runs: bool) -> None:  # noqa: FBT001 - a parameter
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert bool(re.search(hook["files"], name)) is runs


def test_the_hook_says_what_is_stale(checkout: CopyProject) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["pass_filenames"] is False
    result = checkout("tiny").run(*hook["entry"].split()[1:])
    assert (result.code, result.stderr.splitlines()[0]) == (3, "default: not locked")
