"""`buildlock export`."""

from pathlib import Path
from typing import Annotated

from buildlock.cli.console import Console, write_data
from buildlock.cli.declared import Option
from buildlock.cli.options import HERE, Frozen, ProjectDir, Quiet, VariantName, Verbose, open_workspace, parse_name
from buildlock.errors import UsageError
from buildlock.workflows import export as workflow
from buildlock.workflows.export import ExportFormat, ExportOptions


def export(
    project: ProjectDir = HERE,
    variant: VariantName = None,
    package: Annotated[
        str | None,
        Option(metavar="NAME", help="What this package, which is not the project's, is built in."),
    ] = None,
    everything: Annotated[bool, Option("--all", help="A file for every locked variant; needs `--output`.")] = False,
    to: Annotated[
        ExportFormat,
        Option(
            "--format",
            help="`requirements`: name==version with hashes; `pylock`: PEP 751; `constraints`: name @ URL with hash "
            "and marker; `uv`: the same for `[tool.uv]`; `cyclonedx`: a bill of materials.",
        ),
    ] = "requirements",
    output: Annotated[
        Path | None,
        Option("--output", "-o", metavar="DIR", help="Write a file named after format and variant there."),
    ] = None,
    write: Annotated[bool, Option("--write", help="Put the `uv` block into pyproject.toml.")] = False,
    python: Annotated[
        list[str] | None,
        Option("--python", metavar="PYTHON", help="Constraints for this Python; may be given several times."),
    ] = None,
    platform: Annotated[
        list[str] | None,
        Option("--platform", metavar="NAME", help="Constraints for this platform; may be given several times."),
    ] = None,
    frozen: Frozen = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Print a lock in another tool's format, or write it to files."""
    console = Console(quiet=quiet, verbose=verbose)
    options = ExportOptions(
        to=to,
        package=parse_name(package) if package is not None else None,
        pythons=tuple(python or ()),
        platforms=tuple(platform or ()),
        frozen=frozen,
    )
    if everything and (variant or output is None):
        raise UsageError("`--all` needs `--output DIR`, and no `--variant`")
    if write and (to != "uv" or everything or output is not None or package is not None):
        raise UsageError("`--write` is for `--format uv` and one variant of the project: it writes to pyproject.toml")
    workspace = open_workspace(project, console)
    if write:
        name, changed = workflow.write_uv_block(workspace, variant=variant, options=options)
        console.say(f"{'Wrote' if changed else 'Unchanged:'} the constraints of {name} in pyproject.toml")
    elif output is not None:
        variants = None if everything else [variant]
        for path in workflow.export_files(workspace, variants=variants, options=options, folder=output):
            console.say(f"Wrote {path}")
    else:
        write_data(workflow.export(workspace, variant=variant, options=options))
