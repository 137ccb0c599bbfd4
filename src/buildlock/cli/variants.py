"""`buildlock variants`."""

from buildlock.cli.check import status_to_json
from buildlock.cli.console import Console, count_packages, write_data, write_json
from buildlock.cli.options import HERE, Json, ProjectDir, Quiet, Verbose, open_workspace
from buildlock.workflows import check as workflow
from buildlock.workflows.check import VariantStatus


def variants(project: ProjectDir = HERE, as_json: Json = False, quiet: Quiet = False, verbose: Verbose = False) -> None:
    """List the variants and their sources.

    Each with the indexes that serve its packages, and whether it is locked and fresh.
    """
    console = Console(quiet=quiet, verbose=verbose)
    status = workflow.check(open_workspace(project, console))
    if as_json:
        write_json(status_to_json(status))
        return
    width = max(len(each.name) for each in status.variants)
    for each in status.variants:
        write_data(_describe(each, width))


def _describe(variant: VariantStatus, width: int) -> str:
    packages = f", {count_packages(variant.packages)}" if variant.packages is not None else ""
    default = " (default)" if variant.default else ""
    lines = [f"{variant.name:<{width}}  {variant.state}{packages}{default}"]
    for package, rule in variant.sources:
        where = f"{rule.index.name} ({rule.index.location})" if rule.index.name else rule.index.location
        marker = f" where {rule.marker}" if rule.marker else ""
        lines.append(f"{'':<{width}}  {package} from {where}{marker}")
    return "\n".join(lines) + "\n"
