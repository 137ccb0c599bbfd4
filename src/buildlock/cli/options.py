"""The options that several commands share."""

import os
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from buildlock.errors import UsageError
from buildlock.reporting import Reporter
from buildlock.workflows.workspace import Workspace, default_cache_dir

ProjectDir: TypeAlias = Annotated[
    Path, typer.Option("--project", metavar="DIR", help="The project's folder.", show_default="this folder")
]
VariantName: TypeAlias = Annotated[
    str | None, typer.Option("--variant", metavar="NAME", help="The variant; default: as the project says.")
]
VariantNames: TypeAlias = Annotated[
    list[str] | None, typer.Option("--variant", metavar="NAME", help="A variant; may be given several times.")
]
Python: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="PYTHON", help="A version, name or path; default: the Python that runs buildlock."),
]
Frozen: TypeAlias = Annotated[bool, typer.Option("--frozen", help="Use the lock even if the project has moved on.")]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings and errors.")]
Verbose: TypeAlias = Annotated[bool, typer.Option("--verbose", "-v", help="Every step.")]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Data as JSON, on stdout.")]

HERE = Path()


def open_workspace(project: Path, report: Reporter) -> Workspace:
    """The workspace that the command line and the environment variables name.

    Raises:
        UsageError: There is no such folder.
    """
    if not project.is_dir():
        raise UsageError(f"`--project {project}` is not a folder")
    return Workspace(
        root=project.resolve(), cache_dir=default_cache_dir(os.environ), environ=dict(os.environ), report=report
    )
