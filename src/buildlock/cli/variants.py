"""`buildlock variants`."""

from typing import Annotated

from buildlock.cli.check import status_to_json
from buildlock.cli.console import Console, count_packages, write_data, write_json
from buildlock.cli.declared import Option
from buildlock.cli.options import HERE, Json, ProjectDir, Quiet, Verbose, open_workspace
from buildlock.host.accelerators import format_version
from buildlock.workflows import check as workflow
from buildlock.workflows import detection
from buildlock.workflows.check import VariantStatus
from buildlock.workflows.detection import Detection


def variants(
    project: ProjectDir = HERE,
    detect: Annotated[bool, Option("--detect", help="Say instead which variant fits this machine, and why.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """List the variants and their sources.

    Each with the indexes that serve its packages, and whether it is locked and fresh.
    """
    console = Console(quiet=quiet, verbose=verbose)
    workspace = open_workspace(project, console)
    if detect:
        detected = detection.detect(workspace.read_project(), workspace.environ)
        if as_json:
            write_json(_detection_to_json(detected))
        else:
            write_data(_explain(detected))
        return
    status = workflow.check(workspace)
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
        where = f"{rule.index.name} ({rule.location})" if rule.index and rule.index.name else rule.location
        marker = f" where {rule.marker}" if rule.marker else ""
        lines.append(f"{'':<{width}}  {package} from {where}{marker}")
    return "\n".join(lines) + "\n"


def _explain(detected: Detection) -> str:
    lines = [f"found {each.what} ({each.where})" for each in detected.machine.accelerators]
    for missing in detected.machine.missing:
        lines += [f"found no {missing.what}", *(f"  {reason}" for reason in missing.reasons)]
    lines.append("")
    width = max(len(each.variant) for each in detected.choice.verdicts)
    for verdict in detected.choice.verdicts:
        word = "chosen" if verdict.variant == detected.choice.variant else "fits" if verdict.fits else "no"
        lines.append(f"{verdict.variant:<{width}}  {word:<6}  {verdict.why}")
    return "\n".join(lines) + "\n"


def _detection_to_json(detected: Detection) -> object:
    return {
        "variant": detected.choice.variant,
        "found": [
            {
                "kind": each.kind,
                "runs": format_version(each.limit) or None,
                "what": each.what,
                "where": each.where,
            }
            for each in detected.machine.accelerators
        ],
        "missing": [{"what": each.what, "reasons": list(each.reasons)} for each in detected.machine.missing],
        "variants": [{"name": each.variant, "fits": each.fits, "why": each.why} for each in detected.choice.verdicts],
    }
