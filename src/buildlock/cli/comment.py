"""`buildlock comment`."""

from buildlock.cli.console import Console
from buildlock.cli.options import (
    HERE,
    NewLock,
    OldLock,
    PolicyFrom,
    ProjectDir,
    Quiet,
    VariantNames,
    Verbose,
    open_workspace,
)
from buildlock.workflows import comment as workflow
from buildlock.workflows.diff import diff

_SAID = {
    "created": "Commented on {}",
    "updated": "Updated the comment on {}",
    "unchanged": "The comment on {} says it already",
    "none": "Nothing changed, and there is no comment on {}",
}


def comment(
    old: OldLock = None,
    new: NewLock = None,
    project: ProjectDir = HERE,
    variant: VariantNames = None,
    policy_from: PolicyFrom = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Comment on the pull request with what changed in the lock.

    There is one comment, which follows the pull request of this CI run. For GitHub Actions, with
    `GITHUB_TOKEN`, and GitLab CI, with `GITLAB_TOKEN`.
    """
    console = Console(quiet=quiet, verbose=verbose)
    workspace = open_workspace(project, console)
    thread = workflow.find_thread(workspace)
    found = diff(workspace, old, new, tuple(variant or ()), policy_from=policy_from)
    outcome = workflow.comment(workspace, thread, found)
    console.say(_SAID[outcome].format(thread.title))
