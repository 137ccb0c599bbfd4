"""`buildlock lock`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from packaging.requirements import Requirement
from rich.text import Text

from buildlock.cli.changes import describe_change
from buildlock.cli.console import Console, count_packages, write_json
from buildlock.cli.options import (
    HERE,
    Json,
    NoBuild,
    NoBuildPackage,
    OnlyBinary,
    ProjectDir,
    Quiet,
    VariantNames,
    Verbose,
    open_workspace,
    parse_name,
    refuse_builds,
)
from buildlock.workflows import lock as workflow
from buildlock.workflows.lock import LockedVariant, LockOptions, LockResult


def lock(
    project: ProjectDir = HERE,
    variant: VariantNames = None,
    all_variants: Annotated[bool, typer.Option("--all", help="Every variant of the project.")] = False,
    python: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PYTHON",
            help="A version, name or path to lock for; may be given several times; default: the project's, else the "
            "Python that runs buildlock.",
            show_default=False,
        ),
    ] = None,
    platform: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PLATFORM",
            help="A platform to lock for, as in uv: `linux`, `x86_64-manylinux_2_28`, `aarch64-apple-darwin` …; may "
            "be given several times; default: the project's, else this one.",
            show_default=False,
        ),
    ] = None,
    upgrade: Annotated[bool, typer.Option("--upgrade", "-U", help="Forget all pins of the lock so far.")] = False,
    upgrade_package: Annotated[
        list[str] | None, typer.Option("--upgrade-package", "-P", metavar="NAME", help="Forget the pin of a package.")
    ] = None,
    no_dynamic: Annotated[
        bool, typer.Option("--no-dynamic", help="Do not ask the backend for its dynamic requirements.")
    ] = False,
    runtime_environment: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="An environment to take the versions of `match-runtime` from."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and write nothing.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 3 where the lock would change.")] = False,
    default_index: Annotated[
        str | None, typer.Option(metavar="URL", help="The default index, above all settings.")
    ] = None,
    find_links: Annotated[
        list[str] | None, typer.Option("--find-links", "-f", metavar="PATH|URL", help="A folder or page of files.")
    ] = None,
    no_index: Annotated[bool, typer.Option("--no-index", help="Ask no index, only --find-links.")] = False,
    no_build: NoBuild = False,
    no_build_package: NoBuildPackage = None,
    only_binary: OnlyBinary = None,
    no_binary: Annotated[bool, typer.Option("--no-binary", help="Take no wheel: build all from source.")] = False,
    no_binary_package: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Build this package from source.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Lock build environments in build-lock.toml.

    Every package comes from the index that the variant assigns to it. Pins that still fit are kept, and a variant
    that is not locked now keeps its bytes.
    """
    console = Console(quiet=quiet, verbose=verbose)
    options = LockOptions(
        variants=tuple(variant or ()),
        all_variants=all_variants,
        pythons=tuple(python or ()),
        platforms=tuple(platform or ()),
        upgrade=upgrade,
        upgrade_packages=frozenset(map(parse_name, upgrade_package or ())),
        dynamic=not no_dynamic,
        check=check,
        dry_run=dry_run,
        runtime_environment=runtime_environment.absolute() if runtime_environment else None,
        overrides=replace(
            refuse_builds(no_build, no_build_package, only_binary),
            default_index=default_index,
            find_links=tuple(find_links or ()),
            no_index=no_index,
            no_binary=no_binary,
            no_binary_package=frozenset(map(parse_name, no_binary_package or ())),
        ),
    )
    with console.watch():
        locked = workflow.lock(open_workspace(project, console), options)
    for each in locked.variants:
        _say_variant(console, each)
    for name in locked.dropped:
        console.say(f"Dropped {name}: no longer a variant of the project")
    _say_outcome(console, locked, options)
    if as_json:
        write_json(_to_json(locked))


def _say_variant(console: Console, variant: LockedVariant) -> None:
    packages = count_packages(len(variant.environment.packages))
    for source, matched in variant.environment.inputs.match_runtime.items():
        names = dict.fromkeys(Requirement(text).name for text in matched)
        packages += f", {', '.join(names)} as in {source}"
    console.say(
        Text.assemble("Locked ", (variant.name, "bold"), f": {packages}" + ("" if variant.changes else ", unchanged"))
    )
    for change in variant.changes:
        console.say(describe_change(change, variant.environment))


def _say_outcome(console: Console, locked: LockResult, options: LockOptions) -> None:
    if locked.written:
        console.say(f"Wrote {locked.path.name}")
    elif options.dry_run and (locked.dropped or any(variant.touched for variant in locked.variants)):
        console.say(f"{locked.path.name} would change (dry run: nothing was written)")
    else:
        console.say(f"{locked.path.name} is up to date")


def _to_json(locked: LockResult) -> object:
    return {
        "path": str(locked.path),
        "written": locked.written,
        "dropped": list(locked.dropped),
        "variants": [
            {
                "name": variant.name,
                "packages": len(variant.environment.packages),
                "touched": variant.touched,
                "changes": [
                    {
                        "name": change.name,
                        "before": str(change.before) if change.before else None,
                        "after": str(change.after) if change.after else None,
                        "build": change.build,
                        "index": change.index,
                    }
                    for change in variant.changes
                ],
            }
            for variant in locked.variants
        ],
    }
