"""`buildlock audit`."""

import sys
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from buildlock.audit.model import Audit
from buildlock.audit.render_json import render_json
from buildlock.audit.render_markdown import render_markdown
from buildlock.audit.render_text import render_text
from buildlock.cli.console import Console, terminal_width, write_data, write_text
from buildlock.cli.declared import Option
from buildlock.cli.options import HERE, ProjectDir, Quiet, ShowTimings, VariantNames, Verbose, open_workspace
from buildlock.errors import AdvisoryError, UsageError
from buildlock.project.audit import is_service
from buildlock.text import present
from buildlock.workflows import audit as workflow

DENIED = 3

AuditFormat: TypeAlias = Literal["text", "markdown", "json"]


def audit(
    database: Annotated[
        list[Path] | None,
        Option(
            "--database",
            metavar="PATH",
            help="Advisories in OSV format: a folder, a zip or a file; may be given several times.",
        ),
    ] = None,
    online: Annotated[
        bool, Option("--online", help="Ask a service for advisories, and the indexes for what they withdrew.")
    ] = False,
    service: Annotated[
        str | None, Option("--service", metavar="URL", help="Ask this service, which has OSV's API.")
    ] = None,
    project: ProjectDir = HERE,
    variant: VariantNames = None,
    to: Annotated[
        AuditFormat, Option("--format", help="For a terminal, a pull request's comment or a program.")
    ] = "text",
    quiet: Quiet = False,
    verbose: Verbose = False,
    timings: ShowTimings = False,
) -> None:
    """Check what is locked against advisories and the indexes.

    Exits with 3 where the policy denies what is found.
    """
    if service is not None and not is_service(service):
        raise UsageError(present(f"`--service {service}` is not the URL of a server"))
    console = Console(quiet=quiet, verbose=verbose, timings=timings)
    options = workflow.AuditOptions(
        databases=tuple(database or ()), online=online, service=service, variants=tuple(variant or ())
    )
    with console.watch():
        found = workflow.audit(open_workspace(project, console), options)
    _write(found, to)
    if found.refused:
        sys.exit(DENIED)
    if found.unknown:
        raise AdvisoryError("nothing was found that is denied, and not everything could be found out")


def _write(found: Audit, to: AuditFormat) -> None:
    match to:
        case "text":
            write_text(render_text(found, width=terminal_width()))
        case "markdown":
            write_data(render_markdown(found))
        case "json":
            write_data(render_json(found))
