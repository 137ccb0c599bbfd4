"""`comment`: the one comment of a pull request that says what changed in the lock."""

from buildlock.diff.model import Diff
from buildlock.diff.render_markdown import MARKER, render_markdown
from buildlock.errors import UsageError
from buildlock.forge import github, gitlab
from buildlock.forge.comment import Outcome, put_comment
from buildlock.forge.model import Thread
from buildlock.index.http import HttpClient
from buildlock.workflows.workspace import Workspace


def find_thread(workspace: Workspace) -> Thread:
    """The pull request or merge request that this run of a CI is about.

    Raises:
        UsageError: This is no such run, or it has no token.
    """
    if workspace.environ.get("GITHUB_ACTIONS") == "true":
        return github.find_thread(workspace.environ)
    if workspace.environ.get("GITLAB_CI") == "true":
        return gitlab.find_thread(workspace.environ)
    raise UsageError("this is no run of GitHub Actions or GitLab CI, whose pull request could be commented on")


def comment(workspace: Workspace, thread: Thread, diff: Diff) -> Outcome:
    """Let the thread have the diff as its comment; where nothing changed, only if it has one already.

    Raises:
        ForgeError: The code host refuses.
        UnavailableError: No answer.
    """
    with HttpClient(cache_dir=None, report=workspace.report) as client:
        return put_comment(client, thread, render_markdown(diff), marker=MARKER, create=bool(diff.findings))
