"""The policy that judges a lock, and those that were and are in force: in files, or at revisions."""

from pathlib import Path

from buildlock.errors import InvalidProjectError, LockfileError
from buildlock.project.model import Policy
from buildlock.project.policy import parse_policy, read_policy, read_policy_file
from buildlock.text import present
from buildlock.workflows.revisions import PYPROJECT, Revisions, is_file
from buildlock.workflows.workspace import Workspace


def find_policy(workspace: Workspace, name: str | None = None) -> Policy:
    """The policy of the project's folder, or the one that is in a file or at a revision.

    Raises:
        UsageError: `name` is neither a file nor a revision.
        InvalidProjectError: The policy is invalid.
        LockfileError: git cannot read it.
        HostError: A revision is asked for, and there is no git.
    """
    if name is None:
        return read_policy(workspace.root)
    if is_file(name):
        return read_policy_file(Path(name), present(name))
    content = Revisions(root=workspace.root, environ=workspace.environ).read_pyproject(name)
    return parse_policy(content, f"{PYPROJECT} of {present(name)}") if content is not None else Policy()


def try_policy(workspace: Workspace, revision: str | None = None) -> Policy | None:
    """The policy that was, or is, in force; `None` where it is invalid: what is history need not please us."""
    try:
        return find_policy(workspace, revision)
    except (InvalidProjectError, LockfileError):
        return None
