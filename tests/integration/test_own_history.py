"""The changes of buildlock's own lock, as its history has them: each can be told in every format."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from buildlock.workflows.diff import diff
from buildlock.workflows.workspace import Workspace
from render_diffs import render_all

ROOT = Path(__file__).parents[2]
_MOST = 10


def list_changes() -> list[str]:
    """The commits that changed the lock and have a parent here, the newest first; none where there is no history."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        return []
    command = ["git", "log", f"-{_MOST}", "--min-parents=1", "--format=%H", "--", "build-lock.toml"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return listed.stdout.split()


def test_every_change_can_be_told(tmp_path: Path) -> None:
    changes = list_changes()
    if not changes:
        pytest.skip("this is no clone, or a shallow one that has no change of the lock")
    workspace = Workspace(root=ROOT, cache_dir=tmp_path, environ=dict(os.environ))
    for commit in changes:
        found = diff(workspace, f"{commit}^", commit)
        assert found.findings or found.reformatted
        rendered = render_all(found)
        told = json.loads(rendered["json"])["findings"]
        assert [finding["code"] for finding in told] == [finding.code for finding in found.findings]
        for suffix in ("txt", "md", "html"):
            for finding in found.findings:
                assert finding.code in rendered[suffix].replace("\\", ""), (commit, suffix)
