"""`buildlock tree`."""

from typing import Annotated, Literal, TypeAlias

from buildlock.cli.console import Console, terminal_width, write_data, write_text
from buildlock.cli.declared import Option
from buildlock.cli.options import (
    HERE,
    LockedTarget,
    OutsideName,
    ProjectDir,
    Quiet,
    VariantNames,
    Verbose,
    open_workspace,
    parse_name,
)
from buildlock.graph.render_diagram import render_dot, render_mermaid
from buildlock.graph.render_json import render_json
from buildlock.graph.render_text import render_text
from buildlock.workflows import tree as workflow
from buildlock.workflows.graphs import Scope

TreeFormat: TypeAlias = Literal["text", "mermaid", "dot", "json"]


def tree(
    project: ProjectDir = HERE,
    variant: VariantNames = None,
    package: OutsideName = None,
    target: LockedTarget = None,
    invert: Annotated[
        str | None, Option("--invert", "-i", metavar="PKG", help="What needs this package, instead.")
    ] = None,
    depth: Annotated[
        int | None, Option("--depth", metavar="N", min=0, help="Go this many steps; 0: the first level alone.")
    ] = None,
    to: Annotated[
        TreeFormat, Option("--format", help="For a terminal, for Markdown, for Graphviz or for a program.")
    ] = "text",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show what needs what in the lock, from the requirements down."""
    console = Console(quiet=quiet, verbose=verbose)
    scope = Scope(
        variants=tuple(variant or ()), package=parse_name(package) if package is not None else None, target=target
    )
    name = parse_name(invert) if invert is not None else None
    views = workflow.tree(open_workspace(project, console), scope, invert=name, depth=depth)
    match to:
        case "text":
            write_text(render_text(views, width=terminal_width()))
        case "mermaid":
            write_data(render_mermaid(views))
        case "dot":
            write_data(render_dot(views))
        case "json":
            write_data(render_json(views))
