"""`matrix`: the jobs that build a project's variants for all targets that are locked."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from buildlock.errors import MissingLockError
from buildlock.export.matrix import Job, format_github, format_gitlab, format_json, make_job
from buildlock.export.served import list_served
from buildlock.lockfile.model import FILENAME
from buildlock.workflows.locks import read_lock
from buildlock.workflows.workspace import Workspace, choose_variant

MatrixFormat: TypeAlias = Literal["github", "gitlab", "json"]

_FORMATS: Mapping[MatrixFormat, Callable[[Sequence[Job]], str]] = {
    "github": format_github,
    "gitlab": format_gitlab,
    "json": format_json,
}


def matrix(workspace: Workspace, *, variants: Sequence[str] = (), to: MatrixFormat, frozen: bool = False) -> str:
    """The text of a job matrix: of all variants that are locked, or of these.

    Raises:
        UnknownVariantError: One of `variants` is not the project's.
        LockfileError: There is no lock, it is invalid, or it is stale and `frozen` is not set.
    """
    project = workspace.read_project()
    lock = read_lock(workspace, project)
    if variants:
        names = list(dict.fromkeys(choose_variant(project, name, workspace.environ) for name in variants))
    else:
        names = list(lock.list_variants())
    if not names:
        raise MissingLockError(f"`{FILENAME}` locks no variant of the project", hint="run `buildlock lock --all`")
    jobs = []
    for name in names:
        environment = lock.environment(name, frozen=frozen)
        jobs += [make_job(name, served) for served in list_served(environment)]
    return _FORMATS[to](jobs)
