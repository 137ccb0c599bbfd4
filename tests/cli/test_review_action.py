"""`review/action.yml`: its steps run by a real bash, about real pull requests of a git server, against GitHub's API."""

import base64
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from render_diffs import STORIES
from support.actions import Runner
from support.command import hermetic
from support.forge import NUMBER, TOKEN, GitHub, serve
from support.git import GitRepository, GitServer

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "review" / "action.yml"
pytestmark = [pytest.mark.skipif(shutil.which("bash") is None, reason="no bash"), pytest.mark.slow]

OLD = (STORIES / "tampered-hash" / "old.toml").read_text(encoding="utf-8")
NEW = (STORIES / "tampered-hash" / "new.toml").read_text(encoding="utf-8")
LAX = "[tool.buildlock.policy]\ndeny = []\n"


class PullRequest:
    """Pull request 7 of `acme/kernels`, on a git server and a code host that are there for it."""

    def __init__(self, host: GitHub, server: GitServer, folder: Path) -> None:
        self.host = host
        self.server = server
        self.folder = folder
        self.repository = GitRepository(folder / "git" / "acme" / "kernels")
        self.base = self.repository.commit({"build-lock.toml": OLD, "pyproject.toml": "", "sub/build-lock.toml": OLD})
        self.runs = 0

    def propose(self, files: dict[str, str]) -> str:
        """Let the pull request have these files, on top of the base."""
        git = self.repository
        git.run("checkout", "--quiet", "-B", "topic", "main")
        head = git.commit(files)
        git.run("checkout", "--quiet", "-B", "merge", "main")
        git.run("merge", "--quiet", "--no-ff", "-m", "merge", "topic")
        git.run("update-ref", f"refs/pull/{NUMBER}/merge", "HEAD")
        git.run("checkout", "--quiet", "main")
        return head

    def review(self, head: str, event: str = "pull_request", **inputs: str) -> tuple[int, str, Runner]:
        """Run the action as an event of the pull request does."""
        self.runs += 1
        folder = self.folder / f"run{self.runs}"
        environment = hermetic(self.folder, {"GIT_CONFIG_GLOBAL": os.devnull, **self.host.environ(self.folder)})
        workspace = self.folder / "workspace"
        workspace.mkdir(exist_ok=True)
        fork = inputs.pop("fork", "")
        runner = Runner(
            action=ACTION,
            folder=folder,
            cwd=workspace,
            # The token is the action's to hand on.
            environment={**environment, "GITHUB_TOKEN": "", "GITHUB_SERVER_URL": self.server.url},
            inputs=inputs,
            github={
                "token": TOKEN,
                "event_name": event,
                "repository": "acme/kernels",
                "event.pull_request.number": str(NUMBER),
                "event.pull_request.head.sha": head,
                "event.pull_request.head.repo.full_name": fork or "acme/kernels",
            },
        )
        code, said = runner.run()
        assert not list(workspace.iterdir())
        assert TOKEN not in said
        return code, said, runner


@pytest.fixture
def pull(tmp_path: Path) -> Iterator[PullRequest]:
    with serve(GitHub()) as host, GitServer(tmp_path / "git") as server:
        yield PullRequest(host, server, tmp_path)


def test_a_denied_change_is_commented_on_and_fails(pull: PullRequest) -> None:
    head = pull.propose({"build-lock.toml": NEW})
    code, said, runner = pull.review(head)
    assert code == 3, said
    assert "::error::the policy denies this change" in said
    (comment,) = pull.host.bodies
    assert comment == runner.summary
    assert comment.startswith("<!-- buildlock-diff -->\n### Build lock: 1 high risk; the policy denies 1\n")
    assert f"`base-{pull.base[:12]}` → `head-{head[:12]}`" in comment
    assert pull.server.authorizations
    basic = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    assert set(pull.server.authorizations) == {f"basic {basic}"}
    assert said.count(basic) == 1  # where it is masked
    assert f"-m pip install --quiet --disable-pip-version-check {ACTION.parent}/.." in (
        runner.folder / "pip.log"
    ).read_text(encoding="utf-8")


def test_the_comment_follows_the_pull_request(pull: PullRequest) -> None:
    assert pull.review(pull.propose({"build-lock.toml": NEW}), enforce="false")[0] == 0
    code, said, runner = pull.review(pull.propose({"README": "no change of the lock"}))
    assert code == 0, said
    assert runner.outputs["action"] == {"denied": "false"}
    (comment,) = pull.host.bodies
    assert "nothing changed" in comment


def test_nothing_is_said_where_nothing_changed(pull: PullRequest) -> None:
    code, said, runner = pull.review(pull.propose({"README": "no change of the lock"}))
    assert (code, pull.host.bodies) == (0, []), said
    assert "nothing changed" in runner.summary


def test_a_pull_request_does_not_choose_its_own_policy(pull: PullRequest) -> None:
    head = pull.propose({"build-lock.toml": NEW, "pyproject.toml": LAX})
    code, _, _ = pull.review(head)
    assert code == 3
    assert "policy-loosened" in pull.host.bodies[0]


@pytest.mark.parametrize(("event", "comments"), [("pull_request", 0), ("pull_request_target", 1)])
def test_a_fork(pull: PullRequest, event: str, comments: int) -> None:
    pull.host.writable = event == "pull_request_target"
    code, _, runner = pull.review(pull.propose({"build-lock.toml": NEW}), event, fork="mallory/kernels")
    assert code == 3
    assert len(pull.host.bodies) == comments
    assert "hash-changed" in runner.summary.replace("\\", "")


def test_a_project_in_a_folder_whose_name_is_not_read_by_the_shell(pull: PullRequest, tmp_path: Path) -> None:
    head = pull.propose({"sub/build-lock.toml": NEW})
    assert pull.review(head, project="sub", comment="false")[0] == 3
    assert not pull.host.requests
    code, _, _ = pull.review(head, project=f"$(touch {tmp_path}/hit)`touch {tmp_path}/hit`")
    assert code == 1
    assert not (tmp_path / "hit").exists()


def test_a_lock_that_is_none(pull: PullRequest) -> None:
    code, said, runner = pull.review(pull.propose({"build-lock.toml": "::set-output name=denied::false\n"}))
    assert code == 1
    assert "is invalid" in said
    assert not [line for line in said.splitlines() if line.startswith("::set-output")]
    assert runner.summary == "The locks cannot be compared: the log of this job says why.\n"
    assert not pull.host.requests


def test_a_conflict_has_no_merge_to_look_at(pull: PullRequest) -> None:
    pull.propose({"build-lock.toml": NEW})
    for head in ("0" * 40, "$(touch hit)"):
        code, said, _ = pull.review(head)
        assert code == 1
        assert "::error::there is no merge of this pull request to look at" in said
    assert not pull.host.requests


def test_an_event_of_no_pull_request(tmp_path: Path) -> None:
    environment = hermetic(tmp_path, {})
    code, said = Runner(action=ACTION, folder=tmp_path / "run", cwd=tmp_path, environment=environment).run()
    assert code == 1
    assert "::error::this is no run of pull_request" in said


class TestWhatIsWritten:
    @pytest.mark.parametrize("path", [ROOT / "action.yml", ACTION], ids=lambda path: path.parent.name)
    def test_no_script_is_put_together_from_an_expression(self, path: Path) -> None:
        action = yaml.safe_load(path.read_text(encoding="utf-8"))
        for step in action["runs"]["steps"]:
            assert "${{" not in step.get("run", ""), step["name"]
        used = set(re.findall(r"inputs\.([\w-]+)", path.read_text(encoding="utf-8")))
        assert used == set(action["inputs"])

    def test_nothing_of_the_pull_request_is_checked_out(self) -> None:
        text = ACTION.read_text(encoding="utf-8")
        assert "git checkout" not in text
        assert "uses:" not in text
