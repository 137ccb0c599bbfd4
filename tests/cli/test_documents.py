"""What README and docs show in `console` blocks is what the commands say.

`<!-- project: TRAIT -->` copies a project of the fixtures; the blocks after it run there, one after the other. A line
`...`, or `...` within a line, stands for anything; `[exit N]` ends a block whose last command exits with N.
"""

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from index.server import IndexServer
from projects import copy_project
from support.command import hermetic

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_PART = re.compile(r"<!-- project: (?P<project>[\w-]+) -->|```console\n(?P<block>.*?)```", re.DOTALL)
_COMMAND = re.compile(r"\$ (?P<command>.*)\n(?P<output>(?:(?!\$ ).*\n)*)")


@dataclass(frozen=True)
class Step:
    project: str
    command: str
    output: str


def read_steps(text: str) -> Iterator[Step]:
    project = ""
    for part in _PART.finditer(text):
        if part["project"]:
            project = part["project"]
            continue
        for step in _COMMAND.finditer(part["block"]):
            yield Step(project, step["command"], step["output"])


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if "```console" in d.read_text()], ids=lambda d: d.name)
def test_commands_say_what_the_document_shows(document: Path, setuptools_server: IndexServer, tmp_path: Path) -> None:
    server = setuptools_server
    folders: dict[str, Path] = {}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**hermetic(tmp_path, server.environment), "PATH": path, "COLUMNS": "80"}
    for step in read_steps(document.read_text(encoding="utf-8")):
        if step.project not in folders:
            folders[step.project] = copy_project(step.project, tmp_path / step.project, server.root)
        run = ["bash", "-c", step.command]
        result = subprocess.run(
            run, cwd=folders[step.project], env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        output = result.stdout.decode()
        output = output.replace(server.url(), "https://index.example/simple")
        output = output.replace(server.root, "https://download.pytorch.org")
        output += f"[exit {result.returncode}]\n" if result.returncode else ""
        # A line of dots may stand for no line at all.
        shown = re.sub(r"^\.\.\.\n", "...", step.output, flags=re.MULTILINE)
        same = doctest.OutputChecker().check_output(shown, output, doctest.ELLIPSIS)
        assert same, f"{document.name}: $ {step.command}\n--- shown\n{step.output}--- said\n{output}"
