"""`buildlock check`."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from buildlock.answers.recorder import keep_answer
from buildlock.cli.console import Console, write_json
from buildlock.cli.options import HERE, Json, ProjectDir, Quiet, ShowTimings, VariantNames, Verbose, open_workspace
from buildlock.diff.model import Finding
from buildlock.diff.quoting import unquote
from buildlock.diff.render_json import finding_to_json
from buildlock.diff.wording import describe_subject, describe_verdict
from buildlock.workflows import check as workflow
from buildlock.workflows.backend_file import RELATIVE_PATH, FileState
from buildlock.workflows.check import LockStatus, PackageStatus, VariantStatus

STALE = 3

_BACKEND: Mapping[FileState | None, str] = {
    "outdated": "of another version of buildlock",
    "edited": "not as buildlock wrote it",
    "missing": "not there, and `[build-system]` names it",
}


def check(
    project: ProjectDir = HERE,
    variant: VariantNames = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    timings: ShowTimings = False,
) -> None:
    """Say whether the lock answers the project, and its policy.

    Exits with 3, and says which input moved or what is denied, if it does not. It needs neither a network nor an
    interpreter.
    """
    console = Console(quiet=quiet, verbose=verbose, timings=timings)
    with console.watch():
        status = workflow.check(open_workspace(project, console), tuple(variant or ()))
    unlocked = not status.lock_fresh or (variant and any(_is_in_vain(each, status) for each in status.variants))
    if as_json:
        write_json(status_to_json(status))
    else:
        for line in _list_lines(status):
            console.say(line)
        if unlocked:
            commands = " and ".join(f"`buildlock lock {options}`" for options in _choose_options(status))
            console.say(f"\nhint: run {commands}")
    code = STALE if unlocked or not status.fresh or status.refused else 0
    if not timings:  # which are those of one run
        keep_answer(code)
    sys.exit(code)


def _list_lines(status: LockStatus) -> Iterator[str]:
    """What there is to say, section by section."""
    yield from (_describe(each.name, each) for each in status.variants)
    yield from (_describe(f"{package.name} for {package.variant}", package) for package in status.packages)
    yield from (f"{name}: locked, and no longer a variant of the project" for name in status.orphans)
    for outside, name in status.orphaned_packages:
        yield f"{outside} for {name}: locked, and the project does not have it for that variant any more"
    if status.backend in _BACKEND:
        yield f"{RELATIVE_PATH}: {_BACKEND[status.backend]}: run `buildlock init --backend`"
    if status.uv_block is not None and status.uv_block.fault is not None:
        yield f"pyproject.toml: {status.uv_block.fault}: run `buildlock export {status.uv_block.options}`"
    yield from map(_describe_finding, status.findings)


def _describe(subject: str, status: VariantStatus | PackageStatus) -> str:
    match status.state:
        case "fresh":
            return f"{subject}: fresh"
        case "unlocked":
            return f"{subject}: not locked"
        case "stale":
            return "\n  - ".join([f"{subject}: stale", *status.moved])


def _describe_finding(finding: Finding) -> str:
    """What the policy has a word for."""
    verdict = unquote(describe_verdict(finding) or "")
    return f"{finding.code}: {describe_subject(finding.packages)} {unquote(finding.message)} ({verdict})"


def _is_in_vain(variant: VariantStatus, status: LockStatus) -> bool:
    """Whether nothing is locked for a variant that was asked for."""
    return variant.state == "unlocked" and all(each.variant != variant.name for each in status.packages)


def _choose_options(status: LockStatus) -> list[str]:
    """What to lock: what is stale, else the variants that were asked for in vain."""
    if status.orphans or status.orphaned_packages:
        return ["--all"]
    outside = [f"--package {each.name} --variant {each.variant}" for each in status.packages if each.state != "fresh"]
    stale = [each.name for each in status.variants if each.state == "stale"]
    if not stale and not outside:
        stale = [each.name for each in status.variants if each.state != "fresh"]
    return [*([" ".join(f"--variant {name}" for name in stale)] if stale else []), *outside]


def status_to_json(status: LockStatus) -> object:
    """What `check --json` and `variants --json` print."""
    return {
        "path": str(status.path),
        "fresh": status.fresh,
        "variants": [
            {
                "name": variant.name,
                "default": variant.default,
                "state": variant.state,
                "moved": list(variant.moved),
                "packages": variant.packages,
                "sources": [
                    {
                        "package": package,
                        "index": rule.index.location if rule.index else None,
                        "direct": str(rule.direct) if rule.direct else None,
                        "marker": str(rule.marker) if rule.marker else None,
                    }
                    for package, rule in variant.sources
                ],
            }
            for variant in status.variants
        ],
        "packages": [
            {
                "name": package.name,
                "version": str(package.version) if package.version is not None else None,
                "variant": package.variant,
                "state": package.state,
                "moved": list(package.moved),
                "packages": package.packages,
            }
            for package in status.packages
        ],
        "orphans": list(status.orphans),
        "orphaned_packages": [{"package": name, "variant": variant} for name, variant in status.orphaned_packages],
        "backend": status.backend,
        "uv_block": asdict(status.uv_block) if status.uv_block else None,
        "findings": [finding_to_json(finding) for finding in status.findings],
    }
