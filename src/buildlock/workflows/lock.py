"""`lock`: resolve the build environments of a project's variants and write them down.

What reads the project is imported first, and all that resolves while the first connections are opened.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from buildlock.errors import BuildlockError
from buildlock.index.outset import connect_ahead
from buildlock.workflows.client import open_client
from buildlock.workflows.lock_options import LockOptions
from buildlock.workflows.workspace import Workspace, choose_variant

if TYPE_CHECKING:
    from buildlock.index.http import HttpClient
    from buildlock.project.model import Project
    from buildlock.workflows.locking import LockResult


def lock(workspace: Workspace, options: LockOptions) -> LockResult:
    """Resolve and lock the chosen variants, or packages from elsewhere for them; all else keeps its bytes.

    A lock that a merge left with conflict markers is merged: what both sides have changed is locked anew, with the
    pins of both as preferences, and without a word of variants that alone.

    All are resolved before the file is written, atomically; where one fails, nothing is written.

    Raises:
        ProjectError: The project's configuration is invalid or contradicts itself.
        IndexError_: An index is down, or serves what it should not.
        NoSolutionError: Nothing satisfies the requirements.
        BackendError: A backend failed when it was asked for its dynamic requirements.
        LockfileError: The lockfile as it is cannot be read.
        StaleLockError: `check` was asked for, and the lock would change.
    """
    project = workspace.read_project(options.overrides)
    with ExitStack() as stack:
        clients: dict[str, HttpClient] = {}
        if name := _foresee_variant(workspace, project, options):
            inputs = project.inputs[name]
            clients[name] = stack.enter_context(open_client(workspace, inputs))
            connect_ahead(inputs, clients[name])

        from buildlock.workflows.locker import Seen  # noqa: PLC0415 - while connections are opened
        from buildlock.workflows.locking import lock_project  # noqa: PLC0415

        return lock_project(workspace, project, options, Seen(clients=clients))


def _foresee_variant(workspace: Workspace, project: Project, options: LockOptions) -> str | None:
    """The variant that the project is locked for first, where no more than settings has to be asked for it."""
    if options.packages or options.drop_packages or options.runtime_lock:
        return None
    if options.all_variants:
        return None if options.variants else min(project.variants)
    detected = project.default_detected and len(project.variants) > 1
    if detected and not options.variants and not workspace.environ.get("BUILDLOCK_VARIANT"):
        return None
    with suppress(BuildlockError):  # told where it is chosen
        return min(choose_variant(project, name, workspace.environ) for name in options.variants or (None,))
    return None
