"""As much of GitHub's runner as our actions need: its files, its variables, its expressions, the order of the steps.

run = Runner(action=ROOT / "action.yml", folder=tmp_path / "run", cwd=project.root, environment=project.environment)
code, said = run.run()
"""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

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
_EXPRESSION = re.compile(r"\$\{\{ (.+?) \}\}")
_WORD = re.compile(r"'[^']*'|&&|\|\||[\w.-]+")
_OPERATORS = {"&&": "and", "||": "or"}


@dataclass
class Runner:
    """One run of a composite action."""

    action: Path
    folder: Path
    """Where the run keeps what it writes."""
    cwd: Path
    environment: dict[str, str]
    inputs: dict[str, str] = field(default_factory=dict)
    github: Mapping[str, str] = field(default_factory=dict)
    """Of the `github` context, by dotted name."""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    cached: list[Mapping[str, str]] = field(default_factory=list)
    summary: str = ""

    def __post_init__(self) -> None:
        self.environment = dict(self.environment)
        bin_folder = self.folder / "host"
        bin_folder.mkdir(parents=True)
        self._stand_in(bin_folder / "python3", _PYTHON.format(log=self.folder / "pip.log", python=sys.executable))
        self._stand_in(bin_folder / "sleep", "#!/bin/sh\n")
        self.environment["PATH"] = f"{bin_folder}{os.pathsep}{self.environment['PATH']}"
        self.environment["RUNNER_TEMP"] = str(self.folder / "temp")
        (self.folder / "temp").mkdir()

    @staticmethod
    def _stand_in(path: Path, script: str) -> None:
        path.write_text(script)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def look_up(self, name: str) -> str:
        values = {
            **{f"inputs.{name}": value for name, value in self.inputs.items()},
            **{f"steps.{s}.outputs.{n}": v for s, values in self.outputs.items() for n, v in values.items()},
            **{f"github.{name}": value for name, value in self.github.items()},
            "github.action_path": str(self.action.parent),
            "runner.temp": str(self.folder / "temp"),
        }
        return values.get(name, "")

    def evaluate(self, text: str) -> str:
        return _EXPRESSION.sub(lambda match: self.look_up(match[1]), text)

    def wants(self, step: Mapping[str, Any]) -> bool:
        def translate(match: re.Match[str]) -> str:
            word = match[0]
            return _OPERATORS.get(word) or (word if word.startswith("'") else repr(self.look_up(word)))

        # It is made of names, strings, `==`, `!=` and what joins them, which Python reads alike.
        return "if" not in step or bool(eval(_WORD.sub(translate, step["if"])))

    def run(self) -> tuple[int, str]:
        """Run the steps until one fails; the code and all that was said."""
        action = yaml.safe_load(self.action.read_text(encoding="utf-8"))
        defaults = {name: self.evaluate(each["default"]) for name, each in action["inputs"].items()}
        assert self.inputs.keys() <= defaults.keys()
        self.inputs = {**defaults, **self.inputs}
        said = ""
        for step in action["runs"]["steps"]:
            if not self.wants(step):
                continue
            if "uses" in step:
                self.cached.append({name: self.evaluate(value) for name, value in step["with"].items()})
                continue
            done = self._run_step(step)
            said += done.stdout + done.stderr
            if done.returncode:
                return done.returncode, said
        self.outputs["action"] = {n: self.evaluate(each["value"]) for n, each in action["outputs"].items()}
        return 0, said

    def _run_step(self, step: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        names = ("GITHUB_PATH", "GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
        files = {name: self.folder / name for name in names}
        for path in files.values():
            path.write_text("")
        own = {name: self.evaluate(value) for name, value in step.get("env", {}).items()}
        done = subprocess.run(
            # As GitHub runs `shell: bash`.
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.cwd,
            env={**self.environment, **own, **{name: str(path) for name, path in files.items()}},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        for line in files["GITHUB_PATH"].read_text().splitlines():
            self.environment["PATH"] = f"{line}{os.pathsep}{self.environment['PATH']}"
        self.environment |= dict(line.split("=", 1) for line in files["GITHUB_ENV"].read_text().splitlines())
        self.summary += files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
        if "id" in step:
            written = files["GITHUB_OUTPUT"].read_text().splitlines()
            self.outputs[step["id"]] = dict(line.split("=", 1) for line in written)
        return done
