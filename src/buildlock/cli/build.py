"""`buildlock build`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from buildlock.cli.console import Console, write_data, write_json
from buildlock.cli.declared import Argument, Option
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
    parse_name,
)
from buildlock.cli.talk import Line
from buildlock.errors import UsageError
from buildlock.frontend.backend import PRODUCTS
from buildlock.lockfile.select import Locked
from buildlock.workflows import build as workflow
from buildlock.workflows.build import BuildOptions, Built
from buildlock.workflows.build_package import BuiltPackage, PackageBuildOptions, build_package


def build(
    package: Annotated[
        str | None,
        Argument(
            metavar="[PACKAGE]",
            help="A package that is not the project's, as `lock --package` locked it.",
            show_default="the project",
        ),
    ] = None,
    project: ProjectDir = HERE,
    variant: VariantName = None,
    wheel: Annotated[bool, Option("--wheel", help="Build a wheel (the default).")] = False,
    sdist: Annotated[bool, Option("--sdist", help="Build an sdist.")] = False,
    editable: Annotated[bool, Option("--editable", help="Build an editable wheel.")] = False,
    out_dir: Annotated[
        Path | None, Option("--out-dir", "-o", metavar="DIR", help="Default: dist in the project's folder.")
    ] = None,
    config_setting: Annotated[
        list[str] | None,
        Option("--config-setting", "-C", metavar="KEY=VALUE", help="Handed to the backend; may be repeated."),
    ] = None,
    rebuild: Annotated[
        bool, Option("--rebuild", help="Build PACKAGE even if it was built before from the very same.")
    ] = False,
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
    """Build in a locked environment, print the file.

    Each build gets an environment of its own, made from the lock as `install` does and thrown away afterwards. What
    was built of PACKAGE before, from the very same, is found again.
    """
    console = Console(quiet=quiet, verbose=verbose, backend_output=True, timings=timings)
    limits = make_limits(timeout=timeout, no_network=no_network, sandbox=sandbox)
    if wheel and editable:
        # Backends may give both one name: the second would take the place of the first.
        raise UsageError("`--wheel` and `--editable` exclude each other", hint="build them into folders of their own")
    if sandbox and editable:
        # What it compiles beside the sources would be lost with their copy.
        raise UsageError(
            "`--sandbox` and `--editable` exclude each other: an editable build is one of the folder itself"
        )
    overrides = make_overrides(
        offline=offline,
        find_links=find_links,
        allow_insecure_host=allow_insecure_host,
        no_build=no_build,
        no_build_package=no_build_package,
        only_binary=only_binary,
        link_mode=link_mode,
    )
    if package is not None:
        if sdist or editable:
            raise UsageError(f"`--{'sdist' if sdist else 'editable'}`: of `{package}` only a wheel is built")
        package_options = PackageBuildOptions(
            package=parse_name(package),
            variant=variant,
            out_dir=out_dir.resolve() if out_dir else None,
            config_settings=parse_config_settings(config_setting or ()),
            python=python,
            frozen=frozen,
            rebuild=rebuild,
            overrides=overrides,
        )
        with console.watch():
            outcome = build_package(open_workspace(project, console, limits), package_options)
        _report_package(console, outcome, as_json=as_json)
        return
    if rebuild:
        raise UsageError("`--rebuild` is for a package that is named: the project is built every time")
    asked = {"wheel": wheel, "sdist": sdist, "editable": editable}
    options = BuildOptions(
        variant=variant,
        products=tuple(product for product in PRODUCTS if asked[product]) or ("wheel",),
        out_dir=out_dir.resolve() if out_dir else None,
        config_settings=parse_config_settings(config_setting or ()),
        python=python,
        frozen=frozen,
        overrides=overrides,
    )
    with console.watch():
        built = workflow.build(open_workspace(project, console, limits), options)
    for each in built:
        console.say(_describe(each))
    if as_json:
        write_json([_to_json(each) for each in built])
    else:
        write_data("".join(f"{each.path}\n" for each in built))


def _report_package(console: Console, built: BuiltPackage, *, as_json: bool) -> None:
    found = ("Found ", ", built before") if built.reused else ("Built ", "")
    console.say(
        Line(found[0], (built.path.name, "bold"), f" for {built.variant}{_describe_against(built.against)}{found[1]}")
    )
    if as_json:
        write_json(
            {
                "package": built.source.name,
                "version": str(built.source.version),
                "variant": built.variant,
                "path": str(built.path),
                "reused": built.reused,
                "environment": {package.name: str(package.version) for package in built.source.requires},
            }
        )
    else:
        write_data(f"{built.path}\n")


def parse_config_settings(pairs: Sequence[str]) -> dict[str, str | list[str]]:
    """`KEY=VALUE` pairs as PEP 517 hands them to a backend; a key given twice has a list, as in pip and build.

    >>> parse_config_settings(["a=1", "b=2", "a=3"])
    {'a': ['1', '3'], 'b': '2'}

    Raises:
        UsageError: A pair has no key, or no `=`.
    """
    settings: dict[str, str | list[str]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UsageError(f"`-C {pair}` is not KEY=VALUE", hint="an empty value is written `-C KEY=`")
        before = settings.get(key)
        if before is None:
            settings[key] = value
        else:
            settings[key] = [*(before if isinstance(before, list) else [before]), value]
    return settings


def _describe(built: Built) -> Line:
    return Line("Built ", (built.path.name, "bold"), f" for {built.variant}{_describe_against(built.against)}")


def _describe_against(packages: Sequence[Locked]) -> str:
    against = ", ".join(f"{package.name} {package.version}" for package in packages)
    return f" against {against}" if against else ""


def _to_json(built: Built) -> object:
    return {
        "variant": built.variant,
        "product": built.product,
        "path": str(built.path),
        "environment": {package.name: str(package.version) for package in built.packages},
    }
