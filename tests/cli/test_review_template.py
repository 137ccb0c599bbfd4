"""`templates/buildlock-review.yml`: its script run by a real shell about a real repository, against GitLab's API."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from render_diffs import STORIES
from support.command import Result, hermetic, run_process
from support.forge import TOKEN, GitLab, serve
from support.git import GitRepository

TEMPLATE = Path(__file__).parents[2] / "templates" / "buildlock-review.yml"
pytestmark = [pytest.mark.skipif(shutil.which("sh") is None, reason="no shell"), pytest.mark.slow]

OLD = (STORIES / "tampered-hash" / "old.toml").read_text(encoding="utf-8")
NEW = (STORIES / "tampered-hash" / "new.toml").read_text(encoding="utf-8")

# Stands in for the Python that makes the environment that buildlock is installed into.
_PYTHON = """#!/bin/sh
mkdir -p "$3/bin"
printf '#!/bin/sh\\nexit 0\\n' > "$3/bin/python"
printf '#!/bin/sh\\nexec "{python}" -m buildlock "$@"\\n' > "$3/bin/buildlock"
chmod +x "$3/bin/python" "$3/bin/buildlock"
"""


@pytest.fixture
def host() -> Iterator[GitLab]:
    with serve(GitLab()) as running:
        yield running


def read_template() -> tuple[dict[str, Any], dict[str, Any]]:
    specification, jobs = yaml.safe_load_all(TEMPLATE.read_text(encoding="utf-8"))
    return specification["spec"]["inputs"], jobs["buildlock-review"]


def run(host: GitLab, folder: Path, base: str, head: str, **variables: str) -> Result:
    """Run the job as a runner does, in a checkout of the merge request."""
    inputs, job = read_template()
    own = {
        name: re.sub(r"\$\[\[ inputs\.(\w+) \]\]", lambda match: inputs[match[1]]["default"], value)
        for name, value in job["variables"].items()
    }
    stand_in = folder / "host" / "python3"
    stand_in.parent.mkdir(exist_ok=True)
    stand_in.write_text(_PYTHON.format(python=sys.executable))
    stand_in.chmod(0o755)
    environment = hermetic(folder, {"GIT_CONFIG_GLOBAL": os.devnull, **host.environ(folder), **own})
    environment |= {
        "CI_PROJECT_DIR": str(folder / "project"),
        "CI_COMMIT_SHA": head,
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": base,
        "PATH": f"{stand_in.parent}{os.pathsep}{environment['PATH']}",
        **variables,
    }
    script = "\n".join(job["script"])
    return run_process("sh", "-ec", script, cwd=folder / "project", environment=environment)


def test_a_denied_change_has_a_note_and_fails(host: GitLab, tmp_path: Path) -> None:
    repository = GitRepository(tmp_path / "project")
    base = repository.commit({"build-lock.toml": OLD, "pyproject.toml": ""})
    head = repository.commit({"build-lock.toml": NEW, "pyproject.toml": "[tool.buildlock.policy]\ndeny = []"})
    result = run(host, tmp_path, base, head)
    assert result.code == 3
    assert "DENIED by the policy" in result.stdout
    assert "Commented on merge request 7" in result.stderr
    assert TOKEN not in result.stdout + result.stderr
    assert host.bodies[0].startswith("<!-- buildlock-diff -->")


def test_a_pipeline_of_a_merged_result_is_compared_with_the_target(host: GitLab, tmp_path: Path) -> None:
    repository = GitRepository(tmp_path / "project")
    base = repository.commit({"build-lock.toml": OLD, "pyproject.toml": ""})
    target = repository.commit({"build-lock.toml": NEW})
    merged = repository.commit({"README": ""})
    result = run(host, tmp_path, base, merged, CI_MERGE_REQUEST_TARGET_BRANCH_SHA=target)
    assert (result.code, host.bodies) == (0, [])
    assert "nothing changed" in result.stdout


def test_without_a_token_the_log_says_it(host: GitLab, tmp_path: Path) -> None:
    repository = GitRepository(tmp_path / "project")
    base = repository.commit({"build-lock.toml": OLD})
    head = repository.commit({"build-lock.toml": NEW})
    result = run(host, tmp_path, base, head, GITLAB_TOKEN="")
    assert (result.code, host.requests) == (3, [])
    assert "hash-changed" in result.stdout


def test_no_file_of_the_merge_request_stands_for_a_revision(host: GitLab, tmp_path: Path) -> None:
    repository = GitRepository(tmp_path / "project")
    base = repository.commit({"build-lock.toml": OLD, "pyproject.toml": ""})
    head = repository.commit({"build-lock.toml": NEW, base: NEW, "venv.py": "1 / 0", "pip/__init__.py": "1 / 0"})
    result = run(host, tmp_path, base, head)
    assert result.code == 3
    assert "hash-changed" in host.bodies[0]


def test_inputs_are_in_no_script() -> None:
    inputs, job = read_template()
    assert "$[[" not in "".join(job["script"])
    assert set(re.findall(r"inputs\.(\w+)", TEMPLATE.read_text(encoding="utf-8"))) == set(inputs)
    assert job["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "merge_request_event"'}]
