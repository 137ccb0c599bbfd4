"""`buildlock download`."""

from pathlib import Path
from typing import Annotated

from buildlock.cli.console import Console, write_data, write_json
from buildlock.cli.declared import Option
from buildlock.cli.options import (
    HERE,
    FindLinks,
    Frozen,
    InsecureHosts,
    Json,
    Offline,
    ProjectDir,
    Quiet,
    ShowTimings,
    VariantNames,
    Verbose,
    make_overrides,
    open_workspace,
)
from buildlock.errors import UsageError
from buildlock.workflows import download as workflow
from buildlock.workflows.download import DownloadOptions, Fetched


def download(
    directory: Annotated[Path, Option("--directory", "-d", metavar="DIR", help="The folder to fill.")],
    project: ProjectDir = HERE,
    variant: VariantNames = None,
    all_variants: Annotated[bool, Option("--all", help="Every variant.")] = False,
    python: Annotated[
        list[str] | None,
        Option(metavar="PYTHON", help="Only what this Python gets; may be given several times."),
    ] = None,
    platform: Annotated[
        list[str] | None,
        Option(metavar="PLATFORM", help="Only what this platform gets; may be given several times."),
    ] = None,
    frozen: Frozen = False,
    offline: Offline = False,
    find_links: FindLinks = None,
    allow_insecure_host: InsecureHosts = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    timings: ShowTimings = False,
) -> None:
    """Fill a folder with exactly the locked files, print their paths.

    `install`, `build` and `run` take them from there with --offline --find-links DIR.
    """
    console = Console(quiet=quiet, verbose=verbose, timings=timings)
    if variant and all_variants:
        raise UsageError("`--variant` and `--all` exclude each other")
    options = DownloadOptions(
        directory=directory.absolute(),
        variants=tuple(variant or ()),
        all_variants=all_variants,
        pythons=tuple(python or ()),
        platforms=tuple(platform or ()),
        frozen=frozen,
        overrides=make_overrides(offline=offline, find_links=find_links, allow_insecure_host=allow_insecure_host),
    )
    with console.watch():
        fetched = workflow.download(open_workspace(project, console), options)
    counts = {state: sum(each.state == state for each in fetched) for state in ("downloaded", "kept", "replaced")}
    console.say(", ".join(f"{count} {state}" for state, count in counts.items() if count) or "nothing to download")
    if as_json:
        write_json([_to_json(each) for each in fetched])
    else:
        write_data("".join(f"{each.path}\n" for each in fetched))


def _to_json(fetched: Fetched) -> object:
    file = fetched.file
    return {
        "name": file.name,
        "path": str(fetched.path),
        "sha256": file.sha256,
        "url": file.url,
        "state": fetched.state,
    }
