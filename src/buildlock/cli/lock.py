"""`buildlock lock`."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from packaging.requirements import Requirement

from buildlock.answers.looking import get_time
from buildlock.answers.recorder import NETWORK, keep_answer
from buildlock.cli.console import Console, count_packages, write_json
from buildlock.cli.declared import Option
from buildlock.cli.options import (
    HERE,
    InsecureHosts,
    Json,
    NoBuild,
    NoBuildPackage,
    NoNetwork,
    OnlyBinary,
    ProjectDir,
    Quiet,
    Sandbox,
    ShowTimings,
    Timeout,
    VariantNames,
    Verbose,
    make_limits,
    make_overrides,
    open_workspace,
    parse_name,
    parse_package,
)
from buildlock.cli.talk import Line
from buildlock.values import replace
from buildlock.workflows import lock as workflow
from buildlock.workflows.lock_options import LockOptions

if TYPE_CHECKING:
    from buildlock.workflows.locking import LockedSection, LockResult


def lock(
    project: ProjectDir = HERE,
    variant: VariantNames = None,
    all_variants: Annotated[bool, Option("--all", help="Every variant of the project.")] = False,
    package: Annotated[
        list[str] | None,
        Option(
            metavar="REQUIREMENT",
            help="Lock what a package that is not the project's is built in, and nothing else; may be given several "
            "times.",
            show_default=False,
        ),
    ] = None,
    drop_package: Annotated[
        list[str] | None, Option(metavar="NAME", help="Lock such a package no longer.", show_default=False)
    ] = None,
    runtime_lock: Annotated[
        Path | None,
        Option(
            metavar="FILE",
            help="Lock what each package is built in that this uv.lock or pylock.toml installs and has no wheel for.",
        ),
    ] = None,
    python: Annotated[
        list[str] | None,
        Option(
            metavar="PYTHON",
            help="A version, name or path to lock for; may be given several times; default: the project's, else the "
            "Python that runs buildlock.",
            show_default=False,
        ),
    ] = None,
    platform: Annotated[
        list[str] | None,
        Option(
            metavar="PLATFORM",
            help="A platform to lock for, as in uv: `linux`, `x86_64-manylinux_2_28`, `aarch64-apple-darwin` …; may "
            "be given several times; default: the project's, else this one.",
            show_default=False,
        ),
    ] = None,
    upgrade: Annotated[bool, Option("--upgrade", "-U", help="Forget all pins of the lock so far.")] = False,
    refresh: Annotated[
        bool, Option("--refresh", help="Look everything up again, even if nothing changed since the last time.")
    ] = False,
    upgrade_package: Annotated[
        list[str] | None, Option("--upgrade-package", "-P", metavar="NAME", help="Forget the pin of a package.")
    ] = None,
    no_dynamic: Annotated[
        bool, Option("--no-dynamic", help="Do not ask the backend for its dynamic requirements.")
    ] = False,
    runtime_environment: Annotated[
        Path | None,
        Option(metavar="DIR", help="An environment to take the versions of `match-runtime` from."),
    ] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Say what would change, and write nothing.")] = False,
    check: Annotated[bool, Option("--check", help="Exit with 3 where the lock would change.")] = False,
    default_index: Annotated[str | None, Option(metavar="URL", help="The default index, above all settings.")] = None,
    find_links: Annotated[
        list[str] | None, Option("--find-links", "-f", metavar="PATH|URL", help="A folder or page of files.")
    ] = None,
    allow_insecure_host: InsecureHosts = None,
    no_index: Annotated[bool, Option("--no-index", help="Ask no index, only --find-links.")] = False,
    no_build: NoBuild = False,
    no_build_package: NoBuildPackage = None,
    only_binary: OnlyBinary = None,
    no_binary: Annotated[bool, Option("--no-binary", help="Take no wheel: build all from source.")] = False,
    no_binary_package: Annotated[
        list[str] | None, Option(metavar="NAME", help="Build this package from source.")
    ] = None,
    no_network: NoNetwork = False,
    sandbox: Sandbox = False,
    timeout: Timeout = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    timings: ShowTimings = False,
) -> None:
    """Lock build environments in build-lock.toml.

    Every package comes from the index that the variant assigns to it. Pins that still fit are kept, and a variant
    that is not locked now keeps its bytes. Of a lock that a merge left with conflict markers, what both sides have
    changed is locked, with the pins of both.
    """
    console = Console(quiet=quiet, verbose=verbose, timings=timings)
    limits = make_limits(timeout=timeout, no_network=no_network, sandbox=sandbox)
    options = LockOptions(
        variants=tuple(variant or ()),
        all_variants=all_variants,
        runtime_lock=runtime_lock.absolute() if runtime_lock else None,
        packages=tuple(map(parse_package, package or ())),
        drop_packages=frozenset(map(parse_name, drop_package or ())),
        pythons=tuple(python or ()),
        platforms=tuple(platform or ()),
        upgrade=upgrade,
        upgrade_packages=frozenset(map(parse_name, upgrade_package or ())),
        dynamic=not no_dynamic,
        check=check,
        dry_run=dry_run,
        runtime_environment=runtime_environment.absolute() if runtime_environment else None,
        overrides=replace(
            make_overrides(
                allow_insecure_host=allow_insecure_host,
                no_build=no_build,
                no_build_package=no_build_package,
                only_binary=only_binary,
            ),
            default_index=default_index,
            find_links=tuple(find_links or ()),
            no_index=no_index,
            no_binary=no_binary,
            no_binary_package=frozenset(map(parse_name, no_binary_package or ())),
        ),
    )
    with console.watch():
        workspace = open_workspace(project, console, limits)
        locked = workflow.lock(replace(workspace, kept_since=time.time()) if refresh else workspace, options)
    for each in locked.sections:
        _say_section(console, each)
    for name in locked.dropped:
        console.say(f"Dropped {name}: no longer a variant of the project")
    for outside, name in locked.dropped_packages:
        console.say(f"Dropped {outside} for {name}")
    if runtime_lock is not None and not locked.sections:
        console.say(f"{runtime_lock.name} installs nothing that has to be built")
    else:
        _say_outcome(console, locked, options)
    if as_json:
        write_json(_to_json(locked))
    if locked.unchanged and not (upgrade or upgrade_package or refresh or timings):
        get_time()  # what indexes and backends say now holds for the day
        keep_answer(0, despite=(NETWORK,))


def _say_section(console: Console, section: "LockedSection") -> None:
    from buildlock.cli.changes import describe_change  # noqa: PLC0415 - what it needs is imported when all is resolved

    environment = section.environment
    packages = count_packages(len(environment.packages))
    for source, matched in environment.inputs.match_runtime.items():
        names = dict.fromkeys(Requirement(text).name for text in matched)
        packages += f", {', '.join(names)} as in {source}"
    subject = [(section.variant, "bold")]
    if environment.source is not None:
        subject = [(f"{environment.source.name} {environment.source.version}", "bold"), (f" for {section.variant}", "")]
    unchanged = "" if section.changes else ", unchanged"
    console.say(Line("Locked ", *subject, f": {packages}{unchanged}"))
    for change in section.changes:
        console.say(describe_change(change, environment))


def _say_outcome(console: Console, locked: "LockResult", options: LockOptions) -> None:
    if locked.written:
        console.say(f"Wrote {locked.path.name}")
    elif options.dry_run and (locked.dropped or locked.dropped_packages or any(s.touched for s in locked.sections)):
        console.say(f"{locked.path.name} would change (dry run: nothing was written)")
    else:
        console.say(f"{locked.path.name} is up to date")


def _to_json(locked: "LockResult") -> object:
    return {
        "path": str(locked.path),
        "written": locked.written,
        "dropped": list(locked.dropped),
        "dropped_packages": [{"package": package, "variant": variant} for package, variant in locked.dropped_packages],
        "variants": [
            {"name": section.variant, **_section_to_json(section)}
            for section in locked.sections
            if section.package is None
        ],
        "packages": [
            {
                "name": source.name,
                "version": str(source.version),
                "variant": section.variant,
                **_section_to_json(section),
            }
            for section in locked.sections
            if (source := section.environment.source) is not None
        ],
    }


def _section_to_json(section: "LockedSection") -> dict[str, object]:
    return {
        "packages": len(section.environment.packages),
        "touched": section.touched,
        "changes": [
            {
                "name": change.name,
                "before": str(change.before) if change.before else None,
                "after": str(change.after) if change.after else None,
                "build": change.build,
                "index": change.index,
            }
            for change in section.changes
        ],
    }
