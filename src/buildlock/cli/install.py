"""`buildlock install`."""

from pathlib import Path
from typing import Annotated

from buildlock.answers.recorder import CHANGE, NETWORK, keep_answer
from buildlock.cli.again import INSTALL, note_install
from buildlock.cli.console import Console, count_packages, write_data, write_json
from buildlock.cli.declared import Option
from buildlock.cli.options import (
    HERE,
    FindLinks,
    Frozen,
    InsecureHosts,
    Json,
    LinkModeName,
    NoBuild,
    NoBuildPackage,
    NoNetwork,
    Offline,
    OnlyBinary,
    ProjectDir,
    Python,
    Quiet,
    Sandbox,
    ShowTimings,
    Timeout,
    VariantName,
    Verbose,
    make_limits,
    make_overrides,
    open_workspace,
)
from buildlock.workflows import install as workflow
from buildlock.workflows.install import InstallOptions


def install(
    project: ProjectDir = HERE,
    variant: VariantName = None,
    target: Annotated[
        Path | None, Option(metavar="DIR", help="Where the environment goes; default: into the cache.")
    ] = None,
    python: Python = None,
    frozen: Frozen = False,
    offline: Offline = False,
    find_links: FindLinks = None,
    allow_insecure_host: InsecureHosts = None,
    no_build: NoBuild = False,
    no_build_package: NoBuildPackage = None,
    only_binary: OnlyBinary = None,
    link_mode: LinkModeName = None,
    no_network: NoNetwork = False,
    sandbox: Sandbox = False,
    timeout: Timeout = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    timings: ShowTimings = False,
) -> None:
    """Prepare a locked environment, print its path.

    The isolated build environment of a variant is made from the lock alone, every file verified.
    """
    console = Console(quiet=quiet, verbose=verbose, timings=timings)
    limits = make_limits(timeout=timeout, no_network=no_network, sandbox=sandbox)
    options = InstallOptions(
        variant=variant,
        target=target.absolute() if target else None,
        python=python,
        frozen=frozen,
        overrides=make_overrides(
            offline=offline,
            find_links=find_links,
            allow_insecure_host=allow_insecure_host,
            no_build=no_build,
            no_build_package=no_build_package,
            only_binary=only_binary,
            link_mode=link_mode,
        ),
    )
    with console.watch():
        installed = workflow.install(open_workspace(project, console, limits), options)
    found = "Found" if installed.reused else "Installed"
    subject = f"{count_packages(installed.packages)} of {installed.variant}"
    console.say(f"{found} {subject}")
    root, python_path = str(installed.environment.root), str(installed.environment.python)
    if as_json:
        facts = {
            "variant": installed.variant,
            "environment": root,
            "python": python_path,
            "packages": installed.packages,
            "reused": installed.reused,
        }
        write_json(facts)
    else:
        write_data(f"{root}\n")
    if installed.again is not None and not (as_json or verbose or timings or console.has_warned):
        recipe, place, claim = map(str, installed.again)
        note = note_install(recipe, place, claim, subject)
        keep_answer(0, act=(INSTALL, note), despite=(NETWORK, CHANGE))
