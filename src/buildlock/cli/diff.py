"""`buildlock diff`."""

import sys
from typing import Annotated, Literal, TypeAlias

from buildlock.cli.console import Console, terminal_width, write_data, write_text
from buildlock.cli.declared import Option
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
from buildlock.diff.model import Diff
from buildlock.diff.render_html import render_html
from buildlock.diff.render_json import render_json
from buildlock.diff.render_markdown import render_markdown
from buildlock.diff.render_text import render_text
from buildlock.risks import Risk
from buildlock.workflows import diff as workflow

DENIED = 3

DiffFormat: TypeAlias = Literal["text", "markdown", "json", "html"]


def diff(
    old: OldLock = None,
    new: NewLock = None,
    project: ProjectDir = HERE,
    variant: VariantNames = None,
    to: Annotated[
        DiffFormat,
        Option("--format", help="For a terminal, a pull request's comment, a program or a browser."),
    ] = "text",
    only: Annotated[
        Risk | None, Option("--only", metavar="RISK", help="What is of this risk: `high`, `medium` or `low`.")
    ] = None,
    online: Annotated[bool, Option("--online", help="Ask the indexes what they say today of what is new.")] = False,
    policy_from: PolicyFrom = None,
    exit_code: Annotated[bool, Option("--exit-code", help="Exit with 3 where the policy denies something.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Say what changed in the lock, the riskiest first.

    A lock that a merge left with conflict markers is compared with itself: our side with theirs.
    """
    console = Console(quiet=quiet, verbose=verbose)
    found = workflow.diff(
        open_workspace(project, console), old, new, tuple(variant or ()), online=online, policy_from=policy_from
    )
    _write(found.only_risk(only) if only is not None else found, to)
    # Whatever is shown.
    if exit_code and found.refused:
        sys.exit(DENIED)


def _write(found: Diff, to: DiffFormat) -> None:
    match to:
        case "text":
            write_text(render_text(found, width=terminal_width()))
        case "markdown":
            write_data(render_markdown(found))
        case "json":
            write_data(render_json(found))
        case "html":
            write_data(render_html(found))
