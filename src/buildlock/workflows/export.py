"""`export`: a variant's lock in another tool's format."""

from typing import Literal, TypeAlias

from packaging.utils import NormalizedName

from buildlock.export.pylock import export_pylock
from buildlock.export.requirements import export_requirements
from buildlock.workflows.locks import read_environment
from buildlock.workflows.workspace import Workspace, choose_variant

ExportFormat: TypeAlias = Literal["requirements", "pylock"]


def export(
    workspace: Workspace,
    *,
    variant: str | None,
    to: ExportFormat,
    package: NormalizedName | None = None,
    frozen: bool = False,
) -> str:
    """The text of a variant's lock in another format, or of what a package from elsewhere is built in.

    Raises:
        LockfileError: There is no lock, it is invalid, or it is stale and `frozen` is not set.
    """
    project = workspace.read_project()
    name = choose_variant(project, variant, workspace.environ, workspace.report)
    environment = read_environment(workspace, project, name, package=package, frozen=frozen)
    return export_pylock(environment) if to == "pylock" else export_requirements(environment, variant=name)
