"""The workflows, pipelines and configurations that the documents show: parsed, and what they run is run."""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.command import hermetic, run_process
from support.git import GitRepository, run_git

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
_BLOCK = re.compile(r"^```(?P<language>ya?ml|json)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_UNTRUSTED = re.compile(r"\$\{\{[^}]*(github\.event|github\.head_ref|github\.ref_name|inputs\.)")


def read_blocks(language: str) -> Iterator[tuple[str, Any]]:
    for document in DOCUMENTS:
        for block in _BLOCK.finditer(document.read_text(encoding="utf-8")):
            if block["language"] == language:
                yield document.name, block["text"]


def list_steps(workflow: object) -> Iterator[Mapping[str, Any]]:
    jobs = workflow.get("jobs", {}) if isinstance(workflow, dict) else {}
    for job in jobs.values():
        yield from job.get("steps", ())


def find_script(document: str, words: str) -> str:
    text = next(text for name, text in read_blocks("yaml") if name == document and words in text)
    (script,) = [step["run"] for step in list_steps(yaml.safe_load(text)) if words in step.get("run", "")]
    return str(script)


def test_json_is_json() -> None:
    assert [json.loads(text) for _, text in read_blocks("json")]


@pytest.mark.parametrize(("document", "text"), list(read_blocks("yaml")))
def test_workflows_are_safe_and_name_what_there_is(document: str, text: str) -> None:
    del document
    workflow = yaml.safe_load(text)
    for step in list_steps(workflow):
        assert not _UNTRUSTED.search(step.get("run", ""))
        uses = step.get("uses", "")
        assert uses.startswith(("actions/", "OWNER/buildlock")) or not uses
        if uses.startswith("OWNER/buildlock"):
            folder = ROOT / uses.partition("@")[0].removeprefix("OWNER/buildlock").lstrip("/")
            action = yaml.safe_load((folder / "action.yml").read_text(encoding="utf-8"))
            assert step.get("with", {}).keys() <= action["inputs"].keys()
    if isinstance(workflow, dict) and True in workflow:  # what YAML makes of `on`
        assert workflow["permissions"] == {}
        assert all("permissions" in job for job in workflow["jobs"].values())


def test_what_runs_for_a_fork_with_a_token_that_writes_checks_nothing_out() -> None:
    texts = [text for _, text in read_blocks("yaml") if "pull_request_target" in text]
    assert texts
    for text in texts:
        assert [step["uses"] for step in list_steps(yaml.safe_load(text))] == ["OWNER/buildlock/review@COMMIT"]


@pytest.mark.parametrize(("document", "action"), [("ci.md", "action.yml"), ("review.md", "review/action.yml")])
def test_inputs_are_explained(document: str, action: str) -> None:
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    for name in yaml.safe_load((ROOT / action).read_text(encoding="utf-8"))["inputs"]:
        assert f"| `{name}` |" in text


@pytest.fixture
def clone(tmp_path: Path) -> GitRepository:
    """A clone of a repository whose lock is `old`."""
    origin = GitRepository(tmp_path / "origin")
    origin.commit({"build-lock.toml": "old", "pyproject.toml": ""})
    origin.run("clone", "--quiet", "--bare", ".", str(tmp_path / "bare"))
    repository = GitRepository(tmp_path / "clone")
    repository.run("remote", "add", "origin", str(tmp_path / "bare"))
    repository.run("fetch", "--quiet", "origin")
    repository.run("checkout", "--quiet", "-B", "main", "--track", "origin/main")
    return repository


def run(script: str, clone: GitRepository, folder: Path, **variables: str) -> None:
    environment = hermetic(folder, {"GIT_CONFIG_GLOBAL": os.devnull, **variables})
    result = run_process("bash", "-eo", "pipefail", "-c", script, cwd=clone.folder, environment=environment)
    assert result.code == 0


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
class TestScripts:
    def test_an_upgrade_is_proposed_once(self, clone: GitRepository, tmp_path: Path) -> None:
        script = find_script("bots.md", "gh pr create")
        log = tmp_path / "gh.log"
        gh = tmp_path / "bin" / "gh"
        gh.parent.mkdir()
        gh.write_text(f'#!/bin/sh\nif [ "$2" = list ]; then grep -c create "{log}"; else echo "$@" >> "{log}"; fi\n')
        gh.chmod(0o755)
        log.touch()
        made = tmp_path / "temp" / "build-lock"
        made.mkdir(parents=True)
        for text in ("old", "new", "newer"):
            clone.run("checkout", "--quiet", "--force", "main")
            clone.run("update-ref", "-d", "refs/heads/build-lock/upgrade")
            (made / "build-lock.toml").write_text(text)
            path = f"{gh.parent}{os.pathsep}{os.environ['PATH']}"
            variables = {"RUNNER_TEMP": str(tmp_path / "temp"), "BRANCH": "build-lock/upgrade", "PATH": path}
            run(script, clone, tmp_path, **variables)
            if text == "old":
                assert log.read_text() == ""
        assert run_git(tmp_path / "bare", "show", "build-lock/upgrade:build-lock.toml") == "newer"
        assert run_git(tmp_path / "bare", "show", "main:build-lock.toml") == "old"
        assert [line.split()[1] for line in log.read_text().splitlines()] == ["create", "edit"]

    def test_what_a_bot_proposes_is_completed(self, clone: GitRepository, tmp_path: Path) -> None:
        script = find_script("bots.md", "[dependabot skip]")
        run(script, clone, tmp_path)
        assert run_git(tmp_path / "bare", "rev-list", "--count", "main") == "1"
        (clone.folder / "build-lock.toml").write_text("new")
        (clone.folder / "left-behind").write_text("")
        run(script, clone, tmp_path)
        assert run_git(tmp_path / "bare", "show", "main:build-lock.toml") == "new"
        assert "[dependabot skip]" in run_git(tmp_path / "bare", "log", "-1", "--format=%B", "main")
        assert run_git(tmp_path / "bare", "ls-tree", "--name-only", "main") == "build-lock.toml\npyproject.toml"
