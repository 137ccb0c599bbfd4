"""`action.yml` and `.pre-commit-hooks.yaml`: read as GitHub and pre-commit read them; the steps run by a real bash."""

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.command import Checkout, CopyLockedProject, CopyProject

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.skipif(shutil.which("bash") is None, reason="no bash"), pytest.mark.slow]

# Stands in for the host's Python where it makes the environment that buildlock is installed into.
_PYTHON = """#!/bin/sh
case "$1 $2" in
  "-m venv")
    mkdir -p "$3/bin"
    printf '#!/bin/sh\\necho "$@" >> "{log}"\\n' > "$3/bin/python"
    printf '#!/bin/sh\\nexec "{python}" -m buildlock "$@"\\n' > "$3/bin/buildlock"
    chmod +x "$3/bin/python" "$3/bin/buildlock" ;;
  *) exec "{python}" "$@" ;;
esac
"""


@dataclass
class Runner:
    """As much of GitHub's runner as the action needs: its files, its variables, and the order of the steps."""

    project: Checkout
    folder: Path
    inputs: dict[str, str]
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    cached: list[Mapping[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        bin_folder = self.folder / "host"
        bin_folder.mkdir(parents=True)
        python = bin_folder / "python3"
        python.write_text(_PYTHON.format(log=self.folder / "pip.log", python=sys.executable))
        python.chmod(python.stat().st_mode | stat.S_IXUSR)
        self.environment = dict(self.project.environment)
        self.environment["PATH"] = f"{bin_folder}{os.pathsep}{self.environment['PATH']}"
        del self.environment["BUILDLOCK_CACHE_DIR"]
        self.environment["RUNNER_TEMP"] = str(self.folder / "temp")
        (self.folder / "temp").mkdir()

    def evaluate(self, text: str) -> str:
        values = {
            **{f"inputs.{name}": value for name, value in self.inputs.items()},
            **{f"steps.{s}.outputs.{n}": v for s, values in self.outputs.items() for n, v in values.items()},
            "github.action_path": str(ROOT),
            "runner.temp": str(self.folder / "temp"),
        }
        return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda match: values.get(match[1], ""), text)

    def wants(self, step: Mapping[str, Any]) -> bool:
        condition = step.get("if", "'' != 'x'")
        left, operator, right = re.fullmatch(r"([\w.']+) (==|!=) '(\w*)'", condition).groups()  # type: ignore[union-attr]
        value = self.inputs.get(left.removeprefix("inputs."), "")
        return (value == right) == (operator == "==")

    def run(self) -> tuple[int, str]:
        action = yaml.safe_load((ROOT / "action.yml").read_text())
        self.inputs = {**{name: each["default"] for name, each in action["inputs"].items()}, **self.inputs}
        said = ""
        for step in filter(self.wants, action["runs"]["steps"]):
            if "uses" in step:
                self.cached.append({name: self.evaluate(value) for name, value in step["with"].items()})
                continue
            files = {name: self.folder / name for name in ("GITHUB_PATH", "GITHUB_ENV", "GITHUB_OUTPUT")}
            for path in files.values():
                path.write_text("")
            own = {name: self.evaluate(value) for name, value in step.get("env", {}).items()}
            done = subprocess.run(
                # As GitHub runs `shell: bash`.
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=self.project.root,
                env={**self.environment, **own, **{name: str(path) for name, path in files.items()}},
                capture_output=True,
                text=True,
                check=False,
            )
            said += done.stdout + done.stderr
            if done.returncode:
                return done.returncode, said
            for line in files["GITHUB_PATH"].read_text().splitlines():
                self.environment["PATH"] = f"{line}{os.pathsep}{self.environment['PATH']}"
            self.environment |= dict(line.split("=", 1) for line in files["GITHUB_ENV"].read_text().splitlines())
            if "id" in step:
                written = files["GITHUB_OUTPUT"].read_text().splitlines()
                self.outputs[step["id"]] = dict(line.split("=", 1) for line in written)
        self.outputs["action"] = {n: self.evaluate(each["value"]) for n, each in action["outputs"].items()}
        return 0, said


def test_prepares_the_environment(locked: CopyLockedProject, tmp_path: Path) -> None:
    runner = Runner(locked("seed", "--variant", "cu124", "--no-dynamic"), tmp_path / "run", {"key": "k1"})
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
    runner = Runner(project, tmp_path / "one", {"variant": "cu124"})
    code, said = runner.run()
    assert code == 3
    assert "the build requirement `ninja` was removed" in said
    assert not runner.cached  # without a key
    assert "install" not in runner.outputs


def test_values_are_not_read_by_the_shell(locked: CopyLockedProject, tmp_path: Path) -> None:
    runner = Runner(
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
